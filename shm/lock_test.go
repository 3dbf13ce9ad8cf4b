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

// TestLockCounts has 64 goroutines count under 16 locks, exactly. The counts are Go memory, so the
// race detector judges the locks too.
func TestLockCounts(t *testing.T) {
	const goroutines, rounds = 64, 500
	var locks [16]Lock
	var counts [len(locks)]int
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				l := (g + i) % len(locks)
				if i%2 == 0 || !locks[l].Try() {
					locks[l].Get()
				}
				counts[l]++
				locks[l].Release()
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
}

func TestLock(t *testing.T) {
	var l Lock
	f := func(want bool) {
		t.Helper()
		if got := l.Try(); got != want {
			t.Errorf("Try is %v, want %v", got, want)
		}
	}
	f(true)
	f(false) // not recursive
	done := make(chan bool)
	go func() { l.Release(); done <- true }() // no owner check
	<-done
	f(true)
	l.Init()
	f(true)

	// A waiter sleeps, and wakes.
	go func() { l.Get(); l.Release(); done <- true }()
	select {
	case <-done:
		t.Fatal("got a held lock")
	case <-time.After(20 * time.Millisecond):
	}
	for end := time.Now().Add(5 * time.Second); atomic.LoadUint32(&l.word) != 2; {
		if time.Now().After(end) {
			t.Fatal("the waiter spins instead of sleeping")
		}
		time.Sleep(time.Millisecond)
	}
	best := time.Hour
	for range 100 {
		start := time.Now()
		l.Try()
		best = min(best, time.Since(start))
	}
	if best > time.Microsecond && !raceEnabled {
		t.Errorf("try on a held lock took %v", best)
	}
	l.Release()
	<-done
}

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
