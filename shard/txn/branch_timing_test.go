package txn

import "testing"

// BenchmarkAppendBranch is the Via branch of one request that leaves, mark included.
func BenchmarkAppendBranch(b *testing.B) {
	x := newMachine(b, "INVITE")
	buf := make([]byte, 0, 2*BranchBytes)
	b.ReportAllocs()
	for b.Loop() {
		if buf = x.AppendBranch(buf[:0], x.br); len(buf) != BranchBytes {
			b.Fatalf("%d bytes", len(buf))
		}
	}
}
