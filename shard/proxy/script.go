package proxy

import (
	"viaduct/parser"
	"viaduct/shard/txn"
)

// Script runs the operator's routes when the Core comes to them. Routes are the numbers given to
// [Request.Arm], and mean what they meant in the program that armed them.
type Script interface {
	// Serves reports whether the program with that hash is loaded: the one that new requests run
	// through, or an earlier one that transactions still need. After a restart it may be gone.
	Serves(program uint64) bool
	// Failure runs a failure route: every branch is final and none was a 2xx. r is the request as
	// it was saved. r.Relay makes further branches, r.Reply answers; with neither, the best
	// response goes up. The route is one of r.Program.
	Failure(r *Request, route int)
	// BranchFailure: one branch is final and was no 2xx, see Request.Losing. r is the request as it
	// was saved. r.Relay makes further branches.
	BranchFailure(r *Request, route int)
	// Branch runs a branch route: one branch is about to leave. Request-URI and outbound URI of r
	// are that branch's own.
	Branch(r *Request, route int) BranchOutcome
	// Reply runs a reply route: a response m of br came and is not passed on yet.
	Reply(program uint64, tx *txn.Tx, br *txn.Branch, m *parser.Message, route int) ReplyOutcome
	// Onsend runs onsend_route: the message in Core.Outgoing is about to leave. r is its request,
	// nil if the message is the response under way. It is called if Config says so. It returns
	// false if the message must not leave.
	Onsend(r *Request) (send bool)
}

// BranchOutcome is what a branch route says of its branch.
type BranchOutcome uint8

// The outcomes.
const (
	BranchSent    BranchOutcome = iota // the branch is sent
	BranchDropped                      // the branch is not sent
	BranchHeld                         // Request.Hold was called; EndBranch goes on
)

// ReplyOutcome is what a reply route says of its response.
type ReplyOutcome uint8

// The outcomes.
const (
	ReplyPassed  ReplyOutcome = iota // the response is passed on
	ReplyDropped                     // a provisional is not passed on, a final is
	ReplyHeld                        // Reply.Hold was called; EndReply goes on
)

// RouteKind says when a route is run.
type RouteKind uint8

// The kinds. A request arms the three that have a name.
const (
	// RequestRoute is request_route: every request.
	RequestRoute RouteKind = iota
	// FailureRoute is failure_route[NAME]: all branches of a transaction failed.
	FailureRoute
	// BranchRoute is branch_route[NAME]: a request is about to leave on one branch.
	BranchRoute
	// ReplyRoute is onreply_route[NAME]: a response to a transaction's branch came.
	ReplyRoute
	// CoreReplyRoute is the onreply_route, or reply_route, that has no name: any response came, and
	// its transaction has not been looked up yet.
	CoreReplyRoute
	// OnsendRoute is onsend_route: a request, or a response that is passed on, is written and about
	// to be sent.
	OnsendRoute
	// BranchFailureRoute is event_route[tm:branch-failure:NAME]: one branch of a transaction has
	// failed. Only its number is of this kind: it is a request route, on a Request that is Losing.
	BranchFailureRoute
)
