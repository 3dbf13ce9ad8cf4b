package shm

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Lock is a lock in shared memory, for goroutines of any process that maps the arena: a cache line,
// zero is free. Not recursive, without owner (anybody may release it), without order among waiters.
// It spins shortly, then sleeps in the kernel (futex), which stops the goroutine's thread: on the
// packet's path a shard waits for those of tables only (shm/table), which are held for some 100 ns.
//
// Whoever dies holding it leaves it held until Recover.
type Lock struct {
	word uint32 // 0 free, 1 held, 2 held and someone sleeps
	_    [60]byte
}

// Init makes the lock free.
func (l *Lock) Init() { atomic.StoreUint32(&l.word, 0) }

// Try takes the lock if it is free, and never waits.
func (l *Lock) Try() bool {
	if !atomic.CompareAndSwapUint32(&l.word, 0, 1) {
		return false
	}
	raceAcquire(unsafe.Pointer(l))
	return true
}

// Get takes the lock and waits for it as long as it takes.
func (l *Lock) Get() {
	if !l.Try() {
		l.wait()
	}
}

// wait is Drepper's third mutex ("Futexes are tricky", 2011): who has slept takes the lock as 2,
// for it cannot know of others.
func (l *Lock) wait() {
	for range lockSpins {
		if atomic.LoadUint32(&l.word) == 0 && l.Try() {
			return
		}
	}
	for atomic.SwapUint32(&l.word, 2) != 0 {
		// Not FUTEX_PRIVATE: other processes wait on the same page. EAGAIN and EINTR lead to
		// another look. Through Syscall, so that the scheduler can give the processor away.
		_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&l.word)), futexWait, 2, 0,
			0, 0)
	}
	raceAcquire(unsafe.Pointer(l))
}

// Release frees the lock and wakes one who sleeps for it.
func (l *Lock) Release() {
	raceRelease(unsafe.Pointer(l))
	if atomic.SwapUint32(&l.word, 0) == 2 {
		_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&l.word)), futexWake, 1,
			0, 0, 0)
	}
}

// futex(2) operations, linux/futex.h.
const (
	futexWait = 0
	futexWake = 1
)

// LockSet is n locks in one slot of the shared slab (Kamailio's lock_set_t). Life: NewLockSet
// (alloc and init), Get/Try/Release, Destroy, Dealloc. The handle is on the Go heap; others find
// the set by Off with LockSetAt. Unlike Kamailio's, an index outside 0..Len()-1 panics.
type LockSet struct {
	a     *Arena
	off   Off
	locks []Lock // in the arena, until Dealloc or Close
}

// lockSetHead begins the slot; the locks follow, each in its line.
type lockSetHead struct {
	Header
	n uint32
	_ [44]byte
}

// NewLockSet allocates n locks, 1 to MaxLocks, in shared memory, all free. It returns false if the
// arena has no room for so many; a caller retries with fewer (C3).
func (a *Arena) NewLockSet(n int) (*LockSet, bool) {
	if n < 1 || n > MaxLocks {
		return nil, false
	}
	off, ok := a.shared.Alloc(KindLockSet, int(unsafe.Sizeof(lockSetHead{}))+n*Align)
	if !ok {
		return nil, false
	}
	Ptr[lockSetHead](a, off).n = uint32(n)
	set := a.LockSetAt(off)
	set.Init()
	a.shared.Publish(off)
	return set, true
}

// LockSetAt is the set at off, as told by Off in this process or another. It panics if there is
// none.
func (a *Arena) LockSetAt(off Off) *LockSet {
	set := a.lockSetAt(off)
	if set == nil {
		h := Ptr[lockSetHead](a, off)
		panic(fmt.Sprintf("BUG: shm lock set expected at %#x, kind %d with %d locks found",
			uint32(off), h.Kind, h.n))
	}
	return set
}

func (a *Arena) lockSetAt(off Off) *LockSet {
	h := Ptr[lockSetHead](a, off)
	room := uint32(a.slotBytes(off, &h.Header)/Align - 1)
	if h.Kind != KindLockSet || h.n == 0 || h.n > room {
		return nil
	}
	// The slot's memory after its head, in bounds by the check above, until Dealloc.
	first := (*Lock)(unsafe.Add(unsafe.Pointer(h), unsafe.Sizeof(*h)))
	return &LockSet{a: a, off: off, locks: unsafe.Slice(first, h.n)}
}

// Off names the set, for records that use it.
func (s *LockSet) Off() Off { return s.off }

// Len is the number of locks.
func (s *LockSet) Len() int { return len(s.locks) }

// Init makes all locks free; NewLockSet has done so.
func (s *LockSet) Init() {
	for i := range s.locks {
		s.locks[i].Init()
	}
}

// freeAll is Init that counts the locks that were held.
func (s *LockSet) freeAll() (held int) {
	for i := range s.locks {
		if atomic.SwapUint32(&s.locks[i].word, 0) != 0 {
			held++
		}
	}
	return held
}

// Get takes lock i and waits for it as long as it takes.
func (s *LockSet) Get(i int) { s.locks[i].Get() }

// Try takes lock i if it is free, and never waits.
func (s *LockSet) Try(i int) bool { return s.locks[i].Try() }

// TryRC is Try as C code knows it: 0 taken, −1 busy, the opposite of a boolean.
func (s *LockSet) TryRC(i int) int {
	if s.locks[i].Try() {
		return 0
	}
	return -1
}

// Release frees lock i, whoever holds it.
func (s *LockSet) Release(i int) { s.locks[i].Release() }

// Destroy ends the use of the locks; before Dealloc. In memory there is nothing to do (with SysV
// semaphores there was).
func (s *LockSet) Destroy() {}

// Dealloc gives the memory back. The set, and every handle to it, is dead.
func (s *LockSet) Dealloc() {
	s.locks = nil
	s.a.shared.Free(s.off)
}
