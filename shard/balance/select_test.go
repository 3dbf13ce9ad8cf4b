package balance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// list runs Select and gives the last number of every address handed out by NextTarget.
func list(tb *Table, a Algorithm, key uint64, limit int) string {
	var p Picks
	if !tb.Select(1, a, Key{Hash: key}, limit, &p) {
		return "none"
	}
	var b strings.Builder
	for t := p.NextTarget(tb); t != nil; t = p.NextTarget(tb) {
		b.WriteString(t.Host[strings.LastIndexByte(t.Host, '.')+1:] + " ")
	}
	return strings.TrimSpace(b.String())
}

// at returns the target whose address ends in n.
func at(t *testing.T, tb *Table, n int) *Target {
	t.Helper()
	for _, x := range tb.Targets() {
		if strings.HasSuffix(x.Host, fmt.Sprintf(".%d", n)) {
			return x
		}
	}
	t.Fatalf("no target %d", n)
	return nil
}

// Serial and round robin, with targets out and with a default. down lists the addresses' last numbers that are inactive.
func TestPriorityAndRoundRobin(t *testing.T) {
	const four = "1 sip:10.0.0.1\n1 sip:10.0.0.2\n1 sip:10.0.0.3\n1 sip:10.0.0.4"
	f := func(a Algorithm, cfg Config, limit int, down string, want ...string) {
		t.Helper()
		tb := mustParse(t, four, cfg, nil)
		for _, c := range down {
			at(t, tb, int(c-'0')).SetState(Inactive)
		}
		for i, w := range want {
			if got := list(tb, a, 0, limit); got != w {
				t.Errorf("algorithm %d, %+v, limit %d, down %q, call %d: got %q, want %q", a, cfg, limit, down, i, got, w)
			}
		}
	}
	f(Priority, Config{}, 0, "", "4 3 2 1", "4 3 2 1")
	f(Priority, Config{}, 2, "", "4 3")
	f(Priority, Config{}, 99, "4", "3 2 1")
	f(Priority, Config{}, 1, "43", "2")
	f(Priority, Config{}, 0, "1234", "none")
	f(Priority, Config{UseDefault: true}, 0, "", "4 3 2 1")
	f(Priority, Config{UseDefault: true}, 2, "", "4 3")
	f(Priority, Config{UseDefault: true}, 0, "1", "4 3 2 1") // the default is tried although inactive
	f(Priority, Config{UseDefault: true}, 0, "1234", "1")
	f(RoundRobin, Config{}, 0, "", "4 3 2 1", "3 2 1 4", "2 1 4 3", "1 4 3 2", "4 3 2 1")
	f(RoundRobin, Config{}, 1, "3", "4", "2", "1", "4")
	f(RoundRobin, Config{}, 3, "34", "2 1", "1 2", "2 1")
	f(RoundRobin, Config{}, 0, "1234", "none", "none")
	f(RoundRobin, Config{UseDefault: true}, 0, "", "4 3 2 1", "3 2 4 1", "2 4 3 1", "4 3 2 1")
	f(RoundRobin, Config{UseDefault: true}, 1, "234", "1", "1")
}

func TestSelectNothing(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1 4", Config{UseDefault: true}, nil)
	p := Picks{N: 7, Next: 3}
	for _, a := range []Algorithm{CallIDHash, RoundRobin, Priority, Weights} {
		if tb.Select(1, a, Key{}, 0, &p) || p.NextTarget(tb) != nil {
			t.Errorf("algorithm %d selects a disabled default", a)
		}
		if tb.Select(2, a, Key{}, 0, &p) || tb.Select(-1, a, Key{}, 0, &p) {
			t.Errorf("algorithm %d selects from no set", a)
		}
	}
}

// NextTarget looks again: what went down or away since Select is passed over, and what came back is not.
func TestNextTargetLooksAgain(t *testing.T) {
	tb := mustParse(t, nTargets(5, ""), Config{}, nil)
	var p Picks
	tb.Select(1, Priority, Key{}, 0, &p)
	if p.Remaining() != 5 || p.NextTarget(tb) != at(t, tb, 5) {
		t.Fatal("not the first")
	}
	at(t, tb, 4).Fail(1)
	at(t, tb, 2).SetState(Disabled)
	smaller := mustParse(t, "1 sip:10.0.0.1\n1 sip:10.0.0.2\n1 sip:10.0.0.4", Config{}, tb)
	q := p
	if x := p.NextTarget(smaller); x == nil || x.Host != "10.0.0.1" {
		t.Errorf("got %v, want 1: 4 and 2 are down, 3 is gone", x)
	}
	if p.NextTarget(smaller) != nil || p.NextTarget(smaller) != nil || p.Remaining() != 0 {
		t.Error("more than there is")
	}
	at(t, tb, 4).Success(2)
	if x := q.NextTarget(smaller); x == nil || x.Host != "10.0.0.4" {
		t.Errorf("got %v, want 4, which is up again", x)
	}
}

// Rendezvous: every failover list is the full list with the lost target cut out, in whatever state the others are.
func TestRendezvousMovesOnlyItsOwn(t *testing.T) {
	for _, attrs := range []string{"", "weight=50", "weight=%d"} {
		tb := mustParse(t, nTargets(8, attrs), Config{}, nil)
		lost := tb.Targets()[3]
		rng := rand.New(rand.NewPCG(1, 2))
		moved, took := 0, map[uint16]int{}
		const calls = 20000
		for range calls {
			key := Key{Hash: rng.Uint64()}
			var before, during, after Picks
			tb.Select(1, CallIDHash, key, 0, &before)
			lost.SetState(Inactive)
			tb.Select(1, CallIDHash, key, 0, &during)
			lost.SetState(0)
			tb.Select(1, CallIDHash, key, 0, &after)
			if before != after {
				t.Fatalf("weights %q: %v came back as %v", attrs, before, after)
			}
			want := Picks{Set: 1}
			for _, uid := range before.UID[:before.N] {
				if uid != lost.UID {
					want.add(uid)
				}
			}
			if during != want {
				t.Fatalf("weights %q: %v without %d is %v", attrs, before, lost.UID, during)
			}
			if before.UID[0] == lost.UID {
				moved++
				took[during.UID[0]]++
			}
		}
		share := 1.0 / 8
		if attrs == "weight=%d" {
			share = 3.0 / 28
		}
		if d := math.Abs(float64(moved)/calls - share); d > 0.01 {
			t.Errorf("weights %q: %d of %d moved", attrs, moved, calls)
		}
		for _, x := range tb.Targets() {
			if x == lost || attrs == "weight=%d" && x.Attrs.Weight == 0 {
				continue
			}
			w := 1.0 / 7
			if attrs == "weight=%d" {
				w = float64(x.Attrs.Weight) / 25
			}
			if got := float64(took[x.UID]) / float64(moved); math.Abs(got-w) > 0.035 {
				t.Errorf("weights %q: %s took %.3f of the lost target's calls, want %.3f", attrs, x.URI, got, w)
			}
		}
	}
}

// A limited list is the head of the full one.
func TestRendezvousLimit(t *testing.T) {
	for _, attrs := range []string{"", "weight=%d"} {
		tb := mustParse(t, nTargets(30, attrs), Config{}, nil)
		rng := rand.New(rand.NewPCG(3, 4))
		for range 500 {
			key := Key{Hash: rng.Uint64()}
			var full, p Picks
			tb.Select(1, CallIDHash, key, 0, &full)
			if full.N != MaxPicks {
				t.Fatalf("%d picks", full.N)
			}
			for limit := 1; limit < MaxPicks; limit++ {
				tb.Select(1, CallIDHash, key, limit, &p)
				if int(p.N) != limit || p.UID != cut(full, limit) {
					t.Fatalf("limit %d: got %v, full %v", limit, p, full)
				}
			}
		}
	}
}

func cut(p Picks, n int) (uids [MaxPicks]uint16) {
	copy(uids[:n], p.UID[:n])
	return uids
}

func (p *Picks) has(uid uint16) bool { return slices.Contains(p.UID[:p.N], uid) }

// chi2 is Pearson's statistic.
func chi2(got []int, want []float64) (x float64) {
	for i := range got {
		if want[i] > 0 {
			x += (float64(got[i]) - want[i]) * (float64(got[i]) - want[i]) / want[i]
		} else if got[i] > 0 {
			return math.Inf(1)
		}
	}
	return x
}

// Shares by hashing follow the weights: Pearson's statistic stays below its 99.9 % bound. Call-IDs are of the form generators
// use, and in one case all of one shard of eight, which have their leading hash bits in common.
func TestRendezvousWeights(t *testing.T) {
	f := func(weights []int, oneShard bool) {
		t.Helper()
		var text strings.Builder
		sum := 0
		for i, w := range weights {
			fmt.Fprintf(&text, "1 sip:192.0.2.%d 0 0 weight=%d\n", i+1, w)
			sum += w
		}
		tb := mustParse(t, text.String(), Config{}, nil)
		got, second := make([]int, len(weights)), make([]int, len(weights))
		index := map[uint16]int{}
		for i, x := range tb.Targets() {
			index[x.UID] = i
		}
		calls := 0
		for i := 0; calls < 40000; i++ {
			key := KeyOf(fmt.Appendf(nil, "%d-1234@127.0.0.1", i))
			if oneShard && key.Hash>>61 != 5 {
				continue
			}
			var p Picks
			tb.Select(1, CallIDHash, key, 2, &p)
			got[index[p.UID[0]]]++
			second[index[p.UID[1]]]++
			calls++
		}
		want, wantSecond, free := make([]float64, len(weights)), make([]float64, len(weights)), -1
		for i, w := range weights {
			want[i] = float64(calls) * float64(w) / float64(sum)
			for j, v := range weights {
				if j != i {
					wantSecond[i] += float64(calls) * float64(v) / float64(sum) * float64(w) / float64(sum-v)
				}
			}
			if w > 0 {
				free++
			}
		}
		bound := float64(free) + 3.1*math.Sqrt(2*float64(free)) + 6 // above the 99.9 % quantile for 1 to 100 degrees
		if x := chi2(got, want); x > bound {
			t.Errorf("weights %v: %v, chi² %.1f of %.1f", weights, got, x, bound)
		}
		if x := chi2(second, wantSecond); x > bound {
			t.Errorf("weights %v, second choice: %v, chi² %.1f of %.1f", weights, second, x, bound)
		}
	}
	f([]int{1, 1}, false)
	f([]int{1, 1, 1, 1, 1, 1, 1, 1}, false)
	f([]int{1, 1, 1, 1, 1, 1, 1, 1}, true)
	f([]int{50, 30, 20}, false)
	f([]int{50, 30, 20}, true)
	f([]int{1, 10, 100, 1000}, false)
	f([]int{3, 0, 7, 0, 90}, false)
	f([]int{65536, 65535, 1000, 20000}, false)
	f([]int{5, 5, 5, 6, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, false)
}

// Weight 0 is served only when no other is left, first by failover, then alone.
func TestWeightZero(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1 0 0 weight=0\n1 sip:10.0.0.2 0 0 weight=9\n1 sip:10.0.0.3 0 0 weight=0", Config{}, nil)
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
	at(t, tb, 2).SetState(Inactive)
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

// Algorithm 9 is exact in every window, and smooth: no target is ever further than a few calls from its share.
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
						t.Fatalf("weights %v: window ending at call %d gives target %d %d calls, want %d", weights, i, j, counts[j], w/int(common))
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

// An inactive target's share goes to the others in proportion, exactly; so does the second choice, nearly.
func TestWeightsWithoutATarget(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1 0 0 weight=50\n1 sip:10.0.0.2 0 0 weight=30\n1 sip:10.0.0.3 0 0 weight=20", Config{}, nil)
	at(t, tb, 1).SetState(Inactive)
	counts := map[string]int{}
	for range 500 {
		counts[list(tb, Weights, 0, 1)]++
	}
	if counts["2"] != 300 || counts["3"] != 200 {
		t.Errorf("got %v, want 2:300 3:200", counts)
	}
	at(t, tb, 1).SetState(0)
	clear(counts)
	for range 100000 {
		counts[list(tb, Weights, 0, 2)]++
	}
	first := float64(counts["1 2"] + counts["1 3"])
	if first != 50000 || math.Abs(float64(counts["1 2"])/first-0.6) > 0.01 {
		t.Errorf("got %v, want of 1's 50000 three fifths to 2 next", counts)
	}
}

// All algorithms: the list holds each usable target once.
func TestListsAreComplete(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 25; n++ {
		tb := mustParse(t, nTargets(n, "weight=%d"), Config{UseDefault: n%2 == 0}, nil)
		for range 50 {
			usable := 0
			for _, x := range tb.Targets() {
				x.SetState([]State{0, 0, Trying, Inactive, Disabled}[rng.IntN(5)])
			}
			set := tb.Set(1).Targets
			for i, x := range set {
				if x.State().Usable() || n%2 == 0 && i == n-1 && x.State() == Inactive {
					usable++
				}
			}
			for _, a := range []Algorithm{CallIDHash, RoundRobin, Priority, Weights} {
				limit := rng.IntN(MaxPicks + 1)
				var p Picks
				ok := tb.Select(1, a, Key{Hash: rng.Uint64()}, limit, &p)
				if limit == 0 {
					limit = MaxPicks
				}
				want := min(usable, limit)
				seen := map[*Target]bool{}
				for x := p.NextTarget(tb); x != nil; x = p.NextTarget(tb) {
					seen[x] = true
				}
				if len(seen) != want || int(p.N) != want || ok != (want > 0) {
					t.Fatalf("algorithm %d, %d targets, limit %d: %d picks, %d different, want %d", a, n, limit, p.N, len(seen), want)
				}
			}
		}
	}
}

// The logarithm against math.Log, over all magnitudes.
func TestNegLog(t *testing.T) {
	f := func(x uint64) {
		t.Helper()
		want := 53*math.Ln2 - math.Log(float64(x>>11|1))
		if got := negLog(x); math.Abs(got-want) > 0x1p-22 || got <= 0 {
			t.Errorf("%#x: got %v, want %v", x, got, want)
		}
	}
	for _, x := range []uint64{0, 1, 2, 3, 1<<63 - 1, 1 << 63, math.MaxUint64, math.MaxUint64 - 1<<11} {
		f(x)
	}
	rng := rand.New(rand.NewPCG(9, 10))
	for i := range 100000 {
		f(rng.Uint64() >> (i % 64))
	}
}
