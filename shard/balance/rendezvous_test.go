package balance

import (
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

// plainRendezvous is the oracle and the baseline: one target after the other is put where it belongs.
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

// Nodes that read the same sets from files in another order, with other priorities and sets around, pick the same.
func TestNodesAgree(t *testing.T) {
	for _, attrs := range []string{"", "weight=%d"} {
		lines := strings.Split(strings.TrimSpace(nTargets(12, attrs)), "\n")
		a := mustParse(t, strings.Join(lines, "\n"), Config{}, nil)
		slices.Reverse(lines)
		b := mustParse(t, "7 sip:10.7.7.7\n"+strings.ReplaceAll(strings.Join(lines, "\n"), "sip:10.0.0.5:5060 0 0", "SIP:10.0.0.5;transport=udp 8 3"), Config{ProbingThreshold: 4}, nil)
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
