package place

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
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
	got := parseStat([]byte("cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 100 50 4 5 6 1 2\ncpu12 7 0 0 3\nintr 55 0\n" +
		"ctxt 7\ncpufreq 1 2 3 4\n"))
	if len(got) != 2 || got[0] != (cpuTime{busy: 21, idle: 150}) || got[12] != (cpuTime{busy: 7, idle: 3}) {
		t.Errorf("got %v", got)
	}
	if got := parseStat([]byte("cpu0 1 2 x 4\n")); got != nil {
		t.Errorf("nonsense is taken for %v", got)
	}
}

// TestLoads: what is not a pinned shard's is a stranger's, and a CPU that is not shown is no place
// to go.
func TestLoads(t *testing.T) {
	seats := []seat{{cpu: 0, used: 0.5}, {cpu: 0, used: 0.2}, {cpu: 1, used: 0.9, roams: true}, {cpu: 3, used: 1}}
	before := map[int]cpuTime{0: {100, 100}, 1: {0, 0}, 3: {5, 5}}
	after := map[int]cpuTime{0: {190, 110}, 1: {40, 60}}
	got := loadsOf([]int{0, 1, 2, 3}, seats, before, after)
	if len(got) != 2 || got[0].shards != 2 || got[0].foreign < 0.199 || got[0].foreign > 0.201 ||
		got[1] != (load{0, 0.4}) {
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
	f("of two idle CPUs the first", []seat{starving(2, 0.4)}, map[int]load{0: {0, 0}, 1: {0, 0}, 2: {1, 0.6}},
		move{0, 0})
	f("the idler one", []seat{starving(0, 0.4)}, map[int]load{0: {1, 0.6}, 1: {0, 0.3}, 2: {0, 0.1}}, move{0, 2})
	f("better with a shard than with a stranger", []seat{quiet(0), starving(1, 0.4)},
		map[int]load{0: {1, 0.05}, 1: {1, 0.6}}, move{1, 0})
	f("but not with many", []seat{quiet(0), quiet(0), quiet(0), quiet(0), starving(1, 0.4)},
		map[int]load{0: {4, 0}, 1: {1, 0.6}})
	f("strangers everywhere", []seat{starving(0, 0.4), starving(1, 0.4)}, map[int]load{0: {1, 0.5}, 1: {1, 0.5}})
	f("among strangers only for a lot", []seat{starving(0, 0.5), starving(0, 0.5)},
		map[int]load{0: {2, 0}, 1: {0, 0.2}})
	f("a lot", []seat{starving(0, 0.6), starving(0, 0.7), starving(0, 0.6)}, map[int]load{0: {3, 0}, 1: {0, 0.3}},
		move{1, 1})
	f("shards alone wait for each other",
		[]seat{starving(0, 0.5), starving(0, 0.5), starving(1, 0.5), starving(1, 0.5)},
		map[int]load{0: {2, 0}, 1: {2, 0}})
	f("until there is room", []seat{starving(0, 0.5), starving(0, 0.6)}, map[int]load{0: {2, 0}, 1: {0, 0}}, move{1, 1})
	f("one CPU is left at a time", []seat{starving(0, 0.5), starving(1, 0.6), quiet(2), quiet(3)},
		map[int]load{0: {1, 0.8}, 1: {1, 0.8}, 2: {1, 0}, 3: {1, 0}}, move{1, 2})
	f("by all that gain by it", []seat{starving(1, 0.5), starving(1, 0.6), quiet(0), quiet(0)},
		map[int]load{0: {2, 0}, 1: {2, 0.7}}, move{1, 0}, move{0, 0})
	rested := starving(0, 0.5)
	rested.rest = 1
	f("not at once again", []seat{rested}, map[int]load{0: {1, 0.6}, 1: {0, 0}})
	long := starving(0, 0.5)
	long.starved = roamSeconds
	f("at last anywhere", []seat{long, quiet(1)}, map[int]load{0: {1, 0.5}, 1: {1, 0.5}}, move{0, -1})
	f("where that helps", []seat{long, quiet(0)}, map[int]load{0: {2, 0}, 1: {2, 0}})
	f("one in a second", []seat{long, long}, map[int]load{0: {2, 0.5}, 1: {0, 0.99}}, move{0, -1})
	f("nothing known of its CPU", []seat{starving(7, 0.5)}, map[int]load{0: {1, 0}})
	long.cpu = 7
	f("nor after long", []seat{long}, map[int]load{0: {1, 0}}, move{0, -1})
	long.cpu = 0
	f("a shard's company rather than a stranger's", []seat{starving(0, 0.5), quiet(2)},
		map[int]load{0: {1, 0.6}, 1: {0, 0.45}, 2: {1, 0}}, move{0, 2})
	f("not only the roomiest",
		[]seat{starving(0, 0.5), starving(0, 0.5), starving(0, 0.5), starving(0, 0.5), quiet(2), quiet(2)},
		map[int]load{0: {4, 0}, 1: {0, 0.55}, 2: {2, 0}}, move{0, 2})
	f("a hurdle is to be reached", []seat{starving(0, 0.5), starving(0, 0.5)}, map[int]load{0: {2, 0}, 1: {0, 0.1}},
		move{0, 1})
	f("just not", []seat{starving(0, 0.5), quiet(1), quiet(1), quiet(1)}, map[int]load{0: {1, 0.71}, 1: {3, 0.35}})
	long.roams = true
	f("once", []seat{long}, map[int]load{0: {1, 0.5}, 1: {0, 0}})
}

// machine is what Placement sees, made up: seconds in which shards that want all they can get share
// CPUs with strangers.
type machine struct {
	p       *Placement
	now     time.Time
	foreign []float64 // by CPU
	busy    []int64   // /proc/stat, ticks
	ran     []int64   // by shard, ns
	waited  []int64
	mask    [][]int // set by allow
	allowed error
	warned  int
}

func newMachine(shards int, foreign ...float64) *machine {
	m := &machine{
		now: time.Unix(1000, 0), foreign: foreign, busy: make([]int64, len(foreign)), ran: make([]int64, shards),
		waited: make([]int64, shards), mask: make([][]int, shards),
	}
	cpus := make([]int, len(foreign))
	for i := range cpus {
		cpus[i] = i
	}
	var threads []*atomic.Int32
	for i := range shards {
		thread := new(atomic.Int32)
		thread.Store(int32(100 + i))
		m.mask[i] = []int{firstCPU(cpus, i)}
		threads = append(threads, thread)
	}
	m.p = NewPlacement(cpus, threads, slog.New(m))
	m.p.at = m.now
	m.p.times = func(thread int) (int64, int64, bool) { return m.ran[thread-100], m.waited[thread-100], true }
	m.p.allow = func(thread int, cpus ...int) error {
		if m.allowed == nil {
			m.mask[thread-100] = slices.Clone(cpus)
		}
		return m.allowed
	}
	m.p.stat = func() ([]byte, error) {
		var b []byte
		for cpu, busy := range m.busy {
			b = fmt.Appendf(b, "cpu%d %d 0 0 %d 0 0 0 0\n", cpu, busy, int64(m.now.Unix()*100)-busy)
		}
		return b, nil
	}
	return m
}

func (m *machine) Enabled(context.Context, slog.Level) bool  { return true }
func (m *machine) Handle(context.Context, slog.Record) error { m.warned++; return nil }
func (m *machine) WithAttrs([]slog.Attr) slog.Handler        { return m }
func (m *machine) WithGroup(string) slog.Handler             { return m }

// second passes: each shard has its part of what strangers leave of its CPU, and waits for the
// rest.
func (m *machine) second() {
	m.now = m.now.Add(time.Second)
	here := make([]int, len(m.foreign))
	for _, mask := range m.mask {
		if len(mask) == 1 {
			here[mask[0]]++
		}
	}
	for i, mask := range m.mask {
		if len(mask) == 1 {
			share := (1 - m.foreign[mask[0]]) / float64(here[mask[0]])
			m.ran[i] += int64(share * 1e9)
			m.waited[i] += int64((1 - share) * 1e9)
		}
	}
	for cpu, n := range here {
		if m.busy[cpu] += int64(m.foreign[cpu] * 100); n > 0 {
			m.busy[cpu] += int64((1 - m.foreign[cpu]) * 100)
		}
	}
	m.p.second(m.now)
}

// TestPlacementMoves plays the seconds of a stranger that comes and goes.
func TestPlacementMoves(t *testing.T) {
	m := newMachine(2, 0, 0)
	for range 20 {
		m.second()
	}
	if m.warned > 0 {
		t.Fatalf("two shards with a CPU each have moved: %v", m.mask)
	}
	m.foreign[1] = 0.7
	seconds := 0
	for ; m.mask[1][0] == 1 && seconds < 10; seconds++ {
		m.second()
	}
	if m.mask[1][0] != 0 || seconds != starvedSeconds || m.warned != 1 {
		t.Fatalf("after %d seconds: %v, %d lines in the log", seconds, m.mask, m.warned)
	}
	m.foreign[1] = 0
	for seconds = 0; m.mask[0][0] == m.mask[1][0] && seconds < 60; seconds++ {
		m.second()
	}
	if seconds < restSeconds || seconds > restSeconds+starvedSeconds+1 {
		t.Errorf("one went back after %d seconds", seconds)
	}
}

// TestPlacementRoams: without a better place it is let go, once; where the kernel refuses that it
// stays, and the log has one line.
func TestPlacementRoams(t *testing.T) {
	for _, refused := range []error{nil, unix.EINVAL} {
		m := newMachine(1, 0.5, 0.5)
		m.allowed = refused
		for range roamSeconds {
			m.second()
		}
		if m.warned > 0 {
			t.Fatalf("%v: too early", refused)
		}
		for range 60 {
			m.second()
		}
		if want := map[bool]int{true: 2, false: 1}[refused == nil]; m.warned != 1 || len(m.mask[0]) != want {
			t.Errorf("%v: %d lines in the log, may use %v", refused, m.warned, m.mask[0])
		}
	}
}

// TestPlacementBlind: without /proc/stat there is nowhere to go but anywhere.
func TestPlacementBlind(t *testing.T) {
	m := newMachine(1, 0.5, 0)
	m.p.stat = func() ([]byte, error) { return nil, os.ErrNotExist }
	for range 60 {
		m.second()
	}
	if m.warned != 1 || len(m.mask[0]) != 2 {
		t.Errorf("%d lines in the log, may use %v", m.warned, m.mask[0])
	}
}

// TestPlacementSettles: with any strangers on any CPUs shards come to rest, or move ever more
// rarely.
func TestPlacementSettles(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	f := func(shards int, foreign ...float64) {
		t.Helper()
		m := newMachine(shards, foreign...)
		for range 3000 {
			m.second()
		}
		if most := (2 + restDoublings) * shards; m.warned > most {
			t.Errorf("strangers %v, %d shards: %d moves in 3000 seconds", foreign, shards, m.warned)
		}
	}
	f(6, 0.4, 0.75, 0.6)
	f(6, 0.2, 0, 0.5)
	for range 300 {
		foreign := make([]float64, 2+rng.IntN(7))
		for i := range foreign {
			foreign[i] = float64(rng.IntN(20)) / 20
		}
		f(1+rng.IntN(16), foreign...)
	}
}

// TestStarvedShardLeavesItsCPU: beside a thread that never stops, a pinned one gets away.
func TestStarvedShardLeavesItsCPU(t *testing.T) {
	cpus := Allowed()
	if len(cpus) < 2 {
		t.Skip("needs two CPUs")
	}
	var stop atomic.Bool
	defer stop.Store(true)
	spin := func(thread *atomic.Int32) {
		runtime.LockOSThread() // never unlocked: the thread's CPU mask ends with it
		Settle(cpus, 0, 1)
		thread.Store(int32(unix.Gettid()))
		for !stop.Load() {
		}
	}
	var neighbour, shard atomic.Int32
	go spin(&neighbour)
	go spin(&shard)
	for deadline := time.Now().Add(10 * time.Second); shard.Load() == 0 || neighbour.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the threads do not run")
		}
	}
	if _, _, ok := threadTimes(int(shard.Load())); !ok {
		t.Skip("needs schedstat (CONFIG_SCHED_INFO)")
	}
	stopped := make(chan struct{})
	defer close(stopped)
	activity := make(chan struct{})
	go func() { // as a shard does while it works
		for !stop.Load() {
			select {
			case activity <- struct{}{}:
			case <-time.After(Every):
			}
		}
	}()
	go NewPlacement(cpus, []*atomic.Int32{&shard}, slog.New(slog.DiscardHandler)).Run(stopped, activity)
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now := cpusOf(int(shard.Load()))
		if !slices.Equal(now, cpus[:1]) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute of waiting the thread may still use only %v", now)
		}
	}
}
