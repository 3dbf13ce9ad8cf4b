package route

// Result is the result of a step, or of a function of a module: above 0 is yes, below 0 is no. With
// 0 the run leaves the path of the steps: the script ends as with exit, unless run.stop says
// something else.
type Result = int

// step is one step of a program. do does the work, and its result selects the next step.
type step struct {
	do      func(c *Ctx) Result
	yes, no target
	// keeps says that the result becomes $rc: it is the result of a function or of a route.
	keeps bool
}

// linked is a step in the form that a run executes, with pointers instead of targets. One whose do
// is nil is an end.
//
// Receipt: BenchmarkBalancerProgram, 14 steps: of 1,790 instructions 442 were the loop's, 31 a
// step; it is 20 now. With progress, which begin sets at once, and slow paths set apart: 116 to 118
// ns before, 106 after, best of 120 runs in turn. A chain of 16 is_method() went from 51.6 to 46.2
// ns. AMD EPYC (2 virtual CPUs), go1.26.8, 2026-11-30.
type linked struct {
	do      func(c *Ctx) Result
	yes, no *linked
	keeps   bool
	end     target
}

// target is where a run continues: the index of a step, or one of the ends below. While a program
// is being compiled it may also be a label.
type target int32

const (
	toEnded   = -1 - target(Ended)
	toExited  = -1 - target(Exited)
	toDropped = -1 - target(Dropped)
	toFaulted = -1 - target(Faulted)
	toHeld    = -1 - target(Held)
	// toReturn leaves a route, for the step behind its call
	toReturn target = -100
	// firstLabel is the first target that is a label
	firstLabel target = 1 << 30
)

// stop says why the result of a step was 0.
type stop uint8

const (
	notStopped stop = iota
	jumped          // Ctx.jump is the next step
	faulted         // a limit was hit, Ctx.Fault says which
	held            // it waits for an answer
	dropped         // a function ended the run as drop does
)

// frame is a route that has called another one.
type frame struct {
	back  target
	mark  int32 // its run.mark
	temps int32 // its run.base
}

// run executes the steps from pc on. floor is how many frames belong to the run around this one, 0
// if there is none. When the route that this run began with returns, the run ends.
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

// ends are the steps that a run cannot pass, indexed by -1 - target.
var ends = func() (l [-toReturn]linked) {
	for i := range l {
		l[i].end = -1 - target(i)
	}
	return l
}()

// at returns the step, or the end, that t stands for.
func (p *Program) at(t target) *linked {
	if t < 0 {
		return &ends[-1-t]
	}
	return &p.linked[t]
}

// link makes the table that run executes. The steps themselves are given up when their hash is
// known.
func (p *Program) link() {
	p.linked = make([]linked, len(p.steps))
	for i, s := range p.steps {
		p.linked[i] = linked{do: s.do, yes: p.at(s.yes), no: p.at(s.no), keeps: s.keeps}
	}
}

// Around returns the program with each of its steps wrapped in around, which must call do once. It
// is for tests that let steps fail or watch them.
func (p *Program) Around(around func(do func() Result) Result) *Program {
	q := *p
	q.linked = make([]linked, len(p.linked))
	copies := make(map[*linked]*linked, len(p.linked))
	for i := range p.linked {
		copies[&p.linked[i]] = &q.linked[i]
	}
	copied := func(s *linked) *linked {
		if s.do == nil {
			return s // an end
		}
		return copies[s]
	}
	for i, s := range p.linked {
		s.yes, s.no = copied(s.yes), copied(s.no)
		do := s.do
		s.do = func(c *Ctx) Result { return around(func() Result { return do(c) }) }
		q.linked[i] = s
	}
	return &q
}

// stopped returns where a run continues after a step whose result was 0.
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

// Drop ends the run as drop does. The function must return its result.
func (c *Ctx) Drop() Result {
	c.stop = dropped
	return 0
}

// failed ends the run because of a limit. The first limit counts; what an expression does after it
// does not matter.
func (c *Ctx) failed(why *Diagnostic) Result {
	if c.stop != faulted {
		c.Fault = why
		c.stop = faulted
	}
	return 0
}

// spend takes n steps off those that the run may still make, and returns false if there are not so
// many. It is called where steps may repeat: by each turn of a loop for the whole loop, and by each
// call of a route for the whole route.
func (c *Ctx) spend(n int32) bool {
	c.left -= n
	return c.left >= 0
}

// push calls a route from a step. What the caller has in the scratch room and in its first live
// temporaries is preserved.
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

// tooDeep makes a call that is nested too deep fail. The caller continues. A run logs that once.
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

// keep moves the text of v into the scratch room, unless it was the last text written there. It
// returns false if there is no room.
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
