package txn

import (
	"viaduct/parser"
	"viaduct/shm"
)

// t1 returns the first interval between two copies of a message of tx, in ms.
func (t *Table) t1(tx *Tx) uint32 {
	if tx.saved != 0 {
		if ms := shm.Ptr[Saved](t.arena, tx.saved).T1Ms; ms != 0 {
			return ms
		}
	}
	return uint32(t.timers.T1.Milliseconds())
}

// t2 returns the longest interval of Timers E and G, in ms. own says that it is the transaction's
// own.
func (t *Table) t2(tx *Tx) (ms uint32, own bool) {
	if tx.saved != 0 {
		if own := shm.Ptr[Saved](t.arena, tx.saved).T2Ms; own != 0 {
			return own, true
		}
	}
	return uint32(t.timers.T2.Milliseconds()), false
}

// Repeats makes what tx has under way follow its own T1 and T2 after those changed: the copy that
// is due next leaves when it would have, and the one behind it T1 later, or T2 later where the
// interval had reached T2, which was was.
func (t *Table) Repeats(tx *Tx, was uint32) {
	t2, _ := t.t2(tx)
	next := func(ms uint32) uint32 {
		if ms >= was {
			return t2
		}
		return max((t.t1(tx)+1)/2, 1) // it doubles before it counts
	}
	if tx.retransAt != 0 && tx.Invite() {
		tx.intervalMs = next(tx.intervalMs)
	}
	for off := tx.first; off != 0; {
		br := t.branch(off)
		off = br.nextBranch
		if br.retransAt != 0 {
			br.intervalMs = next(br.intervalMs)
		}
		if br.cancel != 0 && t.branch(br.cancel).retransAt != 0 {
			c := t.branch(br.cancel)
			c.intervalMs = next(c.intervalMs)
		}
	}
}

// T2 returns the longest interval that tx has now, in ms, for Repeats.
func (t *Table) T2(tx *Tx) uint32 {
	ms, _ := t.t2(tx)
	return ms
}

// longest returns the longest interval between two copies of what br sends, in ms. Timer A doubles
// without a cap (§17.1.1.2) unless the transaction has a T2 of its own.
func (t *Table) longest(br *Branch) uint32 {
	t2, own := t.t2(t.ofBranch(br))
	if !own && br.state != Proceeding && parser.Method(br.method) == parser.INVITE &&
		br.flags&brCancel == 0 {
		return uint32(maxRetransmitInterval.Milliseconds())
	}
	return t2 // §17.1.2.2
}
