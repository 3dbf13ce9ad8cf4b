// Package histogram stands beside the packet's path, on the bench: it counts latencies in constant
// space and answers percentiles.
//
// Values are nanoseconds. Buckets are log-linear: 128 per power of two, so a percentile read back
// lies at most 1/128 (0.8 %) above the value recorded, from 0 to about 18 minutes; what is longer
// is counted in the last bucket and its true size kept in Max. Recording is one bit scan and one
// increment, without allocation. A Histogram has one writer and no lock; do not use it from two
// goroutines.
package histogram

import (
	"math/bits"
	"time"
)

// Histogram is a set of recorded durations. The zero value is empty and ready. It is about 35 KiB:
// keep it by pointer.
type Histogram struct {
	counts [bucketCount]uint64
	total  uint64
	sum    uint64
	min    uint64
	max    uint64
}

// index gives the bucket of v. Below subBuckets each value has its own bucket; above, the top
// subBits bits after the leading one choose.
//
//	v = 1bbbbbbb rrrr…    octave: position of the leading one, b: bucket within it, r: lost
func index(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - subBits
	i := (shift+1)<<subBits + int(v>>uint(shift))&(subBuckets-1)
	if i >= bucketCount {
		return bucketCount - 1
	}
	return i
}

// upper gives the largest value that index sends to bucket i.
func upper(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	shift := uint(i>>subBits - 1)
	low := (uint64(subBuckets) + uint64(i&(subBuckets-1))) << shift
	return low + 1<<shift - 1
}

// Record counts one duration. A negative one (a clock read before its cause) counts as zero.
func (h *Histogram) Record(d time.Duration) {
	v := uint64(max(d, 0))
	h.counts[index(v)]++
	if h.total == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.total++
	h.sum += v
}

// Count is the number of durations recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Min is the smallest duration recorded, exact; 0 if there is none.
func (h *Histogram) Min() time.Duration { return time.Duration(h.min) }

// Max is the largest duration recorded, exact; 0 if there is none.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Mean is the arithmetic mean, exact to the nanosecond; 0 if there is none.
func (h *Histogram) Mean() time.Duration {
	if h.total == 0 {
		return 0
	}
	return time.Duration(h.sum / h.total)
}

// Quantile gives the smallest bucket bound such that at least the fraction q (0 to 1) of the
// recorded durations are at or below it, and never more than Max. It is 0 for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q*float64(h.total) + 0.9999999)
	rank = min(max(rank, 1), h.total)
	var seen uint64
	for i := range h.counts {
		seen += h.counts[i]
		if seen >= rank {
			if i == bucketCount-1 {
				return h.Max()
			}
			return time.Duration(min(upper(i), h.max))
		}
	}
	return h.Max()
}

// Merge adds the durations of o, which stays as it is.
func (h *Histogram) Merge(o *Histogram) {
	if o.total == 0 {
		return
	}
	for i, n := range &o.counts {
		h.counts[i] += n
	}
	if h.total == 0 || o.min < h.min {
		h.min = o.min
	}
	h.max = max(h.max, o.max)
	h.total += o.total
	h.sum += o.sum
}

// Reset empties h.
func (h *Histogram) Reset() { *h = Histogram{} }
