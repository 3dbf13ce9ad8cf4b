package proxy

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzPlan makes edits that do not overlap, in any order, several at one place among them, and
// compares both ways of writing them with pasting the pieces together. Each edit takes three bytes
// of the input: the gap to the one before it, how much is cut, how much is put in.
func FuzzPlan(f *testing.F) {
	f.Add([]byte("some message"), []byte{1, 2, 3, 0, 0, 1, 4, 0, 2}, uint8(7))
	f.Add([]byte("x"), []byte{0, 1, 0, 0, 0, 5}, uint8(1))
	f.Add([]byte(""), []byte{0, 0, 9, 0, 0, 1}, uint8(0))
	var p Plan
	f.Fuzz(func(t *testing.T, raw, choices []byte, order uint8) {
		type one struct {
			at, cut int
			with    []byte
		}
		var edits []one
		var want []byte
		pos := 0
		for ; len(choices) >= 3 && len(edits) < maxEdits; choices = choices[3:] {
			at := pos + int(choices[0])%16
			cut := int(choices[1]) % 8
			if choices[0] >= 240 && len(edits) > 0 {
				// beside what was put in there, whatever was cut
				at, cut = edits[len(edits)-1].at, 0
			}
			if at+cut > len(raw) {
				break
			}
			e := one{at, cut, bytes.Repeat([]byte{'A' + byte(len(edits))}, int(choices[2])%5)}
			if at > pos {
				want = append(want, raw[pos:at]...)
			}
			want = append(want, e.with...)
			edits = append(edits, e)
			pos = max(pos, at+cut)
		}
		want = append(want, raw[pos:]...)
		// Another order of making them must not matter, except among those of one place, which keep
		// theirs.
		made := slices.Clone(edits)
		for i := range made {
			if j := (i + int(order)) % len(made); made[i].at != made[j].at {
				made[i], made[j] = made[j], made[i]
			}
		}
		same := map[int][]one{}
		for _, e := range edits {
			same[e.at] = append(same[e.at], e)
		}
		for i, e := range made {
			made[i], same[e.at] = same[e.at][0], same[e.at][1:]
		}
		p.Reset(raw)
		for _, e := range made {
			p.Replace(uint32(e.at), uint32(e.cut), e.with)
		}
		if p.Bytes() != len(want) || p.full {
			t.Fatalf("%d bytes announced, want %d; full %v", p.Bytes(), len(want), p.full)
		}
		if got := bytes.Join(p.Segments(), nil); !bytes.Equal(got, want) {
			t.Fatalf("segments of %q %v: %q, want %q", raw, made, got, want)
		}
		b := make([]byte, p.Bytes())
		if p.WriteTo(b); !bytes.Equal(b, want) {
			t.Fatalf("written %q, want %q", b, want)
		}
	})
}
