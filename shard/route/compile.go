package route

import (
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// The shapes of compiled code. A condition is 1, 0, or -1 when the script stopped inside it (Ctx.stop says how). A call gives
// Kamailio's number: above 0 true, below 0 false, 0 stop.
type (
	stmtFn func(c *Ctx) ctl
	condFn func(c *Ctx) int
	callFn func(c *Ctx) int
	valFn  func(c *Ctx) Value
)

// compiler turns the syntax tree into closures. Errors go to the loader and compilation goes on, so that all are found; the result is
// thrown away then.
type compiler struct {
	ld       *loader
	prog     *Program
	set      *Settings
	vars     map[string]int32
	byName   map[string]*routeCode
	defined  map[string]Pos
	refs     []routeRef
	loaded   map[string]bool
	numbers  map[armKey]int   // of the routes that can be armed
	runFor   map[string]kinds // what route[NAME] is run for, by name
	kind     kinds            // what the block being compiled is checked as
	contacts bool             // tm's contacts_avp is set
	sub      *routeCode       // the route[NAME] being compiled, nil in other blocks
	event    string           // the name of the event_route being checked, empty in other blocks
	inLoop   int              // depth of while and switch around the statement
	scratch  bool             // the expression compiled last makes strings
}

// routeRef is a route(NAME) to be checked when all routes are known.
type routeRef struct {
	name string
	pos  Pos
	cond bool // its value is used
}

// block compiles a list of statements.
func (cc *compiler) block(list []syntax.Stmt) stmtFn {
	fns := make([]stmtFn, 0, len(list))
	for _, s := range list {
		if f := cc.stmt(s); f != nil {
			fns = append(fns, f)
		}
	}
	return sequence(fns)
}

// sequence runs statements in order. Short ones are unrolled: most blocks are.
func sequence(f []stmtFn) stmtFn {
	switch len(f) {
	case 0:
		return func(*Ctx) ctl { return next }
	case 1:
		return f[0]
	case 2:
		a, b := f[0], f[1]
		return func(c *Ctx) ctl {
			if k := a(c); k != next {
				return k
			}
			return b(c)
		}
	case 3:
		a, b, d := f[0], f[1], f[2]
		return func(c *Ctx) ctl {
			if k := a(c); k != next {
				return k
			}
			if k := b(c); k != next {
				return k
			}
			return d(c)
		}
	}
	return func(c *Ctx) ctl {
		for _, s := range f {
			if k := s(c); k != next {
				return k
			}
		}
		return next
	}
}

// stmt compiles one statement; nil after an error.
func (cc *compiler) stmt(s syntax.Stmt) stmtFn {
	switch s := s.(type) {
	case *syntax.If:
		return cc.ifStmt(s)
	case *syntax.While:
		return cc.whileStmt(s)
	case *syntax.Switch:
		return cc.switchStmt(s)
	case *syntax.Assign:
		return cc.assign(s)
	case *syntax.Jump:
		return cc.jump(s)
	case *syntax.ExprStmt:
		return cc.exprStmt(s)
	}
	return nil
}

// scratched gives the scratch room back behind f when the expression in it makes strings.
func scratched(f stmtFn) stmtFn {
	return func(c *Ctx) ctl {
		mark := len(c.buf)
		k := f(c)
		c.buf = c.buf[:mark]
		return k
	}
}

// measured compiles with f and tells whether what came out makes strings.
func (cc *compiler) measured(f func()) bool {
	outer := cc.scratch
	cc.scratch = false
	f()
	uses := cc.scratch
	cc.scratch = outer || uses
	return uses
}

// condOf compiles a condition of a statement: scratch room is given back before the body runs.
func (cc *compiler) condOf(x syntax.Expr) condFn {
	var cond condFn
	if !cc.measured(func() { cond = cc.cond(x) }) || cond == nil {
		return cond
	}
	return func(c *Ctx) int {
		mark := len(c.buf)
		r := cond(c)
		c.buf = c.buf[:mark]
		return r
	}
}

// whileStmt ends after max_while_loops iterations, logs that and goes on behind the loop, as Kamailio does.
func (cc *compiler) whileStmt(s *syntax.While) stmtFn {
	cond := cc.condOf(s.Cond)
	cc.inLoop++
	body := cc.block(s.Body)
	cc.inLoop--
	runaway := []byte("while at " + s.Pos.String() + " was ended after max_while_loops iterations")
	return func(c *Ctx) ctl {
		for n := int64(0); ; n++ {
			switch cond(c) {
			case 0:
				return next
			case -1:
				return c.stop
			}
			if n >= c.prog.maxLoops && c.prog.maxLoops > 0 {
				c.Host.Log(logErr, runaway)
				return next
			}
			switch k := body(c); k {
			case next:
			case brk:
				return next
			default:
				return k
			}
		}
	}
}

// switchStmt compares with the cases in order and falls through until break.
func (cc *compiler) switchStmt(s *syntax.Switch) stmtFn {
	var x valFn
	uses := cc.measured(func() { x = cc.value(s.X) })
	type arm struct {
		val Value
		any bool
	}
	arms := make([]arm, 0, len(s.Cases))
	bodies := make([]stmtFn, 0, len(s.Cases))
	def := -1
	cc.inLoop++
	for i, cl := range s.Cases {
		a := arm{any: cl.X == nil}
		if cl.X == nil {
			def = i
		} else if v, ok := constant(cl.X); ok {
			a.val = v
		} else {
			cc.ld.errorf(cl.X.At(), "case needs a number or a string")
		}
		for j := range arms {
			if !a.any && !arms[j].any && arms[j].val.Kind == a.val.Kind && arms[j].val.equal(&a.val) {
				cc.ld.warnf(cl.Pos, "this case is never reached: the same value stands above")
				break
			}
		}
		arms = append(arms, a)
		bodies = append(bodies, cc.block(cl.Body))
	}
	cc.inLoop--
	f := func(c *Ctx) ctl {
		v := x(c)
		if c.stop != next {
			return c.stop
		}
		at := def
		for i := range arms {
			if !arms[i].any && v.equal(&arms[i].val) {
				at = i
				break
			}
		}
		if at < 0 {
			return next
		}
		for _, b := range bodies[at:] {
			switch k := b(c); k {
			case next:
			case brk:
				return next
			default:
				return k
			}
		}
		return next
	}
	if uses {
		return scratched(f)
	}
	return f
}

// jump compiles return, exit, drop and break.
func (cc *compiler) jump(s *syntax.Jump) stmtFn {
	switch s.Word {
	case "exit":
		return func(*Ctx) ctl { return exit }
	case "drop":
		return func(*Ctx) ctl { return drop }
	case "break":
		if cc.inLoop == 0 {
			cc.ld.errorf(s.Pos, "break outside of switch and while; return leaves a route")
		}
		return func(*Ctx) ctl { return brk }
	}
	if s.X == nil {
		return func(c *Ctx) ctl { c.Return = 1; return ret }
	}
	if v, ok := constant(s.X); ok {
		n := int(v.int())
		if n == 0 {
			return func(c *Ctx) ctl { c.Return = 0; return exit }
		}
		return func(c *Ctx) ctl { c.Return = n; return ret }
	}
	var x valFn
	uses := cc.measured(func() { x = cc.value(s.X) })
	f := func(c *Ctx) ctl {
		v := x(c)
		if c.stop != next {
			return c.stop
		}
		if c.Return = int(v.int()); c.Return == 0 {
			return exit
		}
		return ret
	}
	if uses {
		return scratched(f)
	}
	return f
}

// exprStmt compiles a call run for its effect; anything else has none.
func (cc *compiler) exprStmt(s *syntax.ExprStmt) stmtFn {
	x, ok := s.X.(*syntax.Call)
	if !ok {
		if n, bare := s.X.(*syntax.Name); bare {
			cc.ld.errorf(n.Pos, "unknown statement %s%s", n.Name, suggest.DidYouMean(n.Name, cc.statementNames()))
			return nil
		}
		cc.ld.errorf(s.Pos, "this expression has no effect")
		return nil
	}
	if rt := cc.routeConst(x, false); rt != nil {
		return func(c *Ctx) ctl { return c.route(rt) }
	}
	var call callFn
	uses := cc.measured(func() { call = cc.call(x) })
	if call == nil {
		return nil
	}
	f := func(c *Ctx) ctl {
		r := call(c)
		c.Return = r
		if r == 0 {
			return c.zero()
		}
		return next
	}
	if uses {
		return scratched(f)
	}
	return f
}

// statementNames are the words a statement may begin with.
func (cc *compiler) statementNames() []string {
	names := []string{"if", "while", "switch", "return", "exit", "drop", "break", "route"}
	for m := range cc.loaded {
		if d := modules[m]; d != nil {
			names = append(names, sortedKeys(d.funcs)...)
		}
	}
	return append(names, sortedKeys(coreFuncs)...)
}

// assign compiles $x = value.
func (cc *compiler) assign(s *syntax.Assign) stmtFn {
	pv := cc.pv(s.To)
	var x valFn
	uses := cc.measured(func() { x = cc.value(s.X) })
	if pv == nil || x == nil {
		return nil
	}
	if pv.set == nil {
		cc.ld.errorf(s.To.Pos, "$%s cannot be assigned to", s.To.Text)
		return nil
	}
	set := pv.set
	tooLong := &Diagnostic{Pos: s.Pos, Text: "value of $" + s.To.Text + " is too long"}
	f := func(c *Ctx) ctl {
		v := x(c)
		if c.stop != next {
			return c.stop
		}
		switch set(c, v) {
		case setTooLong:
			return c.failed(tooLong)
		case setRefused:
			c.Return = -1
		}
		return next
	}
	// Setting a part of a URI builds the new one in the scratch room.
	if uses || pv.builds {
		return scratched(f)
	}
	return f
}
