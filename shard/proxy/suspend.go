package proxy

import (
	"viaduct/shard/txn"
	"viaduct/shm"
)

// A request that its program has suspended (t_suspend) is held like a run that waits for an answer,
// and the answer is another run's t_continue, which names the transaction. The run goes on to its
// end: what it does to the request behind t_suspend is lost, as in Kamailio. If nobody continues it
// until Timer C would end a call that rings, the request has had a 408, as if a branch had brought
// it.
//
//	Suspend ─→ the run ends ─→ … t_continue ─→ Continue ─→ TakeHeld ─→ the route goes on ─→ EndHeld
//	                               or its time is over ─→ Waited ─→ SuspendedTooLong

// heldSuspended is set in the kind of what is held if t_suspend holds it.
const heldSuspended = 0x80

// Suspend holds the request for somebody to continue. run is what package route needs, question the
// number of what is waited for. It returns false if the arena has no room, or a CANCEL came.
func (r *Request) Suspend(h *HeldRun) bool {
	if !r.NewTransaction() {
		return false
	}
	if r.Tx.Answered() || r.Tx.Canceled() || r.Tx.State() == txn.Terminated {
		return false
	}
	h.suspended, h.Due = true, r.core.now+r.core.tx.Ringing(r.Tx, int64(r.timers.frInv))
	if !r.Hold(h) {
		return r.fail(NoRoom)
	}
	if !r.keepVars() {
		r.core.stopWaiting(r.Tx)
		return r.fail(NoRoom)
	}
	return true
}

// Label is the number by which Suspended finds tx, beside its offset.
func (c *Core) Label(tx *txn.Tx) uint32 { return c.tx.Label(tx) }

// Suspended is the transaction that t_suspend has named by these numbers, and the number of what it
// waits for. ok is false if it waits no more.
func (c *Core) Suspended(index uint64, label uint32) (w Waiting, question uint64, ok bool) {
	if index > 1<<32-1 {
		return w, 0, false
	}
	tx := c.tx.ByLabel(shm.Off(index), label)
	if tx == nil || tx.Answered() || tx.Canceled() {
		return w, 0, false
	}
	s := c.heldBy(tx)
	if s == nil || !c.suspended(tx, s) {
		return w, 0, false
	}
	return c.WaitingFor(tx), c.question(tx, s), true
}

// Continue is Suspended for the one that is to go on with it: nobody else is.
func (c *Core) Continue(index uint64, label uint32) bool {
	w, _, ok := c.Suspended(index, label)
	if !ok {
		return false
	}
	s := c.saved(c.tx.ByKey(shm.Off(w.Tx), w.Key))
	if s.bits&savedContinued != 0 {
		return false
	}
	s.bits |= savedContinued
	return true
}

// suspended tells whether what s holds was suspended.
func (c *Core) suspended(tx *txn.Tx, s *Saved) bool {
	held := c.heldBytes(tx, s)
	held.number() // the question
	return held.byte()&heldSuspended != 0
}

// IsSuspended tells whether w waits for somebody to continue it.
func (c *Core) IsSuspended(w Waiting) bool {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil {
		return false
	}
	s := c.heldBy(tx)
	return s != nil && c.suspended(tx, s)
}

// SuspendedAgain is for what a killed process has suspended: who was about to continue it is gone.
// It returns false if its time is over, or it went on when the process was killed: in which route, is
// not known any more.
func (c *Core) SuspendedAgain(w Waiting) bool {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil {
		return true
	}
	s := c.saved(tx)
	s.bits &^= savedContinued
	return s.DueAt != 0
}

// SuspendedTooLong ends it: nobody has continued it in time.
func (c *Core) SuspendedTooLong(w Waiting) {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil {
		return
	}
	c.stopWaiting(tx)
	if tx.Answered() || tx.State() == txn.Terminated {
		return
	}
	tx.UserFlags |= anyTimeout
	c.failed(Failure{Cause: NotContinued, Code: c.FinalStatus(NotContinued), Branch: true})
	c.note(tx, 408, NotContinued)
	if !c.undecided(tx) {
		c.conclude(tx, nil)
	}
}
