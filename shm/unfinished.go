package shm

// remember notes that off was allocated: a store and an add, 512 bytes of the slab that go round.
// It costs Alloc nothing that could be measured (BenchmarkAllocPublishFree).
func (s *Slab) remember(off Off) {
	s.recent[s.allocs%recentSlots] = off
	s.allocs++
}

// Unfinished calls f for those of the recentSlots slots allocated last that do not count, by
// Recover's own rule: not published, or of an owner that does not count, or of one that holds
// denies. It is for a program that was cut off in the middle of its work and goes on, as Recover is
// for one that died: f gives the slot back, or has it given back. A slot of which f has disposed
// without freeing it is named again by the next call, and one that was allocated twice may be named
// twice by the same.
//
// Only the owner's goroutine calls it, and only while nothing else of it is at work: what is under
// way elsewhere looks unfinished too. What counts is left alone, so it need not be known which of
// the slots belong to the work that was cut off.
func (s *Slab) Unfinished(holds func(owner, part Off) bool, f func(Off)) {
	for _, off := range s.recent {
		if off == 0 {
			continue
		}
		// The chunk may have gone back to the pool since, and to another shard.
		if w := s.a.wordAt(int((uint32(off) - s.a.firstOff) / chunkUnits)); w == 0 ||
			w.shard() != s.shard {
			continue
		}
		switch s.a.standing(off, holds, maxOwnerDepth) {
		case slotUnpublished, slotOrphaned, slotUnheld:
			f(off)
		}
	}
}
