package shm

import (
	"math"
	"testing"
)

func TestHistogram(t *testing.T) {
	var c Counters
	const at = 100
	for v, bucket := range map[uint64]int{0: 0, 1: 1, 2: 2, 3: 2, 4: 3, 1<<18 - 1: 18, 1 << 18: 19,
		1 << 40: 19} {
		c = Counters{}
		c.Observe(at, v, 3)
		h := c.Histogram(at)
		if h.Counts[bucket] != 3 || h.Count() != 3 || h.Sum != 3*v {
			t.Errorf("%d: %v", v, h)
		}
		if bucket < HistogramBuckets-1 && v >= Bound(bucket) || bucket > 0 && v < Bound(bucket-1) {
			t.Errorf("%d is not within the bounds of bucket %d", v, bucket)
		}
	}
	if c[at-1] != 0 || c[at+HistogramWords] != 0 {
		t.Error("Observe counts outside its words")
	}

	c = Counters{}
	for v := range uint64(1000) {
		c.Observe(at, v, 1)
	}
	h := c.Histogram(at)
	for q, want := range map[float64]float64{0: 0, 0.5: 500, 0.99: 990, 1: 1024} {
		if got := h.Quantile(q); math.Abs(got-want) > 25 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	if sum := h; h.Since(&sum) != (Histogram{}) {
		t.Error("nothing since now is something")
	}
	twice := h
	if twice.Add(&h); twice.Count() != 2000 || twice.Sum != 2*h.Sum {
		t.Errorf("twice is %v", twice)
	}
	if none := (Histogram{}); none.Quantile(0.5) != 0 {
		t.Error("there is a quantile of nothing")
	}
}

func BenchmarkObserve(b *testing.B) {
	var c Counters
	for i := range b.N {
		c.Observe(100, uint64(i), 1)
	}
	if h := c.Histogram(100); h.Count() != uint64(b.N) {
		b.Fatal(h)
	}
}
