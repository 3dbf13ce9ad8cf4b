package shm

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Off names a slot: its distance from the start of the arena in units of Align bytes. 0 is nil. It
// means the same in every process that maps the arena, before and after a restart, and is valid
// from Alloc to Free.
type Off uint32

// Kind says what record a slot holds. Users number theirs from 1; KindShm and above are this
// package's own.
type Kind uint8

// Kinds of this package.
const (
	// KindShm is the first Kind reserved for this package.
	KindShm Kind = 0xf0
)

// Values of Header.State. Words that no text or counter looks like, so that an Off that points into
// the middle of a slot is caught by Free and passed over by Recover.
const (
	// StateFree: nobody's. The rest of the header means nothing.
	StateFree uint32 = 0
	// StateReserved: between Alloc and Publish. Reclaimed when the process dies.
	StateReserved uint32 = 0xa15e5e4d
	// StateLive: published; see Header.Owner for when it counts.
	StateLive uint32 = 0xa1116e4d
)

// Header begins every slot. Records are Go structs without pointers that embed it as their first
// field.
//
//	 0               4      5      6        8              12             16
//	+---------------+------+------+--------+--------------+--------------+
//	| State         | Kind | Class| Flags  | Len          | Owner        |
//	+---------------+------+------+--------+--------------+--------------+
type Header struct {
	// State is stored last, with release semantics, by Publish, and first by Free. Others ask Live.
	State uint32
	// Kind is what Alloc was given.
	Kind Kind
	// Class is the slot's size class, of no use outside this package.
	Class uint8
	// Flags is the user's; Alloc sets 0.
	Flags uint16
	// Len is the user's: payload bytes in use after the header or record; Alloc sets 0.
	Len uint32
	// Owner is the record that owns this slot; 0 means it owns itself. The slot counts after a
	// crash only if the owner does. In a free slot it links the free list.
	Owner Off
}

// Live reports whether the slot is published, with acquire semantics: what was written before
// Publish is visible.
func (h *Header) Live() bool { return atomic.LoadUint32(&h.State) == StateLive }

// Ptr views the slot at off as a T, whose first field is a Header.
//
// Whose memory: the arena's, not the Go heap's, so the collector neither scans nor moves it. Why in
// bounds: off comes from an Alloc of at least Sizeof(T) bytes; the check keeps even a wild off
// inside the chunks, though not inside one slot. How long: until the slot is freed or the arena
// closed, whichever is first; the pointer may be kept on the Go heap, never in the arena. T's
// alignment is at most 8 and slots are aligned to 64.
func Ptr[T any](a *Arena, off Off) *T {
	if uint32(off)-a.firstOff >= a.spanOff {
		badOff(a, off)
	}
	return (*T)(unsafe.Add(a.base, uintptr(off)*Align))
}

// badOff is apart so that Ptr stays inlineable (see inlining_test.go).
//
//go:noinline
func badOff(a *Arena, off Off) {
	panic(fmt.Sprintf("BUG: shm offset %#x is outside the slots %#x..%#x", uint32(off), a.firstOff,
		uint64(a.firstOff)+uint64(a.spanOff)))
}

// Bytes is a view of n payload bytes of the slot at off, beginning skip bytes after its Header;
// capped, so that append copies. Valid until the slot is freed. Panics when the range leaves the
// slot.
func (a *Arena) Bytes(off Off, skip, n int) []byte {
	h := Ptr[Header](a, off)
	size := a.slotBytes(off, h)
	if skip < 0 || n < 0 || skip > size-HeaderBytes || n > size-HeaderBytes-skip {
		panic(fmt.Sprintf("BUG: shm bytes %d+%d outside the payload of slot %#x with %d bytes",
			skip, n, uint32(off), size-HeaderBytes))
	}
	// Memory of the arena; in bounds by the check above; until Free.
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(h), HeaderBytes+skip)), n)[:n:n]
}

// Tail is a view of the n bytes that follow the record T in the slot at off: the room that Alloc
// was asked for beyond Sizeof(T). Valid until the slot is freed. Panics when the range leaves the
// slot.
func Tail[T any](a *Arena, off Off, n int) []byte {
	var t T
	return a.Bytes(off, int(unsafe.Sizeof(t))-HeaderBytes, n)
}

// slotBytes is the size of the slot at off, header included.
func (a *Arena) slotBytes(off Off, h *Header) int {
	if h.Class < numClasses {
		return int(classes[h.Class].bytes)
	}
	w := chunkWord(atomic.LoadUint64(&a.chunkOf(off).word))
	return int(w.count()) * chunkBytes
}
