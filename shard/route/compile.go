package route

import (
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// compiler turns the syntax tree into steps. Errors go to the loader and compilation goes on, so
// that all are found; the result is thrown away then.
type compiler struct {
	ld      *loader
	prog    *Program
	set     *Settings
	vars    map[string]int32
	byName  map[string]*routeCode
	defined map[string]Pos
	refs    []routeRef
	loaded  map[string]bool
	defs    defs
	numbers map[armKey]int   // of the routes that can be armed
	runFor  map[string]kinds // what route[NAME] is run for, by name
	kind    kinds            // what the block being compiled is checked as
	sub     *routeCode       // the route[NAME] being compiled, nil in other blocks
	event   string           // the name of the event_route being checked, empty in other blocks
	// where break goes: behind the while or switch, outside if there is none
	leave   target
	scratch bool      // what was compiled last writes into the scratch room
	faults  bool      // the expression compiled last may not fit there
	inside  int       // depth of expressions around what is compiled
	temps   int32     // temporaries in use
	entry   target    // where the next step of the atom being compiled is entered
	labels  []target  // where each label is
	targets []*target // to be linked, outside of the table
}

// outside is where break goes to outside of while and switch.
const outside target = 0

// routeRef is a route(NAME) to be checked when all routes are known.
type routeRef struct {
	name string
	pos  Pos
	cond bool // its value is used
}

// newRoute makes a route that the file may have further on.
func (cc *compiler) newRoute(name string) *routeCode {
	return &routeCode{name: name, label: cc.label()}
}

// routeBody compiles a route and returns where it is entered. Who called it finds 1 if it runs off
// its end.
func (cc *compiler) routeBody(list []syntax.Stmt) target {
	end := cc.label()
	entry := cc.block(list, end)
	if cc.sub == nil {
		cc.define(end, toEnded)
	} else {
		cc.define(end, cc.returns(nil))
	}
	return entry
}

// block compiles a list of statements that goes on at next, and returns where it is entered.
func (cc *compiler) block(list []syntax.Stmt, next target) target {
	if len(list) == 0 {
		return next
	}
	first := cc.label()
	at := first
	for i, s := range list {
		after := next
		if i < len(list)-1 {
			after = cc.label()
		}
		cc.define(at, cc.stmt(s, after))
		at = after
	}
	return first
}

// stmt compiles one statement that goes on at next, and returns where it is entered.
func (cc *compiler) stmt(s syntax.Stmt, next target) target {
	temps := cc.temps
	defer func() { cc.temps = temps }()
	switch s := s.(type) {
	case *syntax.If:
		return cc.ifStmt(s, next)
	case *syntax.While:
		return cc.while(s, next)
	case *syntax.Switch:
		return cc.switchStmt(s, next)
	case *syntax.Assign:
		return cc.assign(s, next)
	case *syntax.Jump:
		return cc.jump(s, next)
	case *syntax.ExprStmt:
		return cc.exprStmt(s, next)
	}
	return next
}

// ifStmt compiles if: nothing but its condition has steps, which lead to the blocks.
func (cc *compiler) ifStmt(s *syntax.If, next target) target {
	then, els := cc.label(), next
	if s.HasElse {
		els = cc.label()
	}
	temps := cc.temps
	entry := cc.cond(s.Cond, then, els)
	cc.temps = temps
	cc.define(then, cc.block(s.Then, next))
	if s.HasElse {
		cc.define(els, cc.block(s.Else, next))
	}
	return entry
}

// loop is what a while knows at run time.
type loop struct {
	turns   int32 // the temporary with their number
	size    int32 // of the loop in steps
	runaway []byte
	tooMany *Diagnostic
}

// turn is the step between condition and body. After max_while_loops turns it logs that and leaves
// the loop, as Kamailio does.
func (l *loop) turn() callFn {
	return func(c *Ctx) Result {
		n := &c.temps[c.base+l.turns].N
		if *n >= c.prog.maxLoops && c.prog.maxLoops > 0 {
			c.Shard.Log.Log(logErr, l.runaway)
			return -1
		}
		*n++
		if !c.spend(l.size) {
			return c.failed(l.tooMany)
		}
		return 1
	}
}

// while compiles a test, a count and a jump back.
func (cc *compiler) while(s *syntax.While, next target) target {
	l := &loop{turns: cc.temp(), tooMany: cc.tooMany(s.Pos),
		runaway: []byte("while at " + s.Pos.String() + " was ended after max_while_loops iterations")}
	again, count, body := cc.label(), cc.label(), cc.label()
	start := cc.here()
	entry := cc.atom(func() {
		f := func(c *Ctx) Result { c.temps[c.base+l.turns] = intOf(0); return 1 }
		cc.place(step{do: f, yes: again, no: again})
	})
	temps := cc.temps
	cc.define(again, cc.cond(s.Cond, count, next))
	cc.temps = temps
	cc.define(count, cc.atom(func() {
		cc.place(step{do: l.turn(), yes: body, no: next})
	}))
	cc.define(body, cc.within(s.Body, again, next))
	l.size = int32(cc.here() - start)
	return entry
}

// within compiles a block that break leaves for leave.
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
	to  *target
}

// switchStmt compiles a step that looks up where to go on: the first case in order that is equal. A
// case goes on with the next one until break.
func (cc *compiler) switchStmt(s *syntax.Switch, next target) target {
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
		v, ok := constant(cl.X)
		if !ok {
			cc.ld.errorf(cl.X.At(), "case needs a number or a string")
		}
		for j := range arms {
			if arms[j].val.Kind == v.Kind && arms[j].val.equal(&v) {
				cc.ld.warnf(cl.Pos, "this case is never reached: the same value stands above")
				break
			}
		}
		arms = append(arms, oneCase{v, cc.linked(bodies[i])})
	}
	def := cc.linked(other)
	entry := cc.atom(func() {
		var x valFn
		uses := cc.measured(func() { x = cc.value(s.X) })
		f := func(c *Ctx) Result {
			v := x(c)
			if c.stop != notStopped {
				return 0
			}
			c.stop, c.jump = jumped, *def
			for i := range arms {
				if v.equal(&arms[i].val) {
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
	for i, cl := range s.Cases {
		cc.define(bodies[i], cc.within(cl.Body, bodies[i+1], next))
	}
	return entry
}

// jump compiles return, exit, drop and break. Only return has a step.
func (cc *compiler) jump(s *syntax.Jump, next target) target {
	switch s.Word {
	case "exit":
		return toExited
	case "drop":
		return toDropped
	case "break":
		if cc.leave == outside {
			cc.ld.errorf(s.Pos, "break outside of switch and while; return leaves a route")
		}
		return cc.leave
	}
	return cc.returns(s.X)
}

// returns compiles the step that leaves a route with the value of x, nil being 1. A value of 0 ends
// the script, as any 0 does.
func (cc *compiler) returns(x syntax.Expr) target {
	return cc.atom(func() {
		f := func(*Ctx) Result { return 1 }
		if x != nil {
			var val valFn
			uses := cc.measured(func() { val = cc.value(x) })
			f = func(c *Ctx) Result {
				v := val(c)
				return int(v.int())
			}
			if v, ok := constant(x); ok {
				n := int(v.int())
				f = func(*Ctx) Result { return n }
			}
			if uses {
				f = cc.released(f)
			}
		}
		cc.place(step{do: f, yes: toReturn, no: toReturn, keeps: true})
	})
}

// exprStmt compiles a call run for its effect; anything else has none.
func (cc *compiler) exprStmt(s *syntax.ExprStmt, next target) target {
	x, ok := s.X.(*syntax.Call)
	if !ok {
		if n, bare := s.X.(*syntax.Name); bare {
			cc.ld.errorf(n.Pos, "unknown statement %s%s", n.Name, suggest.DidYouMean(n.Name, cc.statementNames()))
			return next
		}
		cc.ld.errorf(s.Pos, "this expression has no effect")
		return next
	}
	return cc.callTo(x, next, next, false)
}

// statementNames are the words a statement may begin with.
func (cc *compiler) statementNames() []string {
	names := []string{"if", "while", "switch", "return", "exit", "drop", "break", "route"}
	for m := range cc.loaded {
		if d := cc.defs.get(m); d != nil {
			names = append(names, sortedKeys(d.funcs)...)
		}
	}
	return append(names, sortedKeys(coreFuncs)...)
}

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
