package table

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"unsafe"

	"viaduct/shm"
)

// Config says what table to make.
type Config struct {
	Entries  int    // at most, ended ones that Expire has not met included; 1 to MaxEntries
	Bytes    int64  // memory for them, see EntryBytes; 0 means 128 bytes for each; up to MaxBytes
	MaxKey   int    // bytes, 1 to MaxKey; 0 means 255
	MaxValue int    // bytes of a text, 1 to MaxValue; 0 means 4,096
	Layout   uint64 // what texts mean, for tables of records (shm.LayoutOf); 0 means text
}

// Validate says what to write instead.
func (c *Config) Validate() error {
	var bad []error
	within := func(name string, n, low, high int64) {
		if n < low || n > high {
			err := fmt.Errorf("%s %d is out of range: write %d to %d", name, n, low, high)
			bad = append(bad, err)
		}
	}
	within("entries", int64(c.Entries), 1, MaxEntries)
	within("bytes", c.Bytes, 0, MaxBytes)
	within("longest key", int64(c.MaxKey), 0, MaxKey)
	within("longest value", int64(c.MaxValue), 0, int64(MaxValue))
	if c.Bytes == 0 && int64(c.Entries)*defaultEntryBytes > MaxBytes {
		bad = append(bad, fmt.Errorf("%d entries take more than the %d bytes a table may have: "+
			"write fewer", c.Entries, int64(MaxBytes)))
	}
	return errors.Join(bad...)
}

// filled is c with the numbers that 0 stands for.
func (c Config) filled() Config {
	if c.Bytes == 0 {
		c.Bytes = int64(c.Entries) * defaultEntryBytes
	}
	if c.MaxKey == 0 {
		c.MaxKey = 255
	}
	if c.MaxValue == 0 {
		c.MaxValue = 4096
	}
	return c
}

// laidOutAs tells whether tables of the two differ in their sizes at most. Both are filled.
func (c *Config) laidOutAs(o *Config) bool {
	return c.MaxKey == o.MaxKey && c.MaxValue == o.MaxValue && c.Layout == o.Layout
}

// Table is the process's handle to a table in the arena. Valid until the arena is closed or the
// table dropped.
type Table struct {
	// What look-ups read; constant.
	seed     [2]uint64
	mask     uint32 // Buckets-1
	maxKey   uint16
	maxValue uint16
	ends     []uint32         // for each region, the first link behind it
	regions  []unsafe.Pointer // in the arena: the beginnings of the regions
	buckets  []unsafe.Pointer // in the arena: the first bucket of each slot

	root   *root // in the arena
	shift  uint8 // a bucket's number without these bits is its stripe's
	spare  uint32
	origin Origin
	config Config

	use  sync.RWMutex // held by While, and by who drops the table
	gone bool         // it was dropped; under use

	_    [64]byte // keeps what every look-up reads apart from what follows
	torn atomic.Uint64

	sweep sweep
}

// Origin says where a table's entries come from.
type Origin string

// A table that was there has its entries. Of one that was made anew, Origin says why, a sentence
// for the log.
const (
	Made Origin = "made"
	Kept Origin = "kept"
)

// Origin says how the table came to be.
func (t *Table) Origin() Origin { return t.origin }

// Config is what the table was made with, the defaults filled in.
func (t *Table) Config() Config { return t.config }

// size is what a Config takes.
func (c *Config) size() (buckets, pages, regions, slots, stripes, banks uint32) {
	buckets = max(uint32(1)<<bits.Len32(uint32(c.Entries-1)), minBuckets)
	pages = uint32((c.Bytes + pageBytes - 1) / pageBytes)
	banks = min(max(pages/bankPages, 1), maxBanks)
	pages += sparePages(pages) + banks // each bank may have a page that is not full
	regions = (pages + dataPages - 1) / dataPages
	slots = (buckets + bucketsPerSlot - 1) / bucketsPerSlot
	stripes = min(buckets/4, maxStripes)
	return
}

// sparePages is how many of the pages are left for changes.
func sparePages(pages uint32) uint32 { return min(max(pages/16, 1), maxSparePages) }

// ArenaBytes is what a table of that Config takes of the arena. The chunks that the arena hands out
// make it less or more, by less than a MiB.
func (c Config) ArenaBytes() (bytes int64) {
	c = c.filled()
	buckets, pages, regions, slots, _, _ := c.size()
	bytes = int64(shm.SlotBytes(rootBytes))
	for i := range slots {
		n := min(buckets-i*bucketsPerSlot, bucketsPerSlot)
		bytes += int64(shm.SlotBytes(bucketHeadBytes + 8*int(n)))
	}
	for i := range regions {
		bytes += int64(shm.SlotBytes(regionBytes(pages, i)))
	}
	return bytes
}

// make takes a table's memory from the arena. Nothing refers to it yet.
func (c *Config) make(a *shm.Arena) (shm.Off, error) {
	buckets, pages, regions, slots, stripes, banks := c.size()
	var got []shm.Off
	need := 0
	alloc := func(kind shm.Kind, n int) shm.Off {
		need += shm.SlotBytes(n)
		if len(got) > 0 && got[len(got)-1] == 0 {
			return 0
		}
		off, ok := a.Shared().Alloc(kind, n)
		if !ok {
			off = 0
		}
		got = append(got, off)
		return off
	}
	top := alloc(KindTable, rootBytes)
	var inner root
	for i := range slots {
		n := min(buckets-i*bucketsPerSlot, bucketsPerSlot)
		inner.bucketSlots[i] = alloc(KindBuckets, bucketHeadBytes+8*int(n))
	}
	for i := range regions {
		inner.regions[i] = alloc(KindRegion, regionBytes(pages, i))
	}
	if got[len(got)-1] == 0 {
		for _, off := range got {
			if off != 0 {
				a.Shared().Free(off)
			}
		}
		return 0, fmt.Errorf("%d entries need %d MB of the arena, which has %d MB left: "+
			"raise -m or make it smaller", c.Entries, (need+1<<20-1)>>20, a.PoolBytes()>>20)
	}
	for _, off := range inner.regions[:regions] {
		*shm.Ptr[regionHead](a, off) = regionHead{Header: *shm.Ptr[shm.Header](a, off)}
	}
	r := shm.Ptr[root](a, top)
	h := r.Header
	*r = inner
	r.Header, r.Entries, r.Buckets, r.Stripes = h, uint32(c.Entries), buckets, stripes
	r.Pages, r.Regions, r.BucketSlots, r.Banks = pages, regions, slots, banks
	r.MaxKey, r.MaxValue, r.bytes = uint16(c.MaxKey), uint16(c.MaxValue), uint64(c.Bytes)
	r.seed = [2]uint64{rand.Uint64(), rand.Uint64()}
	for _, off := range got[1:] {
		a.Shared().Publish(off)
	}
	a.Shared().Publish(top)
	return top, nil
}

// regionBytes is the size of region i's slot.
func regionBytes(pages, i uint32) int {
	return regionHeadBytes + int(min(pages-i*dataPages, dataPages))*pageBytes
}

// parts calls f for the slots of the table at off, itself last, as far as they are slots of a
// table.
func parts(a *shm.Arena, off shm.Off, f func(shm.Off)) {
	r := shm.Ptr[root](a, off)
	for _, o := range r.bucketSlots[:min(r.BucketSlots, maxBucketSlots)] {
		f(o)
	}
	for _, o := range r.regions[:min(r.Regions, maxRegions)] {
		f(o)
	}
	f(off)
}

// matches tells whether the root is one that c would make.
func (r *root) matches(c *Config) bool {
	buckets, pages, regions, slots, stripes, banks := c.size()
	return r.Kind == KindTable && r.Entries == uint32(c.Entries) && int64(r.bytes) == c.Bytes &&
		int(r.MaxKey) == c.MaxKey && int(r.MaxValue) == c.MaxValue &&
		r.Buckets == buckets && r.Stripes == stripes && r.BucketSlots == slots &&
		r.Pages == pages && r.Regions == regions && r.Banks == banks
}

// view is a handle to the table at off, which matches c.
func view(a *shm.Arena, off shm.Off, c Config) *Table {
	r := shm.Ptr[root](a, off)
	t := &Table{root: r, config: c, seed: r.seed, mask: r.Buckets - 1}
	t.maxKey, t.maxValue = r.MaxKey, r.MaxValue
	t.shift = uint8(bits.TrailingZeros32(r.Buckets / r.Stripes))
	t.spare = sparePages(r.Pages)
	for i, o := range r.bucketSlots[:r.BucketSlots] {
		n := min(int(r.Buckets)-i*bucketsPerSlot, bucketsPerSlot)
		// The slot's memory behind its head, as long as Tail says, until the arena is closed.
		tail := shm.Tail[bucketHead](a, o, 8*n)
		t.buckets = append(t.buckets, unsafe.Pointer(unsafe.SliceData(tail)))
	}
	for i, o := range r.regions[:r.Regions] {
		n := regionBytes(r.Pages, uint32(i))
		shm.Tail[shm.Header](a, o, n-shm.HeaderBytes) // panics if the slot is smaller
		t.regions = append(t.regions, unsafe.Pointer(shm.Ptr[shm.Header](a, o)))
		t.ends = append(t.ends, uint32(i)*(regionPages*pageBytes/linkUnit)+uint32(n/linkUnit))
	}
	t.sweep.init(c)
	return t
}

const linksPerRegion = regionPages * pageBytes / linkUnit

// bucket is bucket i's word: generation 32 | first link 32. In bounds, i being at most mask.
func (t *Table) bucket(i uint32) *uint64 {
	return (*uint64)(unsafe.Add(t.buckets[i/bucketsPerSlot], uintptr(i%bucketsPerSlot)*8))
}

func bucketOf(gen, head uint32) uint64    { return uint64(gen)<<32 | uint64(head) }
func bucketGen(bucket uint64) uint32      { return uint32(bucket >> 32) }
func bucketHeadLink(bucket uint64) uint32 { return uint32(bucket) }

// at is the record that a link names. Writers follow links of chains and lists, which are whole;
// readers check with peek.
func (t *Table) at(link uint32) *record {
	base := t.regions[link/linksPerRegion]
	return (*record)(unsafe.Add(base, uintptr(link%linksPerRegion)*linkUnit))
}

// peek is at for a link that may be any bytes: nil if no record can begin there. left is how many
// bytes there are from there to the end of its region.
func (t *Table) peek(link uint32) (r *record, left int) {
	i := link / linksPerRegion
	if int(i) >= len(t.ends) || link >= t.ends[i] ||
		link%linksPerRegion < regionHeadBytes/linkUnit {
		return nil, 0
	}
	return t.at(link), int(t.ends[i]-link) * linkUnit
}

// page is the descriptor of a page by its number.
func (t *Table) page(n uint32) *page {
	head := (*regionHead)(t.regions[n/regionPages])
	return &head.pages[n%regionPages-headPages]
}

// pageNumber is the number of the table's page i, which leaves out the heads of regions.
func pageNumber(i uint32) uint32 { return i/dataPages*regionPages + headPages + i%dataPages }

// stripeOf is the stripe of a bucket.
func (t *Table) stripeOf(bucket uint32) *stripe { return &t.root.stripes[bucket>>t.shift] }

// rebuild makes chains, lists and counts from the pages. Nobody else may look. 105 ms for 1,000,000
// entries: BenchmarkTakeOver, best of some runs, EPYC under load, Linux 6.18, 2026-11.
func (t *Table) rebuild() {
	r := t.root
	r.used, r.mortal = 0, 0
	r.pool = pool{}
	r.banks = [maxBanks]bank{}
	for i := range r.stripes {
		r.stripes[i].lock.Init()
	}
	for i, base := range t.buckets {
		n := min(int(r.Buckets)-i*bucketsPerSlot, bucketsPerSlot)
		clear(unsafe.Slice((*uint64)(base), n)) // the slot's buckets, see view
	}
	var twice []uint32
	for i := r.Pages; i > 0; i-- { // backwards, so that the lowest is used first
		n := pageNumber(i - 1)
		p := t.page(n)
		if !r.isOurs(p.word) || !t.relist(n, p, &twice) {
			*p = page{next: r.pool.head}
			r.pool.head = n
			r.pool.free++
		}
	}
	for _, link := range twice {
		t.give(link)
	}
}

// isOurs tells whether we could have written the word of a page in use so.
func (r *root) isOurs(word uint64) bool {
	class, carved := pageClass(word), pageCarved(word)
	return word != 0 && class < numClasses && carved > 0 && carved <= perPage[class] &&
		uint32(pageBank(word)) < r.Banks
}

// relist puts a page back into its bank and its records into their chains. It returns false if
// there are none.
func (t *Table) relist(n uint32, p *page, twice *[]uint32) bool {
	class := pageClass(p.word)
	b := &t.root.banks[pageBank(p.word)]
	units := classSizes[class] / linkUnit
	p.free, p.used, p.prev, p.next = 0, 0, 0, 0
	for i := pageCarved(p.word); i > 0; i-- {
		link := n*(pageBytes/linkUnit) + (i-1)*units
		if r := t.at(link); r.life != 0 && r.fits(class) {
			p.used++
			if old := t.relink(link, r); old != 0 {
				*twice = append(*twice, old)
			}
		} else {
			r.life, r.chain = 0, chainOf(p.free, 0)
			p.free = link
		}
	}
	if p.used == 0 {
		return false
	}
	b.bytes += uint64(p.used) * uint64(classSizes[class])
	b.free[class] += perPage[class] - p.used
	if p.used < perPage[class] {
		t.list(b, class, n, p)
	}
	return true
}

// fits tells whether we could have written a record of this class so.
func (r *record) fits(class uint8) bool {
	kind := lifeKind(r.life)
	return (kind == Int || kind == Text) &&
		roomFor(kind, sizeKey(r.size), sizeValue(r.size)) <= int(classSizes[class])
}

// relink puts a record into its chain. It returns the link of one to be given back: where the
// process died while it changed a text, the old one, else 0.
func (t *Table) relink(link uint32, r *record) uint32 {
	hash := chainHash(r.chain)
	bucket := t.bucket(hash & t.mask)
	prev := uint32(0)
	for at := bucketHeadLink(*bucket); at != 0; at = chainNext(t.at(at).chain) {
		if old := t.at(at); chainHash(old.chain) == hash && old.sameKey(r) {
			if int32(sizeSeq(r.size)-sizeSeq(old.size)) <= 0 {
				r.life = 0
				return link
			}
			r.chain = old.chain
			if prev == 0 {
				*bucket = bucketOf(0, link)
			} else {
				t.at(prev).chain = chainOf(link, chainHash(t.at(prev).chain))
			}
			old.life = 0
			return at
		}
		prev = at
	}
	r.chain = chainOf(bucketHeadLink(*bucket), hash)
	*bucket = bucketOf(0, link)
	t.root.used++
	if lifeDeadline(r.life) != never {
		t.root.mortal = 1
	}
	return 0
}

// sameKey compares keys of two records.
func (r *record) sameKey(o *record) bool {
	if sizeKey(r.size) != sizeKey(o.size) {
		return false
	}
	for i := range words(sizeKey(r.size)) {
		if *r.word(i) != *o.word(i) {
			return false
		}
	}
	return true
}

// lockFor locks what an operation on the bucket may change.
func (t *Table) lockFor(bucket uint32) *stripe {
	s := t.stripeOf(bucket)
	s.lock.Get()
	return s
}
