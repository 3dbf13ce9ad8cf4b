package route

import "viaduct/shard/route/syntax"

// assignment is an assignment within an expression. It is compiled as a call, so that what stands
// before it runs first.
func assignment() *funcDef { return &funcDef{min: 2, max: 2, build: assigned} }

// assigned compiles an assignment within an expression.
func assigned(cc *compiler, x *syntax.Call) callFn {
	to, ok := x.Args[0].(*syntax.Var)
	if !ok {
		return nil
	}
	end := cc.touch()
	pv := cc.pv(to)
	end()
	val := cc.argument(x, 1)
	switch {
	case pv == nil:
		return nil
	case pv.set == nil:
		cc.ld.errorf(to.Pos, "$%s cannot be assigned to", to.Text)
		return nil
	}
	cc.scratch = cc.scratch || pv.builds
	set, tooLong := pv.set, &Diagnostic{Pos: x.Pos, Text: "value of $" + to.Text + " is too long"}
	return func(c *Ctx) int {
		if v := val(c); c.void || set(c, v) != setTooLong {
			return 1
		}
		return c.failed(tooLong)
	}
}

// assign compiles $x = value.
func (cc *compiler) assign(s *syntax.Assign, next target) target {
	next, define := cc.tracedAssign("$"+s.To.Text, next)
	var pv *pvCode
	entry := cc.atom(func() {
		end := cc.touch()
		pv = cc.pv(s.To)
		end()
		var x valFn
		uses := cc.measured(func() { x = cc.value(s.X) })
		if pv == nil {
			return
		}
		if pv.set == nil {
			cc.ld.errorf(s.To.Pos, "$%s cannot be assigned to", s.To.Text)
			return
		}
		set := pv.set
		tooLong := &Diagnostic{Pos: s.Pos, Text: "value of $" + s.To.Text + " is too long"}
		f := func(c *Ctx) Result {
			v := x(c)
			if c.stop != notStopped {
				return 0
			}
			if c.void {
				return 1 // there is no value: the variable keeps its old one
			}
			switch set(c, v) {
			case setTooLong:
				return c.failed(tooLong)
			case setRefused:
				c.Return = -1
			}
			return 1
		}
		// Setting a part of a URI builds the new one in the scratch room.
		if uses || pv.builds {
			f = cc.released(f)
		}
		cc.place(step{do: f, yes: next, no: next})
	})
	define(pv)
	return entry
}
