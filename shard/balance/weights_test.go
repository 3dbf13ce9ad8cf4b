package balance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// Weight 0 is served only when no other is left, first by failover, then alone.
func TestWeightZero(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1 0 0 weight=0\n1 sip:10.0.0.2 0 0 weight=9\n1 sip:10.0.0.3 0 0 weight=0",
		Config{}, nil)
	for _, a := range []Algorithm{CallIDHash, Weights} {
		for key := range uint64(20) {
			if got := list(tb, a, mix(key+1), 0); got != "2 3 1" {
				t.Errorf("algorithm %d: got %s", a, got)
			}
			if got := list(tb, a, mix(key+1), 2); got != "2 3" {
				t.Errorf("algorithm %d: got %s", a, got)
			}
		}
	}
	at(t, tb, 2).SetState(Inactive, 1)
	for _, a := range []Algorithm{CallIDHash, Weights} {
		got := map[string]int{}
		for key := range uint64(100) {
			got[list(tb, a, mix(key+1), 0)]++
		}
		if len(got) != 2 || got["1 3"] < 25 || got["3 1"] < 25 {
			t.Errorf("algorithm %d: got %v", a, got)
		}
	}
}

// Algorithm 9 is exact in every window, and smooth: no target is ever further than a few calls from
// its share.
func TestWeightsExactAndSmooth(t *testing.T) {
	f := func(maxOff float64, weights ...int) {
		t.Helper()
		var text strings.Builder
		common := uint64(0)
		sum := 0
		for i, w := range weights {
			fmt.Fprintf(&text, "1 sip:10.0.%d.%d 0 0 weight=%d\n", i/250, i%250+1, w)
			common = gcd(uint64(w), common)
			sum += w
		}
		tb := mustParse(t, text.String(), Config{}, nil)
		window := sum / int(common)
		index := map[uint16]int{}
		for i, x := range tb.Targets() {
			index[x.UID] = i
		}
		calls := make([]int, 2*window+7)
		for i := range calls {
			var p Picks
			tb.Select(1, Weights, Key{}, 1, &p)
			calls[i] = index[p.UID[0]]
		}
		counts := make([]int, len(weights))
		worst := 0.0
		for i, c := range calls {
			counts[c]++
			if i >= window {
				counts[calls[i-window]]--
			}
			if i >= window-1 {
				for j, w := range weights {
					if counts[j] != w/int(common) {
						t.Fatalf("weights %v: window ending at call %d gives target %d %d calls, want %d", weights, i,
							j, counts[j], w/int(common))
					}
				}
			} else if len(weights) <= 100 {
				for j, w := range weights {
					worst = max(worst, math.Abs(float64(counts[j])-float64(i+1)*float64(w)/float64(sum)))
				}
			}
		}
		if worst > maxOff {
			t.Errorf("weights %v: %.2f calls from the exact share, allowed %.2f", weights, worst, maxOff)
		}
	}
	f(1, 1)
	f(1, 100)
	f(1, 1, 1)
	f(1, 50, 50)
	f(1.2, 5, 1, 1)
	f(1.5, 50, 30, 20)
	f(1.5, 25, 25, 25, 25)
	f(2, 1, 2, 3, 4, 5, 6, 7, 8)
	f(2, 97, 2, 1)
	f(3, 1000, 1)
	f(3, 60000, 4321, 777, 1)
	f(3, 4999, 4999, 2)
	equal := make([]int, 300)
	primes := make([]int, 0, 60)
	for i := range equal {
		equal[i] = 2
		if isPrime(i + 100) {
			primes = append(primes, i+100)
		}
	}
	f(1, equal[:50]...)
	f(1, equal...)
	f(3, primes...)
	f(3, 10, 20, 0, 30)
	rng := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		w := make([]int, 1+rng.IntN(12))
		for i := range w {
			w[i] = 1 + rng.IntN(200)
		}
		f(3, w...)
	}
}

func isPrime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return true
}

// An inactive target's share goes to the others in proportion, exactly; so does the second choice,
// nearly.
func TestWeightsWithoutATarget(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1 0 0 weight=50\n1 sip:10.0.0.2 0 0 weight=30\n1 sip:10.0.0.3 0 0 weight=20",
		Config{}, nil)
	at(t, tb, 1).SetState(Inactive, 1)
	counts := map[string]int{}
	for range 500 {
		counts[list(tb, Weights, 0, 1)]++
	}
	if counts["2"] != 300 || counts["3"] != 200 {
		t.Errorf("got %v, want 2:300 3:200", counts)
	}
	at(t, tb, 1).SetState(0, 1)
	clear(counts)
	for range 100000 {
		counts[list(tb, Weights, 0, 2)]++
	}
	first := float64(counts["1 2"] + counts["1 3"])
	if first != 50000 || math.Abs(float64(counts["1 2"])/first-0.6) > 0.01 {
		t.Errorf("got %v, want of 1's 50000 three fifths to 2 next", counts)
	}
}
