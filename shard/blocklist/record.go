package blocklist

import (
	"encoding/binary"
	"math/bits"

	"viaduct/netio"
	"viaduct/shm"
)

// KindTable marks the arena slot of a table: a Root, its Buckets, its Nodes.
const KindTable = 0x20

// Root begins the slot.
//
//	+------+-----------------------+------------------------+
//	| Root | Buckets × Bucket, 8 B | Slots × Node, 64 B     |
//	+------+-----------------------+------------------------+
//
// The networks end the Root.
//
// A link is a node's number from 1 on; 0 ends a chain. All but the first line's constants is
// guarded by lock; used and networksUsed are read without.
type Root struct {
	shm.Header
	Slots   uint32 // nodes there are, a multiple of blockLen; constant
	Buckets uint32 // a power of two; constant

	used         uint32 // nodes in chains, expired ones included
	free         uint32 // first free node
	cursor       uint32 // bucket that the next sweep begins with
	networksUsed uint32 // readers look at so many of networks
	// no entry ends before, in ms: a lower bound, known from the last whole round of sweeps
	earliest int64
	cycleMin int64     // the same for the round under way
	seed     [2]uint64 // of the hash, so that nobody outside can aim at a bucket; constant
	_        [56]byte  // keeps lock and what readers read in lines of their own
	lock     shm.Lock
	networks [MaxNetworks]Network
}

// Bucket heads a chain.
type Bucket struct {
	gen  uint32 // counts the nodes that left the chain: pairs with the second look of a reader
	head uint32
}

// Node is an entry: a cache line. Words are atomics for readers; writers hold the lock.
type Node struct {
	next uint32
	_    uint32
	ip   [2]uint64
	key  uint64 // zone 32 | port 16 | family 8 | protocol 8
	// expiry in ms 48 | version 8 | reasons 8; 0 means not in use. The version's lowest bit chooses
	// the owner
	life  uint64
	since int64     // ms, when it was listed first
	owner [2]uint64 // who listed it last, up to 8 bytes of text, in two versions
}

const (
	rootBytes   = 192 + MaxNetworks*64
	bucketBytes = 8
)

// key is what a look-up compares.
type key struct {
	ip   [2]uint64
	word uint64
}

func keyOf(code uint8, addr *netio.Addr) key {
	return key{
		ip: [2]uint64{binary.LittleEndian.Uint64(addr.IP[:8]),
			binary.LittleEndian.Uint64(addr.IP[8:])},
		word: uint64(addr.Zone)<<32 | uint64(addr.Port)<<16 | uint64(addr.Family)<<8 | uint64(code),
	}
}

// addr is the address of a key.
func (k *key) addr() (a netio.Addr) {
	binary.LittleEndian.PutUint64(a.IP[:8], k.ip[0])
	binary.LittleEndian.PutUint64(a.IP[8:], k.ip[1])
	a.Zone, a.Port, a.Family = uint32(k.word>>32), uint16(k.word>>16), uint8(k.word>>8)
	return a
}

// hash leaves the protocol out: it may be a wildcard on either side. Multiply and fold, keyed by
// seed.
func (k *key) hash(seed *[2]uint64) uint32 {
	hi, lo := bits.Mul64(k.ip[0]^seed[0], k.ip[1]^seed[1])
	hi, lo = bits.Mul64(hi^lo^k.word>>8, seed[0]|1)
	h := hi ^ lo
	return uint32(h ^ h>>32)
}

// life's parts.
func lifeOf(expires int64, version uint8, r Reason) uint64 {
	return uint64(expires)<<16 | uint64(version)<<8 | uint64(r)
}
func lifeExpires(life uint64) int64  { return int64(life >> 16) }
func lifeVersion(life uint64) uint8  { return uint8(life >> 8) }
func lifeReasons(life uint64) Reason { return Reason(life) }

// lifeOver tells whether an entry has ended. A permanent one never does; Kamailio's header says so,
// though only its flush heeds it.
func lifeOver(life uint64, nowMs int64) bool {
	return nowMs >= lifeExpires(life) && lifeReasons(life)&Permanent == 0
}
