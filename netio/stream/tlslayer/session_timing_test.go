package tlslayer

import (
	"bytes"
	"crypto/tls"
	"testing"
)

// What a message of 600 bytes costs in each direction. crypto/tls allocates its small readers
// (atLeastReader) for every record it reads; sealing allocates nothing but what dst needs.
func BenchmarkSealFeed(b *testing.B) {
	for _, v := range []struct {
		name    string
		version uint16
	}{{"1.2", tls.VersionTLS12}, {"1.3", tls.VersionTLS13}} {
		b.Run(v.name, func(b *testing.B) {
			server, client := couple(b, v.version)
			plain := bytes.Repeat([]byte("x"), 600)
			var wire []byte
			var got int
			emit := func(p []byte) { got += len(p) }
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				got = 0
				var err error
				if wire, err = client.Seal(wire[:0], plain); err != nil {
					b.Fatal(err)
				}
				if err = server.Feed(wire, emit); err != nil || got != len(plain) {
					b.Fatalf("%d bytes, %v", got, err)
				}
			}
		})
	}
}

// The promise behind the benchmark: crypto/tls makes two readers of 24 bytes for the record (48 B
// measured), sealing allocates nothing. Two more are left for the race detector, under which
// sync.Pool forgets.
func TestAllocations(t *testing.T) {
	server, client := couple(t, tls.VersionTLS13)
	plain, wire := bytes.Repeat([]byte("x"), 600), make([]byte, 0, 4096)
	var err error
	if n := testing.AllocsPerRun(100, func() {
		if wire, err = client.Seal(wire[:0], plain); err != nil {
			t.Fatal(err)
		}
		if err = server.Feed(wire, func([]byte) {}); err != nil {
			t.Fatal(err)
		}
	}); n > 4 {
		t.Errorf("%v allocations for one message sealed and fed", n)
	}
}
