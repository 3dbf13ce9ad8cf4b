package proxy

import (
	"viaduct/shard/txn"
	"viaduct/shm"
)

// A run of a branch_route that waits is held before its branch exists: what was decided about the
// request for this branch, and the run. The relay goes on with the other targets, and returns as if
// the branch had been sent. When the run has ended the branch is made, and sent:
//
//	held: Held | share of Max-Breadth, reply route, state of the request | run
//
//	fork ─→ try ─→ branchRoute ─→ Hold ─→ … an answer, or its deadline ─→ TakeBranch
//	         ↓                     ↑                                          ↓
//	       launch ←────────────────┴──────── EndBranch ←── the program goes on
//
// A branch that waits counts as pending. It is not made if meanwhile the caller gives up, the
// transaction is answered, or another branch brings a 6xx.

// holdBranch is Hold in a branch route.
func (r *Request) holdBranch(h *HeldRun) bool {
	c, tx := r.core, r.Tx
	if tx == nil || tx.State() == txn.Terminated ||
		tx.Saved() == 0 && !r.writeSaved(false, nil) || !r.keepVars() {
		return false
	}
	n, more := 0, r.nMore
	r.nMore = 0 // they belong to the other branches
	w := stateWriter{c.saving[:0]}
	w.number(uint64(r.share))
	w.number(uint64(r.armed.reply))
	w.number(uint64(r.replyBefore))
	w.b = r.appendState(w.b, false)
	r.nMore = more
	if cap(w.b) <= maxSavingBytes {
		c.saving = w.b
	}
	n = len(w.b) + len(h.Run)
	off := c.tx.NewHeld(tx, nil, heldBytes+n)
	if off == 0 {
		return false
	}
	s := c.held(off)
	s.DueAt, s.question, s.textLen, s.runLen = h.Due, h.Question, uint32(n), uint32(len(h.Run))
	s.status, s.kind = 0, BranchRoute
	_ = append(append(shm.Tail[Held](c.cfg.Arena, off, n)[:0], w.b...), h.Run...)
	r.heldBefore = c.branching != 0
	if r.heldBefore {
		c.tx.ReplaceHeld(tx, c.branching, off)
	} else {
		c.tx.AddHeld(tx, off)
	}
	c.branching = off
	if c.tracing {
		r.trace("the branch route waits for an answer", "uri", string(r.RequestURI()))
	}
	c.count[CountHeld]++
	return true
}

// unholdBranch undoes holdBranch.
func (r *Request) unholdBranch() {
	c := r.core
	if r.heldBefore {
		c.held(c.branching).DueAt = 0
		return
	}
	c.tx.DropHeld(r.Tx, c.branching)
	c.branching = 0
}

// heldBranch returns the held branch of tx whose run asked question, 0 if there is none. With
// question 0 it returns a branch whose deadline has passed.
func (c *Core) heldBranch(tx *txn.Tx, question uint64) shm.Off {
	for off := c.tx.FirstHeld(tx); off != 0; off = c.tx.NextHeld(off) {
		if h := c.held(off); h.kind == BranchRoute && h.question == question &&
			(question != 0 || h.DueAt == 0) {
			return off
		}
	}
	return 0
}

// dropBranches frees the branches of tx that wait, since they are not wanted any more. It reports
// whether there were any.
func (c *Core) dropBranches(tx *txn.Tx) (some bool) {
	for off := c.tx.FirstHeld(tx); off != 0; {
		next := c.tx.NextHeld(off)
		if c.held(off).kind == BranchRoute && off != c.branching {
			c.tx.DropHeld(tx, off)
			some = true
		}
		off = next
	}
	return some
}

// TakeBranch makes the request of a held branch the request under way, as it was when its run
// stopped, and returns the run, which is valid for the batch. ok is false if no branch with that
// question is held any more. EndBranch must follow.
func (c *Core) TakeBranch(w Waiting, question uint64) (r *Request, run []byte, ok bool) {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil {
		return nil, nil, false
	}
	off := c.heldBranch(tx, question)
	if off == 0 {
		return nil, nil, false
	}
	h := c.held(off)
	h.DueAt = 0
	r = &c.Request
	text := shm.Tail[Held](c.cfg.Arena, off, int(h.textLen))
	run = text[len(text)-int(h.runLen):]
	k := stateReader{b: text[:len(text)-len(run)]}
	share, reply, before := k.number(), k.number(), k.number()
	over := tx.Answered() || tx.Canceled() || tx.UserFlags&noMoreTargets != 0
	if over || !c.resume(tx) || !r.readState(&k) {
		c.branching = 0
		c.tx.DropHeld(tx, off)
		if !tx.Answered() && !c.undecided(tx) {
			c.sendBest(tx, nil)
		}
		return nil, nil, false
	}
	c.branching = off
	r.share, r.armed.reply, r.replyBefore = int(share), uint16(reply), uint16(before)
	r.branching, r.forking, r.wasHeld = true, true, true
	return r, run, true
}

// EndBranch does what follows when the run of a held branch has ended, or waits again: after its
// end the branch is sent. lost is NoCause, or why the branch cannot be sent.
func (c *Core) EndBranch(tx *txn.Tx, o BranchOutcome, lost Cause) {
	r, off := &c.Request, c.branching
	r.branching, c.branching = false, 0
	if o == BranchHeld || tx.State() == txn.Terminated {
		return
	}
	c.branching = off
	switch reply := r.replyArmed(); {
	case lost != NoCause:
		r.lost(lost)
	case o == BranchSent && !r.closed():
		r.reserve()
		r.tryBranch(r.share, reply)
		c.tx.Reserve(false)
	case o == BranchDropped:
		r.lastCause = NoTarget
	}
	c.branching, r.forking = 0, false
	c.tx.DropHeld(tx, off)
	if tx.State() == txn.Terminated || tx.Answered() || c.undecided(tx) {
		return
	}
	if tx.Total() > 0 || tx.BestStatus() != 0 {
		c.conclude(tx, nil)
		return
	}
	r.ReplyError()
}

// AbortBranch ends a branch whose run was held and then panicked: the branch is lost.
func (c *Core) AbortBranch() {
	off := c.branching
	if c.branching = 0; off == 0 {
		return
	}
	if tx := c.tx.OfHeld(off); tx != nil {
		c.tx.DropHeld(tx, off)
	}
}

// branchesAgain makes the runs of branches that a killed process held ask again.
func (c *Core) branchesAgain(tx *txn.Tx) {
	for off := c.tx.FirstHeld(tx); off != 0 && c.cfg.HeldBranch != nil; {
		next, h := c.tx.NextHeld(off), c.held(off)
		if h.kind == BranchRoute && (h.DueAt == 0 || h.question != 0) {
			c.cfg.HeldBranch(c.WaitingFor(tx), h.question, true)
		}
		if tx.State() == txn.Terminated {
			return
		}
		off = next
	}
}
