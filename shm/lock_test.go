package shm

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waitFD reports whether fd becomes readable in time.
func waitFD(fd int, d time.Duration) bool {
	end := time.Now().Add(d)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}},
			int(max(time.Until(end), 0).Milliseconds()))
		if err != unix.EINTR {
			return n == 1
		}
	}
}

// C3: 64 goroutines × n locks, counting exact. The counts are Go memory, so the race detector
// judges the locks too.
func TestLockSetCounts(t *testing.T) {
	const goroutines, locks, rounds = 64, 16, 500
	a := newTest(t, 4<<20, 1)
	set, ok := a.NewLockSet(locks)
	if !ok || set.Len() != locks {
		t.Fatal("alloc")
	}
	other := a.LockSetAt(set.Off()) // as another process would
	var counts [locks]int
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			s := set
			if g%2 == 0 {
				s = other
			}
			for i := range rounds {
				l := (g + i) % locks
				switch {
				case i%3 == 0 && s.Try(l), i%3 == 1 && s.TryRC(l) == 0:
				default:
					s.Get(l)
				}
				counts[l]++
				s.Release(l)
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	if sum != goroutines*rounds {
		t.Errorf("counted %d, want %d", sum, goroutines*rounds)
	}
	set.Destroy()
	set.Dealloc()
}

func TestLockSetSemantics(t *testing.T) {
	a := newTest(t, 4<<20, 1)
	set, ok := a.NewLockSet(3)
	if !ok {
		t.Fatal("alloc")
	}
	f := func(i, want int) {
		t.Helper()
		if got := set.TryRC(i); got != want {
			t.Errorf("TryRC(%d) = %d, want %d", i, got, want)
		}
	}
	f(0, 0)
	f(0, -1) // not recursive
	f(1, 0)  // another lock is another lock
	if set.Try(1) {
		t.Error("took a held lock")
	}
	done := make(chan bool)
	go func() { set.Release(0); done <- true }() // no owner check
	<-done
	f(0, 0)
	set.Init()
	f(0, 0)
	f(1, 0)
	f(2, 0)

	// A waiter sleeps, and wakes.
	go func() { set.Get(2); set.Release(2); done <- true }()
	select {
	case <-done:
		t.Fatal("got a held lock")
	case <-time.After(20 * time.Millisecond):
	}
	if atomic.LoadUint32(&set.locks[2].word) != 2 {
		t.Error("the waiter spins instead of sleeping")
	}
	set.Release(2)
	<-done

	best := time.Hour
	for range 100 {
		start := time.Now()
		set.Try(0)
		best = min(best, time.Since(start))
	}
	if best > time.Microsecond && !raceEnabled {
		t.Errorf("try on a held lock took %v", best)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("index beyond the set")
			}
		}()
		set.Get(3)
	}()
	set.Destroy()
	set.Dealloc()

	// Too many for the arena, not too many for the type: retry with less.
	n, tries := MaxLocks, 0
	for ; ; n /= 2 {
		if s, ok := a.NewLockSet(n); ok {
			s.Destroy()
			s.Dealloc()
			break
		}
		tries++
	}
	if tries == 0 || n < 1000 {
		t.Errorf("%d locks after %d tries", n, tries)
	}
	for _, n := range []int{0, -1, MaxLocks + 1} {
		if _, ok := a.NewLockSet(n); ok {
			t.Errorf("a set of %d locks", n)
		}
	}
	mustPanic(t, "lock set expected", func() {
		off, _ := a.Slab(0).Alloc(1, 100)
		defer a.Slab(0).Free(off)
		a.LockSetAt(off)
	})
}

// A shard survives a panic; the shared slab must, too.
func TestSharedAfterPanic(t *testing.T) {
	a := newTest(t, 4<<20, 1)
	off, _ := a.Shared().Alloc(1, 100)
	a.Shared().Free(off)
	mustPanic(t, "double free", func() { a.Shared().Free(off) })
	if off, ok := a.Shared().Alloc(1, 100); !ok {
		t.Error("no room")
	} else {
		a.Shared().Free(off)
	}
}

func TestSharedFromMany(t *testing.T) {
	a := newTest(t, 8<<20, 1)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 500 {
				off, ok := a.Shared().Alloc(1, 100+i)
				if !ok {
					t.Error("full")
					return
				}
				a.Bytes(off, 0, 8)[7] = byte(g)
				a.Shared().Publish(off)
				if a.Bytes(off, 0, 8)[7] != byte(g) {
					t.Error("shared slot handed out twice")
				}
				a.Shared().Free(off)
			}
		})
	}
	wg.Wait()
}

// Readers on other threads see one version or the other.
func TestPairLoad(t *testing.T) {
	a := newTest(t, 4<<20, 1)
	off, _ := a.Slab(0).Alloc(1, 200)
	type rec struct {
		Header
		P Pair[[6]uint64]
	}
	p := &Ptr[rec](a, off).P
	p.Set([6]uint64{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			var v [6]uint64
			last, good := uint64(0), 0
			for last < 20_000 {
				if !p.Load(&v) {
					continue
				}
				good++
				if v[0] < last {
					t.Errorf("went back from %d to %d", last, v[0])
					return
				}
				last = v[0]
				for _, w := range v {
					if w != last {
						t.Errorf("torn: %v", v)
						return
					}
				}
			}
			if good == 0 {
				t.Error("never read")
			}
		})
	}
	for i := uint64(1); i <= 20_000; i++ {
		v := p.Edit()
		for j := range v {
			v[j] = i
		}
		p.Flip()
		if p.Now()[5] != i {
			t.Fatal("now")
		}
	}
	wg.Wait()
	var odd Pair[[3]byte]
	mustPanic(t, "multiple of 4", func() { odd.Load(&[3]byte{}) })
	a.Slab(0).Free(off)
}
