package shm

import (
	"math/bits"
	"sync/atomic"
)

// A histogram is HistogramWords of a shard's Counters: how many values were below 1, 2, 4, 8 …
// units and not below the bound before, and last the sum of all values in units. Like any of the
// Counters it has one writer, and readers need no lock.
const (
	// HistogramBuckets is the number of buckets. The last has what is above all bounds.
	HistogramBuckets = 20
	// HistogramWords is the number of counters that a histogram takes.
	HistogramWords = HistogramBuckets + 1
)

// Observe counts v, in units, n times in the histogram that begins at counter at. It takes 2 ns.
func (c *Counters) Observe(at int, v, n uint64) {
	c[at+min(bits.Len64(v), HistogramBuckets-1)] += n
	c[at+HistogramBuckets] += v * n
}

// Histogram is what was read of one.
type Histogram struct {
	Counts [HistogramBuckets]uint64
	Sum    uint64 // in units
}

// Histogram reads the one that begins at counter at.
func (c *Counters) Histogram(at int) (h Histogram) {
	for i := range h.Counts {
		h.Counts[i] = atomic.LoadUint64(&c[at+i])
	}
	h.Sum = atomic.LoadUint64(&c[at+HistogramBuckets])
	return h
}

// Add adds another one of the same units.
func (h *Histogram) Add(other *Histogram) {
	for i := range h.Counts {
		h.Counts[i] += other.Counts[i]
	}
	h.Sum += other.Sum
}

// Since returns what was counted since before.
func (h Histogram) Since(before *Histogram) Histogram {
	for i := range h.Counts {
		h.Counts[i] -= before.Counts[i]
	}
	h.Sum -= before.Sum
	return h
}

// Count is how many values there are.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Bound returns the upper bound of bucket i in units. The last has none.
func Bound(i int) uint64 { return 1 << i }

// Quantile estimates the value, in units, that a share q of all values, 0 to 1, does not exceed:
// the bucket is known, and within it values count as spread evenly. It is 0 if there are none.
func (h *Histogram) Quantile(q float64) float64 {
	all := h.Count()
	if all == 0 {
		return 0
	}
	left := q * float64(all)
	for i, n := range h.Counts {
		if left > float64(n) && i < HistogramBuckets-1 {
			left -= float64(n)
			continue
		}
		low := 0.0
		if i > 0 {
			low = float64(Bound(i - 1))
		}
		if n == 0 {
			return low
		}
		return low + (float64(Bound(i))-low)*min(left/float64(n), 1)
	}
	return 0
}
