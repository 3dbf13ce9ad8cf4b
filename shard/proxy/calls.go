package proxy

import (
	"viaduct/shard/txn"
	"viaduct/shm"
)

// What a program does to a transaction that it names by Call-ID and CSeq number, while it works on
// another message, or on none.

var _ txn.Keeper = (*Core)(nil)

// Received implements txn.Keeper.
func (c *Core) Received(tx *txn.Tx) []byte {
	s := c.saved(tx)
	if s == nil {
		return nil
	}
	text := shm.Tail[Saved](c.cfg.Arena, tx.Saved(), int(s.textLen))
	k := stateReader{b: text[int(s.nBranchFlags)*branchFlagBytes:]}
	n := k.number()
	k.addr()
	k.number() // the listener
	raw := k.take(n)
	if k.bad {
		return nil
	}
	return raw
}

// FindCall returns the transaction of the request with that Call-ID and CSeq number, nil if this
// shard has none. Of several it returns the INVITE's. The settings must say FindCalls.
func (c *Core) FindCall(callID []byte, cseq uint32) *txn.Tx { return c.tx.FindCall(callID, cseq) }

// CancelCall cancels the branches of tx, with the Reason of that status unless it is 0. The
// response to the request follows from that, and failure routes run, since it is not its caller who
// gave up.
func (c *Core) CancelCall(tx *txn.Tx, status int) {
	var reason []byte
	if status != 0 {
		reason = c.localReason(status)
	}
	if c.tracing {
		c.traceTx(tx, "the routing program of another message cancels the branches")
	}
	c.tx.CancelOthers(tx, nil, reason)
}

// Answerable tells whether AnswerCall would answer tx.
func (c *Core) Answerable(tx *txn.Tx) bool {
	if tx.Ours() || tx.Answered() || tx.State() == txn.Terminated {
		return false
	}
	return tx.Saved() != 0 || c.sentFor(tx) != nil
}

// AnswerCall answers tx. A final response ends what is under way for it. It must be called between
// two messages. It returns false if tx has its final response, or nothing of its request is left.
func (c *Core) AnswerCall(tx *txn.Tx, code int, reason string) bool {
	return c.Answerable(tx) && c.answerFor(tx, nil, code, reason)
}

// sentFor returns a request that tx has sent, with the rows that its responses repeat; nil if none
// is left.
func (c *Core) sentFor(tx *txn.Tx) (sent []byte) {
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		if !br.Final() { // else it is an ACK, which has our Via alone
			sent = c.tx.Request(br)
		}
		return sent == nil
	})
	return sent
}
