package shm

import (
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
