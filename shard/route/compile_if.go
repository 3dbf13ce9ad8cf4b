package route

import "viaduct/shard/route/syntax"

// ifStmt compiles if. A condition that is one call, or its negation, is most of what routes have and gets code without the layer
// of a condFn: it halves the indirect calls of the load balancer's program (BenchmarkBalancerProgram).
func (cc *compiler) ifStmt(s *syntax.If) stmtFn {
	if f := cc.ifCall(s); f != nil {
		return f
	}
	cond := cc.condOf(s.Cond)
	then := cc.block(s.Then)
	if !s.HasElse {
		return func(c *Ctx) ctl {
			switch cond(c) {
			case 1:
				return then(c)
			case 0:
				return next
			}
			return c.stop
		}
	}
	els := cc.block(s.Else)
	return func(c *Ctx) ctl {
		switch cond(c) {
		case 1:
			return then(c)
		case 0:
			return els(c)
		}
		return c.stop
	}
}

// ifCall compiles if (f()) and if (!f()); nil for other conditions.
func (cc *compiler) ifCall(s *syntax.If) stmtFn {
	x, not := s.Cond, false
	for u, ok := x.(*syntax.Unary); ok && u.Op == "!"; u, ok = x.(*syntax.Unary) {
		x, not = u.X, !not
	}
	call, ok := x.(*syntax.Call)
	if !ok || call.Name == "route" || call.Name == "selval" {
		return nil
	}
	var f callFn
	if cc.measured(func() { f = cc.call(call) }) || f == nil {
		return nil
	}
	then := cc.block(s.Then)
	els := sequence(nil)
	if s.HasElse {
		els = cc.block(s.Else)
	}
	if not {
		then, els = els, then
	}
	mask, simple := uint32(0), false
	if call.Name == "is_method" {
		mask, simple = cc.methodMask(call)
	}
	switch {
	case simple && (s.HasElse || not):
		return func(c *Ctx) ctl {
			if m := c.msg; m.IsRequest && mask>>m.Method&1 != 0 || !m.IsRequest && f(c) > 0 {
				c.Return = 1
				return then(c)
			}
			c.Return = -1
			return els(c)
		}
	case simple:
		// The test is one shift: no call at all. f sees responses.
		return func(c *Ctx) ctl {
			if m := c.msg; m.IsRequest && mask>>m.Method&1 != 0 || !m.IsRequest && f(c) > 0 {
				c.Return = 1
				return then(c)
			}
			c.Return = -1
			return next
		}
	case s.HasElse:
		return func(c *Ctx) ctl {
			r := f(c)
			c.Return = r
			if r > 0 {
				return then(c)
			}
			if r < 0 {
				return els(c)
			}
			return c.zero()
		}
	case not:
		return func(c *Ctx) ctl {
			r := f(c)
			c.Return = r
			if r > 0 {
				return next
			}
			if r < 0 {
				return els(c)
			}
			return c.zero()
		}
	}
	return func(c *Ctx) ctl {
		r := f(c)
		c.Return = r
		if r > 0 {
			return then(c)
		}
		if r < 0 {
			return next
		}
		return c.zero()
	}
}
