package txn

import (
	"math/bits"

	"viaduct/shm"
)

// The wheel keeps every deadline of a shard in one ring of slots, one slot per
// tick, each the head of a doubly linked list through the records themselves.
//
//	slot = tick(due) mod wheelSlots      one tick is 2^22 ns, 4.19 ms
//
// Arming and disarming are O(1) and touch the neighbours in a slot, which were
// armed within the same few milliseconds and are therefore still in the cache.
// A deadline beyond the horizon (275 s) waits in the last slot and goes round
// again. There is no cascade, so a tick's work is exactly what is due in it.
//
// The heads live outside the arena: they are rebuilt from the records' own
// deadlines after a restart.
const (
	tickShift  = 22
	wheelSlots = 1 << 16
	wheelMask  = wheelSlots - 1
)

type wheel struct {
	heads []shm.Off // wheelSlots
	used  [wheelSlots / 64]uint64
	tick  int64 // the last tick whose slot was expired
	armed int
}

func (w *wheel) init(now int64) {
	w.heads = make([]shm.Off, wheelSlots)
	w.tick = now >> tickShift
}

// slotOf returns the slot in which a deadline fires. It is rounded up, so that nothing fires early,
// and is never the present slot, whose turn is over.
func (w *wheel) slotOf(due int64) uint16 {
	tick := (due + 1<<tickShift - 1) >> tickShift
	if tick <= w.tick {
		tick = w.tick + 1
	}
	if tick-w.tick >= wheelSlots {
		tick = w.tick + wheelSlots - 1 // beyond the horizon: goes round again
	}
	return uint16(tick & wheelMask)
}

// arm sets the deadline of the record at off, replacing an earlier one.
func (t *Table) arm(off shm.Off, n *node, due int64) {
	w := &t.wheel
	if n.due != 0 {
		if w.slotOf(due) == n.slot {
			n.due = due
			return
		}
		t.disarm(off, n)
	}
	s := w.slotOf(due)
	n.due, n.slot, n.prev, n.next = due, s, 0, w.heads[s]
	if n.next != 0 {
		t.node(n.next).prev = off
	} else {
		w.used[s>>6] |= 1 << (s & 63)
	}
	w.heads[s] = off
	w.armed++
}

// disarm forgets the deadline of the record at off, if it has one.
func (t *Table) disarm(off shm.Off, n *node) {
	if n.due == 0 {
		return
	}
	w := &t.wheel
	if n.next != 0 {
		t.node(n.next).prev = n.prev
	}
	if n.prev != 0 {
		t.node(n.prev).next = n.next
	} else {
		if w.heads[n.slot] != off {
			panic("BUG: a timer is not in its wheel slot")
		}
		w.heads[n.slot] = n.next
		if n.next == 0 {
			w.used[n.slot>>6] &^= 1 << (n.slot & 63)
		}
	}
	n.due, n.next, n.prev = 0, 0, 0
	w.armed--
}

// advance moves to the next tick whose slot may have something, but not beyond now.
func (w *wheel) advance(now int64) {
	switch {
	case w.armed == 0:
		w.tick = now
	case now-w.tick <= 64:
		w.tick++
	default: // Slow path: the shard was asleep or held up
		due, _ := w.nextDue()
		w.tick = min(due>>tickShift, now)
	}
}

// nextDue returns when the earliest armed slot fires, in ns of the shard's clock; ok is false if
// nothing is armed.
func (w *wheel) nextDue() (due int64, ok bool) {
	if w.armed == 0 {
		return 0, false
	}
	first := w.tick + 1
	// The 64 slots of a word at a time, from the present word on, all the way round.
	word := uint32(first) & wheelMask >> 6
	set := w.used[word] &^ (1<<(uint32(first)&63) - 1)
	for i := 0; i <= len(w.used); i++ {
		if set != 0 {
			slot := int64(word<<6) + int64(bits.TrailingZeros64(set))
			ahead := (slot - first) & wheelMask
			return (first + ahead) << tickShift, true
		}
		word = (word + 1) & (wheelMask >> 6)
		set = w.used[word]
	}
	panic("BUG: timers are armed but no wheel slot is used")
}
