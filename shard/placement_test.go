package shard

import (
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseSchedstat(t *testing.T) {
	f := func(line string, ran, waited int64, wantOK bool) {
		t.Helper()
		if r, w, ok := parseSchedstat([]byte(line)); ok != wantOK || ok && (r != ran || w != waited) {
			t.Errorf("%q: got %d %d %v, want %d %d %v", line, r, w, ok, ran, waited, wantOK)
		}
	}
	f("762497 1234 1\n", 762497, 1234, true)
	f("0 0 0", 0, 0, true)
	f("762497", 0, 0, false)
	f("762497 x 1", 0, 0, false)
	f("", 0, 0, false)
}

func TestParseStat(t *testing.T) {
	got := parseStat([]byte("cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 100 50 4 5 6 1 2\ncpu12 7 0 0 3\nintr 55 0\nctxt 7\ncpufreq 1 2 3 4\n"))
	if len(got) != 2 || got[0] != (cpuTime{busy: 21, idle: 150}) || got[12] != (cpuTime{busy: 7, idle: 3}) {
		t.Errorf("got %v", got)
	}
	if got := parseStat([]byte("cpu0 1 2 x 4\n")); got != nil {
		t.Errorf("nonsense is taken for %v", got)
	}
}

// TestLoads: what is not a pinned shard's is a stranger's, and a CPU that is not shown is no place to go.
func TestLoads(t *testing.T) {
	seats := []seat{{cpu: 0, used: 0.5}, {cpu: 0, used: 0.2}, {cpu: 1, used: 0.9, roams: true}, {cpu: 3, used: 1}}
	before := map[int]cpuTime{0: {100, 100}, 1: {0, 0}, 3: {5, 5}}
	after := map[int]cpuTime{0: {190, 110}, 1: {40, 60}}
	got := loadsOf([]int{0, 1, 2, 3}, seats, before, after)
	if len(got) != 2 || got[0].shards != 2 || got[0].foreign < 0.199 || got[0].foreign > 0.201 || got[1] != (load{0, 0.4}) {
		t.Errorf("got %v", got)
	}
}

func TestDecide(t *testing.T) {
	starving := func(cpu int, wait float64) seat { return seat{cpu: cpu, wait: wait, starved: starvedSeconds} }
	quiet := func(cpu int) seat { return seat{cpu: cpu} }
	f := func(name string, seats []seat, loads map[int]load, want ...move) {
		t.Helper()
		if got := decide(seats, loads); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	f("nobody starves", []seat{quiet(0), quiet(1)}, map[int]load{0: {1, 0}, 1: {1, 0.9}})
	f("an idle CPU", []seat{starving(0, 0.4)}, map[int]load{0: {1, 0.6}, 1: {0, 0}}, move{0, 1})
	f("of two idle CPUs the first", []seat{starving(2, 0.4)}, map[int]load{0: {0, 0}, 1: {0, 0}, 2: {1, 0.6}}, move{0, 0})
	f("the idler one", []seat{starving(0, 0.4)}, map[int]load{0: {1, 0.6}, 1: {0, 0.3}, 2: {0, 0.1}}, move{0, 2})
	f("better with a shard than with a stranger", []seat{quiet(0), starving(1, 0.4)}, map[int]load{0: {1, 0.05}, 1: {1, 0.6}}, move{1, 0})
	f("but not with many", []seat{quiet(0), quiet(0), quiet(0), quiet(0), starving(1, 0.4)}, map[int]load{0: {4, 0}, 1: {1, 0.6}})
	f("strangers everywhere", []seat{starving(0, 0.4), starving(1, 0.4)}, map[int]load{0: {1, 0.5}, 1: {1, 0.5}})
	f("among strangers only for a lot", []seat{starving(0, 0.5), starving(0, 0.5)}, map[int]load{0: {2, 0}, 1: {0, 0.2}})
	f("a lot", []seat{starving(0, 0.6), starving(0, 0.7), starving(0, 0.6)}, map[int]load{0: {3, 0}, 1: {0, 0.3}}, move{1, 1})
	f("shards alone wait for each other", []seat{starving(0, 0.5), starving(0, 0.5), starving(1, 0.5), starving(1, 0.5)}, map[int]load{0: {2, 0}, 1: {2, 0}})
	f("until there is room", []seat{starving(0, 0.5), starving(0, 0.6)}, map[int]load{0: {2, 0}, 1: {0, 0}}, move{1, 1})
	f("one CPU is left at a time", []seat{starving(0, 0.5), starving(1, 0.6), quiet(2), quiet(3)},
		map[int]load{0: {1, 0.8}, 1: {1, 0.8}, 2: {1, 0}, 3: {1, 0}}, move{1, 2})
	f("by all that gain by it", []seat{starving(1, 0.5), starving(1, 0.6), quiet(0), quiet(0)}, map[int]load{0: {2, 0}, 1: {2, 0.7}}, move{1, 0}, move{0, 0})
	rested := starving(0, 0.5)
	rested.rest = 1
	f("not at once again", []seat{rested}, map[int]load{0: {1, 0.6}, 1: {0, 0}})
	long := starving(0, 0.5)
	long.starved = roamSeconds
	f("at last anywhere", []seat{long, quiet(1)}, map[int]load{0: {1, 0.5}, 1: {1, 0.5}}, move{0, -1})
	f("where that helps", []seat{long, quiet(0)}, map[int]load{0: {2, 0}, 1: {2, 0}})
	f("nothing known of its CPU", []seat{starving(7, 0.5)}, map[int]load{0: {1, 0}}, move{0, -1})
	long.roams = true
	f("once", []seat{long}, map[int]load{0: {1, 0.5}, 1: {0, 0}})
}

// TestDecideSettles: with any strangers on any CPUs, shards come to rest: decisions repeated under the same load end.
func TestDecideSettles(t *testing.T) {
	for _, foreign := range [][]float64{{0, 0.7}, {0, 0.5}, {0.1, 0.3}, {0.5, 0.5}, {0, 0, 0.9, 0.9}, {0, 0.2, 0.4, 0.6}, {0.3, 0.1, 0, 0.8}} {
		for shards := 1; shards <= 12; shards++ {
			seats := make([]seat, shards)
			for i := range seats {
				seats[i] = seat{cpu: i % len(foreign), wait: 0.5}
			}
			moved := -1
			for round := range 100 {
				loads := map[int]load{}
				for cpu, share := range foreign {
					loads[cpu] = load{foreign: share}
				}
				for i := range seats {
					l := loads[seats[i].cpu]
					l.shards++
					loads[seats[i].cpu] = l
					seats[i].starved = starvedSeconds
				}
				for _, m := range decide(seats, loads) {
					seats[m.shard].cpu, moved = m.cpu, round
				}
			}
			if moved > 50 {
				t.Errorf("strangers %v, %d shards: they still move", foreign, shards)
			}
		}
	}
}

// TestStarvedShardLeavesItsCPU: beside a thread that never stops, a pinned one gets away.
func TestStarvedShardLeavesItsCPU(t *testing.T) {
	cpus := allowedCPUs()
	if len(cpus) < 2 {
		t.Skip("needs two CPUs")
	}
	var stop atomic.Bool
	defer stop.Store(true)
	spin := func(thread *atomic.Int32) {
		runtime.LockOSThread() // never unlocked: the thread's CPU mask ends with it
		settle(cpus, 0, 1)
		thread.Store(int32(unix.Gettid()))
		for !stop.Load() {
		}
	}
	var neighbour atomic.Int32
	w := &worker{shards: 1}
	go spin(&neighbour)
	go spin(&w.thread)
	for deadline := time.Now().Add(10 * time.Second); w.thread.Load() == 0 || neighbour.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the threads do not run")
		}
	}
	if _, _, ok := threadTimes(int(w.thread.Load())); !ok {
		t.Skip("needs schedstat (CONFIG_SCHED_INFO)")
	}
	stopped := make(chan struct{})
	defer close(stopped)
	go newPlacement(cpus, []*worker{w}, slog.New(slog.DiscardHandler)).run(stopped)
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now := cpusOf(int(w.thread.Load()))
		if !slices.Equal(now, cpus[:1]) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute of waiting the thread may still use only %v", now)
		}
	}
}
