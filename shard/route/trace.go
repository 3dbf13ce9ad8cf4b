package route

import (
	"math"
	"strings"
	"sync/atomic"

	"viaduct/shard/route/syntax"
)

// Traced is a place of a program that a run passes: a statement, or the call of a function in a
// condition.
type Traced struct {
	Pos   Pos
	Route string // the route that it stands in, as in [VarBuild.Route]
	Name  string // the function's; or if, while, switch, assign, return, exit, drop, break, route
}

// Trace has a step made in front of each statement and each call. make is called for each of them
// when routes are compiled, behind Ready. Without it a program has no such steps.
func (m *Module) Trace(make func(at Traced) Call) { m.trace = make }

// TraceAssign has a step made behind each assignment to a variable that can be read. value reads
// the variable called name.
func (m *Module) TraceAssign(make func(name string, value func(c *Ctx) Value) Call) {
	m.traceAssign = make
}

// LineLevel has *level, unless it is NoLineLevel, stand in the place of the log's level for the
// lines that the program writes.
func (m *Module) LineLevel(level *atomic.Int64) { m.lineLevel = level }

// NoLineLevel leaves LineLevel without effect.
const NoLineLevel = math.MinInt64

// tracing is what the modules of a file have asked for.
type tracing struct {
	trace       func(at Traced) Call
	traceAssign func(name string, value func(c *Ctx) Value) Call
	lineLevel   *atomic.Int64
}

// traced returns the entry of a statement that begins at entry. A call is traced by itself.
func (cc *compiler) traced(s syntax.Stmt, entry target) target {
	switch s := s.(type) {
	case *syntax.If:
		return cc.tracedAt(s.Pos, "if", entry)
	case *syntax.While:
		return cc.tracedAt(s.Pos, "while", entry)
	case *syntax.Switch:
		return cc.tracedAt(s.Pos, "switch", entry)
	case *syntax.Assign:
		return cc.tracedAt(s.Pos, "assign", entry)
	case *syntax.Jump:
		return cc.tracedAt(s.Pos, s.Word, entry)
	}
	return entry
}

// tracedAt makes the step in front of what begins at entry.
func (cc *compiler) tracedAt(pos Pos, name string, entry target) target {
	if cc.trace == nil || cc.event != "" {
		return entry
	}
	if strings.Trim(name, "=") == "" {
		name = "assign" // within an expression
	}
	f := cc.trace(Traced{Pos: pos, Route: cc.inRoute, Name: name})
	return cc.atom(func() { cc.place(step{do: f, yes: entry, no: entry}) })
}

// tracedFrom makes the step at a label, in front of a statement whose steps are made next. It
// returns the label of those.
func (cc *compiler) tracedFrom(s syntax.Stmt, at target) target {
	if cc.trace == nil || cc.event != "" {
		return at
	}
	behind := cc.label()
	cc.define(at, cc.traced(s, behind))
	return behind
}

// tracedAssign returns where an assignment continues that is to continue at next. The step is made
// by define, once the variable is known.
func (cc *compiler) tracedAssign(name string, next target) (at target, define func(pv *pvCode)) {
	if cc.traceAssign == nil {
		return next, func(*pvCode) {}
	}
	at = cc.label()
	return at, func(pv *pvCode) {
		entry := next
		if pv != nil && pv.set != nil {
			if value := pv.value(); value != nil {
				f := cc.released(cc.traceAssign(name, value))
				entry = cc.atom(func() { cc.place(step{do: f, yes: next, no: next}) })
			}
		}
		cc.define(at, entry)
	}
}

// KindName returns the word for the kind of route that the run began in, such as request_route.
func (c *Ctx) KindName() string {
	switch c.kind {
	case FailureRoute:
		return "failure_route"
	case BranchRoute:
		return "branch_route"
	case ReplyRoute:
		return "onreply_route"
	case CoreReplyRoute:
		return "reply_route"
	case OnsendRoute:
		return "onsend_route"
	}
	return "request_route"
}
