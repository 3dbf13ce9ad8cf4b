// Package route is step 4 of a packet's journey: it runs the operator's routing program, written in Kamailio's native
// configuration language, on one request.
//
// Load reads a configuration file once, at start-up or reload, and compiles its routes into Go closures. The resulting
// Program is immutable and shared by all shards; a reload makes a new one beside it and swaps a pointer. Running a
// Program allocates nothing, blocks on nothing and logs only through Host.Log.
//
// Ownership: a Ctx belongs to one shard and to one message at a time. Byte slices that pass between the two are views;
// each door says how long they live.
//
// When not to use it: this package knows no SIP transaction, no destination set and no socket. What a function such as
// t_relay() does lives behind Host, which package shard implements.
package route

import "net/netip"

// Outcome is how a run of a route ended. The reply code, the destination and everything else the script decided has
// already gone through Host by then.
type Outcome uint8

const (
	// Ended: the script ran off the end of the route, or a `return` left it.
	Ended Outcome = iota
	// Exited: `exit`, `return(0)` or a function that answered 0 stopped the script.
	Exited
	// Dropped: `drop` stopped the script. Same as Exited in request_route; in a branch_route the branch is discarded,
	// in an onreply_route a provisional response is.
	Dropped
	// Faulted: the run was cut short by a limit of ours (see limits.go); Ctx.Fault says which one and where.
	Faulted
)

// Host is one message's doors into the proxy. Package shard implements it, one value per shard. All calls come from the
// shard's own goroutine while Request runs. Results called int follow Kamailio: above 0 is true, below 0 is false, 0
// ends the script as `exit` does. Byte slices given to the Host are valid until the call returns, byte slices given by
// the Host until the next Set call of the same thing or the end of the run.
type Host interface {
	// Msg is the message as received; no edit of the script shows in it.
	Msg() *Message

	// RequestURI is the current Request-URI: as received, or as last set.
	RequestURI() []byte
	// SetRequestURI replaces it; the Host copies uri. Below 0: no room or not a URI.
	SetRequestURI(uri []byte) int
	// DstURI is the outbound URI ($du), empty when none is set.
	DstURI() []byte
	// SetDstURI replaces it, empty removes it; the Host copies uri.
	SetDstURI(uri []byte) int

	// Source is where the message came from.
	Source() netip.AddrPort
	// Received is the listener the message came in on.
	Received() netip.AddrPort
	// Transport is the protocol the message came in on; never AnyTransport.
	Transport() Transport
	// IsMyself says whether host (name, IPv4, or IPv6 in brackets) and port (0: none written, hence any) name one of our listeners,
	// aliases or advertised addresses. AnyTransport matches every protocol.
	IsMyself(host []byte, port int, proto Transport) bool

	// MaxForwards is mf_process_maxfwd_header(limit): decrement, or add the header with limit. Below 0: it was 0 already
	// (RFC 3261 §16.3 item 3).
	MaxForwards(limit int) int
	// SanityCheck is sanity_check(); both arguments are bit masks, see SanityMsg and SanityURI. It has answered the request when it
	// returns below 0 (unless Settings.Sanity.AutoReply is 0).
	SanityCheck(msgChecks, uriChecks uint32) int
	// Reply is sl_send_reply() and send_reply(): code is 100..699. send_reply() within a transaction is stateful.
	Reply(code int, reason string, stateful StatefulReply) int
	// ReplyError is sl_reply_error(): answer with what the last failure stands for.
	ReplyError() int

	// CheckTrans is t_check_trans(): for a CANCEL, whether the INVITE it names exists; for an ACK, whether it belongs to a
	// transaction (an ACK of a negative reply is absorbed: 0); for others 0 after a retransmission was handled, below 0 when new.
	CheckTrans() int
	// PrecheckTrans is t_precheck_trans(): above 0 when a transaction of this request is being or has been handled already.
	PrecheckTrans() int
	// NewTran is t_newtran(): create the transaction without relaying; 0 when it was a retransmission.
	NewTran() int
	// Relay is t_relay(): forward statefully to $du, else to the Request-URI. 0 when a retransmission or CANCEL was handled.
	Relay() int
	// Forward is forward(): the same without a transaction.
	Forward() int
	// RecordRoute is record_route(): insert our Record-Route (RFC 3261 §16.6 item 4).
	RecordRoute() int
	// LooseRoute is loose_route(): pre-process Route (§16.4). Above 0 when the request follows a route set, so that relaying it is
	// right; below 0 otherwise.
	LooseRoute() int
	// SelectDst is ds_select_dst (setURI false: sets $du) and ds_select_domain (true: rewrites host and port of the
	// Request-URI). limit caps the list kept for failover, 0 is no cap.
	SelectDst(set, algorithm, limit int, setURI bool) int

	// Log takes one line of xlog() or log(), without line feed; level runs from -5 (alert) over -1 (error), 0 (warning), 1 (notice),
	// 2 (info) to 3 (debug). It must not block: the Host bounds and counts. It is called only for levels LogLevel lets pass.
	Log(level int, line []byte)
	// LogLevel is the highest level that is logged at present (the global `debug`).
	LogLevel() int
}

// StatefulReply says whether a reply may go through the message's transaction.
type StatefulReply uint8

const (
	// Stateless is sl_send_reply's own way; a Host that holds a transaction for the request still must not contradict it.
	Stateless StatefulReply = iota
	// IfTransaction is send_reply: through the transaction when there is one.
	IfTransaction
	// InTransaction is t_reply: below 0 when there is no transaction.
	InTransaction
)

// Program is a compiled configuration file. It is immutable and safe for all shards at once.
type Program struct {
	main         *routeCode // request_route, nil if there is none
	routes       []*routeCode
	nvars        int // distinct $var() names
	usesForward  bool
	maxRecursion int
	maxLoops     int64
}

// routeCode is one compiled routing block.
type routeCode struct {
	name    string
	body    stmtFn
	last    []stmt     // the source, until the load is done
	tooDeep Diagnostic // what a run that calls it too deep reports
}

// Ctx is what one shard needs to run programs: one per shard, made once by NewCtx, used for one message at a time. Nothing in it
// points to a message after Request has returned.
type Ctx struct {
	// Host must be set before the first run and may be changed between runs.
	Host Host
	// Return is the value the last route or function left ($rc, $retcode).
	Return int
	// Fault says why the outcome was Faulted, nil otherwise. It is made at load, hence costs nothing.
	Fault *Diagnostic

	run
}

// UsesForward tells whether the program can forward statelessly, so that responses without a transaction are expected.
func (p *Program) UsesForward() bool { return p.usesForward }
