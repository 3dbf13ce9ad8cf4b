package shm

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HugeMode says whether to ask for huge pages.
type HugeMode uint8

// Huge page modes.
const (
	// HugeOff asks for nothing.
	HugeOff HugeMode = iota
	// HugeTry takes the hugetlb pool if it has enough pages (memfd only), else has the kernel
	// collapse the arena into transparent huge pages (Linux 6.1), else advises it. Not getting them
	// is told by Describe and is no error.
	HugeTry
)

// Config says what arena to make.
type Config struct {
	// Bytes is the size of everything, MinArenaBytes to MaxArenaBytes; rounded down to whole pages.
	// 0 is not a size.
	Bytes int64
	// Shards is the number of writers, 1 to MaxShards; fixed for the arena's life.
	Shards int
	// Prefault touches every page now instead of on first use: C4's shm_force_alloc.
	Prefault bool
	// HugePages asks for huge pages; it pre-faults, since only memory that is there can be huge.
	HugePages HugeMode
	// Mlock keeps the arena from being swapped (C4's mlock_pages). Failing is told by Describe and
	// is no error.
	Mlock bool
	// RingBytes is the size of one ring, a power of two from MinRingBytes; 0 chooses
	// DefaultRingBytes or MinRingBytes.
	RingBytes int
	// Layout is the hash of the users' record layouts (LayoutOf), compared by AttachFile.
	Layout uint64
	// Path names a file to make and keep, on a memory file system such as /dev/shm; it must not
	// exist. "" makes a memfd, or what comes nearest.
	Path string
}

// Arena is the mapped memory. Its methods may be called by any goroutine; what they return follows
// the package's ownership table.
type Arena struct {
	// base is the mapping: outside the Go heap, of g.bytes bytes, valid until Close.
	base     unsafe.Pointer
	firstOff uint32 // first valid Off
	spanOff  uint32 // how many Offs from there are valid

	g      geometry
	head   *arenaHeader
	chunks []chunk // the descriptors, in the arena
	pool   pool
	slabs  []Slab
	shared Shared
	rings  []Ring
	mails  []Mailbox
	bells  []Doorbell

	back        backing
	description string
	ready       bool // slabs may allocate: made here or recovered
}

// Create makes an arena, all of it free. Errors say what to change.
func Create(c Config) (*Arena, error) {
	return create(c, defaultSources(c))
}

func create(c Config, from []source) (*Arena, error) {
	g, err := c.plan()
	if err != nil {
		return nil, err
	}
	if err := enoughMemory(c, g.bytes); err != nil {
		return nil, err
	}
	back, err := open(from, g.bytes)
	if err != nil {
		return nil, err
	}
	a := newArena(g, back)
	// Before the first record, so that an empty pool page cannot fail later.
	notes, err := a.prepare(c)
	if err != nil {
		a.back.close()
		return nil, err
	}
	a.description = fmt.Sprintf("arena %d MB: %s, %s", g.bytes>>20, back.name, notes)
	// A memfd is zero, and zero is an empty arena: all chunks free, all slots free, rings and
	// mailboxes empty.
	*a.head = arenaHeader{Magic: arenaMagic, Version: arenaVersion, Own: ownLayout,
		Layout: c.Layout,
		Bytes:  uint64(g.bytes), RingBytes: uint64(g.ringBytes), Shards: uint32(g.shards),
		Chunks: uint32(g.chunks), FirstAt: uint64(g.firstAt), Epoch: 1}
	for i := range a.mails {
		a.mails[i].reset()
	}
	if err := a.openBells(); err != nil {
		a.back.close()
		return nil, err
	}
	a.pool.fill(g.chunks)
	a.ready = true
	atomic.StoreUint32(&a.head.Ready, 1)
	return a, nil
}

// plan checks the numbers and lays the arena out.
func (c *Config) plan() (geometry, error) {
	bytes := c.Bytes / pageBytes * pageBytes
	switch {
	case bytes < MinArenaBytes:
		return geometry{}, fmt.Errorf("cannot make an arena of %d bytes: the least is %d MB; "+
			"raise -m", c.Bytes, MinArenaBytes>>20)
	case bytes > MaxArenaBytes:
		return geometry{}, fmt.Errorf("cannot make an arena of %d MB: record offsets reach %d "+
			"MB; lower -m", bytes>>20, int64(MaxArenaBytes)>>20)
	case c.Shards < 1 || c.Shards > MaxShards:
		return geometry{}, fmt.Errorf("cannot make an arena for %d shards: 1 to %d are possible",
			c.Shards, MaxShards)
	case c.RingBytes == 0:
		ring := DefaultRingBytes
		pairs := int64(c.Shards) * int64(c.Shards-1)
		if pairs*int64(ring+ringExtraBytes) > bytes/4 {
			ring = MinRingBytes
		}
		return layOut(bytes, c.Shards, ring)
	case c.RingBytes < MinRingBytes || c.RingBytes > MaxRingBytes ||
		c.RingBytes&(c.RingBytes-1) != 0:
		return geometry{}, fmt.Errorf("cannot use rings of %d bytes: a power of two from %d to "+
			"%d is needed", c.RingBytes, MinRingBytes, MaxRingBytes)
	}
	return layOut(bytes, c.Shards, c.RingBytes)
}

// newArena builds the process's own half over a mapping. It reads nothing of the arena's contents.
func newArena(g geometry, back backing) *Arena {
	a := &Arena{
		base: back.base, g: g, back: back, firstOff: uint32(g.firstAt / Align),
		spanOff: uint32(g.chunks * chunkUnits),
	}
	// The arena's memory; layOut placed each of these inside g.bytes; until Close.
	a.head = (*arenaHeader)(a.base)
	a.chunks = unsafe.Slice((*chunk)(a.at(g.chunkAt)), g.chunks)
	a.pool.init(g.chunks)
	a.slabs = make([]Slab, g.shards+1)
	for i := range a.slabs {
		a.slabs[i].init(a, i)
	}
	a.shared.init(a)
	a.mails = make([]Mailbox, g.shards)
	a.bells = make([]Doorbell, g.shards)
	for i := range g.shards {
		a.mails[i].init(a.at(g.mailAt + int64(i)*int64(mailboxBytes)))
		a.bells[i].init(&a.block(i).bell)
	}
	a.rings = make([]Ring, g.shards*g.shards)
	for i := range g.shards {
		for j := range g.shards {
			if i != j {
				a.rings[i*g.shards+j].init(a.at(g.ringOff(i, j)), int(g.ringBytes),
					&a.block(j).bell)
			}
		}
	}
	return a
}

// at is the address of a byte of the arena. n comes from the geometry, never from the arena's
// contents.
func (a *Arena) at(n int64) unsafe.Pointer { return unsafe.Add(a.base, n) }

// block is shard i's; i == Shards() is the shared one. In the arena, inside by layOut, until Close.
func (a *Arena) block(i int) *shardBlock {
	if uint(i) > uint(a.g.shards) {
		panic(fmt.Sprintf("BUG: shm shard %d of %d", i, a.g.shards))
	}
	return (*shardBlock)(a.at(a.g.blockAt + int64(i)*int64(shardBlockBytes)))
}

// Describe says in one line what Create or AttachFile got, and why not more.
func (a *Arena) Describe() string { return a.description }

// Shards is the number of shards the arena was made for.
func (a *Arena) Shards() int { return a.g.shards }

// Epoch counts the processes that owned the arena: 1 for its maker, one more at each Recover. A
// record's key that includes it is never mistaken for one of before.
func (a *Arena) Epoch() uint64 { return atomic.LoadUint64(&a.head.Epoch) }

// File is the descriptor to hand to the next process (os/exec ExtraFiles, SCM_RIGHTS); nil with a
// SysV segment. It belongs to the arena and is closed with it.
func (a *Arena) File() *os.File { return a.back.file }

// Slab is shard i's.
func (a *Arena) Slab(i int) *Slab {
	if uint(i) >= uint(a.g.shards) {
		panic(fmt.Sprintf("BUG: shm slab %d of %d shards", i, a.g.shards))
	}
	return &a.slabs[i]
}

// Shared is the slab of what belongs to no shard: tables, lock sets.
func (a *Arena) Shared() *Shared { return &a.shared }

// TotalBytes is what slots can be made of: all chunks, in bytes. It is less than Config.Bytes by
// rings, mailboxes and counters.
func (a *Arena) TotalBytes() uint64 { return uint64(a.g.chunks) * chunkBytes }

// UsedBytes is what slots in use take in all slabs, in bytes of their classes.
func (a *Arena) UsedBytes() uint64 {
	var n uint64
	for i := range a.slabs {
		n += a.slabs[i].UsedBytes()
	}
	return n
}

// FreeBytes is TotalBytes less what the slots in use take. Not all of it serves every class: see
// PoolBytes.
func (a *Arena) FreeBytes() uint64 { return a.TotalBytes() - a.UsedBytes() }

// PoolBytes is what no slab has taken, in bytes: room for any class of any shard. Exact in the
// process that owns the arena only.
func (a *Arena) PoolBytes() uint64 { return uint64(a.pool.free.Load()) * chunkBytes }

// Ring is the ring that shard from pushes to and shard to pops; from and to differ.
func (a *Arena) Ring(from, to int) *Ring {
	if uint(from) >= uint(a.g.shards) || uint(to) >= uint(a.g.shards) || from == to {
		panic(fmt.Sprintf("BUG: shm ring from shard %d to %d of %d", from, to, a.g.shards))
	}
	return &a.rings[from*a.g.shards+to]
}

// Mailbox is shard i's.
func (a *Arena) Mailbox(i int) *Mailbox { return &a.mails[i] }

// Doorbell is shard i's.
func (a *Arena) Doorbell(i int) *Doorbell { return &a.bells[i] }

// openBells makes this process's eventfds.
func (a *Arena) openBells() error {
	for i := range a.bells {
		if err := a.bells[i].open(); err != nil {
			a.closeBells()
			return fmt.Errorf("cannot make the doorbell of shard %d: %w; raise `ulimit -n`", i, err)
		}
	}
	return nil
}

func (a *Arena) closeBells() {
	for i := range a.bells {
		a.bells[i].close()
	}
}

// Close unmaps the arena and closes its descriptors. Every pointer and view into it is dead
// afterwards: first stop whoever uses them. A memfd or SysV segment ends with its last user; a file
// at Config.Path stays, for AttachFile or for os.Remove.
func (a *Arena) Close() error {
	a.closeBells()
	err := a.back.close()
	a.base, a.spanOff, a.ready = nil, 0, false
	if err != nil {
		return fmt.Errorf("cannot release the arena: %w", err)
	}
	return nil
}

// lockFile keeps a second process from owning an arena kept in a file: flock falls with its holder,
// so kill -9 frees it. A descriptor that was handed over shares the lock, hence does not stand in
// its own way.
func (b *backing) lockFile() error {
	if b.file == nil {
		return nil
	}
	if err := unix.Flock(int(b.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("cannot own arena %s: another process does; stop it first",
				b.file.Name())
		}
		return fmt.Errorf("cannot lock arena %s: %w", b.file.Name(), err)
	}
	return nil
}
