package proxy

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestPlanAgainstCopying makes random edits in random order and compares both ways of writing them
// with plain copying from the back.
func TestPlanAgainstCopying(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var p Plan
	for range 20000 {
		raw := make([]byte, 1+rng.IntN(200))
		for i := range raw {
			raw[i] = byte('a' + rng.IntN(26))
		}
		type one struct {
			at, cut int
			with    []byte
		}
		var edits []one
		for pos := 0; len(edits) < 8; {
			at := pos + rng.IntN(40)
			cut := rng.IntN(10)
			if at+cut > len(raw) {
				break
			}
			edits = append(edits, one{at, cut, bytes.Repeat([]byte{'#'}, rng.IntN(6))})
			pos = at + cut + 1 // the next one elsewhere: only edits of one place have an order
		}
		want := bytes.Clone(raw)
		for i := len(edits) - 1; i >= 0; i-- {
			e := edits[i]
			want = append(want[:e.at:e.at], append(bytes.Clone(e.with), want[e.at+e.cut:]...)...)
		}
		p.Reset(raw)
		for _, i := range rng.Perm(len(edits)) {
			p.Replace(uint32(edits[i].at), uint32(edits[i].cut), edits[i].with)
		}
		if p.Bytes() != len(want) || p.verdict() != 0 {
			t.Fatalf("%d bytes announced, want %d; verdict %d", p.Bytes(), len(want), p.verdict())
		}
		if got := bytes.Join(p.Segments(), nil); !bytes.Equal(got, want) {
			t.Fatalf("segments of %q %v: %q, want %q", raw, edits, got, want)
		}
		b := make([]byte, p.Bytes())
		if p.WriteTo(b); !bytes.Equal(b, want) {
			t.Fatalf("written %q, want %q", b, want)
		}
	}
}

// TestPlanOrder: edits at one offset keep the order they were made in, and too many of them are
// noticed.
func TestPlanOrder(t *testing.T) {
	var p Plan
	p.Reset([]byte("ab"))
	p.Insert(1, []byte("1"))
	p.Insert(2, []byte("3"))
	p.Insert(1, []byte("2"))
	if got := string(bytes.Join(p.Segments(), nil)); got != "a12b3" {
		t.Errorf("got %q", got)
	}
	p.Reset(make([]byte, 100))
	for i := range uint32(maxEdits + 1) {
		p.Insert(i, []byte("x"))
	}
	if p.verdict() != TooManyEdits {
		t.Errorf("verdict %d with an edit too many", p.verdict())
	}
	p.Reset(make([]byte, maxDatagramBytes))
	p.Insert(0, []byte("x"))
	if p.verdict() != TooLong {
		t.Errorf("verdict %d for a message that is too long", p.verdict())
	}
}
