package shm

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Pair keeps two versions of T and a word that says which one counts, so that several fields of a
// live record change in one store: as part of a record, for whatever must be consistent after a
// kill -9.
//
//	p := &rec.Target
//	t := p.Edit()      // a copy of what counts, in the other half
//	t.Addr, t.Flow = … // may die here: the old version counts
//	p.Flip()           // one store: the new version counts
//
// The owner's goroutine calls all methods but Load. T has no pointers and a size that is a multiple
// of 4.
type Pair[T any] struct {
	seq uint32 // the lowest bit chooses the version; written by the owner with Flip
	_   uint32
	v   [2]T
}

// Set begins a Pair in a record not yet published, whose memory may hold anything.
func (p *Pair[T]) Set(v T) {
	p.seq = 0
	p.v[0] = v
}

// Now is the version that counts. Valid until the next Flip; not to be written.
func (p *Pair[T]) Now() *T { return &p.v[p.seq&1] }

// Edit copies the version that counts into the other half and returns that, to be changed before
// Flip. What is not flipped never happened.
func (p *Pair[T]) Edit() *T {
	next := &p.v[^p.seq&1]
	*next = p.v[p.seq&1]
	return next
}

// Flip makes the edited half count. An add and not a store: the next Edit overwrites what Load may
// be reading, and on arm64 a releasing store would let those writes pass it. Pairs with Load.
func (p *Pair[T]) Flip() { atomic.AddUint32(&p.seq, 1) }

// Load copies the version that counts, from any thread. It returns false if the owner flipped
// meanwhile and dst may be torn; try again.
func (p *Pair[T]) Load(dst *T) bool {
	size := unsafe.Sizeof(*dst)
	if size%4 != 0 {
		panic(fmt.Sprintf("BUG: shm pair of %T, %d bytes: a multiple of 4 is needed", *dst, size))
	}
	seq := atomic.LoadUint32(&p.seq)
	// Word by word and atomically, so that none of the loads passes the second look at seq. Both
	// are Ts, for this call; aligned to 4 because seq precedes them and Ts are multiples of 4
	// apart. dst is the caller's own: were T of bytes alone, it might not be aligned, hence the
	// array.
	from := unsafe.Pointer(&p.v[seq&1])
	to := unsafe.Slice((*byte)(unsafe.Pointer(dst)), size)
	for i := uintptr(0); i < size; i += 4 {
		w := atomic.LoadUint32((*uint32)(unsafe.Add(from, i)))
		*(*[4]byte)(to[i:]) = *(*[4]byte)(unsafe.Pointer(&w))
	}
	return atomic.LoadUint32(&p.seq) == seq
}
