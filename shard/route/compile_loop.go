package route

import (
	"regexp"

	"viaduct/shard/route/syntax"
)

// endOfWhile returns where to go after a while that ends a route. The result of the last statement
// in its last turn is then the value of the route.
func (cc *compiler) endOfWhile(s *syntax.While) func(turns int32) target {
	if n := len(s.Body); n > 0 {
		if x, ok := s.Body[n-1].(*syntax.ExprStmt); ok {
			if _, ok = x.X.(*syntax.Call); ok {
				return func(turns int32) target {
					return cc.atom(func() {
						f := func(c *Ctx) Result { return truth(c.temps[c.base+turns].N > 0) }
						cc.place(step{do: f, yes: cc.endOfCall(), no: cc.ends.one})
					})
				}
			}
		}
	}
	return func(int32) target { return cc.ends.one }
}

// loop is what a while knows at run time.
type loop struct {
	turns   int32 // the temporary that counts the turns
	size    int32 // size of the loop, in steps
	runaway []byte
	tooMany *Diagnostic
}

// turn returns the step between condition and body. After max_while_loops turns it logs that and
// leaves the loop, as Kamailio does.
func (l *loop) turn() callFn {
	return func(c *Ctx) Result {
		n := &c.temps[c.base+l.turns].N
		if *n >= c.prog.maxLoops && c.prog.maxLoops > 0 {
			c.Complain(l.runaway)
			return -1
		}
		*n++
		if !c.spend(l.size) {
			return c.failed(l.tooMany)
		}
		return 1
	}
}

// while compiles a while as a test, a count and a jump back.
func (cc *compiler) while(s *syntax.While, next target) target {
	return cc.whileTo(s, func(int32) target { return next }, next)
}

// whileTo compiles a while. It continues at leave after a break. Otherwise it continues at the
// target that after returns for the temporary that counts the turns.
func (cc *compiler) whileTo(s *syntax.While, after func(turns int32) target, leave target) target {
	l := &loop{turns: cc.temp(), tooMany: cc.tooMany(s.Pos),
		runaway: []byte("while at " + s.Pos.String() +
			" was ended after max_while_loops iterations")}
	next := after(l.turns)
	again, count, body := cc.label(), cc.label(), cc.label()
	start := cc.here()
	entry := cc.atom(func() {
		f := func(c *Ctx) Result { c.temps[c.base+l.turns] = intOf(0); return 1 }
		cc.place(step{do: f, yes: again, no: again})
	})
	temps, outer := cc.temps, cc.otherwise
	cc.otherwise = next
	cc.define(again, cc.branch(s.Cond, count, next, nonzero)) // while ($x) goes on with -1 (5.6.3)
	cc.temps, cc.otherwise = temps, outer
	cc.define(count, cc.atom(func() {
		cc.place(step{do: l.turn(), yes: body, no: next})
	}))
	cc.define(body, cc.within(s.Body, again, leave))
	l.size = int32(cc.here() - start)
	return entry
}

// within compiles a block in which break goes to leave.
func (cc *compiler) within(list []syntax.Stmt, next, leave target) target {
	outer := cc.leave
	cc.leave = leave
	entry := cc.block(list, next)
	cc.leave = outer
	return entry
}

// oneCase is one case of a switch at run time.
type oneCase struct {
	val Value
	re  *regexp.Regexp // nil if the case is the value val
	to  *target
}

// holds tells whether the case matches v. A case that is a number compares as a number, any other
// as a text.
func (k *oneCase) holds(v *Value) bool {
	switch {
	case k.re != nil:
		if v.Kind == intValue {
			var tmp [24]byte
			return k.re.Match(v.appendStr(tmp[:0]))
		}
		return k.re.Match(v.S)
	case k.val.Kind == intValue:
		return v.int() == k.val.N
	}
	return v.sameStr(k.val.S)
}

// switchStmt compiles a switch as one step that looks up the first case that matches. A case falls
// through into the next one until break.
func (cc *compiler) switchStmt(s *syntax.Switch, next target) target {
	return cc.switchTo(s, next, next,
		func(list []syntax.Stmt) target { return cc.block(list, next) })
}

// switchTo compiles a switch. It continues at next if no case matches, and at leave after a break.
// tail compiles the last case.
func (cc *compiler) switchTo(s *syntax.Switch, next, leave target,
	tail func([]syntax.Stmt) target) target {
	arms := make([]oneCase, 0, len(s.Cases))
	bodies := make([]target, len(s.Cases)+1)
	for i := range s.Cases {
		bodies[i] = cc.label()
	}
	bodies[len(s.Cases)] = next
	other := next
	for i, cl := range s.Cases {
		if cl.X == nil {
			other = bodies[i]
			continue
		}
		arm := oneCase{to: cc.linked(bodies[i])}
		if v, ok := literal(cl.X); !ok {
			cc.ld.errorf(cl.X.At(), "case needs a number or a string")
			cc.broken(&syntax.Broken{Names: []syntax.Expr{cl.X}})
		} else if arm.val = v; cl.Pattern {
			arm.re = cc.regex(cl.X, Cased)
		}
		for j := range arms {
			if a := &arms[j]; (a.re != nil) == cl.Pattern && a.val.Kind == arm.val.Kind &&
				a.val.equal(&arm.val) {
				cc.ld.warnf(cl.Pos, "this case is never reached: the same value stands above")
				break
			}
		}
		arms = append(arms, arm)
	}
	def := cc.linked(other)
	entry := cc.atom(func() {
		var x valFn
		uses := cc.measured(func() { x = cc.operand(s.X) })
		f := func(c *Ctx) Result {
			v := x(c)
			if c.stop != notStopped {
				return 0
			}
			c.stop, c.jump = jumped, *def
			for i := range arms {
				if arms[i].holds(&v) {
					c.jump = *arms[i].to
					break
				}
			}
			return 0
		}
		if uses {
			f = cc.released(f)
		}
		cc.place(step{do: f, yes: next, no: next})
	})
	outer := cc.leave
	cc.leave = leave
	for i, cl := range s.Cases {
		if i < len(s.Cases)-1 {
			cc.define(bodies[i], cc.block(cl.Body, bodies[i+1]))
		} else {
			cc.define(bodies[i], tail(cl.Body))
		}
	}
	cc.leave = outer
	return entry
}

// breaks compiles a break outside of while and switch. It leaves the route, whose call is then
// false, with $rc 0 (5.6.3).
func (cc *compiler) breaks() target {
	return cc.atom(func() {
		f := func(c *Ctx) Result { c.Return = 0; return 1 }
		cc.place(step{do: f, yes: toReturn, no: toReturn})
	})
}
