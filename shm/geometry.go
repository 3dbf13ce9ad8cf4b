package shm

import (
	"fmt"
	"unsafe"
)

const (
	arenaMagic   uint64 = 0x0a54435544414956 // "VIADUCT\n" in memory order
	arenaVersion uint32 = 1
	pageBytes           = 4096
	hugeBytes           = 2 << 20 // PMD size on amd64, and on arm64 with 4 KiB pages
)

// arenaHeader begins the arena. Everything up to Epoch is written once by Create, Ready last.
//
//	arena: | arenaHeader | shardBlock × (shards+1)  | mailbox × shards | ring × shards·(shards−1) |
//	         one page      the last is the shared one
//	       | chunk × chunks | pad | chunks       |
//	                                256 KiB each
type arenaHeader struct {
	Magic     uint64
	Version   uint32
	Ready     uint32 // stored last by Create: 1
	Own       uint64 // hash of this package's layouts
	Layout    uint64 // Config.Layout: the users' layouts
	Bytes     uint64
	RingBytes uint64
	Shards    uint32
	Chunks    uint32
	FirstAt   uint64 // byte distance of the first chunk
	Epoch     uint64 // 1 at Create, +1 at each Recover
}

// slabWords are what others may read of a slab. Single writer; rebuilt by Recover.
type slabWords struct {
	Used    uint64 // bytes of slots in use
	Chunks  uint64 // chunks held
	Refused uint64 // Allocs refused because the arena was full
	_       [40]byte
}

// bellWord is a Doorbell's shared half, alone in its line: its owner writes it twice per sleep,
// others look at it per batch.
type bellWord struct {
	state uint32
	_     [60]byte
}

// shardBlock is what one shard has besides slots and rings. Its parts are whole cache lines.
type shardBlock struct {
	counters Counters
	slab     slabWords
	bell     bellWord
	lock     Lock // used in the shared block only: guards the shared slab
}

const (
	shardBlockBytes = unsafe.Sizeof(shardBlock{})
	chunkDescBytes  = unsafe.Sizeof(chunk{})
)

// geometry is where things are, computed from three numbers alike by Create and AttachFile. All in
// bytes from the start.
type geometry struct {
	bytes, ringBytes                  int64
	shards                            int
	blockAt, mailAt, ringAt, ringsEnd int64
	chunkAt, firstAt                  int64
	chunks                            int
}

func up(n, to int64) int64 { return (n + to - 1) / to * to }

// layOut places everything, or says what does not fit.
func layOut(bytes int64, shards, ringBytes int) (geometry, error) {
	g := geometry{bytes: bytes, ringBytes: int64(ringBytes), shards: shards}
	g.blockAt = pageBytes
	g.mailAt = up(g.blockAt+int64(shards+1)*int64(shardBlockBytes), Align)
	g.ringAt = up(g.mailAt+int64(shards)*int64(mailboxBytes), pageBytes)
	g.ringsEnd = g.ringAt + int64(shards)*int64(shards-1)*g.ringStride()
	g.chunkAt = up(g.ringsEnd, Align)
	// Each slab needs a chunk to begin with; less is not an arena.
	least := up(g.chunkAt+int64(shards+1)*int64(chunkDescBytes),
		chunkBytes) + int64(shards+1)*chunkBytes
	if bytes < least {
		return g, fmt.Errorf("cannot lay out %d shards in %d MB: rings of %d KiB per pair take "+
			"%d MB and the least is %d MB; raise -m or use fewer shards",
			shards, bytes>>20, ringBytes>>10, (g.ringsEnd-g.ringAt)>>20, up(least, 1<<20)>>20)
	}
	for n := (bytes - g.chunkAt) / (chunkBytes + int64(chunkDescBytes)); ; n-- {
		first := up(g.chunkAt+n*int64(chunkDescBytes), chunkBytes)
		if first+n*chunkBytes <= bytes {
			g.firstAt, g.chunks = first, int(n)
			return g, nil
		}
	}
}

// ringStride is the room of one ring: its header and data with the slop behind it, whole pages.
func (g *geometry) ringStride() int64 { return g.ringBytes + ringExtraBytes }

// ringOff is where the ring from one shard to another is. The diagonal has none.
func (g *geometry) ringOff(from, to int) int64 {
	if to > from {
		to--
	}
	return g.ringAt + (int64(from)*int64(g.shards-1)+int64(to))*g.ringStride()
}
