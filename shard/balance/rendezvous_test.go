package balance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The network sorts all inputs of zeros and ones, hence all inputs (Knuth vol. 3, 5.3.4).
func TestSort8(t *testing.T) {
	for bits := range 256 {
		var c [chunkTargets]uint64
		for i := range 8 {
			c[i] = uint64(bits >> i & 1)
		}
		sort8(&c)
		for i := 1; i < 8; i++ {
			if c[i-1] < c[i] {
				t.Fatalf("%08b comes out as %v", bits, c[:8])
			}
		}
	}
}

// plainRendezvous is the oracle and the baseline: one target after the other is put where it
// belongs.
func plainRendezvous(pl *plan, key uint64, limit int, p *Picks) {
	var scores [MaxPicks]uint64
	n := 0
	for i, seed := range pl.seeds {
		x := mix(key ^ seed)
		if !pl.equal {
			x = ^math.Float64bits(negLog(x) * pl.inv[i])
		}
		x &^= 0xffff
		if n == limit {
			if x <= scores[n-1] {
				continue
			}
			n--
		}
		at := n
		for at > 0 && scores[at-1] < x {
			scores[at], p.UID[at] = scores[at-1], p.UID[at-1]
			at--
		}
		scores[at], p.UID[at] = x, pl.uids[i]
		n++
	}
	p.N = uint8(n)
	p.addFrom(pl.spare, 0, limit)
}

func TestRendezvousEqualsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for n := 1; n <= 70; n++ {
		for _, attrs := range []string{"", "weight=%d"} {
			tb := mustParse(t, nTargets(n, attrs), Config{}, nil)
			for range 20 {
				key, limit := rng.Uint64(), 1+rng.IntN(MaxPicks)
				want := Picks{Set: 1}
				var p Picks
				tb.Select(1, CallIDHash, Key{Hash: key}, limit, &p)
				plainRendezvous(tb.Set(1).current(), key, limit, &want)
				if p != want {
					t.Fatalf("%d targets, limit %d, %q: got %v, want %v", n, limit, attrs, p, want)
				}
			}
		}
	}
}

// Nodes that read the same sets from files in another order, with other priorities and sets around,
// pick the same.
func TestNodesAgree(t *testing.T) {
	for _, attrs := range []string{"", "weight=%d"} {
		lines := strings.Split(strings.TrimSpace(nTargets(12, attrs)), "\n")
		a := mustParse(t, strings.Join(lines, "\n"), Config{}, nil)
		slices.Reverse(lines)
		b := mustParse(t, "7 sip:10.7.7.7\n"+
			strings.ReplaceAll(strings.Join(lines, "\n"), "sip:10.0.0.5:5060 0 0", "SIP:10.0.0.5;transport=udp 8 3"),
			Config{ProbingThreshold: 4}, nil)
		for key := range uint64(2000) {
			var p, q Picks
			a.Select(1, CallIDHash, Key{Hash: mix(key)}, 11, &p)
			b.Select(1, CallIDHash, Key{Hash: mix(key)}, 11, &q)
			if p != q {
				t.Fatalf("%q: %v and %v", attrs, p, q)
			}
		}
	}
}

// Rendezvous: every failover list is the full list with the lost target cut out, in whatever state
// the others are.
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
			lost.SetState(Inactive, 1)
			tb.Select(1, CallIDHash, key, 0, &during)
			lost.SetState(0, 1)
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

// Shares by hashing follow the weights: Pearson's statistic stays below its 99.9 % bound. Call-IDs
// are of the form generators use, and in one case all of one shard of eight, which have their
// leading hash bits in common.
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
		// above the 99.9 % quantile for 1 to 100 degrees
		bound := float64(free) + 3.1*math.Sqrt(2*float64(free)) + 6
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
