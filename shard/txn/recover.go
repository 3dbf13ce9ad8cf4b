package txn

import (
	"hash/maphash"

	"viaduct/shm"
)

// A process that attaches the arena of one that was killed finds records whose every field is
// whole: each store here is of one word, records are published last, and parts before what refers
// to them. What may be missing is the last step of a change: a new state with the old deadline,
// which is earlier and so ends the transaction sooner than needed, or a reply without its state.
// Lists through records (wheel slots) are not trusted.

// Holds tells shm.Arena.Recover whether a record refers to one of its parts. A part that its record
// does not refer to was being added or removed, and is freed.
func Holds(a *shm.Arena, owner, part shm.Off) bool {
	h := shm.Ptr[shm.Header](a, owner)
	switch h.Kind {
	case KindTx:
		tx := shm.Ptr[Tx](a, owner)
		for off, n := tx.spares, 0; off != 0 && n <= MaxBranches; n++ {
			if off == part {
				return true
			}
			if h := shm.Ptr[shm.Header](a, off); h.Kind != KindSpares || !h.Live() {
				break
			}
			off = shm.Ptr[Spares](a, off).next
		}
		if tx.reply == part || tx.keyExtra == part || tx.saved == part || tx.best == part ||
			tx.challenges == part {
			return true
		}
		if off := tx.saved; off != 0 {
			if h := shm.Ptr[shm.Header](a, off); h.Kind == KindSaved && h.Live() &&
				(shm.Ptr[Saved](a, off).vars == part || holds(a, off, part)) {
				return true
			}
		}
		for off, n := tx.first, 0; off != 0 && n <= MaxBranches; n++ {
			if off == part {
				return true
			}
			if b := shm.Ptr[shm.Header](a, off); b.Kind != KindBranch || !b.Live() {
				return false
			}
			off = shm.Ptr[Branch](a, off).nextBranch
		}
	case KindBranch:
		br := shm.Ptr[Branch](a, owner)
		return br.request == part || br.cancel == part
	}
	return false
}

// holds reports whether part is held by the Saved at saved.
func holds(a *shm.Arena, saved, part shm.Off) bool {
	for off, n := shm.Ptr[Saved](a, saved).held, 0; off != 0 && n < maxHeld; n++ {
		if off == part {
			return true
		}
		if h := shm.Ptr[shm.Header](a, off); h.Kind != KindHeld || !h.Live() {
			break
		}
		off = shm.Ptr[Held](a, off).next
	}
	return false
}

// Transactions calls f for each transaction that has not ended. f may make and end branches, and
// answer. It walks the whole arena, so it is only for recovery.
func (t *Table) Transactions(f func(*Tx)) {
	var all []shm.Off
	t.slab.Walk(func(off shm.Off, h *shm.Header) bool {
		if h.Kind == KindTx && t.tx(off).state != Terminated {
			all = append(all, off)
		}
		return true
	})
	for _, off := range all {
		f(t.tx(off))
	}
}

// Rebuild makes hash index and timer wheel anew from the records in the arena, after
// shm.Arena.Recover and before the first message. It ends the records whose own end was lost, and
// returns how many transactions it took over.
func (t *Table) Rebuild() int {
	var ended []shm.Off
	t.slab.Walk(func(off shm.Off, h *shm.Header) bool {
		switch h.Kind {
		case KindTx:
			tx := t.tx(off)
			tx.due, tx.next, tx.prev, tx.live, tx.call = 0, 0, 0, 0, 0
			if tx.flags&(txAnswered|txUncounted) == 0 {
				t.open++
			}
			t.held++
			answers := tx.flags&txAwaitsAck != 0
			tx.flags &^= txAwaitsAck
			if tx.state == Terminated {
				ended = append(ended, off)
				return true
			}
			if answers && (tx.reply == 0 || !t.awaitAck(tx)) {
				t.count[CountIndexFull]++ // as below; the 2xx is repeated whatever the ACK
			}
			if tx.saved != 0 {
				t.needs(tx.saved, 1)
			}
			tx.flags &^= txUnmatched
			tx.key = maphash.Bytes(t.seed, t.keyBytes(tx))
			if !t.index.put(tx.key, off) {
				t.count[CountIndexFull]++
				// This cannot happen in a table as large as the one before. If it does, repetitions
				// of the request count as new.
				tx.flags |= txUnmatched
			}
			t.rearmServer(tx, tx.endAt)
		case KindBranch:
			br := t.branch(off)
			br.due, br.next, br.prev = 0, 0, 0
			if br.flags&brEnded != 0 {
				return true // it was being ended; the code below takes it off its list
			}
			if c := br.cancel; c != 0 &&
				(!t.slab.Live(c, KindBranch) || t.branch(c).tx != off ||
					t.branch(c).flags&brEnded != 0) {
				br.cancel = 0
			}
			if br.endAt != 0 { // otherwise a CANCEL that waits for a provisional
				t.armClient(off, br)
			}
		}
		return true
	})
	// Branches that had ended leave their lists; counts follow from what stays.
	t.slab.Walk(func(off shm.Off, h *shm.Header) bool {
		if h.Kind == KindTx {
			t.relink(t.tx(off))
		}
		return true
	})
	for _, off := range ended {
		if tx := t.tx(off); tx.live == 0 {
			t.freeTx(off, tx)
		}
	}
	t.Reclaim()
	t.indexCalls()
	return t.held
}

// relink removes the branches that had ended from tx's list and counts the others.
func (t *Table) relink(tx *Tx) {
	for ref := &tx.first; *ref != 0; {
		off := *ref
		if !t.slab.Live(off, KindBranch) {
			*ref = 0
			return
		}
		br := t.branch(off)
		if br.flags&brEnded == 0 {
			tx.live++
			ref = &br.nextBranch
			continue
		}
		*ref = br.nextBranch
		t.drop(&br.request)
		if br.cancel != 0 && t.slab.Live(br.cancel, KindBranch) && t.branch(br.cancel).tx == off {
			c := t.branch(br.cancel)
			t.disarm(br.cancel, &c.node)
			t.drop(&c.request)
			t.later(br.cancel)
		}
		t.later(off)
	}
}
