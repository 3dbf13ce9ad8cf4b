// Package route is step 4 of a packet's journey: it runs the operator's routing program, written in
// Kamailio's native configuration language, on one message.
//
// Load reads a configuration file once, at start-up or reload, and compiles its routes into a table
// of steps: Go functions, each of which says by its result which step is next. The resulting
// Program is immutable and shared by all shards; a reload makes a new one beside it and swaps a
// pointer. Running a Program allocates nothing, blocks on nothing and logs only through Host.Log.
//
// Ownership: a Ctx belongs to one shard and to one message at a time. Byte slices that pass between
// the two are views; each door says how long they live.
//
// When not to use it: this package knows no SIP transaction, no destination set and no socket. What
// a function such as t_relay() does lives behind Host, which package shard implements.
package route

import (
	"net/netip"
	"time"

	"viaduct/shard/route/syntax"
)

// Outcome is how a run of a route ended. The reply code, the destination and everything else the
// script decided has already gone through Host by then.
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
)

// Host is one message's doors into the proxy. Package shard implements it, one value per shard. All
// calls come from the shard's own goroutine while a route runs. Results called int follow Kamailio:
// above 0 is true, below 0 is false, 0 ends the script as `exit` does. Byte slices given to the
// Host are valid until the call returns, byte slices given by the Host until the next Set call of
// the same thing or the end of the run.
//
// In a reply route only what a response can be asked for is called: Msg, Source, Received,
// Transport, IsMyself, SanityCheck, SetFr, Armed, BranchIndex, Cancelled, Flags, SetFlags, Log and
// LogLevel, and the doors of StreamHost, BlocklistHost and EditHost. In a branch route it is these,
// the URIs, OnFailure, OnReply, ResetFr, ReplyStatus, AnyTimeout and AnyReplied.
type Host interface {
	StreamHost
	BlocklistHost
	EditHost

	// Msg is the message as received; no edit of the script shows in it. In a failure route and a
	// branch route it is the request, in a reply route the response.
	Msg() *Message

	// RequestURI is the current Request-URI: as received, or as last set; in a branch route that of
	// the branch. In a reply route nobody asks for it, nor for DstURI, or sets them.
	RequestURI() []byte
	// SetRequestURI replaces it; the Host copies uri. Below 0: no room or not a URI.
	SetRequestURI(uri []byte) int
	// DstURI is the outbound URI ($du), empty when none is set.
	DstURI() []byte
	// SetDstURI replaces it, empty removes it; the Host copies uri.
	SetDstURI(uri []byte) int

	// Source is where the message came from: for a failure or branch route the request, for a reply
	// route the response.
	Source() netip.AddrPort
	// Received is the listener the message came in on.
	Received() netip.AddrPort
	// Transport is the protocol the message came in on; never AnyTransport.
	Transport() Transport
	// IsMyself says whether host (name, IPv4, or IPv6 in brackets) and port (0: none written, hence
	// any) name one of our listeners, aliases or advertised addresses. AnyTransport matches every
	// protocol.
	IsMyself(host []byte, port int, proto Transport) bool

	// MaxForwards is mf_process_maxfwd_header(limit): decrement, to most at most, or add the header
	// with limit, which is 2. Below 0: it was 0 already (RFC 3261 §16.3 item 3).
	MaxForwards(limit, most int) int
	// SanityCheck is sanity_check(); both arguments are bit masks, see SanityMsg and SanityURI. It
	// has answered the request when it returns below 0 (unless Settings.Sanity.AutoReply is 0). In
	// a reply route it looks and answers nothing.
	SanityCheck(msgChecks, uriChecks uint32) int
	// Reply is sl_send_reply() and send_reply(): code is 100..699. send_reply() within a
	// transaction is stateful.
	Reply(code int, reason string, stateful StatefulReply) int
	// ReplyError is sl_reply_error(): answer with what the last failure stands for.
	ReplyError() int

	// CheckTrans is t_check_trans(): for a CANCEL, whether the INVITE it names exists; for an ACK,
	// whether it belongs to a transaction (an ACK of a negative reply is absorbed: 0); for others 0
	// after a retransmission was handled, below 0 when new.
	CheckTrans() int
	// PrecheckTrans is t_precheck_trans(): above 0 when a transaction of this request is being or
	// has been handled already.
	PrecheckTrans() int
	// NewTran is t_newtran(): create the transaction without relaying; 0 when it was a
	// retransmission.
	NewTran() int
	// Relay is t_relay(): forward statefully to $du, else to the Request-URI. 0 when a
	// retransmission or CANCEL was handled.
	Relay() int
	// Forward is forward(): the same without a transaction.
	Forward() int
	// RecordRoute is record_route(): insert our Record-Route (RFC 3261 §16.6 item 4).
	RecordRoute() int
	// LooseRoute is loose_route(): pre-process Route (§16.4). Above 0 when the request follows a
	// route set. -3: outside of a dialog, and the set was ours alone: it is gone, and the request
	// is one like any other. -1 otherwise.
	LooseRoute() int
	// SelectDst is ds_select_dst (setURI false: sets $du) and ds_select_domain (true: rewrites host
	// and port of the Request-URI). limit caps the list kept for failover, 0 is no cap.
	SelectDst(set, algorithm, limit int, setURI bool) int

	// OnFailure, OnBranch and OnReply are t_on_failure(), t_on_branch() and t_on_reply(): arm route
	// n of that kind (Program.Failure and so on take the same number) for the transaction of this
	// request, also before there is one. 0 disarms. A run of a failure route begins with no failure
	// route armed, as in Kamailio: the one that runs was used up. Below 0: no room.
	OnFailure(n int) int
	OnBranch(n int) int
	OnReply(n int) int
	// Armed is the number that OnFailure (FailureRoute), OnBranch or OnReply was last given, 0 when
	// none is armed (t_is_set).
	Armed(kind RouteKind) int

	// AppendBranch is append_branch(): one more target for the next Relay. uri nil: the current
	// Request-URI and outbound URI. q is in thousandths, 0..1000, below 0: none given. The Host
	// copies uri. Below 0: no room, or not a URI.
	AppendBranch(uri []byte, q int) int
	// ClearBranches is clear_branches(): forgets what AppendBranch added since the run began.
	ClearBranches() int
	// LoadContacts is t_load_contacts(mode): takes the Request-URI and all appended branches and
	// sorts them by q, for NextContacts. Mode 0: descending, equal ones at once. Above 0 also when
	// there is only one target and hence nothing to do.
	LoadContacts(mode int) int
	// NextContacts is t_next_contacts(): makes the next group the Request-URI and the appended
	// branches. 1: done; -2: none left, or nothing was loaded; -1: no room.
	NextContacts() int
	// RelayTo is t_relay_to(), t_relay_to_udp() and t_relay(host, port): as Relay, but to dst.
	// dst.Host is valid until RelayTo returns.
	RelayTo(dst RelayDst, flags RelayFlags) int
	// SetFr is t_set_fr(): the final response timers of this transaction, or of the one this run
	// creates. 0 leaves one as it is.
	SetFr(frInv, fr time.Duration) int
	// ResetFr is t_reset_fr(): the timers of the settings again.
	ResetFr() int
	// DropReplies is t_drop_replies(): which responses received so far can no longer become the
	// final one.
	DropReplies(how DropHow) int
	// NextDst is ds_next_dst (setURI false) and ds_next_domain (true): the next destination of the
	// list SelectDst made. Below 0: none left.
	NextDst(setURI bool) int
	// MarkDst is ds_mark_dst(): the state of the destination used last. state is one of "a", "i",
	// "d" and "t", or one of these with "p" behind it.
	MarkDst(state string) int

	// ReplyStatus is $T_reply_code and what t_check_status() looks at: in a failure route the code
	// of the best response (408 after a timeout, 503 after a transport error), in request_route and
	// a branch route the code sent last, 0 if none was. In a reply route the response says it, and
	// nobody asks.
	ReplyStatus() int
	// BranchIndex is $T_branch_idx: in a branch route and in onreply_route[NAME] the branch's
	// number in its transaction, from 0; else -1.
	BranchIndex() int
	// Cancelled is t_is_canceled(): the caller's CANCEL came.
	Cancelled() bool
	// BranchTimedOut and BranchReplied are t_branch_timeout() and t_branch_replied(), of the branch
	// whose response a failure route is run for: it ended by a timer; it had a response before that
	// end.
	BranchTimedOut() bool
	BranchReplied() bool
	// AnyTimeout and AnyReplied are t_any_timeout() and t_any_replied(): the same of any branch of
	// the transaction.
	AnyTimeout() bool
	AnyReplied() bool
	// Flags are the message flags of setflag(), resetflag() and isflagset(). They live on in the
	// transaction: what request_route set, a branch, failure or reply route sees.
	Flags() uint32
	SetFlags(flags uint32)

	// Log takes one line of xlog() or log(), without line feed; level runs from -5 (alert) over -1
	// (error), 0 (warning), 1 (notice), 2 (info) to 3 (debug). It must not block: the Host bounds
	// and counts. It is called only for levels LogLevel lets pass.
	Log(level int, line []byte)
	// LogLevel is the highest level that is logged at present (the global `debug`).
	LogLevel() int
}

// StatefulReply says whether a reply may go through the message's transaction.
type StatefulReply uint8

const (
	// Stateless is sl_send_reply's own way; a Host that holds a transaction for the request still
	// must not contradict it.
	Stateless StatefulReply = iota
	// IfTransaction is send_reply: through the transaction when there is one.
	IfTransaction
	// InTransaction is t_reply: below 0 when there is no transaction.
	InTransaction
)

// RelayDst is where RelayTo sends the request.
type RelayDst struct {
	// Set: Host and Port name the destination. Otherwise it is $du, else the Request-URI, over
	// Proto.
	Set bool
	// Proto is AnyTransport when the script left it open: then that of the destination's URI, or
	// with Set UDP.
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
type RouteKind uint8

const (
	// RequestRoute is request_route: every request.
	RequestRoute RouteKind = iota
	// FailureRoute is failure_route[NAME]: all branches of a transaction failed.
	FailureRoute
	// BranchRoute is branch_route[NAME]: a request is about to leave on one branch.
	BranchRoute
	// ReplyRoute is onreply_route[NAME]: a response to a transaction's branch came.
	ReplyRoute
	// CoreReplyRoute is the onreply_route, or reply_route, that has no name: any response came, its
	// transaction is not looked for yet.
	CoreReplyRoute
)

// Program is a compiled configuration file. It is immutable and safe for all shards at once.
type Program struct {
	main         *routeCode // request_route, nil if there is none
	failures     []*routeCode
	branches     []*routeCode
	replies      []*routeCode // onreply_route[NAME]
	coreReply    *routeCode   // the one without a name, nil if there is none
	routes       []*routeCode
	steps        []step
	nvars        int   // distinct $var() names
	maxTemps     int32 // the most temporaries that one route has
	usesForward  bool
	numbering    uint64
	selections   []Selection
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
	label   target        // where it begins, until the program is linked
	entry   target        // where it begins, from then on
	size    int32         // in steps
	there   bool          // the file has it
	last    []syntax.Stmt // the source, until the load is done
	tooDeep Diagnostic    // what a run that calls it too deep reports
}

// Ctx is what one shard needs to run programs: one per shard, made once by NewCtx, used for one
// message at a time. Nothing in it points to a message after a run has returned. A Host may run a
// branch or failure route from inside a call that a run made, as Relay does; its Msg and URIs must
// be those of that route until it has returned, and then again the outer one's.
type Ctx struct {
	// Host must be set before the first run and may be changed between runs, also for a run inside
	// another one.
	Host Host
	// Return is the value the last route or function left ($rc, $retcode).
	Return int
	// Fault says why the outcome of the run that ended last was Faulted, nil if it was not. It is
	// made at load, hence costs nothing.
	Fault *Diagnostic

	run
}

// UsesForward tells whether the program can forward statelessly, so that responses without a
// transaction are expected.
func (p *Program) UsesForward() bool { return p.usesForward }

// RouteName is the name of the route with that number; "" if there is none.
func (p *Program) RouteName(kind RouteKind, n int) string {
	list := p.failures
	switch kind {
	case BranchRoute:
		list = p.branches
	case ReplyRoute:
		list = p.replies
	}
	if rt := numbered(list, n); rt != nil {
		return rt.name
	}
	return ""
}

// HasCoreReply tells whether there is a reply route without a name, so that CoreReply must be run
// for each response.
func (p *Program) HasCoreReply() bool { return p.coreReply != nil }

// Numbering is a hash of the names behind the numbers given to OnFailure, OnBranch and OnReply. Who
// keeps such a number longer than the Program compares it: after a reload or a restart with another
// file, the same number may name another route.
func (p *Program) Numbering() uint64 { return p.numbering }
