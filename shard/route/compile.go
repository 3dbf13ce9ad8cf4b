package route

import (
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// compiler turns the syntax tree into steps. It reports errors to the loader and goes on, so that
// all are found; the result is then thrown away.
type compiler struct {
	ld      *loader
	prog    *Program
	set     *Settings
	vars    map[string]int32
	byName  map[string]*routeCode
	defined map[string]Pos
	refs    []routeRef
	stray   *OwnRoute // see Module.StrayReplyRoute
	loaded  map[string]bool
	absences
	defs   defs
	flags  map[string]int   // the numbers of flags that have names
	custom map[string]Value // group.name = value
	// claimed counts the errors that belong to a name that the file uses; see refused
	claimed int
	// bareAVPs has the names that statements use without parentheses, and whether each is an AVP
	bareAVPs map[string]bool
	numbers  map[armKey]int // of routes that can be armed
	defines  map[string]string
	runFor   map[string]kinds // what route[NAME] is run for, by name
	kind     kinds            // the kinds of route that the block being compiled runs in
	never    kinds            // the kinds that cannot reach the part being compiled; see narrow.go
	sub      *routeCode       // the route[NAME] being compiled, nil in other blocks
	also     kinds            // what an event_route is run for besides requests
	event    string           // the name of the event_route being checked, empty in other blocks
	inRoute  string           // the name of the route being compiled
	// inEventRoute says that it is an event_route
	inEventRoute bool
	waitsTold    bool // see tellWait
	// where break goes: behind the innermost while or switch, or outside
	leave target
	ends  routeEnds // of the route[NAME] being compiled
	// where to go if the condition being compiled has no value, which makes it false
	otherwise target
	scratch   bool  // what was compiled last uses the scratch room
	faults    bool  // the expression compiled last may overflow it
	divides   bool  // or may have no value, as after x/0
	inside    int   // how many expressions surround what is being compiled
	temps     int32 // temporaries in use
	holding
	tracing
	lives
	entry   target    // the entry of the next step of the current atom
	labels  []target  // what each label stands for
	targets []*target // targets outside of the step table, to be linked
	back    *target   // where the route call being compiled returns to
	// See inline.go.
	inlinings []inlining        // of the route being compiled
	copies    map[target]target // where the calls that were replaced lead
}

// outside is the target of break where there is no while or switch around it.
const outside target = 0

// routeRef is a route(NAME) that is checked once all routes are known.
type routeRef struct {
	name string
	pos  Pos
	late string // the function that looks for the route when it is called, as in Kamailio
}

// newRoute makes a route whose body is compiled later.
func (cc *compiler) newRoute(name string) *routeCode {
	return &routeCode{name: name, label: cc.label()}
}

// routeBody compiles a route and returns its entry.
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

// routeEnds has the steps that end a route[NAME]. The value of the route is that of its last action
// (5.6.3, though its manual says 1): that of a function or route, 0 of a break, which does not end
// the script, and 1 of all others. The steps are made when they are needed.
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
		last = cc.tracedFrom(s, last)
		then, els := cc.label(), cc.ends.one
		if s.HasElse {
			els = cc.label()
		}
		cc.define(last, cc.cond(s.Cond, then, els))
		cc.temps = temps
		yes, no := kindsWhere(s.Cond)
		cc.define(then, cc.narrowed(yes, func() target { return cc.tail(s.Then) }))
		if s.HasElse {
			cc.define(els, cc.narrowed(no, func() target { return cc.tail(s.Else) }))
		}
		return entry
	case *syntax.While:
		last = cc.tracedFrom(s, last)
		cc.define(last, cc.whileTo(s, cc.endOfWhile(s), cc.endOfBreak()))
		cc.temps = temps
		return entry
	case *syntax.Switch:
		last = cc.tracedFrom(s, last)
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

// block compiles a list of statements that continues at next, and returns its entry.
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

// stmt compiles one statement that continues at next, and returns its entry.
func (cc *compiler) stmt(s syntax.Stmt, next target) target {
	if cc.ld.Full() && cc.ld.survey == nil {
		return next // finding the nearest of thousands of names is slow
	}
	temps := cc.temps
	defer func() { cc.temps = temps }()
	return cc.traced(s, cc.oneStmt(s, next))
}

func (cc *compiler) oneStmt(s syntax.Stmt, next target) target {
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
	case *syntax.Broken:
		cc.broken(s)
	}
	return next
}

// ifStmt compiles if. Only the condition has steps of its own; they lead into the blocks.
func (cc *compiler) ifStmt(s *syntax.If, next target) target {
	then, els := cc.label(), next
	if s.HasElse {
		els = cc.label()
	}
	temps := cc.temps
	entry := cc.cond(s.Cond, then, els)
	cc.temps = temps
	yes, no := kindsWhere(s.Cond)
	cc.define(then, cc.narrowed(yes, func() target { return cc.block(s.Then, next) }))
	if s.HasElse {
		cc.define(els, cc.narrowed(no, func() target { return cc.block(s.Else, next) }))
	}
	return entry
}

// jump compiles return, exit, drop and break. Of these, return needs a step and so may break.
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

// returns compiles the step that leaves a route with the value of x, or 1 if x is nil. A value of 0
// ends the script, as any 0 does.
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

// exprStmt compiles a call, or an expression that is run only for the calls in it.
func (cc *compiler) exprStmt(s *syntax.ExprStmt, next target) target {
	how := leavesOld
	if next == toEnded || next == cc.ends.last {
		how = leavesResult
	}
	switch x := s.X.(type) {
	case *syntax.Call:
		return cc.callTo(x, next, next, how)
	case *syntax.Name:
		if coreValues[x.Name] == nil && syntax.BoolWord(x.Name) < 0 {
			cc.ld.errorf(x.Pos, "unknown statement %s%s", x.Name,
				suggest.DidYouMean(x.Name, cc.statementNames()))
			return next
		}
		cc.ld.Theirs(x.Pos, "an expression as a statement")
	}
	if !calls(s.X) {
		cc.ld.warnf(s.Pos, "this expression has no effect")
	}
	return cc.bare(s.X, next)
}

// bare compiles an expression as a statement, which Kamailio 5.6 refuses.
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

// statementNames returns the words that a statement may begin with.
func (cc *compiler) statementNames() []string {
	names := []string{"if", "while", "switch", "return", "exit", "drop", "break", "route"}
	for m := range cc.loaded {
		if d := cc.defs.get(m); d != nil {
			names = append(names, sortedKeys(d.funcs)...)
		}
	}
	return append(names, sortedKeys(cc.defs.get(core).funcs)...)
}
