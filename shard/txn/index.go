package txn

import (
	"math/bits"

	"viaduct/shm"
)

// index finds the record of a key: an open hash table outside the arena and outside the Go heap,
// made anew from the records after a restart.
//
// A slot is one word: the record's offset and 32 bits of its hash. Records that collide are in the
// slots behind (linear probing), eight to a cache line. So a look-up, found or not, costs one cache
// miss, and touches no record but the one meant. Chains through the records cost one more for each
// record passed: with three million of them, 32 s of 45,000 calls/s, a call of lb.cfg spent 3.3 of
// 24 us in look-ups (2 vCPU guest, Linux 6.18.44, 2026-11-26).
//
// The index never grows, since the pause to move millions of entries would be felt. Once it is 7/8
// full new transactions are refused, which is an ordinary event.
type index struct {
	slots []uint64 // hash<<32 | shm.Off; 0 means empty
	mask  uint32
	used  int
	most  int
	leave int // how much of most to leave free, see Table.Reserve
}

// newIndex makes the index of one of several shards that share an arena.
func newIndex(arenaBytes uint64, shards int) (index, error) {
	n := arenaBytes / uint64(shards) / recordBytes * 3 / 2
	n = min(max(n, minIndexSlots), maxIndexSlots)
	n = 1 << bits.Len64(n-1)
	slots, err := shm.NewIndex(int(n))
	return index{slots: slots, mask: uint32(n) - 1, most: int(n / 8 * 7)}, err
}

// free unmaps the slots. It may be called twice.
func (x *index) free() error {
	slots := x.slots
	x.slots = nil
	if slots == nil {
		return nil
	}
	return shm.FreeIndex(slots)
}

// tagOf returns the part of a hash that is kept. Its low bits give the slot where the search
// begins; the others tell apart most of the records that begin there.
func tagOf(hash uint64) uint32 { return uint32(hash >> 32) }

// put adds a record. It returns false if there is no room.
func (x *index) put(hash uint64, off shm.Off) bool {
	if x.used >= x.most {
		return false
	}
	tag := tagOf(hash)
	i := tag & x.mask
	for x.slots[i] != 0 {
		i = (i + 1) & x.mask
	}
	x.slots[i] = uint64(tag)<<32 | uint64(off)
	x.used++
	return true
}

// remove removes a record. It returns false if the record is not there. Records behind it that had
// been pushed away close the gap, so that a search may end at the first empty slot.
func (x *index) remove(hash uint64, off shm.Off) bool {
	tag := tagOf(hash)
	entry := uint64(tag)<<32 | uint64(off)
	gap := tag & x.mask
	for ; x.slots[gap] != entry; gap = (gap + 1) & x.mask {
		if x.slots[gap] == 0 {
			return false
		}
	}
	for i := gap; ; {
		i = (i + 1) & x.mask
		e := x.slots[i]
		if e == 0 {
			break
		}
		if home := uint32(e>>32) & x.mask; (i-home)&x.mask >= (i-gap)&x.mask {
			x.slots[gap] = e
			gap = i
		}
	}
	x.slots[gap] = 0
	x.used--
	return true
}

// prefetch asks for the slot where the search for that hash begins.
func (x *index) prefetch(hash uint64) { shm.Prefetch(&x.slots[tagOf(hash)&x.mask]) }
