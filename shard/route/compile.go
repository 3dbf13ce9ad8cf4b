package route

import (
	"regexp"

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
	absences
	defs   defs
	flags  map[string]int   // the numbers of flags that have names
	custom map[string]Value // group.name = value
	// bareAVPs are the names without parentheses that statements have, and whether each is an AVP
	bareAVPs map[string]bool
	numbers  map[armKey]int // of the routes that can be armed
	defines  map[string]string
	runFor   map[string]kinds // what route[NAME] is run for, by name
	kind     kinds            // what the block being compiled is checked as
	never    kinds            // what the part being compiled is not run for; see narrow.go
	sub      *routeCode       // the route[NAME] being compiled, nil in other blocks
	also     kinds            // what an event_route is run for besides requests
	event    string           // the name of the event_route being checked, empty in other blocks
	inRoute  string           // the name of the route being compiled
	// where break goes: behind the while or switch, outside if there is none
	leave target
	ends  routeEnds // of the route[NAME] being compiled
	// where the condition being compiled goes that has no value: it is false
	otherwise target
	scratch   bool  // what was compiled last writes into the scratch room
	faults    bool  // the expression compiled last may not fit there
	divides   bool  // and may have no value
	inside    int   // depth of expressions around what is compiled
	temps     int32 // temporaries in use
	holding
	entry   target    // where the next step of the atom being compiled is entered
	labels  []target  // where each label is
	targets []*target // to be linked, outside of the table
	back    *target   // behind the call being compiled, if that is one of a route
}

// outside is where break goes to outside of while and switch.
const outside target = 0

// routeRef is a route(NAME) to be checked when all routes are known.
type routeRef struct {
	name string
	pos  Pos
}

// newRoute makes a route that the file may have further on.
func (cc *compiler) newRoute(name string) *routeCode {
	return &routeCode{name: name, label: cc.label()}
}

// routeBody compiles a route and returns where it is entered.
func (cc *compiler) routeBody(list []syntax.Stmt) target {
	if cc.sub == nil {
		return cc.block(list, toEnded)
	}
	outer := cc.ends
	cc.ends = routeEnds{one: cc.atom(func() { cc.leaves(func(*Ctx) Result { return 1 }) })}
	entry := cc.tail(list)
	cc.ends = outer
	return entry
}

// routeEnds are the steps behind the last statement of a route[NAME], whose value is that of its
// last action (5.6.3, though its manual says 1): that of a function or route, 0 of a break, which
// does not end the script, and 1 of all others. They are made when they are needed.
type routeEnds struct{ one, last, zero target }

// leaves makes the step that leaves a route.
func (cc *compiler) leaves(f callFn) {
	cc.place(step{do: f, yes: toReturn, no: toReturn, keeps: true})
}

func (cc *compiler) endOfCall() target {
	if cc.ends.last == 0 {
		cc.ends.last = cc.atom(func() {
			f := func(c *Ctx) Result { return 1 } // $rc stays
			cc.place(step{do: f, yes: toReturn, no: toReturn})
		})
	}
	return cc.ends.last
}

func (cc *compiler) endOfBreak() target {
	if cc.ends.zero == 0 {
		cc.ends.zero = cc.breaks()
	}
	return cc.ends.zero
}

// endOfWhile is where a while leads that a route ends with: what its last turn has left counts.
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

// tail compiles the statements that a route[NAME] ends with.
func (cc *compiler) tail(list []syntax.Stmt) target {
	n := len(list)
	if n == 0 {
		return cc.ends.one
	}
	last := cc.label()
	entry := cc.block(list[:n-1], last)
	next := cc.ends.one
	temps, never := cc.temps, cc.never
	defer func() { cc.never = never }()
	for _, s := range list[:n-1] {
		cc.never |= anywhere &^ behind(s)
	}
	switch s := list[n-1].(type) {
	case *syntax.If:
		then, els := cc.label(), cc.ends.one
		if s.HasElse {
			els = cc.label()
		}
		cc.define(last, cc.cond(s.Cond, then, els))
		cc.temps = temps
		yes, no := saysOf(s.Cond)
		cc.define(then, cc.narrowed(yes, func() target { return cc.tail(s.Then) }))
		if s.HasElse {
			cc.define(els, cc.narrowed(no, func() target { return cc.tail(s.Else) }))
		}
		return entry
	case *syntax.While:
		cc.define(last, cc.whileTo(s, cc.endOfWhile(s), cc.endOfBreak()))
		cc.temps = temps
		return entry
	case *syntax.Switch:
		cc.define(last, cc.switchTo(s, cc.ends.one, cc.endOfBreak(), cc.tail))
		cc.temps = temps
		return entry
	case *syntax.ExprStmt:
		if _, call := s.X.(*syntax.Call); call {
			next = cc.endOfCall()
		}
	}
	cc.define(last, cc.stmt(list[n-1], next))
	return entry
}

// block compiles a list of statements that goes on at next, and returns where it is entered.
func (cc *compiler) block(list []syntax.Stmt, next target) target {
	if len(list) == 0 {
		return next
	}
	first := cc.label()
	at := first
	never := cc.never
	for i, s := range list {
		after := next
		if i < len(list)-1 {
			after = cc.label()
		}
		cc.define(at, cc.stmt(s, after))
		cc.never |= anywhere &^ behind(s)
		at = after
	}
	cc.never = never
	return first
}

// stmt compiles one statement that goes on at next, and returns where it is entered.
func (cc *compiler) stmt(s syntax.Stmt, next target) target {
	if cc.ld.Full() && cc.ld.survey == nil {
		return next // each error looks for the nearest of thousands of names
	}
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
	yes, no := saysOf(s.Cond)
	cc.define(then, cc.narrowed(yes, func() target { return cc.block(s.Then, next) }))
	if s.HasElse {
		cc.define(els, cc.narrowed(no, func() target { return cc.block(s.Else, next) }))
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

// while compiles a test, a count and a jump back.
func (cc *compiler) while(s *syntax.While, next target) target {
	return cc.whileTo(s, func(int32) target { return next }, next)
}

// whileTo compiles a while that goes on at next, which is given the temporary with the number of
// turns, and at leave behind a break.
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
	re  *regexp.Regexp // nil means val counts
	to  *target
}

// holds tells whether the case is that of v: as a number if it is one, else as a text.
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

// switchStmt compiles a step that looks up where to go on: the first case in order that is equal. A
// case goes on with the next one until break.
func (cc *compiler) switchStmt(s *syntax.Switch, next target) target {
	return cc.switchTo(s, next, next,
		func(list []syntax.Stmt) target { return cc.block(list, next) })
}

// switchTo compiles a switch that goes on at next where no case is met, at leave behind a break,
// and whose last case tail compiles.
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

// jump compiles return, exit, drop and break. Only return has a step.
func (cc *compiler) jump(s *syntax.Jump, next target) target {
	switch s.Word {
	case "exit":
		return toExited
	case "drop":
		return toDropped
	case "break":
		switch {
		case cc.leave != outside:
			return cc.leave
		case cc.sub == nil:
			return toEnded
		}
		return cc.endOfBreak()
	}
	return cc.returns(s.X)
}

// breaks compiles break outside of while and switch: it leaves the route, whose caller goes on with
// $rc 0, and which is false (5.6.3).
func (cc *compiler) breaks() target {
	return cc.atom(func() {
		f := func(c *Ctx) Result { c.Return = 0; return 1 }
		cc.place(step{do: f, yes: toReturn, no: toReturn})
	})
}

// returns compiles the step that leaves a route with the value of x, nil being 1. A value of 0 ends
// the script, as any 0 does.
func (cc *compiler) returns(x syntax.Expr) target {
	return cc.atom(func() {
		f := func(*Ctx) Result { return 1 }
		if x != nil {
			var val valFn
			// a call counts as 1 or 0, and 0 ends the script (5.6.3)
			uses := cc.measured(func() { val = cc.operand(x) })
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
		cc.leaves(f)
	})
}

// exprStmt compiles a call or an expression run for the effect of the calls in it.
func (cc *compiler) exprStmt(s *syntax.ExprStmt, next target) target {
	switch x := s.X.(type) {
	case *syntax.Call:
		return cc.callTo(x, next, next)
	case *syntax.Name:
		if bareCalls[x.Name] {
			return cc.callTo(&syntax.Call{Pos: x.Pos, Name: x.Name}, next, next)
		}
		if coreValues[x.Name] == nil && syntax.BoolWord(x.Name) < 0 {
			cc.ld.errorf(x.Pos, "unknown statement %s%s", x.Name,
				suggest.DidYouMean(x.Name, cc.statementNames()))
			return next
		}
	}
	if !calls(s.X) {
		cc.ld.warnf(s.Pos, "this expression has no effect")
	}
	return cc.bare(s.X, next)
}

// bareCalls are the functions that a statement may call without parentheses (5.6.3).
var bareCalls = map[string]bool{"revert_uri": true, "force_rport": true, "add_rport": true,
	"add_local_rport": true, "set_forward_close": true, "set_forward_no_connect": true,
	"set_reply_close": true, "set_reply_no_connect": true, "force_tcp_alias": true,
	"add_tcp_alias": true}

// bare compiles an expression that is a statement. Kamailio 5.6 refuses it.
func (cc *compiler) bare(x syntax.Expr, next target) target {
	return cc.atom(func() {
		var val valFn
		uses := cc.measured(func() { val = cc.value(x) })
		f := func(c *Ctx) Result {
			if val(c); c.stop != notStopped {
				return 0
			}
			return 1
		}
		if uses {
			f = cc.released(f)
		}
		cc.place(step{do: f, yes: next, no: next})
	})
}

// statementNames are the words a statement may begin with.
func (cc *compiler) statementNames() []string {
	names := []string{"if", "while", "switch", "return", "exit", "drop", "break", "route"}
	for m := range cc.loaded {
		if d := cc.defs.get(m); d != nil {
			names = append(names, sortedKeys(d.funcs)...)
		}
	}
	return append(names, sortedKeys(cc.defs.get(core).funcs)...)
}
