package histogram

import (
	"testing"
	"time"
)

func BenchmarkRecord(b *testing.B) {
	h := new(Histogram)
	for i := range b.N {
		h.Record(time.Duration(i) << 8)
	}
	if h.Count() != uint64(b.N) {
		b.Fatalf("count %d, want %d", h.Count(), b.N)
	}
}
