// Package route is step 4 of a packet's journey: it runs the operator's routing program, written in
// Kamailio's native configuration language, on one message.
//
// Load reads a configuration file once, at start-up or reload, and compiles its routes into a table
// of steps: Go functions, each of which says by its result which step is next. The resulting
// Program is immutable and shared by all shards; a reload makes a new one beside it and swaps a
// pointer. Running a Program allocates nothing, blocks on nothing and logs only through Shard.Log.
//
// Ownership: a Ctx belongs to one shard and to one message at a time. Byte slices given to a
// function of a Ctx are valid until it returns.
//
// When not to use it: what a function such as t_relay() does is a method of proxy.Request, which a
// run holds. Here stands what a script says, and what it says it with.
package route

import (
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
)

// Outcome is how a run of a route ended. The reply code, the destination and everything else the
// script decided stands in the proxy.Request by then.
type Outcome uint8

const (
	// Ended: the script ran off the end of the route, or a `return` left it.
	Ended Outcome = iota
	// Exited: `exit`, `return(0)` or a function that answered 0 stopped the script.
	Exited
	// Dropped: `drop` stopped the script. Same as Exited in request_route; in a branch_route the
	// branch is discarded, in an onreply_route a provisional response is.
	Dropped
	// Faulted: the run was cut short by a limit of ours (see limits.go); Ctx.Fault says which one
	// and where.
	Faulted
	// Held: the run waits for an answer, see Program.Resume.
	Held
)

// StatefulReply says whether a reply may go through the message's transaction.
type StatefulReply uint8

const (
	// Stateless is sl_send_reply's own way. Where there is a transaction it answers all the same,
	// so that nothing contradicts it.
	Stateless StatefulReply = iota
	// IfTransaction is send_reply: through the transaction when there is one.
	IfTransaction
	// InTransaction is t_reply: below 0 when there is no transaction.
	InTransaction
)

// RelayDst is where t_relay_to() and its kin send the request.
type RelayDst struct {
	// Set: Host and Port name the destination. Otherwise it is $du, else the Request-URI, over
	// Proto.
	Set bool
	// Proto is AnyTransport, which is not its zero value, when the script left it open: then that
	// of the destination's URI, or with Set UDP.
	Proto Transport
	// Host is a name, an IPv4 address, or an IPv6 address in brackets.
	Host []byte
	// Port is 0 when none was given.
	Port int
}

// RelayFlags are the flags of t_relay_to().
type RelayFlags uint32

const (
	// RelayNo100: no 100 (Trying) is sent for this request.
	RelayNo100 RelayFlags = 1 << iota
	// RelayNoReply: no response is sent when relaying fails; the script answers.
	RelayNoReply
	// RelayNoFailover: no other address of the same name is tried.
	RelayNoFailover
)

// DropHow says which responses t_drop_replies() drops.
type DropHow uint8

const (
	// DropAll: all received so far.
	DropAll DropHow = iota
	// DropLast: those of the branches added last.
	DropLast
	// DropNone: none.
	DropNone
)

// RouteKind says what a route is run for.
type RouteKind = proxy.RouteKind

// The kinds of routes, see package proxy.
const (
	RequestRoute = proxy.RequestRoute
	FailureRoute = proxy.FailureRoute
	// BranchFailureRoute is a kind of numbers alone, see package proxy.
	BranchFailureRoute = proxy.BranchFailureRoute
	BranchRoute        = proxy.BranchRoute
	ReplyRoute         = proxy.ReplyRoute
	CoreReplyRoute     = proxy.CoreReplyRoute
	OnsendRoute        = proxy.OnsendRoute
)

// Program is a compiled configuration file. It is immutable and safe for all shards at once.
type Program struct {
	main         *routeCode // request_route, nil if there is none
	failures     []*routeCode
	lost         []*routeCode // event_route[tm:branch-failure:NAME]
	branches     []*routeCode
	replies      []*routeCode // onreply_route[NAME]
	strayReply   *routeCode   // see Module.StrayReplyRoute
	coreReply    *routeCode   // the one without a name, nil if there is none
	onsend       *routeCode   // nil if there is none
	routes       []*routeCode
	byName       map[string]*routeCode // route[NAME], if a call computes its name
	namesRoutes  bool                  // one does
	steps        []step
	linked       []linked     // the steps as run goes through them
	http         *httpService // nil means no module serves HTTP
	waits        []target     // of those, where a run may be held
	tables       []string     // of the arena, by name: those it has opened
	openNotes    []string
	nvars        int // distinct $var() names
	begins       []beginning
	maxTemps     int32 // the most temporaries that one route has
	usesForward  bool
	hash         uint64
	selections   []Selection
	opens        []opening
	held         []HeldState // what its modules have in a held run
	core         *coreEvents
	logPrefix    *format // nil means log_prefix is not set
	maxRecursion int
	maxLoops     int64
}

// Selection is a call of ds_select_dst or ds_select_domain whose algorithm is known at load, for
// whoever has the destination list to hold against it.
type Selection struct {
	Pos            Pos
	Set, Algorithm int // set -1: known at run time only
}

// Selections are the program's, in the order of the file.
func (p *Program) Selections() []Selection { return p.selections }

// routeCode is one compiled routing block.
type routeCode struct {
	name    string
	label   target // where it begins, until the program is linked
	entry   target // where it begins, from then on
	size    int32  // in steps
	number  int32  // among the program's routes, from 1
	there   bool   // the file has it
	tooDeep []byte // the line of a run that calls it too deep
}

// Ctx is a run: what its functions may touch. A shard has one, made by NewCtx, and uses it for one
// message at a time. Nothing in it points to a message after a run has returned. A branch route
// runs inside the run that called t_relay(), in the same Ctx.
type Ctx struct {
	atHand

	// Shard is what belongs to the shard and not to the message.
	Shard *Shard
	// Conn is the number of the connection that brought the message at hand; 0 means none, or that
	// is not known.
	Conn uint64

	// Return is the value the last route or function left ($rc, $retcode).
	Return int
	// Fault says why the outcome of the run that ended last was Faulted, nil if it was not. It is
	// made at load, hence costs nothing.
	Fault *Diagnostic
	// Acted tells whether the request was answered or sent on since its request_route began.
	Acted bool
	// Unanswered tells whether an answer was tried that could not leave, and nothing else had been
	// done about the request: to an ACK none may, and one that is longer than a datagram cannot.
	Unanswered bool

	// ReplyIgnore is blst_rpl_set_ignore of the message at hand.
	ReplyIgnore blocklist.Reason
	run
}

// atHand is what a run works on.
type atHand struct {
	// Msg is the message as received; no edit of the script shows in it. In a failure route and a
	// branch route it is the request, in a reply route the response.
	Msg *Message
	// Request is the request under way, with what is decided about it; nil in a reply route.
	Request *proxy.Request
	// Reply is the response under way, the same; nil but in a reply route.
	Reply *proxy.Reply
	// Tx and Branch are what the response belongs to; nil but in onreply_route[NAME]. The
	// transaction of a request is Request.Tx.
	Tx     *txn.Tx
	Branch *txn.Branch

	kind RouteKind // of the route the run began with
}

// Shard is what a run may ask of its shard.
type Shard struct {
	Number    int // from 0
	Shards    int // of which this is one
	Core      *proxy.Core
	Listeners []Listener
	Conns     Connections // nil means there are no streams
	Log       Log
	Blocked   *blocklist.Table // nil means there is no blacklist
	Waits     Waits            // nil means nothing can wait
	// Later has f called by the shard when it is done with the message at hand, from any goroutine;
	// nil means nobody does.
	Later func(f func(c *Ctx))
	// Messages is how many messages the shard has taken, the one at hand included.
	Messages int64

	complaints complaints
}

// Log takes the lines of xlog() and log().
type Log interface {
	// Log takes one line, without line feed; level runs from -5 (alert) over -1 (error), 0
	// (warning), 1 (notice), 2 (info) to 3 (debug). It must not block, and copies the line. It is
	// called only for levels that LogLevel lets pass.
	Log(level int, line []byte)
	// LogLevel is the highest level that is logged at present (the global `debug`).
	LogLevel() int
}

// UsesForward tells whether the program can forward statelessly, so that responses without a
// transaction are expected.
func (p *Program) UsesForward() bool { return p.usesForward }

// RouteName is the name of the route with that number; "" if there is none.
func (p *Program) RouteName(kind RouteKind, n int) string {
	list := p.armable(kind)
	if rt := numbered(*list, n); rt != nil {
		return rt.name
	}
	return ""
}

// HasCoreReply tells whether there is a reply route without a name, so that CoreReply must be run
// for each response.
func (p *Program) HasCoreReply() bool { return p.coreReply != nil }

// HasStrayReply tells whether there is a route for responses without a transaction.
func (p *Program) HasStrayReply() bool { return p.strayReply != nil }

// HasOnsend tells whether there is an onsend_route, so that Onsend must be run for each request
// that is sent on.
func (p *Program) HasOnsend() bool { return p.onsend != nil }

// Hash names the program: it is that of its source, includes and defines, and never 0. Numbers of
// routes and steps mean nothing but to the program they come from. Who keeps one longer than a
// message keeps the hash with it: after a reload, or a restart with another file, the same number
// may name another route.
func (p *Program) Hash() uint64 { return p.hash }
