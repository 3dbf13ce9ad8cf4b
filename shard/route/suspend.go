package route

import (
	"viaduct/parser"
	"viaduct/shard/ask"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
)

// Suspension names a request that t_suspend holds, by the index and label that the script was told,
// and the route that is to continue it: a route number in the program that called t_continue.
type Suspension struct {
	Index   uint64
	Label   uint32
	Program uint64
	Route   int
}

// Suspends makes the call being compiled one that holds the request (t_suspend). The current run
// goes on to its end. A later Continue names the route that continues the request, in a run of its
// own.
func (b *Build) Suspends() Call {
	b.FalseIn(anywhere&^suspends, "nothing can be held there")
	b.cc.prog.namesRoutes = true
	tooMany := b.cc.tooMany(b.x.Pos)
	noSuch := []byte("what t_suspend() at " + b.x.Pos.String() +
		" held was to go on in a route that its own program does not have")
	w := &waiting{answer: func(c *Ctx, a *ask.Answer) Result {
		rt := c.prog.byName[string(a.Text())]
		if rt == nil {
			c.Complain(noSuch) // another program has named the route; see Suspension
			return 0
		}
		c.continued = c.kind != ReplyRoute
		return c.GoTo(RouteBlock{rt: rt, tooMany: tooMany})
	}}
	b.cc.waiting = w
	return w.suspend
}

// suspend is the step of the call. With an answer it continues the request.
func (w *waiting) suspend(c *Ctx) Result {
	if c.answer != nil {
		return w.goOn(c)
	}
	s, r := c.Shard, c.Request
	if c.kind == ReplyRoute {
		return w.suspendReply(c)
	}
	if s.Waits == nil || c.inner || r == nil || r.IsHTTP() || (InRequest|InFailure)>>c.kind&1 == 0 ||
		r.M.Method == parser.ACK || r.M.Method == parser.CANCEL || r.Losing() != nil ||
		c.waits >= ask.MaxWaits {
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
	c.kept.changed = false // the transaction has them, and will have the run's later changes
	ok := c.writeHeld(run, w)
	c.live, c.kept.changed = live, changed
	if !ok || !r.Suspend(&proxy.HeldRun{Kind: c.kind, Question: number, Run: run.b}) {
		return -1
	}
	c.Acted = true
	return 1
}

// suspendReply suspends the response at hand. It does not go up when the run ends.
func (w *waiting) suspendReply(c *Ctx) Result {
	s := c.Shard
	if s.Waits == nil || c.inner || c.putOff || c.Tx == nil || c.Branch == nil ||
		c.waits >= ask.MaxWaits {
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
	c.kept.changed = false // the transaction will have the run's variables
	ok := c.writeHeld(run, w)
	c.live, c.kept.changed = live, changed
	h := proxy.HeldRun{Kind: ReplyRoute, Question: number, Run: run.b}
	if !ok || !c.Reply.Suspend(c.Tx, c.Branch, &h) {
		return -1
	}
	c.putOff = true
	return 1
}

// suspended returns what becomes of the response of a run that ended with o.
func (c *Ctx) suspended(o Outcome, r *proxy.Reply, tx *txn.Tx) Outcome {
	if !c.putOff {
		return o
	}
	c.putOff = false
	if o == Faulted {
		r.Unhold(tx) // it goes up, as behind any run that failed
		return o
	}
	return Held
}

// NamesRoute makes RouteNumber work. name is the name of a route, given as argument i, which the
// file must have. It is "" if it is not known at load.
func (b *Build) NamesRoute(i int, name string) {
	b.cc.prog.namesRoutes = true
	if name != "" {
		b.cc.refs = append(b.cc.refs, routeRef{name: name, pos: b.at(i)})
		b.cc.routeNamed(name)
	}
}

// RouteNumber returns the number of the route[] of that name, for Continue. It returns 0 if there
// is none. The Build of the function must have called NamesRoute.
func (c *Ctx) RouteNumber(name []byte) int {
	if rt := c.prog.byName[string(name)]; rt != nil {
		return int(rt.number)
	}
	return 0
}

// Continue continues a suspended request in the route with that number (t_continue), when the
// request's shard is done with its current message. It returns false if there is no such request,
// or if something else is about to continue it. For a request of another shard it returns true, and
// that shard checks later.
func (c *Ctx) Continue(index uint64, label uint32, route int) bool {
	s := c.Shard
	return s.Waits != nil && s.Waits.Continue(Suspension{index, label, c.prog.hash, route})
}

// BlockName returns the name of the route[] with that number. It returns "" if there is none.
func (p *Program) BlockName(n int) string {
	if n < 1 || n > len(p.routes) {
		return ""
	}
	return p.routes[n-1].name
}
