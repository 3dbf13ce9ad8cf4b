// Package route is step 4 of a packet's journey: it runs the operator's routing program, written in
// Kamailio's native configuration language, on one message.
//
// Load reads a configuration file once, at start-up or reload, and compiles its routes into a table
// of steps: Go functions whose result says which step is next. The resulting Program is immutable
// and shared by all shards. A reload makes a new one beside it and swaps a pointer. Running a
// Program allocates nothing, blocks on nothing and logs only through Shard.Log.
//
// Ownership: a Ctx belongs to one shard and to one message at a time. Byte slices given to a
// function of a Ctx are valid until it returns.
//
// When not to use it: what a function such as t_relay() does is a method of proxy.Request, which a
// run holds. This package only knows what a script says.
package route

import (
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/trace"
	"viaduct/shard/txn"
)

// Outcome is how a run of a route ended. By then the reply code, the destination and everything
// else that the script decided is in the proxy.Request.
type Outcome uint8

const (
	// Ended means that the script ran off the end of the route, or that a `return` left it.
	Ended Outcome = iota
	// Exited means that `exit`, `return(0)` or a function that returned 0 stopped the script.
	Exited
	// Dropped means that `drop` stopped the script. In request_route that is the same as Exited. In
	// a branch_route the branch is discarded, and in an onreply_route a provisional response is.
	Dropped
	// Faulted means that one of Viaduct's limits cut the run short (see limits.go). Ctx.Fault says
	// which one and where.
	Faulted
	// Held means that the run waits for an answer; see Program.Resume.
	Held
)

// StatefulReply says whether a reply may go through the message's transaction.
type StatefulReply uint8

const (
	// Stateless is sl_send_reply's own way. If there is a transaction, the reply goes through it
	// all the same, so that nothing contradicts it.
	Stateless StatefulReply = iota
	// IfTransaction is send_reply: the reply goes through the transaction if there is one.
	IfTransaction
	// InTransaction is t_reply: the result is below 0 if there is no transaction.
	InTransaction
)

// RelayDst is where t_relay_to() and the like send the request.
type RelayDst struct {
	// Set says that Host and Port name the destination. Otherwise it is $du, or else the
	// Request-URI, over Proto.
	Set bool
	// Proto is AnyTransport, which is not its zero value, if the script left it open. Then it is
	// the transport of the destination's URI, or UDP if Set is true.
	Proto Transport
	// Host is a name, an IPv4 address, or an IPv6 address in brackets.
	Host []byte
	// Port is 0 if none was given.
	Port int
}

// RelayFlags are the flags of t_relay_to().
type RelayFlags uint32

const (
	// RelayNo100 keeps a 100 (Trying) from being sent for this request.
	RelayNo100 RelayFlags = 1 << iota
	// RelayNoReply leaves the answer to the script if relaying fails.
	RelayNoReply
	// RelayNoFailover keeps other addresses of the same name from being tried.
	RelayNoFailover
)

// DropHow says which responses t_drop_replies() drops.
type DropHow uint8

const (
	// DropAll drops all responses received so far.
	DropAll DropHow = iota
	// DropLast drops those of the branches that were added last.
	DropLast
	// DropNone drops none.
	DropNone
)

// RouteKind is the kind of a route.
type RouteKind = proxy.RouteKind

// The kinds of routes; see package proxy.
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
	replies      []*routeCode                     // onreply_route[NAME]
	strayReply   *routeCode                       // see Module.StrayReplyRoute
	responded    *Event                           // see Module.RunsOnResponses
	accounting   *Accounting                      // see Module.Accounts
	mirrors      []func(c *Ctx, x *trace.Message) // see Module.Mirrors
	coreReply    *routeCode                       // the unnamed reply route, nil if there is none
	onsend       *routeCode                       // nil if there is none
	routes       []*routeCode
	byName       map[string]*routeCode // route[NAME], if a call computes its name
	namesRoutes  bool                  // a call computes its name
	steps        []step                // until the program is loaded
	linked       []linked              // the steps in the form that run executes
	http         *httpService          // nil means no module serves HTTP
	waits        []target              // the steps where a run may be held
	tables       []string              // the names of the arena's tables that it has opened
	openNotes    []string
	nvars        int // distinct $var() names, and $vn() ones
	varNames     map[string]int32
	varList      []string // their names, sorted
	begins       []beginning
	maxTemps     int32 // the most temporaries that one route has
	usesForward  bool
	hash         uint64
	selections   []Selection
	opens        []opening
	held         []HeldState // the state that its modules add to a held run
	defines      map[string]string
	sources      []SourceText
	core         *coreEvents
	logPrefix    *format // nil means log_prefix is not set
	maxRecursion int
	maxLoops     int64
	keepRefused  bool // StreamSettings.KeepRefused
}

// Selection is a call of ds_select_dst or ds_select_domain whose algorithm is known at load. The
// owner of the destination list checks it against the list.
type Selection struct {
	Pos            Pos
	Set, Algorithm int // Set is -1 if it is known only at run time
}

// Selections returns the selections of the program in file order.
func (p *Program) Selections() []Selection { return p.selections }

// routeCode is one compiled routing block.
type routeCode struct {
	name   string
	label  target // where it begins, until the program is linked
	entry  target // where it begins, from then on
	start  target // its first step
	size   int32  // in steps
	number int32  // among the program's routes, from 1
	there  bool   // the file has it
	// frameless says that its steps may be copied to where it is called, together with those of the
	// routes in calls; see inline.go
	frameless bool
	calls     []inlining
	tooDeep   []byte // the log line if it is called too deep
}

// Ctx is a run: what its functions may touch. A shard has one, made by NewCtx, and uses it for one
// message at a time. Nothing in it points to a message after a run has returned. A branch route
// runs inside the run that called t_relay(), in the same Ctx.
type Ctx struct {
	atHand

	// Shard is what belongs to the shard rather than to the message.
	Shard *Shard
	// Conn is the number of the connection that brought the current message. It is 0 if there is
	// none or if it is not known.
	Conn uint64

	// Return is $rc ($retcode): the value that the last route, or function of a module, returned, 0
	// if there is none. A function of the core sets it to 0 in an expression, and to its result as
	// the last statement of a route.
	Return int
	// Fault says why the last run ended as Faulted. It is nil if it did not. It is made at load,
	// and so costs nothing.
	Fault *Diagnostic
	// Acted tells whether the request has been answered or sent on since its request_route began.
	Acted bool
	// Unanswered tells whether the script tried an answer that cannot be sent, and nothing else was
	// done about the request. An ACK cannot be answered, and an answer longer than a datagram
	// cannot leave.
	Unanswered bool

	// ReplyIgnore has what blst_rpl_set_ignore set for the current message.
	ReplyIgnore blocklist.Reason
	run
}

// atHand is the message that a run works on: the current message.
type atHand struct {
	// Msg is the message as received, without the edits of the script. In a failure or branch
	// route it is the request, in a reply route the response.
	Msg *Message
	// Request is the current request and what is decided about it. It is nil in a reply route.
	Request *proxy.Request
	// Reply is the current response and what is decided about it. It is nil except in a reply
	// route.
	Reply *proxy.Reply
	// Tx and Branch are the transaction and branch that the response belongs to. They are nil
	// except in onreply_route[NAME]. The transaction of a request is Request.Tx.
	Tx     *txn.Tx
	Branch *txn.Branch

	kind RouteKind // of the route that the run began with
}

// Shard is what a run may use of its shard.
type Shard struct {
	Number    int // from 0
	Shards    int // how many there are
	Core      *proxy.Core
	Listeners []Listener
	Conns     Connections // nil if there are no streams
	Log       Log
	Blocked   *blocklist.Table // nil if there is no blocklist
	Waits     Waits            // nil if nothing can wait
	// Later makes the shard call f when it is done with the current message. It may be called from
	// any goroutine. It is nil if nothing can be deferred.
	Later func(f func(c *Ctx))
	// On makes shard n call f between two messages, as Later does. It returns false if f is lost. It
	// is nil if nothing can be deferred.
	On func(n int, f func(c *Ctx)) bool
	// Statistic reads a statistic by the name that Kamailio gives it. It is false if there is none,
	// and nil if there are no statistics.
	Statistic func(name []byte) (uint64, bool)
	// Messages is how many messages the shard has received, including the current one.
	Messages int64

	complaints complaints
}

// Log takes the lines of xlog() and log().
type Log interface {
	// Log takes one line, without line feed. level runs from -5 (alert) over -1 (error), 0
	// (warning), 1 (notice) and 2 (info) to 3 (debug). Log must not block, and it copies the line.
	// It is called only for levels up to LogLevel.
	Log(level int, line []byte)
	// LogLevel returns the highest level that is logged at present (the global `debug`).
	LogLevel() int
}

// UsesForward tells whether the program can forward statelessly, so that responses without a
// transaction are expected.
func (p *Program) UsesForward() bool { return p.usesForward }

// RouteName returns the name of the route with that number. It returns "" if there is none.
func (p *Program) RouteName(kind RouteKind, n int) string {
	list := p.armable(kind)
	if rt := numbered(*list, n); rt != nil {
		return rt.name
	}
	return ""
}

// HasCoreReply tells whether there is an unnamed reply route, so that CoreReply must run for each
// response.
func (p *Program) HasCoreReply() bool { return p.coreReply != nil }

// HasStrayReply tells whether there is a route for responses without a transaction.
func (p *Program) HasStrayReply() bool { return p.strayReply != nil }

// HasOnsend tells whether there is an onsend_route, so that Onsend must run for each request that
// is sent on.
func (p *Program) HasOnsend() bool { return p.onsend != nil }

// Hash returns the identity of the program, never 0: the hash of its source, includes and defines.
// Numbers of routes and steps have a meaning only within their program. If such a number is kept
// longer than a message, the hash must be kept with it: after a reload, or a restart with another
// file, the same number may name another route.
func (p *Program) Hash() uint64 { return p.hash }

// Defines returns the names of #!define and the like at the end of the file, with what they stand
// for. The caller does not change it.
func (p *Program) Defines() map[string]string { return p.defines }

// Sources returns the files that the program was compiled from, in the order in which they were
// read; the caller does not change them.
func (p *Program) Sources() []SourceText { return p.sources }
