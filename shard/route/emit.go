package route

import (
	"slices"

	"viaduct/shard/route/syntax"
)

// The shapes of compiled code. A callFn returns Kamailio's number: above 0 is true, below 0 is
// false, and 0 stops the script. A testFn returns 1 or -1. The inside of an expression never ends
// the script: only steps do, and the compiler places steps that may do so before the expression.
type (
	callFn = func(c *Ctx) Result
	testFn = func(c *Ctx) Result
	valFn  func(c *Ctx) Value
)

// label makes a target that has no place yet.
func (cc *compiler) label() target {
	cc.labels = append(cc.labels, undefined)
	return firstLabel + target(len(cc.labels)-1)
}

// undefined is the value of a label that has no place yet.
const undefined target = -1 << 30

// define gives label l its place: a step, an end, or another label.
func (cc *compiler) define(l, at target) { cc.labels[l-firstLabel] = at }

// here returns the index of the next step.
func (cc *compiler) here() target { return target(len(cc.prog.steps)) }

// place appends a step to the atom being compiled.
func (cc *compiler) place(s step) {
	cc.define(cc.entry, cc.here())
	cc.prog.steps = append(cc.prog.steps, s)
}

// front appends a step that runs before the last one of the atom being compiled.
func (cc *compiler) front(do callFn) {
	next := cc.label()
	cc.place(step{do: do, yes: next, no: next})
	cc.entry = next
}

// atom compiles one test, call or statement, and returns its entry: the first of the steps that run
// before it, if there are any. build must first make those steps and then place the atom's own.
func (cc *compiler) atom(build func()) target {
	outer, entry, divides := cc.entry, cc.label(), cc.divides
	cc.entry, cc.divides = entry, false
	build()
	if cc.divides {
		s := &cc.prog.steps[len(cc.prog.steps)-1]
		do := s.do
		s.do = func(c *Ctx) Result { r := do(c); c.void = false; return r }
	}
	cc.entry, cc.divides = outer, divides
	return entry
}

// link replaces all labels by the indices of steps, and calls by copies of what they call.
func (cc *compiler) link() {
	for i := range cc.prog.steps {
		s := &cc.prog.steps[i]
		s.yes, s.no = cc.resolve(s.yes), cc.resolve(s.no)
	}
	cc.inline()
	cc.prog.link()
	for _, t := range cc.targets {
		*t = cc.copied(cc.resolve(*t))
	}
	for _, rt := range cc.prog.routes {
		rt.entry = cc.copied(cc.resolve(rt.label))
	}
	if cc.prog.namesRoutes {
		cc.prog.byName = map[string]*routeCode{}
		for name, rt := range cc.byName {
			if rt.there {
				cc.prog.byName[name] = rt
			}
		}
	}
}

func (cc *compiler) resolve(t target) target {
	for t >= firstLabel {
		t = cc.labels[t-firstLabel]
	}
	if t == undefined {
		panic("BUG: a step of the program has no successor")
	}
	return t
}

// linked returns a target that lies outside of the step table. link resolves it with the others.
func (cc *compiler) linked(t target) *target {
	cc.targets = append(cc.targets, &t)
	return &t
}

// measured compiles with f and tells whether the code uses the scratch room.
func (cc *compiler) measured(f func()) bool {
	outer := cc.scratch
	cc.scratch = false
	f()
	uses := cc.scratch
	cc.scratch = outer || uses
	return uses
}

// released makes f, the last step of an atom, free the scratch room. Inside of an expression it
// frees only what f itself used, since what ran before may still be needed.
func (cc *compiler) released(f callFn) callFn {
	if cc.inside > 0 {
		return func(c *Ctx) Result {
			mark := len(c.buf)
			r := f(c)
			c.buf = c.buf[:mark]
			if c.stop != notStopped {
				return 0
			}
			return r
		}
	}
	return func(c *Ctx) Result {
		r := f(c)
		c.buf = c.buf[:c.mark]
		if c.stop != notStopped {
			return 0
		}
		return r
	}
}

// test compiles one step of a condition. build returns nil after an error.
func (cc *compiler) test(yes, no target, build func() testFn) target {
	return cc.atom(func() {
		var f testFn
		uses := cc.measured(func() { f = build() })
		if cc.divides && f != nil {
			f = voided(f, cc.linked(cc.otherwise))
		}
		switch {
		case f == nil:
			f = func(*Ctx) Result { return -1 }
		case uses:
			f = cc.released(f)
		}
		cc.place(step{do: f, yes: yes, no: no})
	})
}

// voided compiles a test whose operands may have no value. Without a value the whole condition
// around it is false, whatever its operators.
func voided(f testFn, otherwise *target) testFn {
	return func(c *Ctx) Result {
		r := f(c)
		if c.void && c.stop == notStopped {
			c.stop, c.jump = jumped, *otherwise
			return 0
		}
		return r
	}
}

// leaving says what a call leaves in $rc. That of a route, or of a function of a module, always
// leaves its result. For functions of the core it depends on where the call stands (5.6.3).
type leaving uint8

const (
	leavesResult leaving = iota // where a route ends, whose value it is
	leavesOld                   // in a statement
	leavesZero                  // in an expression
)

// callTo compiles a call of a function, with the steps that its arguments need, or route(X).
func (cc *compiler) callTo(x *syntax.Call, yes, no target, how leaving) target {
	return cc.tracedAt(x.Pos, x.Name, cc.oneCall(x, yes, no, how))
}

// ofCore tells whether x calls a function of the core.
func (cc *compiler) ofCore(x *syntax.Call) bool { return cc.defs.get(core).funcs[x.Name] != nil }

func (cc *compiler) oneCall(x *syntax.Call, yes, no target, how leaving) target {
	if x.Name == "route" {
		return cc.routeCall(x, yes, no)
	}
	if cc.callsRoute(x.Name) {
		return cc.routeIfThere(x, yes, no)
	}
	return cc.atom(func() {
		var f callFn
		outer, temps := cc.waiting, cc.temps
		cc.waiting = nil
		uses := cc.measured(func() { f = cc.call(x, no) })
		if f != nil && uses {
			f = cc.released(f)
		}
		if cc.waiting != nil {
			cc.waiting.placed(cc)
			cc.tellWait(x)
			cc.temps = temps // what is held of its arguments is wanted by this step alone
		}
		cc.waiting = outer
		keeps := how == leavesResult || !cc.ofCore(x)
		if inner := f; inner != nil && how == leavesZero && !keeps {
			f = func(c *Ctx) Result {
				r := inner(c)
				c.Return = 0
				return r
			}
		}
		cc.place(step{do: f, yes: yes, no: no, keeps: keeps})
	})
}

// routeCall compiles route(X). If its value matters, a step behind the call branches on what the
// route returned.
func (cc *compiler) routeCall(x *syntax.Call, yes, no target) target {
	rt := cc.routeConst(x)
	return cc.atom(func() {
		at := yes
		if yes != no {
			at = cc.label()
		}
		call, to := cc.pushes(x, rt, at, yes != no)
		cc.place(step{do: cc.unsetting(call), yes: to, no: to})
		cc.mayInline(rt, at)
		if yes != no {
			cc.define(at, cc.here())
			cc.prog.steps = append(cc.prog.steps, step{do: returned, yes: yes, no: no})
		}
	})
}

// unsetting compiles the call of a route that may hold the run. It clears the temporaries that have
// no value yet, so that no stale text is held.
func (cc *compiler) unsetting(call callFn) callFn {
	unset := slices.Clone(cc.unset)
	if len(unset) == 0 {
		return call
	}
	return func(c *Ctx) Result {
		for _, i := range unset {
			c.temps[c.base+i] = Value{}
		}
		return call(c)
	}
}

// routeIfThere compiles the call of a function that calls a route. Its Build is given the target
// that the route returns to.
func (cc *compiler) routeIfThere(x *syntax.Call, yes, no target) target {
	return cc.atom(func() {
		at := cc.label()
		cc.back = cc.linked(at)
		if f := cc.call(x, no); f != nil {
			cc.place(step{do: cc.unsetting(f), yes: at, no: at})
		}
		cc.define(at, cc.here())
		cc.prog.steps = append(cc.prog.steps, step{do: returned, yes: yes, no: no})
	})
}

// returned branches on what a route returned. A value of 0 comes from break: return 0 has ended the
// script.
func returned(c *Ctx) Result { return truth(c.Return > 0) }

// pushes returns the code of the step that calls a route, and where that step leads. The route
// returns to at. rt is nil if the name is known only at run time. If there is then no such route,
// the call is false if its value counts.
func (cc *compiler) pushes(x *syntax.Call, rt *routeCode, at target, counts bool) (callFn, target) {
	tooMany := cc.tooMany(x.Pos)
	if rt != nil {
		back, live := cc.linked(at), cc.temps
		return func(c *Ctx) Result { return c.push(rt, *back, live, tooMany) }, rt.label
	}
	cc.prog.namesRoutes = true
	name := cc.argument(x, 0)
	back, live := cc.linked(at), cc.temps
	noSuch := []byte("route() at " + x.Pos.String() + " names a route that is not there")
	return func(c *Ctx) Result {
		mark := len(c.buf)
		v := name(c)
		if c.stop != notStopped {
			return 0
		}
		rt := c.prog.byName[string(c.text(&v))]
		c.buf = c.buf[:mark]
		if rt == nil {
			c.Complain(noSuch)
			c.stop, c.jump = jumped, *back
			if counts {
				c.Return = 0
			}
			return 0
		}
		if c.push(rt, *back, live, tooMany) > 0 {
			c.stop, c.jump = jumped, rt.entry
		}
		return 0
	}, at
}

// tooMany is what a run reports that makes too many steps.
func (cc *compiler) tooMany(pos Pos) *Diagnostic {
	return &Diagnostic{Pos: pos, Text: "the run makes more than " + itoa(maxSteps) + " steps"}
}

// temp takes a temporary of the route until the end of the statement.
func (cc *compiler) temp() int32 {
	i := cc.temps
	cc.temps++
	cc.prog.maxTemps = max(cc.prog.maxTemps, cc.temps)
	return i
}

// read returns code that reads temporary i.
func read(i int32) valFn { return func(c *Ctx) Value { return c.temps[c.base+i] } }

// put makes a step that stores a value in temporary i until the end of the statement.
func (cc *compiler) put(val valFn, i int32, pos Pos) {
	cc.scratch = true
	long := &Diagnostic{Pos: pos, Text: "string is too long"}
	cc.front(func(c *Ctx) Result {
		v := val(c)
		if !c.keep(&v) {
			c.failed(long)
		}
		if c.stop != notStopped {
			return 0
		}
		c.temps[c.base+i] = v
		return 1
	})
}

// callValue compiles a call as a value: the number that it returns.
func (cc *compiler) callValue(x *syntax.Call) valFn {
	i, after := cc.temp(), cc.label()
	cc.inside++
	cc.unset = append(cc.unset, i)
	cc.define(cc.entry, cc.callTo(x, after, after, leavesResult))
	cc.unset = cc.unset[:len(cc.unset)-1]
	cc.inside--
	cc.entry = after
	zero := cc.ofCore(x)
	cc.front(func(c *Ctx) Result {
		c.temps[c.base+i] = intOf(int64(c.Return))
		if zero {
			c.Return = 0
		}
		return 1
	})
	return read(i)
}

// truthValue compiles a condition as a value, 1 or 0. The condition may have calls in it, or parts
// that are skipped.
func (cc *compiler) truthValue(x syntax.Expr) valFn {
	i, yes, no, after := cc.temp(), cc.label(), cc.label(), cc.label()
	cc.inside++
	cc.unset = append(cc.unset, i)
	cc.define(cc.entry, cc.cond(x, yes, no))
	cc.unset = cc.unset[:len(cc.unset)-1]
	cc.inside--
	for n, at := range []target{no, yes} {
		v := intOf(int64(n))
		cc.entry = at
		f := func(c *Ctx) Result { c.temps[c.base+i] = v; return 1 }
		cc.place(step{do: f, yes: after, no: after})
	}
	cc.entry = after
	return read(i)
}

// selval compiles selval(condition, a, b).
func (cc *compiler) selval(x *syntax.Call) valFn {
	if len(x.Args) != 3 {
		cc.ld.errorf(x.Pos, "selval takes 3 arguments, not %d", len(x.Args))
		return func(*Ctx) Value { return Value{} }
	}
	i, yes, no, after := cc.temp(), cc.label(), cc.label(), cc.label()
	cc.inside++
	cc.unset = append(cc.unset, i)
	cc.define(cc.entry, cc.cond(x.Args[0], yes, no))
	for n, at := range []target{yes, no} {
		cc.entry = at
		cc.put(cc.value(x.Args[1+n]), i, x.Pos)
		cc.define(cc.entry, after)
	}
	cc.unset = cc.unset[:len(cc.unset)-1]
	cc.inside--
	cc.entry = after
	return read(i)
}

// operands compiles both sides of an operator. The value of the left side is taken before a call on
// the right side runs.
func (cc *compiler) operands(l, r syntax.Expr) (valFn, valFn) {
	first := cc.operand(l)
	if calls(r) {
		first = cc.kept(first, l)
	}
	return first, cc.operand(r)
}

// kept makes a step that stores the value of x before what follows, unless nothing can change it.
func (cc *compiler) kept(val valFn, x syntax.Expr) valFn {
	if _, fixed := constant(x); fixed {
		return val
	}
	if _, call := x.(*syntax.Call); call {
		return val // it has a temporary already
	}
	i := cc.temp()
	cc.put(val, i, x.At())
	return read(i)
}

// argument compiles argument i of a call as a value. The value is taken before the call if taking
// it may end the script, or if a call in a later argument may change it.
func (cc *compiler) argument(x *syntax.Call, i int) valFn {
	outer := cc.faults
	cc.faults = false
	val := cc.value(x.Args[i])
	if cc.faults || slices.ContainsFunc(x.Args[i+1:], calls) {
		val = cc.kept(val, x.Args[i])
	}
	cc.faults = cc.faults || outer
	return val
}

// calls tells whether x calls anything.
func calls(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.Call:
		return x.Name != "selval" || slices.ContainsFunc(x.Args, calls)
	case *syntax.Unary:
		return calls(x.X)
	case *syntax.Binary:
		return calls(x.L) || calls(x.R)
	}
	return false
}
