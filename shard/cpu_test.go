package shard

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSecondNumber(t *testing.T) {
	f := func(line string, want int64, wantOK bool) {
		t.Helper()
		if n, ok := secondNumber([]byte(line)); n != want || ok != wantOK {
			t.Errorf("%q: got %d %v, want %d %v", line, n, ok, want, wantOK)
		}
	}
	f("762497 1234 1\n", 1234, true)
	f("0 0 0", 0, true)
	f("762497", 0, false)
	f("762497 x 1", 0, false)
	f("", 0, false)
}

// TestStarvedShardLeavesItsCPU: beside a thread that never stops, a pinned one is let go; without it, it stays.
func TestStarvedShardLeavesItsCPU(t *testing.T) {
	cpus := allowedCPUs()
	if len(cpus) < 2 {
		t.Skip("needs two CPUs")
	}
	var stop atomic.Bool
	defer stop.Store(true)
	go func() { // the busy neighbour
		runtime.LockOSThread()
		_ = allow(cpus[0])
		for !stop.Load() {
		}
	}()
	moved := make(chan []int)
	go func() {
		runtime.LockOSThread()
		var p place
		begin := time.Now()
		p.settle(cpus, 0, 1, 0)
		if p.stat == nil {
			moved <- nil
			return
		}
		for time.Since(begin) < 20*time.Second {
			if ok, _ := p.watch(int64(time.Since(begin))); ok {
				moved <- allowedCPUs()
				return
			}
			for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
			}
		}
		moved <- []int{cpus[0]}
	}()
	switch now := <-moved; {
	case now == nil:
		t.Skip("this kernel keeps no schedstat")
	case len(now) != len(cpus):
		t.Errorf("after 20 s of waiting the thread may use CPUs %v, want %v", now, cpus)
	}
}

// TestQuietShardStays: waiting time far below the limit never adds up to a move.
func TestQuietShardStays(t *testing.T) {
	runtime.LockOSThread() // never unlocked: the thread's CPU mask ends with it
	var p place
	p.settle([]int{allowedCPUs()[0], allowedCPUs()[0]}, 0, 1, 0)
	defer p.leave()
	var before, after unix.CPUSet
	_ = unix.SchedGetaffinity(0, &before)
	now := int64(0)
	for range 10 {
		now += int64(1000 * time.Hour) // so that no real waiting is a share of it
		if moved, share := p.watch(now); moved {
			t.Fatalf("moved at a share of %g", share)
		}
	}
	if _ = unix.SchedGetaffinity(0, &after); before != after {
		t.Error("the CPU mask changed")
	}
}
