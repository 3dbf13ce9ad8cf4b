package shm

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// OffOf is the offset of a record that Ptr gave: the way back. p must point to the beginning of a
// slot of a.
func OffOf[T any](a *Arena, p *T) Off {
	return Off((uintptr(unsafe.Pointer(p)) - uintptr(a.base)) / Align)
}

// Live tells whether off, which may come from a stranger, names a live slot of the slab's shard and
// of that kind: it is the beginning of a slot, and published. The owner's goroutine only.
func (s *Slab) Live(off Off, kind Kind) bool {
	h := s.a.headerAt(off)
	return h != nil && h.Kind == kind && h.Live() && s.a.chunkOf(off).load().shard() == s.shard
}

// ShardOf is the shard whose memory off, which may come from a stranger, is in; -1 means none. Any
// goroutine may ask: what stands there is the shard's matter.
func (a *Arena) ShardOf(off Off) int {
	at := uint32(off) - a.firstOff
	if at >= a.spanOff {
		return -1
	}
	w := a.wordAt(int(at / chunkUnits))
	if w.use() != chunkSlots && w.use() != chunkSpan {
		return -1
	}
	return w.shard()
}

// View is a record in bytes that belong to another record. T must hold no pointer; b must be long
// enough and aligned for T, and the view lasts as long as b. In bounds by the length check; unmoved
// since arena and heap memory stay where they are.
func View[T any](b []byte) *T {
	var zero T
	p := unsafe.Pointer(unsafe.SliceData(b))
	if len(b) < int(unsafe.Sizeof(zero)) || uintptr(p)%unsafe.Alignof(zero) != 0 {
		panic(fmt.Sprintf("BUG: shm view of %d bytes in %d, or misaligned", unsafe.Sizeof(zero),
			len(b)))
	}
	return (*T)(p)
}

// NewIndex is a zeroed table of n words outside the arena and outside the Go heap: for indexes that
// are rebuilt rather than recovered, too large for the collector to carry around. It lasts until
// FreeIndex. Huge pages are asked for, since access is random: without them each look-up also
// misses the TLB.
func NewIndex(n int) ([]uint64, error) {
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(n)*8, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("cannot map an index of %d MiB: %w", n*8>>20, err)
	}
	b := unsafe.Slice((*byte)(p), n*8)
	// Hints: without them the table is slower, not wrong. Its pages are made now (Linux 5.14), so
	// that no call waits for one.
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	_ = unix.Madvise(b, unix.MADV_POPULATE_WRITE)
	return unsafe.Slice((*uint64)(p), n), nil
}

// FreeIndex gives back what NewIndex made, all of it. Nobody may use it afterwards.
func FreeIndex(x []uint64) error {
	// The mapping that NewIndex made, of whole words, until this call.
	err := unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(x)), uintptr(len(x))*8)
	if err != nil {
		return fmt.Errorf("cannot unmap an index of %d MiB: %w", len(x)*8>>20, err)
	}
	return nil
}
