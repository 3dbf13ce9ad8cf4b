package ipops

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "ipops", Define: Define})
}

// TestCases plays testdata/ipops.txt.
func TestCases(t *testing.T) { bench(t).Check("testdata/ipops.txt") }

// TestNoAllocation: looking at addresses costs the heap nothing.
func TestNoAllocation(t *testing.T) {
	b := bench(t)
	p, _, err := b.Load(`request_route { if (is_ip("$si") && is_in_subnet("$si", "10.0.0.0/8,127.0.0.0/8")) {
		detailed_ip_type("$si", "$var(t)"); compare_ips("$si", "[::1]"); } }`)
	if err != nil {
		t.Fatal(err)
	}
	r := b.Begin(b.Msg(), b.Source())
	if n := testing.AllocsPerRun(100, func() { p.Request(b.Ctx, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
