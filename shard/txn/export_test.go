package txn

import "viaduct/shm"

// EarliestDue is the first of all deadlines, found by looking at every record; armed is how many
// have one.
func (t *Table) EarliestDue() (due int64, armed int) {
	t.slab.Walk(func(_ shm.Off, h *shm.Header) bool {
		if h.Kind == KindTx || h.Kind == KindBranch {
			if n := t.node(shm.OffOf(t.arena, h)); n.due != 0 {
				if armed == 0 || n.due < due {
					due = n.due
				}
				armed++
			}
		}
		return true
	})
	return due, armed
}

// Tick is the wheel's: what a timer may be late by, by design.
const Tick = int64(1) << tickShift
