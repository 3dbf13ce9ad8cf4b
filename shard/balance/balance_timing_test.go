package balance

import (
	"fmt"
	"math"
	"testing"
)

var algorithmsTimed = []struct {
	name  string
	a     Algorithm
	attrs string
}{
	{"hash", CallIDHash, ""},
	{"hash-weighted", CallIDHash, "weight=1%d"},
	{"roundrobin", RoundRobin, ""},
	{"priority", Priority, ""},
	{"weights", Weights, "weight=1%d"},
}

// BenchmarkSelect is one selection without and with failover list, by algorithm and size of the
// set.
func BenchmarkSelect(b *testing.B) {
	for _, alg := range algorithmsTimed {
		for _, n := range []int{1, 8, 100} {
			tb := mustParse(b, nTargets(n, alg.attrs), Config{}, nil)
			for _, limit := range []int{1, 4, 0} {
				b.Run(fmt.Sprintf("%s/targets=%d/limit=%d", alg.name, n, limit), func(b *testing.B) {
					var p Picks
					want := min(n, MaxPicks)
					if limit > 0 {
						want = min(n, limit)
					}
					b.ReportAllocs()
					key := uint64(1)
					for b.Loop() {
						key += 0x9e3779b97f4a7c15
						if !tb.Select(1, alg.a, Key{Hash: key}, limit, &p) || int(p.N) != want {
							b.Fatalf("%d picks, want %d", p.N, want)
						}
					}
				})
			}
		}
	}
}

// BenchmarkRendezvous is the receipt of rendezvous.go: chunks and conditional moves against one
// target after the other.
func BenchmarkRendezvous(b *testing.B) {
	for _, attrs := range []string{"", "weight=1%d"} {
		for _, n := range []int{8, 16, 100} {
			pl := mustParse(b, nTargets(n, attrs), Config{}, nil).Set(1).current()
			f := func(name string, order func(*plan, uint64, int, *Picks)) {
				b.Run(fmt.Sprintf("weighted=%v/targets=%d/%s", attrs != "", n, name), func(b *testing.B) {
					key := uint64(1)
					for b.Loop() {
						key += 0x9e3779b97f4a7c15
						var p Picks
						order(pl, key, MaxPicks, &p)
						if int(p.N) != min(n, MaxPicks) {
							b.Fatalf("%d picks", p.N)
						}
					}
				})
			}
			f("chunks", (*plan).rendezvous)
			f("plain", plainRendezvous)
		}
	}
}

// BenchmarkSelectParallel has all processors take turns from one set: the price of the shared
// counter.
func BenchmarkSelectParallel(b *testing.B) {
	for _, a := range []Algorithm{CallIDHash, RoundRobin, Weights} {
		tb := mustParse(b, nTargets(8, ""), Config{}, nil)
		b.Run(fmt.Sprint("algorithm=", int(a)), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				var p Picks
				key := uint64(1)
				for pb.Next() {
					key += 0x9e3779b97f4a7c15
					if !tb.Select(1, a, Key{Hash: key}, 1, &p) {
						b.Error("none")
					}
				}
			})
		})
	}
}

// BenchmarkSuccess is what every response costs, at 256 of them in a millisecond.
func BenchmarkSuccess(b *testing.B) {
	x := mustParse(b, nTargets(1, ""), Config{}, nil).Targets()[0]
	for i := range b.N { // b.Loop costs more than what is measured
		if x.Success(int64(i>>8), int64(i>>8)) != NoEvent {
			b.Fatal("an event")
		}
	}
}

// BenchmarkNextTarget is the first attempt.
func BenchmarkNextTarget(b *testing.B) {
	tb := mustParse(b, nTargets(8, ""), Config{}, nil)
	var p Picks
	tb.Select(1, Priority, Key{}, 0, &p)
	for b.Loop() {
		p.Next = 0
		if p.NextTarget(tb) == nil {
			b.Fatal("none")
		}
	}
}

// BenchmarkNegLog is the receipt of log.go: table against math.Log.
func BenchmarkNegLog(b *testing.B) {
	f := func(name string, log func(uint64) float64) {
		b.Run(name, func(b *testing.B) {
			x, sum, n := uint64(1), 0.0, 0.0
			for b.Loop() {
				x += 0x9e3779b97f4a7c15
				sum += log(x)
				n++
			}
			if n > 1000 && math.Abs(sum/n-1) > 0.3 { // the mean of -ln(u) is 1
				b.Fatalf("mean %v", sum/n)
			}
		})
	}
	f("table", func(x uint64) float64 { return negLog(x) })
	f("math.Log", func(x uint64) float64 { return -math.Log(float64(x|1) * 0x1p-64) })
}

// BenchmarkDue is the prober's look at a thousand targets, most of which are not due.
func BenchmarkDue(b *testing.B) {
	tb := mustParse(b, nTargets(1000, ""), Config{}, nil)
	p := NewProber(ProbeConfig{Interval: 10e9, Mode: ProbeAll})
	var probes []Probe
	var outcomes []Outcome
	now, sent := int64(0), 0
	for b.Loop() {
		now += 10
		probes, outcomes = p.Due(tb, now, func() uint64 { return uint64(now) << 20 }, probes[:0], outcomes[:0])
		for _, pr := range probes {
			if _, ok := p.Response(pr.ID, 200, now); !ok {
				b.Fatal("not taken")
			}
			sent++
		}
	}
	if now > 20000 && sent == 0 {
		b.Fatal("nothing sent")
	}
}

// BenchmarkRebuild is a change of state: two transitions and two plans.
func BenchmarkRebuild(b *testing.B) {
	tb := mustParse(b, nTargets(8, "weight=1%d"), Config{}, nil)
	x := tb.Targets()[3]
	var p Picks
	for b.Loop() {
		x.SetState(Inactive, 1)
		tb.Select(1, Weights, Key{}, 0, &p)
		x.SetState(0, 1)
		if tb.Select(1, Weights, Key{}, 0, &p); p.N != 8 {
			b.Fatalf("%d picks", p.N)
		}
	}
}
