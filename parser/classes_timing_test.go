package parser

import "testing"

// BenchmarkScanURI: the receipt of the eight-bytes-at-a-time scan, against the table.
func BenchmarkScanURI(b *testing.B) {
	s := []byte("sip:+4930123456@sip.example.com>;tag=1")
	b.Run("words", func(b *testing.B) {
		for b.Loop() {
			if n := uriRun(s, 0); n != 31 {
				b.Fatal(n)
			}
		}
	})
	b.Run("table", func(b *testing.B) {
		for b.Loop() {
			if n := run(s, 0, classURI); n != 31 {
				b.Fatal(n)
			}
		}
	})
}
