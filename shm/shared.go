package shm

// Shared is the slab of records that belong to no shard: Slab's methods behind a lock, for any
// goroutine. The lock is released by defer, because a shard survives a panic, and must not take the
// others with it.
type Shared struct {
	slab *Slab
	lock *Lock // in the arena
}

func (s *Shared) init(a *Arena) {
	s.slab = &a.slabs[a.g.shards]
	s.lock = &a.block(a.g.shards).lock
}

// Alloc is Slab.Alloc.
func (s *Shared) Alloc(kind Kind, bytes int) (Off, bool) {
	s.lock.Get()
	defer s.lock.Release()
	return s.slab.Alloc(kind, bytes)
}

// Publish is Slab.Publish.
func (s *Shared) Publish(off Off) { s.slab.Publish(off) }

// Free is Slab.Free. The caller sees to it that nobody still reads the slot.
func (s *Shared) Free(off Off) {
	s.lock.Get()
	defer s.lock.Release()
	s.slab.Free(off)
}

// Trim is Slab.Trim.
func (s *Shared) Trim() bool {
	s.lock.Get()
	defer s.lock.Release()
	return s.slab.Trim()
}

// Refuse is Slab.Refuse.
func (s *Shared) Refuse(nth int) {
	s.lock.Get()
	defer s.lock.Release()
	s.slab.Refuse(nth)
}

// UsedBytes is Slab.UsedBytes.
func (s *Shared) UsedBytes() uint64 { return s.slab.UsedBytes() }

// Refused is Slab.Refused.
func (s *Shared) Refused() uint64 { return s.slab.Refused() }

// Walk is Slab.Walk; a slot may be freed by others under f.
func (s *Shared) Walk(f func(Off, *Header) bool) { s.slab.Walk(f) }
