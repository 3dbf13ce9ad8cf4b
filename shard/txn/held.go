package txn

import "viaduct/shm"

// Held is the head of a run of the routing program that waits beside the transaction's own run,
// which is in its Saved: the run of a response, or of a branch that has not been sent. Each has a
// slot, and they are chained from Saved, oldest first:
//
//	Tx ── saved ─→ Saved ── held ─→ Held ── next ─→ Held ── …
//
// Each has a deadline of its own, for which the transaction's timer is used; nothing else is armed.
// While something is due, the transaction's timers do not end it, and the timers of a branch that
// had a final response do not end that branch.
type Held struct {
	shm.Header
	next   shm.Off
	branch shm.Off // whose response it is; 0 for a branch not sent yet
	cookie uint64  // of that branch
	DueAt  int64   // User.WaitedFor is called then; 0 means never
}

// HeldBytes is the size of a Held.
const HeldBytes = 40 // TestSizes

// NewHeld reserves a slot of n bytes for tx, which begins with a Held. br is the branch whose
// response it is, or nil. AddHeld or ReplaceHeld must follow. It returns 0 if the arena is full.
func (t *Table) NewHeld(tx *Tx, br *Branch, n int) shm.Off {
	off, ok := t.slab.Alloc(KindHeld, n)
	if !ok {
		t.count[CountArenaFull]++
		return 0
	}
	h := shm.Ptr[Held](t.arena, off)
	h.Owner, h.next, h.branch, h.cookie, h.DueAt = t.offOf(&tx.node), 0, 0, 0, 0
	if br != nil {
		h.branch, h.cookie = t.offOf(&br.node), br.cookie
	}
	return off
}

// AddHeld puts the slot at off, now filled, behind all that tx holds. tx must have a Saved.
func (t *Table) AddHeld(tx *Tx, off shm.Off) {
	t.slab.Publish(off)
	ref := &shm.Ptr[Saved](t.arena, tx.saved).held
	for *ref != 0 {
		ref = &shm.Ptr[Held](t.arena, *ref).next
	}
	*ref = off
	t.rearmServer(tx, tx.endAt)
}

// ReplaceHeld puts the slot at off, now filled, in the place of the one at old.
func (t *Table) ReplaceHeld(tx *Tx, old, off shm.Off) {
	ref := t.heldAt(tx, old)
	if ref == nil {
		panic("BUG: what is replaced is not held")
	}
	shm.Ptr[Held](t.arena, off).next = shm.Ptr[Held](t.arena, old).next
	t.slab.Publish(off)
	t.replace(ref, off)
	t.rearmServer(tx, tx.endAt)
}

// DropHeld frees the slot at off. It does nothing if tx does not hold it any more.
func (t *Table) DropHeld(tx *Tx, off shm.Off) {
	if ref := t.heldAt(tx, off); ref != nil {
		*ref = shm.Ptr[Held](t.arena, off).next
		t.later(off)
	}
}

// heldAt returns what refers to the slot at off, nil if nothing does.
func (t *Table) heldAt(tx *Tx, off shm.Off) *shm.Off {
	if tx.saved == 0 {
		return nil
	}
	for ref := &shm.Ptr[Saved](t.arena, tx.saved).held; *ref != 0; {
		if *ref == off {
			return ref
		}
		ref = &shm.Ptr[Held](t.arena, *ref).next
	}
	return nil
}

// FirstHeld returns the oldest slot that tx holds, 0 if it holds none.
func (t *Table) FirstHeld(tx *Tx) shm.Off {
	if tx.saved == 0 {
		return 0
	}
	return shm.Ptr[Saved](t.arena, tx.saved).held
}

// NextHeld returns the slot behind the one at off, 0 if there is none.
func (t *Table) NextHeld(off shm.Off) shm.Off { return shm.Ptr[Held](t.arena, off).next }

// DueHeld makes the slot at off due at that time.
func (t *Table) DueHeld(tx *Tx, off shm.Off, due int64) {
	shm.Ptr[Held](t.arena, off).DueAt = due
	t.rearmServer(tx, tx.endAt)
}

// BranchOf returns the branch whose response is held at off. It returns nil if that branch has
// ended, or none was sent.
func (t *Table) BranchOf(off shm.Off) *Branch {
	h := shm.Ptr[Held](t.arena, off)
	if h.branch == 0 || !t.slab.Live(h.branch, KindBranch) {
		return nil
	}
	if br := t.branch(h.branch); br.cookie == h.cookie && br.flags&brEnded == 0 {
		return br
	}
	return nil
}

// TakeUp makes br the record at work, and sent the request that the response at hand answers, for a
// step that goes on with a held response.
func (t *Table) TakeUp(br *Branch, sent []byte) { t.hand, t.answeredBy = t.offOf(&br.node), sent }

// Linger starts Timer M of br anew, since its 2xx was held until now: repetitions of it may go up
// for as long as if it had just come.
func (t *Table) Linger(br *Branch) {
	if br.state == Accepted {
		t.setEnd(br, t.now+int64(t.timers.Wait))
	}
}

// heldDue returns when the first of what tx holds is due, 0 if nothing is.
func (t *Table) heldDue(tx *Tx) (due int64) {
	for off := t.FirstHeld(tx); off != 0; off = t.NextHeld(off) {
		if at := shm.Ptr[Held](t.arena, off).DueAt; at != 0 && (due == 0 || at < due) {
			due = at
		}
	}
	return due
}

// waitedFor tells the user that something tx holds is due, and reports whether it did. It tells one
// thing at a time; the timer fires again for the others.
func (t *Table) waitedFor(tx *Tx) bool {
	for off := t.FirstHeld(tx); off != 0; off = t.NextHeld(off) {
		if h := shm.Ptr[Held](t.arena, off); h.DueAt != 0 && h.DueAt <= t.now {
			h.DueAt = 0
			t.rearmServer(tx, tx.endAt)
			t.user.WaitedFor(tx, off)
			return true
		}
	}
	return false
}

// holdsOf reports whether a response of br is held.
func (t *Table) holdsOf(br *Branch, at shm.Off) bool {
	if t.heldDue(t.tx(br.tx)) == 0 {
		return false
	}
	for off := t.FirstHeld(t.tx(br.tx)); off != 0; off = t.NextHeld(off) {
		if h := shm.Ptr[Held](t.arena, off); h.branch == at && h.cookie == br.cookie {
			return true
		}
	}
	return false
}

// dropHeld frees all that s holds.
func (t *Table) dropHeld(s *Saved) {
	for off := s.held; off != 0; {
		next := t.NextHeld(off)
		t.later(off)
		off = next
	}
	s.held = 0
}

// OfHeld returns the transaction that holds what is at off, nil if none does any more.
func (t *Table) OfHeld(off shm.Off) *Tx {
	if !t.slab.Live(off, KindHeld) {
		return nil
	}
	owner := shm.Ptr[Held](t.arena, off).Owner
	if !t.slab.Live(owner, KindTx) {
		return nil
	}
	if tx := t.tx(owner); tx.state != Terminated && t.heldAt(tx, off) != nil {
		return tx
	}
	return nil
}
