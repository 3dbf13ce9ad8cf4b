package route

import "viaduct/shard/route/syntax"

// assign compiles $x = value.
func (cc *compiler) assign(s *syntax.Assign, next target) target {
	return cc.atom(func() {
		pv := cc.pv(s.To)
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
}
