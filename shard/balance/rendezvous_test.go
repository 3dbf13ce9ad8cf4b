package balance

import (
	"math/rand/v2"
	"slices"
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

// plainRendezvous is the oracle: all scores, sorted by the library.
func plainRendezvous(pl *plan, key uint64, limit int) (uids []uint16) {
	var all []uint64
	for i := range pl.seeds {
		var c [chunkTargets]uint64
		all = append(all, pl.scores(key, i, &c)[0])
	}
	slices.SortFunc(all, func(a, b uint64) int {
		if a > b {
			return -1
		}
		return 1
	})
	for _, x := range all {
		uids = append(uids, uint16(x))
	}
	uids = append(uids, pl.spare...)
	return uids[:min(limit, len(uids))]
}

func TestRendezvousEqualsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for n := 1; n <= 70; n++ {
		for _, attrs := range []string{"", "weight=%d"} {
			tb := mustParse(t, nTargets(n, attrs), Config{}, nil)
			for range 20 {
				key, limit := rng.Uint64(), 1+rng.IntN(MaxPicks)
				var p Picks
				tb.Select(1, CallIDHash, Key{Hash: key}, limit, &p)
				if want := plainRendezvous(tb.Set(1).current(), key, limit); !slices.Equal(p.UID[:p.N], want) {
					t.Fatalf("%d targets, limit %d, %q: got %v, want %v", n, limit, attrs, p.UID[:p.N], want)
				}
			}
		}
	}
}
