package corex

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

// TestVias: what may stand in our Via, and what may not.
func TestVias(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "corex", Define: Define},
		route.Declared{Name: "pv", Define: pv.Define})
	b.Head = "xavp_via_params=\"p\"\nxavp_via_fields=\"f\"\n"
	f := func(before, call, want string) {
		t.Helper()
		if got := b.Value(before+" $var(r) = "+call+";", "$var(r)"); got != want {
			t.Errorf("%s %s is %s, want %s", before, call, got, want)
		}
	}
	const add, use = `via_add_xavp_params("1")`, `via_use_xavp_fields("1")`
	f(``, add, "1")
	f(`$xavp(p) = "no list";`, add, "1")
	f(`$xavp(p=>a) = "x"; $xavp(p[0]=>b) = -5;`, add, "1")
	f(`$xavp(p=>a) = "[2001:db8::1]";`, add, "1")
	f(`$xavp(p=>a) = "\"a \\\" b\"";`, add, "1")
	f(`$xavp(p=>a) = "x y";`, add, "-1")
	f(`$xavp(p=>a) = "x;y=1";`, add, "-1")
	f(`$xavp(p=>a) = "\"";`, add, "-1")
	f(`$xavp(p=>a) = "\"x\"y\"";`, add, "-1")
	f(`$xavp(p=>Branch) = "x";`, add, "-1")
	f(`$xavp(p=>a) = "x\r\nEvil: y";`, add, "-1")
	f(`$xavp(f=>address) = "h.example.com"; $xavp(f[0]=>port) = "5099";`, use, "1")
	f(`$xavp(f=>address) = "[2001:db8::1]"; $xavp(f[0]=>port) = 5099;`, use, "1")
	f(`$xavp(f=>address) = "a b";`, use, "-1")
	f(`$xavp(f=>address) = "2001:db8::1";`, use, "-1")
	f(`$xavp(f=>port) = "0";`, use, "-1")
	f(`$xavp(f=>port) = "x";`, use, "-1")
	b.Head = ""
	_, warnings, err := b.Load(`request_route { via_add_xavp_params("1"); }`)
	const want = `via_add_xavp_params has no effect without xavp_via_params="NAME", the $xavp that it reads`
	if err != nil || len(warnings) != 1 || warnings[0].Text != want {
		t.Errorf("%v, %v", warnings, err)
	}
}
