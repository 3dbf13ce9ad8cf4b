package table

import (
	"encoding/binary"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"viaduct/shm"
)

// Kinds of slots, of those that package shm keeps for itself.
const (
	KindDirectory shm.Kind = 0xf2 // a directory
	KindTable     shm.Kind = 0xf3 // a root
	KindBuckets   shm.Kind = 0xf4 // buckets
	KindRegion    shm.Kind = 0xf5 // a region
)

// root begins a table. Its first part is constant from the table's publication on.
type root struct {
	shm.Header
	Entries     uint32
	Buckets     uint32 // a power of two
	Pages       uint32 // that hold records
	Regions     uint32
	BucketSlots uint32
	Stripes     uint32 // a power of two, each as many buckets
	Banks       uint32
	MaxKey      uint16
	MaxValue    uint16
	seed        [2]uint64
	bytes       uint64 // Config.Bytes as asked for
	_           [56]byte

	used   uint32 // entries, ended ones included
	mortal uint32 // 1 once an entry was put that ends
	_      [56]byte

	pool    pool
	banks   [maxBanks]bank
	stripes [maxStripes]stripe

	bucketSlots [maxBucketSlots]shm.Off
	regions     [maxRegions]shm.Off
}

// stripe is a range of buckets and who may write to it.
type stripe struct {
	lock    shm.Lock
	refused uint64 // under the lock, read by anybody
	ended   uint64
	_       [48]byte
}

// pool is the pages of no class, a list. A bank's lock may be held when its lock is taken.
type pool struct {
	lock shm.Lock
	head uint32
	free uint32 // how many; read by anybody
	_    [56]byte
}

// bank is an allocator: pages of each class that have room.
type bank struct {
	lock  shm.Lock
	bytes uint64             // in use; read by anybody
	heads [numClasses]uint32 // first page with room; 0 means none
	free  [numClasses]uint32 // free records in this bank's pages; read by anybody
	_     [(64 - (8+8*int(numClasses))%64) % 64]byte
}

// regionHead begins a region.
type regionHead struct {
	shm.Header
	_     [48]byte
	pages [dataPages]page
}

// page describes one. Its number is its place among all, headPages of each region included, so that
// 0 is none.
type page struct {
	// carved 16 | bank 8 | class + 1 8; 0 means in the pool. What is believed after a kill
	word uint64
	free uint32 // first free record that was used before
	used uint32
	prev uint32 // neighbours in its bank's list, or in the pool's
	next uint32
	_    [8]byte
}

func pageWord(class, bank uint8, carved uint32) uint64 {
	return uint64(carved)<<16 | uint64(bank)<<8 | uint64(class+1)
}
func pageClass(word uint64) uint8   { return uint8(word) - 1 }
func pageBank(word uint64) uint8    { return uint8(word >> 8) }
func pageCarved(word uint64) uint32 { return uint32(word >> 16) }

// bucketHead begins a slot of buckets.
type bucketHead struct {
	shm.Header
	_ [48]byte
}

const (
	rootBytes       = int(unsafe.Sizeof(root{}))
	regionHeadBytes = headPages * pageBytes
	bucketHeadBytes = int(unsafe.Sizeof(bucketHead{}))
)

// ownLayout is what two programs must agree on to share a table, besides what its values mean.
var ownLayout = shm.LayoutOf(
	root{}, bucketHead{}, regionHead{}, record{}, directory{}, [numClasses]uint32{},
	[3]uint64{linkUnit, pageBytes, bucketsPerSlot},
) ^ classHash()

// classHash tells two lists of classes apart, which are values and no layout.
func classHash() uint64 {
	h := xxhash.New()
	_ = binary.Write(h, binary.LittleEndian, classSizes[:]) // a Digest does not fail
	return h.Sum64()
}

// classSizes are the sizes of records, multiples of linkUnit; they fill a page but for 2.5 % at
// most.
var classSizes = [...]uint32{
	64, 96, 128, 160, 192, 256, 320, 384, 512, 640, 800, 1024, 1344, 1632, 2048, 2720, 4096, 5440,
	8192,
	16384,
}

const numClasses = uint8(len(classSizes))

// classOf maps a size in units of linkUnit, rounded up, to its class.
var classOf = func() (t [pageBytes/linkUnit + 1]uint8) {
	c := uint8(0)
	for u := range t {
		if uint32(u) > classSizes[c]/linkUnit {
			c++
		}
		t[u] = c
	}
	return t
}()

// perPage is how many records of each class a page holds.
var perPage = func() (t [numClasses]uint32) {
	for i, n := range classSizes {
		t[i] = pageBytes / n
	}
	return t
}()

func classFor(bytes int) uint8 { return classOf[(bytes+linkUnit-1)/linkUnit] }

// EntryBytes is what an entry with such a key and value takes of Config.Bytes.
func EntryBytes(kind Kind, keyBytes, valueBytes int) int {
	return int(classSizes[classFor(roomFor(kind, keyBytes, valueBytes))])
}
