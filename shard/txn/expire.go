package txn

// Expire fires every timer that is due at the time set last. It works through at most budget
// records, and returns false if more are due: they are left for the next call, so that a burst of
// time-outs does not keep datagrams waiting.
func (t *Table) Expire(budget int) bool {
	w := &t.wheel
	for now := t.now >> tickShift; ; {
		slot := uint32(w.tick) & wheelMask
		for off := w.heads[slot]; off != 0; off = w.heads[slot] {
			if budget == 0 {
				return false
			}
			budget--
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
