package proxy

import (
	"viaduct/shard/txn"
	"viaduct/shm"
)

// A request that its program has suspended (t_suspend) is held like a run that waits for an answer.
// The answer is another run's t_continue, which names the transaction. The suspended run itself
// goes on to its end: what it does to the request after t_suspend is lost, as in Kamailio. If
// nobody continues the request by the time at which Timer C would end a call that rings, it gets a
// 408, as if a branch had brought it.
//
//	Suspend ─→ the run ends ─→ … t_continue ─→ Continue ─→ TakeHeld ─→ the route goes on ─→ EndHeld
//	                               or its time is over ─→ Waited ─→ SuspendedTooLong

// heldSuspended is set in the kind of a held run if t_suspend holds it.
const heldSuspended = 0x80

// Suspend holds the request until another run continues it. h has what package route needs, and the
// number by which the wait is known. It returns false if the arena has no room, or a CANCEL came.
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

// Label returns the number by which, with its offset, Suspended finds tx.
func (c *Core) Label(tx *txn.Tx) uint32 { return c.tx.Label(tx) }

// Suspended returns the transaction that t_suspend has named by these numbers, and the number of
// the question it waits for. ok is false if it does not wait any more.
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

// Continue claims the suspended request for one caller that is about to go on with it. It returns
// false if the request does not wait any more, or another caller has claimed it.
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

// suspended reports whether the run that s holds was suspended.
func (c *Core) suspended(tx *txn.Tx, s *Saved) bool {
	held := c.heldBytes(tx, s)
	held.number() // the question
	return held.byte()&heldSuspended != 0
}

// IsSuspended reports whether w waits to be continued.
func (c *Core) IsSuspended(w Waiting) bool {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil {
		return false
	}
	s := c.heldBy(tx)
	return s != nil && c.suspended(tx, s)
}

// SuspendedAgain takes over a request that a killed process has suspended: a run that was about to
// continue it is gone, so it may be claimed again. It returns false if its time is over, or if it
// was going on when the process was killed: in which route is not known any more.
func (c *Core) SuspendedAgain(w Waiting) bool {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil {
		return true
	}
	s := c.saved(tx)
	s.bits &^= savedContinued
	return s.DueAt != 0
}

// SuspendedTooLong ends a suspended request that nobody has continued in time.
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
