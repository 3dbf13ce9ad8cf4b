package proxy

import (
	"viaduct/parser"
	"viaduct/shard/txn"
)

// Script runs the operator's routes where the Core comes to them. The numbers are
// those given to [Request.Arm], and mean what they meant in the program that gave them.
type Script interface {
	// Serves tells whether the program with that hash is here: the one that new requests meet, or
	// an earlier one that transactions still need. After a restart it may be gone.
	Serves(program uint64) bool
	// Failure: every branch is final and none was a 2xx. r is the request as it was
	// saved. r.Relay makes further branches, r.Reply answers; with neither, the best
	// response goes up. The route is one of r.Program.
	Failure(r *Request, route int)
	// BranchFailure: one branch is final and was no 2xx, see Request.Losing. r is the request as it
	// was saved. r.Relay makes further branches.
	BranchFailure(r *Request, route int)
	// Branch: one branch is about to leave. Request-URI and outbound URI of r are that branch's
	// own.
	Branch(r *Request, route int) BranchOutcome
	// Reply: a response of br came and is not passed on yet.
	Reply(program uint64, tx *txn.Tx, br *txn.Branch, m *parser.Message, route int) ReplyOutcome
	// Onsend: what Core.Outgoing has is about to leave: r, or with nil the response under way. It
	// is asked if Config says so. It returns false if it does not leave.
	Onsend(r *Request) (send bool)
}

// BranchOutcome is what a branch route says of its branch.
type BranchOutcome uint8

// The outcomes.
const (
	BranchSent    BranchOutcome = iota // it is about to be
	BranchDropped                      // it is not
	BranchHeld                         // Request.Hold was called: EndBranch goes on
)

// ReplyOutcome is what a reply route says of its response.
type ReplyOutcome uint8

// The outcomes.
const (
	ReplyPassed  ReplyOutcome = iota // it is passed on
	ReplyDropped                     // a provisional is not passed on; a final is all the same
	ReplyHeld                        // Reply.Hold was called: EndReply goes on
)

// RouteKind says what a route is run for.
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
	// CoreReplyRoute is the onreply_route, or reply_route, that has no name: any response came, its
	// transaction is not looked for yet.
	CoreReplyRoute
	// OnsendRoute is onsend_route: a request, or a response that is passed on, is written and about
	// to be sent.
	OnsendRoute
	// BranchFailureRoute is event_route[tm:branch-failure:NAME]: one branch of a transaction has
	// failed. Only its number is of this kind: it is a request route, on a Request that is Losing.
	BranchFailureRoute
)
