package shm

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// AttachFile maps an arena made by another process, running or dead, whose records have the given
// layout. It only looks: Walk, Ptr, Counters work, Alloc does not until Recover. The descriptor
// belongs to the arena from here on, unless there is an error.
func AttachFile(f *os.File, layout uint64) (*Arena, error) {
	a, err := attach(f, layout)
	if err != nil {
		return nil, fmt.Errorf("cannot attach arena %s: %w", f.Name(), err)
	}
	return a, nil
}

func attach(f *os.File, layout uint64) (*Arena, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() < MinArenaBytes {
		return nil, fmt.Errorf("%d bytes are no arena; give the file or descriptor of one",
			st.Size())
	}
	back, err := mapFile(f, st.Size())
	if err != nil {
		return nil, err
	}
	back.name = "attached " + f.Name()
	// the mapping's first page, until close
	g, err := checkHeader((*arenaHeader)(back.base), st.Size(), layout)
	if err != nil {
		return nil, errors.Join(err, back.unmap())
	}
	a := newArena(g, back)
	if err := a.openBells(); err != nil {
		return nil, errors.Join(err, a.back.unmap())
	}
	a.description = fmt.Sprintf("arena %d MB: %s", g.bytes>>20, back.name)
	return a, nil
}

// checkHeader believes a header only if it says what this program would have written.
func checkHeader(h *arenaHeader, size int64, layout uint64) (geometry, error) {
	switch {
	case h.Magic != arenaMagic:
		return geometry{}, errors.New("it is not a Viaduct arena; give the file or descriptor " +
			"of one")
	case h.Version != arenaVersion:
		return geometry{}, fmt.Errorf("it has version %d, this program %d; start with a new arena",
			h.Version, arenaVersion)
	case atomic.LoadUint32(&h.Ready) != 1:
		return geometry{}, errors.New("its maker died before it was ready; start with a new arena")
	case h.Own != ownLayout || h.Layout != layout:
		return geometry{}, fmt.Errorf("its records are laid out otherwise (%016x/%016x, this "+
			"program %016x/%016x); start with a new arena", h.Own, h.Layout, ownLayout, layout)
	case h.Bytes > uint64(size) || h.Shards < 1 || h.Shards > MaxShards ||
		h.RingBytes < MinRingBytes || h.RingBytes > MaxRingBytes ||
		h.RingBytes&(h.RingBytes-1) != 0:
		return geometry{}, fmt.Errorf("its header is damaged: %d bytes in a file of %d, %d "+
			"shards, rings of %d bytes; start with a new arena", h.Bytes, size, h.Shards,
			h.RingBytes)
	}
	g, err := layOut(int64(h.Bytes), int(h.Shards), int(h.RingBytes))
	if err == nil && (g.chunks != int(h.Chunks) || g.firstAt != int64(h.FirstAt)) {
		err = fmt.Errorf("its header is damaged: %d chunks from %#x, not %d from %#x; start with "+
			"a new arena", h.Chunks, h.FirstAt, g.chunks, g.firstAt)
	}
	return g, err
}

// unmap is close for a file that stays the caller's.
func (b *backing) unmap() error { return unix.MunmapPtr(b.reserved, uintptr(b.bytes+b.slack)) }

// Prepare pre-faults, enlarges and locks an attached arena as Create would have; the other fields
// of c do not count.
func (a *Arena) Prepare(c Config) error {
	notes, err := a.prepare(c)
	if err == nil {
		a.description = fmt.Sprintf("arena %d MB: %s, %s", a.g.bytes>>20, a.back.name, notes)
	}
	return err
}

// Recovered is what Recover found.
type Recovered struct {
	// Live slots were kept; LiveBytes are the bytes of their classes.
	Live      int
	LiveBytes uint64
	// Unpublished slots were between Alloc and Publish, Orphaned ones belonged to a record that is
	// gone, Unheld ones to a record that said no. All were freed: ReclaimedBytes.
	Unpublished, Orphaned, Unheld int
	ReclaimedBytes                uint64
	// Chunks were being taken or given back; they are in the pool.
	Chunks int
	// Rings whose contents made no sense, and were emptied.
	Rings int
}

// String is for the log.
func (r Recovered) String() string {
	return fmt.Sprintf("%d records live (%d bytes), reclaimed %d unpublished, %d orphaned, %d "+
		"unheld (%d bytes), %d chunks, %d rings",
		r.Live, r.LiveBytes, r.Unpublished, r.Orphaned, r.Unheld, r.ReclaimedBytes, r.Chunks,
		r.Rings)
}

// Recover makes an attached arena this process's own: reclaims slots that do not count, rebuilds
// free lists, the pool and use counts from the slots, empties mailboxes. Then Alloc
// works and Walk gives each shard its records. The process before must be dead; for an arena in a
// file this is checked. Being killed in Recover does no harm: the next Recover goes on.
//
// holds is asked whether the live record at owner refers to the slot at part, whose Header.Owner it
// is; it only reads. It decides about parts that were published and not yet put into their record,
// or taken out of it and not yet freed. It returns nil if all are held.
func (a *Arena) Recover(holds func(owner, part Off) bool) (Recovered, error) {
	var r Recovered
	if a.ready {
		panic("BUG: shm recover of an arena that is in use")
	}
	if err := a.back.lockFile(); err != nil {
		return r, err
	}
	for i := range a.slabs {
		a.slabs[i].init(a, i)
		*a.slabs[i].words = slabWords{}
		a.block(i).lock = Lock{}
		a.block(i).bell = bellWord{}
	}
	a.reclaim(holds, &r)
	a.rebuild(&r)
	for i := range a.mails {
		a.mails[i].reset() // whoever posted them is dead, and one may be half written
	}
	for i := range a.rings {
		if a.rings[i].cap != 0 && !a.rings[i].check() {
			a.rings[i].reset()
			r.Rings++
		}
	}
	atomic.AddUint64(&a.head.Epoch, 1)
	a.ready = true
	return r, nil
}

// reclaim frees every slot that does not count. It changes nothing else, so the answers do not
// depend on the order.
func (a *Arena) reclaim(holds func(owner, part Off) bool, r *Recovered) {
	a.eachSlot(-1, func(off Off, h *Header) bool {
		size := uint64(a.slotBytes(off, h))
		switch a.standing(off, holds, maxOwnerDepth) {
		case slotLive:
			r.Live++
			r.LiveBytes += size
			return true
		case slotFree:
			if h.State != StateFree {
				atomic.StoreUint32(&h.State, StateFree) // damaged: rebuild goes by the state alone
			}
			return true
		case slotUnpublished:
			r.Unpublished++
		case slotOrphaned:
			r.Orphaned++
		case slotUnheld:
			r.Unheld++
		}
		r.ReclaimedBytes += size
		atomic.StoreUint32(&h.State, StateFree)
		return true
	})
}

// rebuild makes lists and counts from the slots' states.
func (a *Arena) rebuild(r *Recovered) {
	a.pool.init(a.g.chunks)
	a.pool.free.Store(0)
	for i := 0; i < a.g.chunks; {
		c := &a.chunks[i]
		w, n := a.wordAt(i), 1
		switch {
		case w.use() == chunkSlots && a.relist(i, w):
		case w.use() == chunkSpan && a.header(a.offOf(i)).State == StateLive:
			n = int(w.count())
			words := a.slabs[w.shard()].words
			words.Chunks += uint64(n)
			words.Used += uint64(n) * chunkBytes
		default:
			// Empty, of no slab, or the tail of a span that has no head.
			if c.load() != 0 {
				r.Chunks++
				c.store(0)
			}
			a.pool.give(i)
		}
		i += n
	}
}

// relist puts a chunk of slots back into its slab. It returns false if none of them is live.
func (a *Arena) relist(i int, w chunkWord) bool {
	c, k, s := &a.chunks[i], &classes[w.class()], &a.slabs[w.shard()]
	*c = chunk{word: uint64(w)}
	for n := w.count(); n > 0; n-- { // backwards, so that the lowest is used first
		off := a.offOf(i) + Off((n-1)*k.units)
		if h := a.header(off); h.State == StateLive {
			c.used++
		} else {
			*h = Header{State: StateFree, Owner: c.free}
			c.free = off
		}
	}
	if c.used == 0 {
		return false
	}
	s.words.Chunks++
	s.words.Used += uint64(c.used) * uint64(k.bytes)
	s.free[w.class()] += k.slots - c.used
	if c.used < k.slots {
		s.push(w.class(), uint32(i)+1, c)
	}
	return true
}

// offOf is the first slot of chunk i.
func (a *Arena) offOf(i int) Off { return Off(a.firstOff + uint32(i)*chunkUnits) }

// headerAt is the header of a slot that may have been damaged. It returns nil if no slot begins at
// off.
func (a *Arena) headerAt(off Off) *Header {
	at := uint32(off) - a.firstOff
	if at >= a.spanOff {
		return nil
	}
	w := a.wordAt(int(at / chunkUnits))
	at %= chunkUnits
	switch w.use() {
	case chunkSlots:
		if k := &classes[w.class()]; at%k.units != 0 || at/k.units >= w.count() {
			return nil
		}
	case chunkSpan:
		if at != 0 {
			return nil
		}
	default:
		return nil
	}
	// In bounds by the checks; until the slot is freed.
	h := (*Header)(unsafe.Add(a.base, uintptr(off)*Align))
	if h.Class != w.class() {
		return nil
	}
	return h
}

// wordAt is chunk i's word if it can be one of ours, else 0: free.
func (a *Arena) wordAt(i int) chunkWord {
	w := a.chunks[i].load()
	if w.shard() >= len(a.slabs) {
		return 0
	}
	switch w.use() {
	case chunkSlots:
		if w.class() < numClasses && w.count() <= classes[w.class()].slots {
			return w
		}
	case chunkSpan:
		if w.class() == spanClass && w.count() >= 1 && w.count() <= maxSpanChunks &&
			i+int(w.count()) <= a.g.chunks {
			return w
		}
	}
	return 0
}
