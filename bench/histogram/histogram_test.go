package histogram

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsAreContiguous(t *testing.T) {
	for i := range bucketCount - 1 {
		u := upper(i)
		if got := index(u); got != i {
			t.Fatalf("index(upper(%d) = %d) = %d", i, u, got)
		}
		if got := index(u + 1); got != i+1 {
			t.Fatalf("index(%d) = %d, want the next bucket %d", u+1, got, i+1)
		}
	}
}

// The plain version is the oracle: sort everything and pick by rank.
func TestQuantileAgainstSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		var h Histogram
		values := make([]time.Duration, 1+rng.IntN(3000))
		for i := range values {
			values[i] = time.Duration(rng.Uint64N(1 << (1 + rng.UintN(38))))
			h.Record(values[i])
		}
		slices.Sort(values)
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
			rank := int(q*float64(len(values)) + 0.9999999)
			rank = min(max(rank, 1), len(values))
			want, got := values[rank-1], h.Quantile(q)
			if got < want || float64(got) > float64(want)*(1+1.0/subBuckets)+1 {
				t.Fatalf("round %d: quantile %g of %d values = %d, want %d to +1/%d", round, q, len(values), got, want,
					subBuckets)
			}
		}
		if h.Min() != values[0] || h.Max() != values[len(values)-1] || h.Count() != uint64(len(values)) {
			t.Fatalf("min %d max %d count %d", h.Min(), h.Max(), h.Count())
		}
	}
}

func TestEdges(t *testing.T) {
	var h Histogram
	if h.Quantile(0.99) != 0 || h.Mean() != 0 || h.Max() != 0 {
		t.Error("an empty histogram must answer zero")
	}
	h.Record(-5)
	if h.Min() != 0 || h.Count() != 1 {
		t.Errorf("negative: min %d count %d", h.Min(), h.Count())
	}
	h.Record(2 * time.Hour)
	if got := h.Quantile(1); got != 2*time.Hour {
		t.Errorf("beyond the last bucket: quantile(1) = %v", got)
	}
}

func TestMerge(t *testing.T) {
	var a, b, both Histogram
	for i := range 1000 {
		d := time.Duration(i*i) * time.Microsecond
		both.Record(d)
		if i%3 == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
	}
	a.Merge(&b)
	if a != both {
		t.Error("merging two halves differs from recording all")
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	h := new(Histogram)
	if n := testing.AllocsPerRun(100, func() { h.Record(1234567) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
