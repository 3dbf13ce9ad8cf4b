package blocklist

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"

	"viaduct/netio"
	"viaduct/shm"
)

// Table is the process's handle to the table in the arena. Its methods are for any goroutine; see
// the package document for who waits. Valid until the arena is closed.
type Table struct {
	root    *Root               // in the arena, nil if dst_blacklist_init is off
	buckets []*[blockLen]Bucket // in the arena
	nodes   []*[blockLen]Node   // in the arena
	mask    uint32              // Buckets-1

	start Config
	settings
	_      [64]byte // keeps what every look-up reads apart from what hits write
	counts counts
}

// capacity is how many entries memBytes allow: one more is refused when used + its bytes ≥ memBytes
// (Kamailio's comparison).
func capacity(memBytes int64) uint32 { return uint32((memBytes - 1) / EntryBytes) }

// New makes the table of a new arena, or adopts the one that a recovered arena holds, with its
// entries; if MemBytes has changed, the entries move. Only at start-up, before anybody asks.
func New(arena *shm.Arena, cfg Config) (*Table, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	t := &Table{start: cfg}
	t.settings.set(&cfg)
	var old []shm.Off
	arena.Shared().Walk(func(off shm.Off, h *shm.Header) bool {
		if h.Kind == KindTable {
			old = append(old, off)
		}
		return true
	})
	if !cfg.Init {
		for _, off := range old {
			arena.Shared().Free(off)
		}
		return t, nil
	}
	slots := (capacity(int64(cfg.MemBytes)) + blockLen - 1) / blockLen * blockLen
	buckets := max(uint32(1)<<bits.Len32(slots-1), blockLen)
	own := shm.Off(0)
	for _, off := range old {
		if r := shm.Ptr[Root](arena, off); own == 0 && r.Slots == slots && r.Buckets == buckets {
			own = off
			if err := t.view(arena, off); err != nil {
				return nil, err
			}
			t.rebuild()
		}
	}
	if own == 0 {
		if err := t.allocate(arena, slots, buckets); err != nil {
			return nil, err
		}
	}
	for _, off := range old {
		if off == own {
			continue
		}
		from := &Table{}
		if err := from.view(arena, off); err == nil {
			t.take(from)
		}
		// dying before it, both are live: the next New takes the entries again, to the same end
		arena.Shared().Free(off)
	}
	return t, nil
}

// slotBytes is the size of a table's slot.
func slotBytes(slots, buckets uint32) int {
	return rootBytes + int(buckets)*bucketBytes + int(slots)*EntryBytes
}

func (t *Table) allocate(arena *shm.Arena, slots, buckets uint32) error {
	need := slotBytes(slots, buckets)
	off, ok := arena.Shared().Alloc(KindTable, need)
	if !ok {
		return fmt.Errorf("cannot allocate %d KB for the destination blocklist: raise -m or "+
			"lower dst_blocklist_mem", need>>10)
	}
	r := shm.Ptr[Root](arena, off)
	*r = Root{
		Header: r.Header, Slots: slots, Buckets: buckets,
		seed: [2]uint64{rand.Uint64(), rand.Uint64()},
	}
	clear(shm.Tail[Root](arena, off, need-rootBytes))
	if err := t.view(arena, off); err != nil {
		panic("BUG: " + err.Error())
	}
	t.rebuild()
	arena.Shared().Publish(off)
	return nil
}

var errDamaged = errors.New("the destination blocklist in the arena is damaged: start with a new " +
	"arena")

// view maps the slot at off in blocks of blockLen. It believes the slot only if the sizes in it fit
// its slot.
func (t *Table) view(arena *shm.Arena, off shm.Off) error {
	r := shm.Ptr[Root](arena, off)
	if r.Slots == 0 || r.Slots%blockLen != 0 || r.Buckets < blockLen ||
		r.Buckets&(r.Buckets-1) != 0 ||
		r.Slots > shm.MaxSlotBytes/EntryBytes || r.Buckets > shm.MaxSlotBytes/bucketBytes ||
		slotBytes(r.Slots, r.Buckets) > shm.MaxSlotBytes {
		return errDamaged
	}
	tail := shm.Tail[Root](arena, off, slotBytes(r.Slots, r.Buckets)-rootBytes)
	t.root, t.mask = r, r.Buckets-1
	t.buckets, t.nodes = nil, nil
	for range r.Buckets / blockLen {
		t.buckets = append(t.buckets, shm.View[[blockLen]Bucket](tail))
		tail = tail[blockLen*bucketBytes:]
	}
	for range r.Slots / blockLen {
		t.nodes = append(t.nodes, shm.View[[blockLen]Node](tail))
		tail = tail[blockLen*EntryBytes:]
	}
	return nil
}

func (t *Table) bucket(i uint32) *Bucket { return &t.buckets[i/blockLen][i%blockLen] }

// node is the node a link names, 1 to Slots.
func (t *Table) node(link uint32) *Node { return &t.nodes[(link-1)/blockLen][(link-1)%blockLen] }

// rebuild makes chains, free list and counts from the nodes' life words. Nobody else may look.
func (t *Table) rebuild() {
	r := t.root
	r.lock.Init()
	r.used, r.free, r.cursor, r.earliest, r.cycleMin = 0, 0, 0, math.MaxInt64, math.MaxInt64
	for i := range r.Buckets {
		*t.bucket(i) = Bucket{}
	}
	for link := r.Slots; link > 0; link-- { // backwards, so that the lowest is used first
		n := t.node(link)
		k := key{n.ip, n.key}
		if n.life == 0 || !k.sane() {
			*n = Node{next: r.free}
			r.free = link
			continue
		}
		b := t.bucket(k.hash(&r.seed) & t.mask)
		n.next, b.head = b.head, link
		r.used++
		t.ends(lifeExpires(n.life), lifeReasons(n.life))
	}
	for i := range r.networks {
		if n := &r.networks[i]; n.life != 0 && !n.sane() {
			*n = Network{}
		}
	}
	t.boundNetworks()
}

// sane tells whether we could have written the key.
func (k *key) sane() bool {
	family := uint8(k.word >> 8)
	return (family == 4 || family == 6) && knownProto(netio.Proto(uint8(k.word))-1)
}

// ends notes when an entry ends, for the sweeps.
func (t *Table) ends(expires int64, r Reason) {
	if r&Permanent == 0 {
		t.root.earliest = min(t.root.earliest, expires)
		t.root.cycleMin = min(t.root.cycleMin, expires)
	}
}

// take moves in the entries of another table, as far as there is room; an entry both have keeps its
// flags and the later end.
func (t *Table) take(from *Table) {
	for link := uint32(1); link <= from.root.Slots; link++ {
		n := from.node(link)
		k := key{n.ip, n.key}
		if n.life == 0 || !k.sane() {
			continue
		}
		owner := n.owner[lifeVersion(n.life)&1]
		b := t.bucket(k.hash(&t.root.seed) & t.mask)
		if mine, _ := t.exact(b, &k); mine != nil {
			t.renew(mine, lifeReasons(n.life), max(lifeExpires(n.life), lifeExpires(mine.life)),
				owner)
		} else if t.root.used < t.cap() {
			t.link(b, &k, lifeReasons(n.life), lifeExpires(n.life), n.since, owner)
		}
	}
	t.takeNetworks(from)
}

// cap is how many entries there may be now.
func (t *Table) cap() uint32 { return min(capacity(t.memBytes.Load()), t.root.Slots) }

// lockNow takes the lock without ever sleeping.
func (t *Table) lockNow() bool {
	for range lockSpins {
		if t.root.lock.Try() {
			return true
		}
	}
	t.counts.busy.Add(1)
	return false
}

// empty tells, without the lock, whether there is nothing to find.
func (t *Table) empty() bool {
	return atomic.LoadUint32(&t.root.used)|atomic.LoadUint32(&t.root.networksUsed) == 0
}
