package txn

import "viaduct/shm"

// Expire fires every timer that is due at the time set last. It works through at most budget
// records, and returns false if more are due: they are left for the next call, so that a burst of
// time-outs does not keep datagrams waiting.
func (t *Table) Expire(budget int) bool {
	w := &t.wheel
	warm := 0 // records ahead that were asked for
	for now := t.now >> tickShift; ; {
		slot := uint32(w.tick) & wheelMask
		for off := w.heads[slot]; off != 0; off = w.heads[slot] {
			if budget == 0 {
				return false
			}
			budget--
			if warm == 0 {
				warm = t.prefetch(off)
			}
			warm--
			n := t.node(off)
			due := n.due
			t.disarm(off, n)
			if due > t.now {
				t.arm(off, n, due) // it was beyond the horizon when it was armed
				continue
			}
			t.hand = off
			if n.Kind == KindTx {
				t.expireServer(off, t.tx(off))
			} else {
				t.expireClient(off, t.branch(off))
			}
			t.hand = 0
		}
		if w.tick >= now {
			return true
		}
		w.advance(now)
	}
}

// prefetched is how many records are asked for at once.
const prefetched = 8

// prefetch asks for what firing the record at off and those behind it in its slot will touch, none
// of which has been used for seconds: the records, their places in the index, and what they free.
// Those misses then pass side by side. It returns how many records it looked at, at least one. What
// firing changes meanwhile does no harm, since nothing but time depends on this.
func (t *Table) prefetch(off shm.Off) (n int) {
	for ; off != 0 && n < prefetched; n++ {
		rec := t.node(off)
		if rec.Kind == KindTx {
			tx := t.tx(off)
			t.index.prefetch(tx.key)
			t.prefetchSlot(off + 1) // the lines behind the first
			t.prefetchSlot(off + 2)
			t.prefetchSlot(tx.reply)
			t.prefetchSlot(tx.first)
		} else {
			br := t.branch(off)
			t.prefetchSlot(off + 1)
			t.prefetchSlot(br.request)
			t.prefetchSlot(br.tx)
		}
		off = rec.next
	}
	return n
}

func (t *Table) prefetchSlot(off shm.Off) {
	if off != 0 {
		shm.Prefetch(shm.Ptr[uint64](t.arena, off))
	}
}
