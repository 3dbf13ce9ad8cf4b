//go:build !race

package dialplan

import "testing"

// TestNoAllocation runs without the race detector, which lets go of what package regexp keeps in a
// pool.
func TestNoAllocation(t *testing.T) {
	b := bench(t, "testdata/db", "")
	p, _, err := b.Load(`request_route { dp_replace(1, "0049", "$var(y)"); dp_match(1, "zz"); }`)
	if err != nil {
		t.Fatal(err)
	}
	r := b.Begin(b.Msg(), b.Source())
	p.Request(b.Ctx, r)
	if n := testing.AllocsPerRun(100, func() { p.Request(b.Ctx, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
