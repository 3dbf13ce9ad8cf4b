package wslayer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// What a message of 600 bytes costs: a whole frame in, unmasked in place, and a frame out. Nothing
// is allocated.
func BenchmarkFeedFrame(b *testing.B) {
	s := upgraded(b, &Config{})
	msg := strings.Repeat("x", 600)
	clean := masked(true, ws.OpText, msg)
	wire, out := make([]byte, len(clean)), make([]byte, 0, 1024)
	n := 0
	emit := func(m []byte) { n, out = n+len(m), Frame(out[:0], m) }
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		copy(wire, clean)
		n = 0
		if _, err := s.Feed(wire, emit, nil); err != nil || n != len(msg) || len(out) != len(msg)+4 {
			b.Fatalf("%d bytes, %v", n, err)
		}
	}
}

func TestAllocations(t *testing.T) {
	s := upgraded(t, &Config{})
	clean := bytes.Join([][]byte{masked(true, ws.OpText, strings.Repeat("x", 600)), masked(true, ws.OpPing, "hi"),
		masked(false, ws.OpText, "OP"), masked(true, ws.OpContinuation, "TIONS")}, nil)
	wire, out := make([]byte, len(clean)), make([]byte, 0, 1024)
	emit, reply := func(m []byte) { out = Frame(out[:0], m) }, func([]byte) {}
	if n := testing.AllocsPerRun(100, func() {
		copy(wire, clean)
		for i := 0; i < len(wire); i += 100 {
			if _, err := s.Feed(wire[i:min(i+100, len(wire))], emit, reply); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for two messages and a ping", n)
	}
}
