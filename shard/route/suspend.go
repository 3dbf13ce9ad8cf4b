package route

import (
	"viaduct/parser"
	"viaduct/shard/ask"
	"viaduct/shard/proxy"
)

// Suspension is a request that t_suspend holds, by the numbers that the program was told, and who
// is to go on with it: the route of that number in the program that has called t_continue.
type Suspension struct {
	Index   uint64
	Label   uint32
	Program uint64
	Route   int
}

// Suspends makes the call that is built one that holds the request (t_suspend): its run goes on to
// its end, and somebody's Continue names the route that another one begins with.
func (b *Build) Suspends() Call {
	b.cc.prog.namesRoutes = true
	tooMany := b.cc.tooMany(b.x.Pos)
	noSuch := []byte("what t_suspend() at " + b.x.Pos.String() +
		" held was to go on in a route that its own program does not have")
	w := &waiting{answer: func(c *Ctx, a *ask.Answer) Result {
		rt := c.prog.byName[string(a.Text())]
		if rt == nil {
			c.Complain(noSuch) // another program named it, see Suspension
			return 0
		}
		c.continued = true
		return c.GoTo(RouteBlock{rt: rt, tooMany: tooMany})
	}}
	b.cc.waiting = w
	return w.suspend
}

// suspend is the step of that call. With an answer the run is one that is continued.
func (w *waiting) suspend(c *Ctx) Result {
	if c.answer != nil {
		return w.goOn(c)
	}
	s, r := c.Shard, c.Request
	if s.Waits == nil || c.inner || r == nil || r.IsHTTP() || (InRequest|InFailure)>>c.kind&1 == 0 ||
		r.M.Method == parser.ACK || r.M.Method == parser.CANCEL || r.Losing() != nil || c.waits >= ask.MaxWaits {
		return -1
	}
	c.question.Reset()
	c.question.After(0)
	number, err := s.Waits.Number(&c.question)
	if err != nil {
		return -1
	}
	c.waits++
	run, live, changed := &c.heldWriter, c.live, c.kept.changed
	run.b = c.buf[len(c.buf):]
	c.kept.changed = false // the transaction has them, and what the run does to them yet
	ok := c.writeHeld(run, w)
	c.live, c.kept.changed = live, changed
	if !ok || !r.Suspend(&proxy.HeldRun{Kind: c.kind, Question: number, Run: run.b}) {
		return -1
	}
	c.Acted = true
	return 1
}

// NamesRoute makes RouteNumber know the routes of the file. name is that of one, which argument i
// is; empty: it is not known at load.
func (b *Build) NamesRoute(i int, name string) {
	b.cc.prog.namesRoutes = true
	if name != "" {
		b.cc.refs = append(b.cc.refs, routeRef{name: name, pos: b.at(i)})
		b.cc.routeNamed(name)
	}
}

// RouteNumber is the number of the route[] of that name, for Continue. It is 0 if there is none. It
// is for functions whose Build has called NamesRoute.
func (c *Ctx) RouteNumber(name []byte) int {
	if rt := c.prog.byName[string(name)]; rt != nil {
		return int(rt.number)
	}
	return 0
}

// Continue has the request that is suspended by these numbers go on in the route of that number
// (t_continue), when its shard is done with the message at hand. It returns false if there is none,
// or somebody else is about to. Of another shard's it is not known: that looks when it comes to it.
func (c *Ctx) Continue(index uint64, label uint32, route int) bool {
	s := c.Shard
	return s.Waits != nil && s.Waits.Continue(Suspension{index, label, c.prog.hash, route})
}

// BlockName is the name of the route[] with that number. It is empty if there is none.
func (p *Program) BlockName(n int) string {
	if n < 1 || n > len(p.routes) {
		return ""
	}
	return p.routes[n-1].name
}
