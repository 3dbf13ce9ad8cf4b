package route

import "slices"

// Result is what a step, or a function of a module, says: above 0 yes, below 0 no. 0 is that the
// run does not go on as the step says: the script ends as with exit, unless run.stop has something
// else.
type Result = int

// step is one step of a program: do does the work, and its result says which step is next.
type step struct {
	do      func(c *Ctx) Result
	yes, no target
	// keeps says that the result becomes $rc: it is that of a function, or what a route returns.
	keeps bool
}

// linked is a step as a run goes through it: with pointers to those behind it, in the place of
// targets. One whose do is nil is an end.
//
// Receipt: BenchmarkBalancerProgram, 14 steps, 442 instructions of 1,790 were the loop's, 31 a
// step; it is 20 now. With progress, which begin sets at once, and slow paths set apart: 116 to
// 118 ns before, 106 behind, best of 120 runs in turn. A chain of 16 is_method() went from 51.6 to
// 46.2 ns. AMD EPYC (2 virtual CPUs), go1.26.8, 2026-11-30.
type linked struct {
	do      func(c *Ctx) Result
	yes, no *linked
	keeps   bool
	end     target
}

// target is where a run goes on: the index of a step, or one of these ends. While a program is
// compiled it may be a label too.
type target int32

const (
	toEnded   = -1 - target(Ended)
	toExited  = -1 - target(Exited)
	toDropped = -1 - target(Dropped)
	toFaulted = -1 - target(Faulted)
	toHeld    = -1 - target(Held)
	// toReturn leaves a route, for the step behind its call.
	toReturn target = -100
	// firstLabel is the first target that is a label.
	firstLabel target = 1 << 30
)

// stop is why a step's result was 0.
type stop uint8

const (
	notStopped stop = iota
	jumped          // Ctx.jump is the step that is next
	faulted         // a limit was hit, Ctx.Fault says which
	held            // it waits for an answer
	dropped         // a function ended it as drop does
)

// frame is a route that called another one.
type frame struct {
	back  target
	mark  int32 // its run.mark
	temps int32 // its run.base
}

// run goes through the steps from pc on. A route that a run is made for, around which there are
// floor others, ends it where a called one returns.
func (p *Program) run(c *Ctx, pc target, floor int) Outcome {
	s := p.at(pc)
	for {
		for s.do != nil {
			r := s.do(c)
			if s.keeps {
				c.Return = r
			}
			switch {
			case r > 0:
				s = s.yes
			case r < 0:
				s = s.no
			default:
				s = p.at(c.stopped())
			}
		}
		if s.end != toReturn {
			return Outcome(-1 - s.end)
		}
		n := len(c.frames) - 1
		if n < floor {
			return Ended
		}
		f := &c.frames[n]
		s, c.mark, c.base = p.at(f.back), f.mark, f.temps
		c.frames = c.frames[:n]
	}
}

// ends are the steps that no run gets past, by -1 - target.
var ends = func() (l [-toReturn]linked) {
	for i := range l {
		l[i].end = -1 - target(i)
	}
	return l
}()

// at is the step, or the end, that t is.
func (p *Program) at(t target) *linked {
	if t < 0 {
		return &ends[-1-t]
	}
	return &p.linked[t]
}

// link makes the table that run goes through.
func (p *Program) link() {
	p.linked = make([]linked, len(p.steps))
	for i, s := range p.steps {
		p.linked[i] = linked{do: s.do, yes: p.at(s.yes), no: p.at(s.no), keeps: s.keeps}
	}
}

// Around is the program with each of its steps made within around, which calls do once. It is for
// tests that let steps fail, or watch them.
func (p *Program) Around(around func(do func() Result) Result) *Program {
	q := *p
	q.steps = slices.Clone(p.steps)
	for i := range q.steps {
		do := p.steps[i].do
		q.steps[i].do = func(c *Ctx) Result { return around(func() Result { return do(c) }) }
	}
	q.link()
	return &q
}

// stopped is where a run goes on after a step whose result was 0.
func (c *Ctx) stopped() target {
	switch c.stop {
	case jumped:
		c.stop = notStopped
		return c.jump
	case faulted:
		return toFaulted
	case held:
		return toHeld
	case dropped:
		return toDropped
	}
	return toExited
}

// Drop is the result of a function that ends the run as drop does.
func (c *Ctx) Drop() Result {
	c.stop = dropped
	return 0
}

// failed ends the run because of a limit. The first one counts: what an expression still does
// behind it is of no account.
func (c *Ctx) failed(why *Diagnostic) Result {
	if c.stop != faulted {
		c.Fault = why
		c.stop = faulted
	}
	return 0
}

// spend takes n steps off those that a run may make. It is asked where a step may come again: by
// each turn of a loop for all of the loop, and by each call of a route for all of the route.
func (c *Ctx) spend(n int32) bool {
	c.left -= n
	return c.left >= 0
}

// push is the step that calls a route. What the caller has in the scratch room and in its first
// live temporaries stays.
func (c *Ctx) push(rt *routeCode, back target, live int32, tooMany *Diagnostic) Result {
	if len(c.frames) >= c.prog.maxRecursion-1 { // the route that the run began with counts
		return c.tooDeep(rt, back)
	}
	if !c.spend(rt.size) {
		return c.failed(tooMany)
	}
	c.frames = append(c.frames, frame{back: back, mark: c.mark, temps: c.base})
	c.mark = int32(len(c.buf))
	c.base += live
	c.room()
	return 1
}

// tooDeep lets a call fail that is nested too deep: the caller goes on. A run says so once.
func (c *Ctx) tooDeep(rt *routeCode, back target) Result {
	if !c.deep {
		c.deep = true
		c.Complain(rt.tooDeep)
	}
	c.Return, c.stop, c.jump = -1, jumped, back
	return 0
}

// room makes room for the temporaries of a route.
func (c *Ctx) room() {
	if need := int(c.base + c.prog.maxTemps); need > len(c.temps) {
		// Slow path: deeper than any run before.
		c.temps = append(c.temps, make([]Value, need-len(c.temps))...)
	}
}

// keep moves the text of v into the scratch room, unless it is what was written there last. It
// returns false when there is no room.
func (c *Ctx) keep(v *Value) bool {
	if v.Kind != strValue || len(v.S) == 0 {
		return true
	}
	if start := len(c.buf) - len(v.S); start >= 0 && &c.buf[start] == &v.S[0] {
		return true
	}
	if len(c.buf)+len(v.S) > cap(c.buf) {
		return false
	}
	start := len(c.buf)
	c.buf = append(c.buf, v.S...)
	v.S = c.buf[start:len(c.buf):len(c.buf)]
	return true
}
