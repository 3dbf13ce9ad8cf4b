package textopsx

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "textopsx", Define: Define})
}

// TestWire holds what leaves against the file in testdata.
func TestWire(t *testing.T) {
	b := bench(t)
	b.Wire("testdata/edits.txt")
	b.Wire("testdata/values.txt")
}

// TestNoAllocation: a header value costs the heap nothing.
func TestNoAllocation(t *testing.T) {
	b := bench(t)
	p, _, err := b.Load(`request_route {
	hf_value_exists("Supported", "path"); include_hf_value("Supported", "path"); remove_hf_value("X-Foo[2]");
	append_hf_value("X-Foo[1]", "x"); assign_hf_value("X-Foo.bar", "1");
	hf_iterator_start("i"); while (hf_iterator_next("i")) { $var(x) = $hfitname(i); } hf_iterator_end("i");
	bl_iterator_start("b"); bl_iterator_next("b"); $var(x) = $blitval(b);
}`)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		p.Request(b.Ctx,
			b.Begin(b.Msg(), b.Source()))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestNoRowsWithin: a value that would begin a row of its own is refused.
func TestNoRowsWithin(t *testing.T) {
	b := bench(t)
	f := func(call string) {
		t.Helper()
		if got := b.Value(`$var(v) = "x\r\nEvil: 1";`, call); got != "-1" {
			t.Errorf("%s is %s", call, got)
		}
	}
	f(`append_hf_value("X-Foo[1]", "$var(v)")`)
	f(`insert_hf_value("X-Foo[1]", "$var(v)")`)
	f(`assign_hf_value("X-Foo.bar", "$var(v)")`)
	f(`include_hf_value("X-Foo", "$var(v)")`)
}
