package proxy

import (
	"time"

	"viaduct/shard/txn"
)

// retransmits are a transaction's own T1 and T2 in ms; 0 means the settings'.
type retransmits struct{ t1, t2 uint32 }

func (t *retransmits) set(t1, t2 time.Duration) {
	if t1 > 0 {
		t.t1 = uint32(min(max(t1.Milliseconds(), 1), 1<<31-1))
	}
	if t2 > 0 {
		t.t2 = uint32(min(max(t2.Milliseconds(), 1), 1<<31-1))
	}
}

// SetRetransmits sets the first and the longest interval between two copies of what the transaction
// sends (T1 and T2); 0 leaves one as it is (t_set_retr). It returns false if the arena has no room.
//
// What is under way follows behind its next copy. In a branch route it follows when the route is
// over, see branchRoute.
func (r *Request) SetRetransmits(t1, t2 time.Duration) bool {
	r.retr.set(t1, t2)
	return r.repeats()
}

// ResetRetransmits goes back to T1 and T2 of the settings (t_reset_retr). It returns false if the
// arena has no room.
func (r *Request) ResetRetransmits() bool {
	r.retr = retransmits{}
	return r.repeats()
}

// repeats saves the intervals, and makes the branches under way follow.
func (r *Request) repeats() bool {
	if r.Tx == nil || r.branching || r.resumed && !r.relayed || r.Tx.State() == txn.Terminated {
		return true // NewTransaction, branchTimed or the next Relay saves them
	}
	was := r.core.tx.T2(r.Tx)
	if !r.save() {
		return false
	}
	r.core.tx.Repeats(r.Tx, was)
	return true
}

// SetTxRetransmits is SetRetransmits for a transaction under way. It returns false if tx keeps
// nothing of its request.
func (c *Core) SetTxRetransmits(tx *txn.Tx, t1, t2 time.Duration) bool {
	s := c.saved(tx)
	if s == nil {
		return false
	}
	was, own := c.tx.T2(tx), retransmits{s.T1Ms, s.T2Ms}
	own.set(t1, t2)
	s.T1Ms, s.T2Ms = own.t1, own.t2
	c.tx.Repeats(tx, was)
	return true
}

// ResetTxRetransmits is ResetRetransmits for a transaction under way. It returns false if tx keeps
// nothing of its request.
func (c *Core) ResetTxRetransmits(tx *txn.Tx) bool {
	s := c.saved(tx)
	if s == nil {
		return false
	}
	was := c.tx.T2(tx)
	s.T1Ms, s.T2Ms = 0, 0
	c.tx.Repeats(tx, was)
	return true
}

// branchTimed saves what a branch route has changed of the transaction's timers, which were these,
// and makes the branches under way follow.
func (r *Request) branchTimed(timers finalTimers, retr retransmits) {
	was := r.core.tx.T2(r.Tx)
	if !r.save() {
		return
	}
	if r.timers != timers {
		r.core.tx.Retime(r.Tx, r.timers.fr != timers.fr, r.timers.frInv != timers.frInv)
	}
	if r.retr != retr {
		r.core.tx.Repeats(r.Tx, was)
	}
}

// ResetTxTimers is ResetFinalTimers for a transaction under way. It returns false if tx keeps
// nothing of its request.
func (c *Core) ResetTxTimers(tx *txn.Tx) bool {
	s := c.saved(tx)
	if s == nil {
		return false
	}
	s.FrMs, s.FrInvMs = 0, 0
	c.tx.Retime(tx, true, true)
	return true
}

// SetTxLifetime is SetLifetime for a transaction under way.
func (c *Core) SetTxLifetime(tx *txn.Tx, d time.Duration) { c.tx.SetLifetime(tx, d) }
