package shm

import (
	"math/bits"
	"sync/atomic"
)

// chunkWord says what a chunk is. It is the one thing about a chunk that Recover believes.
//
//	 63    56 55    48 47        32 31                        0
//	+--------+--------+------------+---------------------------+
//	|  use   | class  |   shard    | slots carved / span length|
//	+--------+--------+------------+---------------------------+
//
// A slot exists once it is counted as carved: its header is written first, since the memory may
// hold anything. Written by the slab that holds the chunk, with atomic stores.
type chunkWord uint64

// Uses of a chunk.
const (
	chunkFree     = iota // in the pool, or about to be
	chunkSlots           // slots of one class
	chunkSpan            // first of a span
	chunkSpanTail        // the rest of it; means nothing without a chunkSpan that reaches it
)

func wordOf(use int, class uint8, shard int, count uint32) chunkWord {
	return chunkWord(uint64(use)<<56 | uint64(class)<<48 | uint64(shard)<<32 | uint64(count))
}

func (w chunkWord) use() int      { return int(w >> 56) }
func (w chunkWord) class() uint8  { return uint8(w >> 48) }
func (w chunkWord) shard() int    { return int(uint16(w >> 32)) }
func (w chunkWord) count() uint32 { return uint32(w) }

// chunk describes one chunk, in the arena but apart from it: slots are aligned and the descriptors
// dense. A cache line, so that two shards with neighbouring chunks do not meet.
type chunk struct {
	word uint64 // chunkWord, atomic

	// Written by the slab that holds the chunk, not atomic; rebuilt by Recover.
	free Off    // first free carved slot; Header.Owner of each links the next
	used uint32 // slots in use
	prev uint32 // neighbours in the slab's list of chunks with room, as index+1; 0 means none
	next uint32
	_    [40]byte
}

func (c *chunk) load() chunkWord   { return chunkWord(atomic.LoadUint64(&c.word)) }
func (c *chunk) store(w chunkWord) { atomic.StoreUint64(&c.word, uint64(w)) }

// pool is the set of free chunks: one bit each, taken and given back by compare-and-swap. On the Go
// heap, since nothing of it is worth keeping: a chunk whose bit is cleared but whose word still
// says free was being taken when the process died.
type pool struct {
	bits []atomic.Uint64
	free atomic.Int64 // set bits, at most; decremented after a take, so 0 means a look is in vain
}

func (p *pool) init(chunks int) { p.bits = make([]atomic.Uint64, (chunks+63)/64) }

// fill makes all chunks free.
func (p *pool) fill(chunks int) {
	for i := range chunks {
		p.give(i)
	}
}

// give puts chunk i back.
func (p *pool) give(i int) {
	if old := p.bits[i/64].Or(1 << (i % 64)); old&(1<<(i%64)) != 0 {
		panic("BUG: shm chunk given back twice")
	}
	p.free.Add(1)
}

// take takes the lowest free chunk, so that the memory in use stays dense. It returns -1 if there
// is none.
func (p *pool) take() int {
	if p.free.Load() <= 0 {
		return -1 // the full arena, where shedding must cost little
	}
	for i := range p.bits {
		for w := p.bits[i].Load(); w != 0; w = p.bits[i].Load() {
			bit := bits.TrailingZeros64(w)
			if p.bits[i].CompareAndSwap(w, w&^(1<<bit)) {
				p.free.Add(-1)
				return i*64 + bit
			}
		}
	}
	return -1
}

// takeRun takes n chunks in a row, the highest such run, away from where single chunks come from.
// It returns -1 if there is none.
func (p *pool) takeRun(n int) int {
	if p.free.Load() < int64(n) {
		return -1
	}
	run := 0 // chunks i..i+run-1 are ours
	for i := len(p.bits)*64 - 1; i >= 0; i-- {
		if p.bits[i/64].Load() == 0 && run == 0 {
			i = i / 64 * 64 // nothing in this word
			continue
		}
		if p.claim(i) {
			if run++; run == n {
				return i
			}
			continue
		}
		for ; run > 0; run-- {
			p.give(i + run)
		}
	}
	for ; run > 0; run-- {
		p.give(run - 1)
	}
	return -1
}

// claim takes chunk i if it is free.
func (p *pool) claim(i int) bool {
	bit := uint64(1) << (i % 64)
	if p.bits[i/64].And(^bit)&bit == 0 {
		return false
	}
	p.free.Add(-1)
	return true
}
