package shm

// standing is what becomes of a slot when its process dies.
type standing uint8

const (
	slotFree standing = iota
	slotUnpublished
	slotOrphaned
	slotUnheld
	slotLive
)

// standing decides about the slot at off: live if it is published and, when owned, its owner is
// live and holds it.
func (a *Arena) standing(off Off, holds func(owner, part Off) bool, depth int) standing {
	h := a.headerAt(off)
	switch {
	case h == nil || (h.State != StateReserved && !h.Live()):
		return slotFree
	case h.State == StateReserved:
		return slotUnpublished
	case h.Owner == 0 || h.Owner == off:
		return slotLive
	case depth == 0 || a.standing(h.Owner, holds, depth-1) != slotLive:
		return slotOrphaned
	case holds != nil && !holds(h.Owner, off):
		return slotUnheld
	}
	return slotLive
}

// eachSlot calls f for every slot that was ever carved, of one shard or (-1) of all, until f
// returns false. f may free it.
func (a *Arena) eachSlot(shard int, f func(Off, *Header) bool) {
	for i := 0; i < a.g.chunks; {
		w := a.wordAt(i)
		n := 1
		if w.use() == chunkSpan {
			n = int(w.count())
		}
		if w != 0 && (shard < 0 || w.shard() == shard) && !a.eachInChunk(i, w, f) {
			return
		}
		i += n
	}
}

func (a *Arena) eachInChunk(i int, w chunkWord, f func(Off, *Header) bool) bool {
	if w.use() == chunkSpan {
		return f(a.offOf(i), a.header(a.offOf(i)))
	}
	units := classes[w.class()].units
	for n := range w.count() {
		// f, or another thread, may have given the chunk back, and the pool to someone else.
		if now := a.wordAt(i); now.use() != chunkSlots || now.class() != w.class() ||
			now.shard() != w.shard() {
			return true
		}
		off := a.offOf(i) + Off(n*units)
		if !f(off, a.header(off)) {
			return false
		}
	}
	return true
}

// Walk calls f for every live slot of the slab, in no order that means anything, until f returns
// false: to rebuild indexes after Recover, and for tables shown to operators. f may free the slot
// it is given. From another thread than the shard's, what f sees may be freed meanwhile; it must
// judge what it reads (see Pair.Load).
func (s *Slab) Walk(f func(Off, *Header) bool) {
	s.a.eachSlot(s.shard, func(off Off, h *Header) bool {
		if s.a.standing(off, nil, maxOwnerDepth) != slotLive {
			return true
		}
		return f(off, h)
	})
}
