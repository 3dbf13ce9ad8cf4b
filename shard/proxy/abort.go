package proxy

import (
	"viaduct/parser"
	"viaduct/shard/txn"
)

// AbortedTransaction makes a transaction for the answer of Abort, where it can. The transaction
// also answers retransmissions, each of which would panic again.
func (r *Request) AbortedTransaction() {
	if r.Tx != nil && r.Tx.State() == txn.Terminated {
		r.Tx = nil // it was given up before an answer was made
	}
	if r.Tx == nil && !r.IsHTTP() && !r.done && !r.core.cfg.StatelessReply &&
		r.M.Method != parser.ACK {
		r.newTransaction()
	}
}

// Abort answers the request under way with 500 (§21.5.1) after a panic. It does nothing if the
// request was answered, was sent on without a transaction, or is an ACK. It reports whether the
// answer left. Where the program forwards without transactions (§16.11), a request that has none
// stays unanswered and is repeated: it may be a retransmission of one that went on, whose own final
// response is on its way.
func (r *Request) Abort() bool {
	if r.done || r.Tx == nil && r.core.cfg.StatelessReply && !r.IsHTTP() {
		return false
	}
	if r.Tx != nil && r.Tx.Answered() {
		return false
	}
	c := r.core
	c.aborting = true
	defer func() { c.aborting = false }()
	return r.Refuse(Contained, "", "")
}

// Stranded reports whether tx has no final response and nothing is left that could bring one. over
// is a branch that is about to end, or nil.
func (c *Core) Stranded(tx *txn.Tx, over *txn.Branch) bool {
	return c.tx.PendingBut(tx, over) == 0 && !c.waits(tx) && !c.holds(tx) &&
		!tx.Answered() && tx.State() != txn.Terminated
}

// Fail answers a transaction with 500 after a panic. Its request is gone from the receive buffers,
// so the answer is made from what was sent downstream, or from m, the response at hand, which may
// be nil. It reports whether the answer left.
func (c *Core) Fail(tx *txn.Tx, m *parser.Message) bool {
	c.aborting = true
	defer func() { c.aborting = false }()
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		sent := c.tx.Request(br)
		if sent == nil || c.stored.Parse(sent) != parser.OK {
			return true
		}
		return !c.refuseLike(tx, &c.stored, Contained)
	})
	if tx.State() == txn.Terminated {
		return false
	}
	if !tx.Answered() && c.resume(tx) && c.Request.Refuse(Contained, "", "") {
		return true // nothing was sent yet: it waited for a name
	}
	if m == nil {
		return tx.Answered()
	}
	if sent := c.tx.Answered(); sent != nil && c.stored.Parse(sent) == parser.OK {
		m = &c.stored // a response may lack what its request had
	}
	return tx.Answered() || c.refuseLike(tx, m, Contained)
}
