package route

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"viaduct/shard/route/syntax"
)

// Kinds is a set of RouteKind: the routes that a block may run in, or that a function may be called
// in.
type Kinds uint8

// The sets that functions are declared with.
const (
	InRequest   Kinds = 1 << RequestRoute
	InFailure   Kinds = 1 << FailureRoute
	InBranch    Kinds = 1 << BranchRoute
	InReply     Kinds = 1 << ReplyRoute
	InCoreReply Kinds = 1 << CoreReplyRoute
	InOnsend    Kinds = 1 << OnsendRoute

	InReplies = InReply | InCoreReply
	// WithTransaction are the routes that know the transaction or may still create it.
	WithTransaction = InRequest | InFailure | InBranch | InReply
	Anywhere        = WithTransaction | InCoreReply | InOnsend
)

// kinds is the same, for functions that are still declared in maps.
type kinds = Kinds

const (
	inRequest, inFailure, inBranch, inReply = InRequest, InFailure, InBranch, InReply

	inReplies, inTransaction, anywhere = InReplies, WithTransaction, Anywhere
)

// kindWords has the routes as a file writes them.
var kindWords = [...]string{
	RequestRoute: "request_route", FailureRoute: "failure_route", BranchRoute: "branch_route",
	ReplyRoute:     "onreply_route[NAME]",
	CoreReplyRoute: "reply_route", OnsendRoute: "onsend_route",
}

// String lists the routes, as in "request_route and failure_route".
func (k Kinds) String() string {
	var words []string
	for i, w := range kindWords {
		if k>>i&1 != 0 {
			words = append(words, w)
		}
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// namedKinds has the routes that functions arm by name.
var namedKinds = map[string]RouteKind{"failure_route": FailureRoute, "branch_route": BranchRoute,
	"onreply_route": ReplyRoute}

// plan numbers the routes that can be armed, in file order, and finds out in which kinds of route
// each route[NAME] may run. It must come before any route is compiled.
func (cc *compiler) plan(items []syntax.Item) {
	for i := range items {
		it := &items[i]
		kind, name, ok := armedBy(it)
		if it.Kind != syntax.RouteItem || !ok || it.Unnamed() {
			continue
		}
		key := armKey{kind, name}
		if cc.numbers[key] != 0 {
			continue // reported where it is compiled
		}
		list := cc.prog.armable(kind)
		if len(*list) == maxArmable {
			cc.ld.errorf(it.Pos, "more than %d routes of the kind %s", maxArmable, it.Word)
			continue
		}
		*list = append(*list, cc.newRoute(name))
		cc.numbers[key] = len(*list)
	}
	if cc.stray != nil {
		n := cc.numbers[armKey{ReplyRoute, cc.stray.name}]
		if n == 0 {
			cc.noSuchRoute(cc.stray.pos, ReplyRoute, cc.stray.name)
		}
		cc.prog.strayReply = numbered(cc.prog.replies, n)
	}
	cc.reach(items)
}

// branchFailure begins the names of event routes that t_on_branch_failure arms.
const branchFailure = "tm:branch-failure:"

// armedBy is the kind of a route that functions arm, and the name they arm it by. ok is false if
// none does.
func armedBy(it *syntax.Item) (kind RouteKind, name string, ok bool) {
	if name, ok := strings.CutPrefix(it.Name, branchFailure); ok && it.Word == "event_route" {
		return BranchFailureRoute, name, name != ""
	}
	kind, ok = namedKinds[it.Word]
	return kind, it.Name, ok
}

// armKey identifies a route that can be armed. Each kind has its own names.
type armKey struct {
	kind RouteKind
	name string
}

// armable returns the list of routes of a kind that can be armed.
func (p *Program) armable(kind RouteKind) *[]*routeCode {
	switch kind {
	case FailureRoute:
		return &p.failures
	case BranchRoute:
		return &p.branches
	case BranchFailureRoute:
		return &p.lost
	}
	return &p.replies
}

// hashNames returns XXH64 over the names of all routes that can be armed, kind by kind.
func (p *Program) hashNames() uint64 {
	h := xxhash.New()
	for _, list := range [][]*routeCode{p.failures, p.branches, p.replies, p.lost} {
		for _, rt := range list {
			h.WriteString(rt.name)
			h.Write([]byte{0}) // the end of a name
		}
		h.Write([]byte{1})
	}
	return h.Sum64()
}

// reach spreads the kinds that each route runs in along route(NAME), until nothing changes.
func (cc *compiler) reach(items []syntax.Item) {
	calls := map[string][]callee{} // route[NAME] to the routes it calls
	on := &[]callee{}              // what may continue a suspended run
	var changed []string           // routes whose callees do not have all their kinds yet
	run := func(from kinds, list []callee) {
		for _, x := range list {
			if k := from &^ x.never; cc.runFor[x.name]|k != cc.runFor[x.name] {
				cc.runFor[x.name] |= k
				changed = append(changed, x.name)
			}
		}
	}
	var all []string
	for i := range items {
		if it := &items[i]; it.Kind == syntax.RouteItem && it.Word == "route" && !it.Unnamed() {
			all = append(all, it.Name)
		}
	}
	for i := range items {
		it := &items[i]
		if it.Kind != syntax.RouteItem {
			continue
		}
		w := callees{all: all, on: on}
		w.stmts(it.Body)
		if it.Word == "route" && !it.Unnamed() {
			calls[it.Name] = w.found
		} else if k, ok := runKind(it); ok {
			in := kinds(1 << k)
			if it.Word == "event_route" {
				in |= cc.eventAlso(it.Name)
			}
			run(in, w.found)
		}
	}
	calls[suspendedRun] = *on
	for len(changed) > 0 {
		name := changed[len(changed)-1]
		changed = changed[:len(changed)-1]
		run(cc.runFor[name], calls[name])
	}
}

// runKind returns the kind of a block that is not a route[NAME].
func runKind(it *syntax.Item) (RouteKind, bool) {
	switch it.Word {
	case "request_route", "route", "event_route": // as in kamailio -c
		return RequestRoute, true
	case "reply_route":
		return CoreReplyRoute, true
	case "onsend_route":
		return OnsendRoute, true
	case "onreply_route":
		if it.Unnamed() {
			return CoreReplyRoute, true
		}
	}
	k, ok := namedKinds[it.Word]
	return k, ok
}

// callees collects the names in route(NAME). For a computed name it collects all routes that may be
// meant.
type callees struct {
	all   []string // the names of all routes
	never kinds    // the kinds that cannot reach the part being read
	found []callee
	on    *[]callee // the routes that t_continue names; nil if nobody asks
}

// suspends has the routes in which t_suspend holds something.
const suspends = InRequest | InFailure | InReply

// suspendedRun stands among the names of routes for what t_suspend has put off. It goes on in any
// route that t_continue names.
const suspendedRun = "\x00suspended"

// callee is a route that is called, and the kinds that cannot reach the call, whatever the caller's
// are.
type callee struct {
	name  string
	never kinds
}

// where reads a part that only the kinds k can reach.
func (w *callees) where(k kinds, list []syntax.Stmt) {
	outer := w.never
	w.never |= anywhere &^ k
	w.stmts(list)
	w.never = outer
}

func (w *callees) stmts(list []syntax.Stmt) {
	outer := w.never
	for _, s := range list {
		switch s := s.(type) {
		case *syntax.If:
			w.expr(s.Cond)
			yes, no := kindsWhere(s.Cond)
			w.where(yes, s.Then)
			w.where(no, s.Else)
		case *syntax.While:
			w.expr(s.Cond)
			w.stmts(s.Body)
		case *syntax.Switch:
			w.expr(s.X)
			for i := range s.Cases {
				w.stmts(s.Cases[i].Body)
			}
		case *syntax.Assign:
			w.expr(s.X)
		case *syntax.Jump:
			w.expr(s.X)
		case *syntax.ExprStmt:
			w.expr(s.X)
		}
		w.never |= anywhere &^ behind(s)
	}
	w.never = outer
}

func (w *callees) expr(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.Unary:
		w.expr(x.X)
	case *syntax.Binary:
		w.expr(x.L)
		outer := w.never
		switch yes, no := kindsWhere(x.L); x.Op {
		case "&&":
			w.never |= anywhere &^ yes
		case "||":
			w.never |= anywhere &^ no
		}
		w.expr(x.R)
		w.never = outer
	case *syntax.Call:
		if x.Name == "t_suspend" {
			w.found = append(w.found, callee{suspendedRun, w.never | anywhere&^suspends})
		} else if x.Name == "t_continue" && len(x.Args) == 3 {
			w.continues(x.Args[2])
		} else if name, ok := routeArg(x); ok {
			w.found = append(w.found, callee{name, w.never})
		} else if prefix, ok := computedArg(x); ok {
			for _, n := range w.all {
				if strings.HasPrefix(n, prefix) {
					w.found = append(w.found, callee{n, w.never})
				}
			}
		}
		for _, a := range x.Args {
			w.expr(a)
		}
	}
}

// continues collects the routes that t_continue names.
func (w *callees) continues(name syntax.Expr) {
	if w.on == nil {
		return
	}
	v, ok := literal(name)
	if text := string(v.appendStr(nil)); ok && !strings.Contains(text, "$") {
		*w.on = append(*w.on, callee{name: text})
		return
	}
	for _, n := range w.all {
		*w.on = append(*w.on, callee{name: n})
	}
}

// routeIfExists is the function that calls a route as route() does, if the route exists; see
// Module.RouteIfThere.
const routeIfExists = "route_if_exists"

// routeArg returns NAME of route(NAME) if it is known at load.
func routeArg(x *syntax.Call) (string, bool) {
	if x.Name != "route" && x.Name != routeIfExists || len(x.Args) != 1 {
		return "", false
	}
	v, ok := literal(x.Args[0])
	name := string(v.appendStr(nil))
	if !ok || x.Name == routeIfExists && strings.Contains(name, "$") {
		return "", false
	}
	return name, true
}

// computedArg returns what a computed name begins with: R for route("R" + $var(n)).
func computedArg(x *syntax.Call) (prefix string, ok bool) {
	if x.Name != "route" && x.Name != routeIfExists || len(x.Args) != 1 {
		return "", false
	}
	arg := x.Args[0]
	for {
		b, isBinary := arg.(*syntax.Binary)
		if !isBinary || b.Op != "+" {
			break
		}
		arg = b.L
	}
	if s, isText := arg.(*syntax.Str); isText {
		prefix = s.S
	}
	if x.Name == routeIfExists {
		prefix, _, _ = strings.Cut(prefix, "$")
	}
	return prefix, true
}

// mayCall tells whether d may be called where x stands. If not, it reports where it may. A
// route[NAME] counts as request_route, whoever calls it (5.6.3).
func (cc *compiler) mayCall(x *syntax.Call, d *funcDef) bool {
	in, soon := d.in, d.soonIn
	if in == 0 {
		in = anywhere
	}
	switch {
	case cc.kind&in != 0:
		return true
	case cc.kind&d.waitless != 0:
		cc.ld.errorf(x.Pos, "%s cannot wait in %s: %s", x.Name, cc.kind, whyWaitless(cc.kind))
	case cc.kind&soon != 0:
		cc.ld.errorf(x.Pos, "%s in %s is known to Kamailio, not implemented by Viaduct yet", x.Name,
			cc.kind)
	case cc.event != "":
		cc.ld.errorf(x.Pos, "%s may be called in %s, not in event_route[%s], which counts as "+
			"request_route", x.Name, in|soon, clip(cc.event))
	case cc.sub != nil:
		cc.ld.errorf(x.Pos, "%s may be called in %s, not in route[%s], which counts as "+
			"request_route", x.Name, in|soon, clip(cc.sub.name))
	default:
		cc.ld.errorf(x.Pos, "%s may be called in %s, not in %s", x.Name, in|soon, cc.kind)
	}
	return false
}

// guard makes a call false if its route[NAME] runs in a kind of route that d must not be called in.
// That shows only at run time, and is checked before any argument is evaluated.
func (cc *compiler) guard(x *syntax.Call, d *funcDef, no target) {
	what, runFor := "the event", cc.also
	if cc.kind == inReply {
		what = "the route"
	}
	if cc.sub != nil {
		what, runFor = "route["+clip(cc.sub.name)+"]", cc.runFor[cc.sub.name]
	}
	in := d.in | d.through
	bad := runFor &^ cc.never &^ in
	if bad == 0 || d.in == 0 {
		return
	}
	cc.ld.warnf(x.Pos, "%s fails where %s is run for %s: it may be called in %s", x.Name, what, bad,
		in)
	yes := cc.label()
	cc.place(step{do: func(c *Ctx) Result {
		return truth(in>>c.kind&1 != 0)
	}, yes: yes, no: no, keeps: true})
	cc.entry = yes
}
