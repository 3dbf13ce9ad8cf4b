package proxy

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/txn"
)

// runFailure runs the failure route of tx and disarms it; a route that wants to run again arms
// itself. It reports whether the route gave the transaction an answer or new branches. br is the
// branch that ended last, nil if none did.
func (c *Core) runFailure(tx *txn.Tx, br *txn.Branch) bool {
	c.accountMissed(tx, br, c.atHand)
	c.missed = tx
	route := c.failureRoute(tx)
	if route == 0 || !c.resume(tx) {
		return false
	}
	c.saved(tx).failure = 0
	r := &c.Request
	r.armed.failure, r.BranchFlags = 0, c.bestBranchFlags(tx)
	before := tx.UserFlags & bestEarlier
	r.startedEarlier = before != 0
	c.cfg.Script.Failure(r, route)
	if tx.State() == txn.Terminated || tx.Answered() || c.heldBy(tx) != nil {
		return true
	}
	return c.failureEnded(tx, before)
}

// failureEnded does what follows a failure route that has not answered tx. before says whether the
// best response at the start of the route was one of earlier branches. It reports whether the route
// gave the transaction an answer or new branches.
func (c *Core) failureEnded(tx *txn.Tx, before uint8) bool {
	r := &c.Request
	if r.Tx == tx && c.cfg.Account != nil {
		c.SetTxFlags(tx, r.Flags) // as they stand when the best response goes up
	}
	more := c.undecided(tx) || c.concluding == tx
	switch mode := c.cfg.FailureReplies; {
	case mode == KeepNone, mode == KeepLastLeg && more, mode == KeepEarlier && before == 0:
		r.DropReplies(false)
	}
	return more
}

// ReplyMode is tm's failure_reply_mode, with its numbers: which responses from before a failure
// route still count when the best is chosen after it.
type ReplyMode int

// The modes.
const (
	KeepAll     ReplyMode = iota // all of them, as §16.7 step 6 has it
	KeepNone                     // none
	KeepEarlier                  // all but those of the branches made last
	KeepLastLeg                  // none if the route made new branches, else all of them
)

// losing is a branch that has just failed, whose route runs before anybody decides what becomes of
// the transaction (tm's t_on_branch_failure).
type losing struct {
	br       *txn.Branch
	m        *parser.Message // its response, nil if none came
	sent     []byte          // its request
	status   int
	timedOut bool
}

// branchLost runs the route of br, which has just failed as l says, if it has one. What that relays
// are branches beside those that are pending.
func (c *Core) branchLost(tx *txn.Tx, br *txn.Branch, l losing) {
	route := br.LostRoute()
	if route == 0 {
		return
	}
	// Slow path.
	br.SetLostRoute(0)
	if s := c.saved(tx); s == nil || !c.serves(s) || !c.resume(tx) {
		return
	}
	r := &c.Request
	r.BranchFlags = c.BranchFlags(tx, br)
	c.losing = l
	c.losing.br = br
	c.cfg.Script.BranchFailure(r, route)
	c.losing = losing{}
	if c.concluding == tx {
		c.concluding = nil // who has lost the branch concludes
	}
}

// mayLose tells whether a branch of tx has such a route.
func (c *Core) mayLose(tx *txn.Tx) (may bool) {
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		may = may || br.LostRoute() != 0
		return !may
	})
	return may
}

// Losing is the branch that has failed, where the request's route is run for that. It is nil
// elsewhere.
func (r *Request) Losing() *txn.Branch {
	if r != &r.core.Request {
		return nil
	}
	return r.core.losing.br
}

// ReuseBranch makes the target of that branch the request's own (t_reuse_branch). It returns false
// where no route is run for one.
func (r *Request) ReuseBranch() bool {
	if r.Losing() == nil {
		return false
	}
	uri := uriOf(r.core.losing.sent)
	return len(uri) > 0 && r.SetRequestURI(uri)
}

// BranchURI is the Request-URI that br was sent with, whose response is at hand. It is nil if that
// is not there any more.
func (c *Core) BranchURI(br *txn.Branch) []byte {
	sent := c.tx.Request(br)
	if sent == nil {
		sent = c.tx.Answered()
	}
	return uriOf(sent)
}

// uriOf is the Request-URI of a request that was sent.
func uriOf(sent []byte) []byte {
	uri, _, _ := bytes.Cut(requestURI(sent), []byte{' '})
	return uri
}
