package tlslayer

import (
	"bytes"
	"crypto/tls"
	"runtime"
	"slices"
	"testing"
)

// What limits.go says a session holds, with margin: after records of every size, in pieces of every
// size, with one record left open.
func TestMemoryIsBounded(t *testing.T) {
	const sessions = 10
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	plain := bytes.Repeat([]byte("x"), 256<<10)
	f := func(name string, step int) {
		t.Helper()
		var kept []*Session
		before := heap()
		for range sessions {
			server, client := couple(t, tls.VersionTLS13)
			wire, err := client.Seal(nil, plain)
			if err != nil {
				t.Fatal(err)
			}
			for piece := range slices.Chunk(wire[:len(wire)-1], step) {
				if err := server.Feed(piece, func([]byte) {}); err != nil {
					t.Fatal(err)
				}
			}
			kept = append(kept, server)
		}
		if each := int64(heap()-before) / sessions; each > 128<<10 {
			t.Errorf("%s: a session holds %d bytes", name, each)
		}
		runtime.KeepAlive(kept)
	}
	f("pieces of 64 KiB", 64<<10)
	f("pieces of 1,000 bytes", 1000)
}
