package proxy

import (
	"viaduct/parser"
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
//
// An onreply_route[NAME] suspends its response, which is held as one whose run waits
// (hold_reply.go) but holds up no other response of the transaction. It goes up when the route that
// continues it has ended, or when nobody has continued it in time.

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

// suspension says how far a response is that t_suspend holds; 0 means that it does not.
type suspension uint8

const (
	isSuspended suspension = iota + 1 // nobody has claimed it
	claimed                           // Continue has, or its time is over
)

// Suspend holds the response until another run continues it, but not beyond the time that the
// caller of another request than INVITE waits for it. h has what package route needs. It returns
// false if there is no room.
func (p *Reply) Suspend(tx *txn.Tx, br *txn.Branch, h *HeldRun) bool {
	c := p.core
	h.suspended, h.Due = true, c.now+c.tx.Ringing(tx, 0)
	if !tx.Invite() {
		h.Due = max(c.now, min(h.Due, c.now+int64(c.tx.Left(tx)-suspendedMargin)))
	}
	return p.Hold(tx, br, h)
}

// suspendedReply returns the oldest response of tx that t_suspend holds and that is so far, 0 if
// there is none.
func (c *Core) suspendedReply(tx *txn.Tx, s suspension) shm.Off {
	off := c.tx.FirstHeld(tx)
	for off != 0 && (off == c.replying || c.held(off).suspended != s) {
		off = c.tx.NextHeld(off)
	}
	return off
}

// ReplySuspended reports whether it is t_suspend that holds the response of w with that question.
func (c *Core) ReplySuspended(w Waiting, question uint64) bool {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil {
		return false
	}
	off := c.replyOf(tx, question)
	return off != 0 && c.held(off).suspended != 0
}

// ReplyTooLong passes a suspended response on, parsed into m, which nobody has continued in time.
// It returns false if it is gone.
func (c *Core) ReplyTooLong(w Waiting, question uint64, m *parser.Message) bool {
	h, ok := c.TakeReply(w, question, m)
	if ok {
		c.EndReply(&h, m, ReplyPassed)
	}
	return ok
}

// suspendedAgain takes over the responses of tx that a killed process has suspended: what was about
// to continue them is gone, so that they may be claimed again. One that was going on is passed on,
// since in which route it was is not known any more.
func (c *Core) suspendedAgain(tx *txn.Tx) {
	for off := c.tx.FirstHeld(tx); off != 0; {
		h, next := c.held(off), c.tx.NextHeld(off)
		if h.suspended != 0 {
			h.suspended = isSuspended
			if h.DueAt == 0 && c.cfg.HeldReply != nil {
				c.cfg.HeldReply(c.WaitingFor(tx), h.question, true, true)
				if tx.State() == txn.Terminated {
					return
				}
			}
		}
		off = next
	}
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
	if tx == nil {
		return w, 0, false
	}
	if s := c.heldBy(tx); s != nil && c.suspended(tx, s) && !tx.Answered() && !tx.Canceled() {
		return c.WaitingFor(tx), c.question(tx, s), true
	}
	if off := c.suspendedReply(tx, claimed); off != 0 {
		return c.WaitingFor(tx), c.held(off).question, true
	}
	if off := c.suspendedReply(tx, isSuspended); off != 0 {
		return c.WaitingFor(tx), c.held(off).question, true
	}
	return w, 0, false
}

// Continue claims the suspended request, or else a response of it, for one caller that is about to
// go on with it. It returns false if nothing waits any more, or other callers have claimed it.
func (c *Core) Continue(index uint64, label uint32) bool {
	w, _, ok := c.Suspended(index, label)
	if !ok {
		return false
	}
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if s := c.heldBy(tx); s != nil && c.suspended(tx, s) && !tx.Answered() && !tx.Canceled() {
		if s.bits&savedContinued != 0 {
			return false
		}
		s.bits |= savedContinued
		return true
	}
	off := c.suspendedReply(tx, isSuspended)
	if off == 0 {
		return false
	}
	c.held(off).suspended = claimed
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
