//go:build !race

package pcre

import "testing"

// TestNoAllocation runs without the race detector, which lets go of what package regexp keeps in a
// pool.
func TestNoAllocation(t *testing.T) {
	var m Matcher
	p, err := Compile(`^00([1-9]\d+)(?=4)`, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("004934")
	m.Find(p, text)
	if n := testing.AllocsPerRun(100, func() {
		if !m.Find(p, text) || m.Cached([]byte("x+"), 0) == nil {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
