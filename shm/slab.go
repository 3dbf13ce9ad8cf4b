package shm

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Slab hands out one shard's slots. Only that shard's goroutine calls Alloc, Publish, Free, Trim
// and Refuse; UsedBytes and Walk are for anybody.
//
// Chunks with room form a list per class, the one last freed into first; slots freed in a chunk are
// a stack. So the memory that comes back is the memory that is in the cache.
type Slab struct {
	a       *Arena
	words   *slabWords // in the arena, until Close
	shard   int
	refuse  int   // Allocs till the refused one; -1 means none
	panics  bool  // instead
	reserve int64 // chunks of the pool that Alloc leaves alone
	short   bool  // the pool has no more than the reserve
	keep    int64 // while short: bytes of free slots of each class that Alloc leaves alone
	scarce  int64 // chunks in the pool below which no empty one is kept

	free  [numClasses]uint32 // slots free in the chunks held
	heads [numClasses]uint32 // first chunk with room, index+1; 0 means none
	spare [numClasses]uint32 // the empty chunk kept, index+1; it may have been taken into use again

	recent [recentSlots]Off // the slots allocated last, a ring, see Unfinished
	allocs uint32           // where recent goes on
	_      [128]byte        // keeps the next shard's slab out of our lines
}

func (s *Slab) init(a *Arena, shard int) {
	*s = Slab{
		a: a, words: &a.block(shard).slab, shard: shard, refuse: -1,
		scarce: int64(spareFloor * (a.g.shards + 1)),
	}
}

// at is the chunk with index i-1, as lists number them. In the arena; i comes from our own lists,
// within the descriptors.
func (s *Slab) at(i uint32) *chunk { return &s.a.chunks[i-1] }

// header is the slot's header without Ptr's check: off comes from a chunk's own lists.
func (a *Arena) header(off Off) *Header { return (*Header)(unsafe.Add(a.base, uintptr(off)*Align)) }

// chunkOf is the descriptor of the chunk that off is in.
func (a *Arena) chunkOf(off Off) *chunk { return &a.chunks[(uint32(off)-a.firstOff)/chunkUnits] }

// Alloc takes a slot of at least bytes, Header included, from HeaderBytes to MaxSlotBytes. It
// belongs to the caller, is reserved (not live) until Publish, and holds anything beyond its
// Header. It returns false if the arena is full, an ordinary event. SlotBytes tells what the slot
// takes.
//
// 19 ns together with Publish and Free, 387 ns for the Go heap's make: BenchmarkAllocPublishFree
// and BenchmarkHeapBaseline, best of 8, Xeon 2.5 GHz, loaded, Linux 6.18, 2026-11.
func (s *Slab) Alloc(kind Kind, bytes int) (Off, bool) {
	if uint(bytes) > maxClassBytes || s.refuse >= 0 || s.short {
		return s.allocSlow(kind, bytes)
	}
	class := classOf[(uint(bytes)+Align-1)/Align]
	i := s.heads[class]
	if i == 0 {
		return s.allocSlow(kind, bytes)
	}
	c, k := s.at(i), &classes[class]
	off := c.free
	if off == 0 {
		return s.carve(kind, class, i), true
	}
	h := s.a.header(off)
	next := h.Owner
	c.free = next
	if next != 0 {
		// It is taken next, and was freed long ago: this miss need not be waited for.
		Prefetch(Ptr[uint64](s.a, next))
	}
	*h = Header{State: StateReserved, Kind: kind, Class: class}
	s.remember(off)
	s.words.Used += uint64(k.bytes)
	s.free[class]--
	if c.used++; c.used == k.slots {
		s.unlink(class, i, c)
	}
	return off, true
}

// carve makes a slot of room in chunk i-1 that was not used since the chunk was taken: first its
// header, for the memory may hold anything, then the word that makes it a slot.
func (s *Slab) carve(kind Kind, class uint8, i uint32) Off {
	c, k := s.at(i), &classes[class]
	w := c.load()
	off := Off(s.a.firstOff + (i-1)*chunkUnits + w.count()*k.units)
	*s.a.header(off) = Header{State: StateReserved, Kind: kind, Class: class}
	c.store(w + 1)
	s.remember(off)
	s.words.Used += uint64(k.bytes)
	s.free[class]--
	if c.used++; c.used == k.slots {
		s.unlink(class, i, c)
	}
	return off
}

// allocSlow is Alloc for whole chunks, for a class without room, and under Refuse.
func (s *Slab) allocSlow(kind Kind, bytes int) (Off, bool) {
	if bytes < HeaderBytes || bytes > MaxSlotBytes {
		panic(fmt.Sprintf("BUG: shm alloc of %d bytes, kind %d: %d to %d are possible", bytes, kind,
			HeaderBytes, MaxSlotBytes))
	}
	if !s.a.ready {
		panic("BUG: shm alloc in an arena that is closed, or attached and not recovered")
	}
	if s.refuse >= 0 {
		s.refuse--
		if s.refuse < 0 {
			if s.panics {
				panic("shm alloc: the panic that a test asked for")
			}
			return 0, false
		}
	}
	if bytes > maxClassBytes {
		return s.allocSpan(kind, (bytes+chunkBytes-1)/chunkBytes)
	}
	class := classOf[(bytes+Align-1)/Align]
	if s.short && int64(s.free[class])*int64(classes[class].bytes) <= s.keep &&
		(s.keep > 0 || s.free[class] == 0) {
		s.words.Refused++
		return 0, false
	}
	if s.heads[class] == 0 {
		n := s.takeChunk()
		if n < 0 && s.Trim() {
			n = s.takeChunk()
		}
		if n < 0 {
			s.words.Refused++
			return 0, false
		}
		i := uint32(n) + 1
		c := s.at(i)
		*c = chunk{}
		c.store(wordOf(chunkSlots, class, s.shard, 0))
		s.words.Chunks++
		s.free[class] += classes[class].slots
		s.push(class, i, c)
	}
	count, short := s.refuse, s.short
	s.refuse, s.short = -1, false
	off, ok := s.Alloc(kind, bytes)
	s.refuse, s.short = count, short
	return off, ok
}

// Reserve makes Alloc leave room for work that is to be served when other work is refused, until it
// is called again; 0, 0, the state at first, is no reserve. Of the pool it leaves pool bytes, in
// whole chunks. Where the other work has taken some of these, they are chunks of its classes now,
// whose slots come free again: then Alloc leaves each bytes of free slots in each class alone, of
// which the part counts that the pool has not got any more. Else those that are refused would take
// what the others gave back, slot by slot, until nothing was reserved.
func (s *Slab) Reserve(pool, each uint64) {
	s.reserve, s.short, s.keep = int64((pool+chunkBytes-1)/chunkBytes), false, 0
	if s.reserve == 0 {
		return
	}
	if left := s.a.pool.free.Load(); left <= s.reserve {
		// Slow path: the arena is nearly full
		s.short, s.keep = true, int64(each)*(s.reserve-left)/s.reserve
	}
}

// takeChunk takes a chunk from the pool, unless only the reserve is left. It returns -1 if none.
func (s *Slab) takeChunk() int {
	if s.reserve > 0 && s.a.pool.free.Load() <= s.reserve {
		return -1
	}
	return s.a.pool.take()
}

// Publish makes the slot live: everything written to it before is visible to whoever sees it live,
// and survives the process. It is the last store of a record's creation. Pairs with Header.Live and
// with Recover.
func (s *Slab) Publish(off Off) {
	h := Ptr[Header](s.a, off)
	if h.State != StateReserved {
		panic(fmt.Sprintf("BUG: shm publish of slot %#x in state %#x, kind %d", uint32(off),
			h.State, h.Kind))
	}
	storeRelease(&h.State, StateLive)
}

// Free gives the slot back, live or only reserved; the next Alloc of its class returns it. The
// first store ends the record, so freeing an owner ends its parts with it: free them next, before
// any Alloc. Panics on a slot that is free or of another shard.
func (s *Slab) Free(off Off) {
	h := Ptr[Header](s.a, off)
	c := s.a.chunkOf(off)
	w := c.load()
	if (h.State != StateLive && h.State != StateReserved) || w.shard() != s.shard ||
		w.class() != h.Class {
		s.badFree(off, h, w)
	}
	storeRelease(&h.State, StateFree)
	class := h.Class
	if class == spanClass {
		s.freeSpan(off, w)
		return
	}
	k := &classes[class]
	h.Owner = c.free
	c.free = off
	s.words.Used -= uint64(k.bytes)
	s.free[class]++
	i := (uint32(off)-s.a.firstOff)/chunkUnits + 1
	if s.heads[class] != i {
		if c.used != k.slots {
			s.unlink(class, i, c)
		}
		s.push(class, i, c)
	}
	c.used--
	if c.used == 0 {
		s.emptied(class, i, c)
	}
}

//go:noinline
func (s *Slab) badFree(off Off, h *Header, w chunkWord) {
	if h.State == StateFree {
		panic(fmt.Sprintf("BUG: shm double free of slot %#x by shard %d, kind %d", uint32(off),
			s.shard, h.Kind))
	}
	panic(fmt.Sprintf("BUG: shm free of %#x by shard %d: state %#x, class %d, in a chunk of "+
		"shard %d, use %d, class %d",
		uint32(off), s.shard, h.State, h.Class, w.shard(), w.use(), w.class()))
}

// push puts a chunk with room first in its list.
func (s *Slab) push(class uint8, i uint32, c *chunk) {
	n := s.heads[class]
	c.prev, c.next = 0, n
	if n != 0 {
		s.at(n).prev = i
	}
	s.heads[class] = i
}

// unlink takes a chunk out of its list.
func (s *Slab) unlink(class uint8, i uint32, c *chunk) {
	if c.prev != 0 {
		s.at(c.prev).next = c.next
	} else {
		s.heads[class] = c.next
	}
	if c.next != 0 {
		s.at(c.next).prev = c.prev
	}
}

// emptied keeps the chunk if it is the class's only empty one and the pool is not short, else gives
// one back.
func (s *Slab) emptied(class uint8, i uint32, c *chunk) {
	old := s.spare[class]
	if s.a.pool.free.Load() < s.scarce {
		if old == i {
			s.spare[class] = 0
		}
		s.giveBack(class, i, c)
		return
	}
	if old == i {
		return
	}
	s.spare[class] = i
	// The old spare goes, being the colder. It may be in use again, and is then no spare.
	if old != 0 && s.at(old).used == 0 {
		s.giveBack(class, old, s.at(old))
	}
}

// giveBack returns an empty chunk, which has room and is therefore in the list. The word first: a
// chunk that has its bit must not look held.
func (s *Slab) giveBack(class uint8, i uint32, c *chunk) {
	s.unlink(class, i, c)
	c.store(0)
	s.words.Chunks--
	s.free[class] -= classes[class].slots
	s.a.pool.give(int(i - 1))
}

// Trim gives the empty chunks that were kept back to the pool and reports whether there were any.
func (s *Slab) Trim() bool {
	any := false
	for class, i := range s.spare {
		if i == 0 {
			continue
		}
		s.spare[class] = 0
		if c := s.at(i); c.used == 0 {
			s.giveBack(uint8(class), i, c)
			any = true
		}
	}
	return any
}

// allocSpan takes n whole chunks in a row as one slot.
func (s *Slab) allocSpan(kind Kind, n int) (Off, bool) {
	if s.reserve > 0 && s.a.pool.free.Load() < s.reserve+int64(n) {
		s.words.Refused++
		return 0, false
	}
	first := s.a.pool.takeRun(n)
	if first < 0 && s.Trim() {
		first = s.a.pool.takeRun(n)
	}
	if first < 0 {
		s.words.Refused++
		return 0, false
	}
	off := Off(s.a.firstOff + uint32(first)*chunkUnits)
	*s.a.header(off) = Header{State: StateReserved, Kind: kind, Class: spanClass}
	for i := first + 1; i < first+n; i++ {
		s.a.chunks[i].store(wordOf(chunkSpanTail, spanClass, s.shard, 0))
	}
	s.a.chunks[first].store(wordOf(chunkSpan, spanClass, s.shard, uint32(n)))
	s.remember(off)
	s.words.Chunks += uint64(n)
	s.words.Used += uint64(n) * chunkBytes
	return off, true
}

// freeSpan gives a span's chunks back, its head first: tails mean nothing without it.
func (s *Slab) freeSpan(off Off, w chunkWord) {
	first, n := int((uint32(off)-s.a.firstOff)/chunkUnits), int(w.count())
	s.words.Chunks -= uint64(n)
	s.words.Used -= uint64(n) * chunkBytes
	for i := first; i < first+n; i++ {
		s.a.chunks[i].store(0)
	}
	for i := first; i < first+n; i++ {
		s.a.pool.give(i)
	}
}

// UsedBytes is what the slots in use take, in bytes of their classes; any goroutine may ask. 0 when
// all is given back.
func (s *Slab) UsedBytes() uint64 { return atomic.LoadUint64(&s.words.Used) }

// ChunkBytes is what the slab holds of the pool, in bytes: UsedBytes and the free slots beside
// them.
func (s *Slab) ChunkBytes() uint64 { return atomic.LoadUint64(&s.words.Chunks) * chunkBytes }

// Refused counts the Allocs that found the arena full since the process began; those refused by
// Refuse are not in it.
func (s *Slab) Refused() uint64 { return atomic.LoadUint64(&s.words.Refused) }

// Refuse makes one Alloc fail as if the arena were full: the next one for 0, the one after it for
// 1, and so on; -1 takes it back. For tests that fail everything once.
func (s *Slab) Refuse(nth int) { s.refuse, s.panics = max(nth, -1), false }

// RefuseByPanic is Refuse with a panic in the place of the refusal: for tests of what a panic
// leaves behind.
func (s *Slab) RefuseByPanic(nth int) { s.refuse, s.panics = max(nth, -1), true }
