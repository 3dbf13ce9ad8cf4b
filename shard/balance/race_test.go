package balance

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// Shards select and report while states are ordered and tables swapped. Afterwards the plan agrees
// with the states, every up and down was reported once, and no pick was disabled.
func TestConcurrent(t *testing.T) {
	var current atomic.Pointer[Table]
	first := mustParse(t, nTargets(8, "weight=%d"), Config{ProbingThreshold: 2}, nil)
	current.Store(first)
	var ups, downs atomic.Int64
	count := func(e Event) {
		switch e {
		case Up:
			ups.Add(1)
		case Down:
			downs.Add(1)
		}
	}
	var wg sync.WaitGroup
	for shard := range 4 {
		wg.Go(func() {
			var p Picks
			for i := range uint64(3000) {
				tb := current.Load()
				key := mix(i<<2 + uint64(shard))
				a := []Algorithm{CallIDHash, RoundRobin, Priority, Weights}[i%4]
				if !tb.Select(1, a, Key{Hash: key}, 3, &p) {
					continue
				}
				for x := p.NextTarget(tb); x != nil; x = p.NextTarget(tb) {
					switch key % 5 {
					case 0:
						count(x.Fail(int64(i), int64(i)))
					case 1:
						count(x.FailTimeout(int64(i)+1, int64(i)+2))
					default:
						count(x.Success(int64(i), int64(i)))
					}
				}
			}
		})
	}
	wg.Go(func() {
		for i := range uint64(2000) {
			x := first.Targets()[i%8]
			x.Latency()
			count(x.SetState([]State{0, Inactive, Disabled, Trying}[mix(i)%4], int64(i)))
		}
	})
	wg.Go(func() {
		for i := range 100 {
			text := nTargets(8, "weight=%d")
			if i%2 == 0 {
				text += "1 sip:10.9.9.9\n"
			}
			tb, err := Parse("d", []byte(text), Config{ProbingThreshold: 2}, current.Load())
			if err != nil {
				t.Error(err)
				return
			}
			current.Store(tb)
		}
	})
	wg.Wait()
	tb := current.Load()
	down := int64(0)
	for i, x := range tb.Targets() {
		if x.live != first.Targets()[i].live {
			t.Fatal("the live state was lost by a reload")
		}
		if !x.State().Usable() {
			down++
		}
	}
	// The ninth target comes and goes with its own live state, always up at birth; only its losses
	// can be missing from the sum.
	if d := downs.Load() - ups.Load(); d < down {
		t.Errorf("%d downs, %d ups, %d down now", downs.Load(), ups.Load(), down)
	}
	var p Picks
	tb.Select(1, Priority, Key{}, 0, &p)
	if int64(p.N) != 8-down {
		t.Errorf("%d in the plan, %d of 8 down", p.N, down)
	}
}

// Round robin and weights stay exact over all shards together, whatever each one's share of the
// calls.
func TestTurnsAcrossShards(t *testing.T) {
	for _, a := range []Algorithm{RoundRobin, Weights} {
		tb := mustParse(t, nTargets(10, "weight=7"), Config{}, nil)
		var counts [1 << 16]atomic.Int32
		var wg sync.WaitGroup
		for _, calls := range []int{10, 490, 1500, 2000} {
			wg.Go(func() {
				var p Picks
				for range calls {
					tb.Select(1, a, Key{}, 2, &p)
					counts[p.UID[0]].Add(1)
				}
			})
		}
		wg.Wait()
		for _, x := range tb.Targets() {
			if n := counts[x.UID].Load(); n != 400 {
				t.Errorf("algorithm %d: %s has %d of 4000", a, x.URI, n)
			}
		}
	}
}

// A change of state is seen by the selection that comes after it, always.
func TestChangeIsSeenAtOnce(t *testing.T) {
	tb := mustParse(t, nTargets(4, ""), Config{}, nil)
	var wg sync.WaitGroup
	for i, x := range tb.Targets() {
		wg.Go(func() {
			var p Picks
			for round := range 2000 {
				x.SetState(Inactive, 1)
				if tb.Select(1, CallIDHash, Key{Hash: uint64(round)}, 0, &p); p.has(x.UID) {
					t.Errorf("target %d is picked after it went down", i)
					return
				}
				x.SetState(0, 1)
				if tb.Select(1, CallIDHash, Key{Hash: uint64(round)}, 0, &p); !p.has(x.UID) {
					t.Errorf("target %d is missing after it came up", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

func ExampleTable_Select() {
	tb, err := Parse("dispatcher.list", []byte("1 sip:192.0.2.1 0 10\n1 sip:192.0.2.2 0 5\n"), Config{}, nil)
	if err != nil {
		panic(err)
	}
	var p Picks
	if !tb.Select(1, Priority, Key{}, 0, &p) {
		fmt.Println("503")
	}
	for t := p.NextTarget(tb); t != nil; t = p.NextTarget(tb) {
		fmt.Println("try", t.URI)
		t.Fail(1, 1)
	}
	fmt.Println("left:", tb.Select(1, Priority, Key{}, 0, &p))
	// Output:
	// try sip:192.0.2.1
	// try sip:192.0.2.2
	// left: false
}
