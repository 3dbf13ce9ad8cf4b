package proxy

import "viaduct/shard/txn"

// runFailure runs the failure route of tx, which is used up by that (a route that
// wants to come again arms itself). It reports whether it made something of the
// transaction: an answer, or new branches.
func (c *Core) runFailure(tx *txn.Tx) bool {
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

// failureEnded does what follows a failure route that has not answered tx. before tells whether
// the best response was one of earlier branches when it began. It reports whether the route made
// something of the transaction.
func (c *Core) failureEnded(tx *txn.Tx, before uint8) bool {
	r := &c.Request
	more := c.undecided(tx) || c.concluding == tx
	switch mode := c.cfg.FailureReplies; {
	case mode == KeepNone, mode == KeepLastLeg && more, mode == KeepEarlier && before == 0:
		r.DropReplies(false)
	}
	return more
}

// ReplyMode is tm's failure_reply_mode, with its numbers: what is left of the
// responses that came before a failure route when the best is chosen after it.
type ReplyMode int

// The modes.
const (
	KeepAll     ReplyMode = iota // all of them, as §16.7 step 6 has it
	KeepNone                     // none
	KeepEarlier                  // those of the branches made last are forgotten
	KeepLastLeg                  // if the route made new branches none, else all
)
