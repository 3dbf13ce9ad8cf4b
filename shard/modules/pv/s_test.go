package pv_test

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define})
}

func TestTexts(t *testing.T) {
	b := bench(t)
	f := func(text, chain, want string) {
		t.Helper()
		if got := b.Value(`$var(x) = "`+text+`"; $var(n) = 2;`, "$(var(x)"+chain+")"); got != want {
			t.Errorf("$(var(x)%s) of %q is %s, want %s", chain, text, got, want)
		}
	}
	f("hello", "{s.len}", "5")
	f("", "{s.len}", "0")
	f("42", "{s.int}", "42")
	f("0", "{s.int}", "0")
	f("4x", "{s.int}", "null")
	f("hello", "{s.substr,1,3}", "'ell'")
	f("hello", "{s.substr,1,0}", "'ello'")
	f("hello", "{s.substr,-3,2}", "'ll'")
	f("hello", "{s.substr,5,2}", "null")
	f("hello", "{s.substr,-6,2}", "null")
	f("hello", "{s.substr, 1 , 9 }", "'ello'")
	f("hello", "{s.substr,$var(n),$(var(x){s.len})}", "'llo'")
	f("hello", "{s.substr,1,3}{s.substr,1,1}{s.len}", "1")
	if got := b.Value("", `"<$(hdr(X-Foo)[-1]{s.len})|$(hdr(None){s.len})>"`); got != "'<4|>'" {
		t.Errorf("in a text: %s", got)
	}
	b.Fails(`see($(rU{s.lenn}));`, "unknown transformation {s.lenn}; did you mean s.len?")
	b.Fails(`see($(rU{s.substr,1}));`, "{s.substr} takes 2 arguments, not 1")
	b.Fails(`see($(rU{s.substr,a,1}));`, `s.substr wants a number for the offset, not "a"`)
	b.Fails(`see($(rU{s.substr,1,-1}));`, "s.substr: the length is -1; the range is 0..2147483647")
	b.Fails(`see($(rU{s.len}x));`, `a transformation is written {name} or {name,argument}, not "x"`)
	b.Fails(`$(rU{s.len}) = 1;`, "$(rU{s.len}) cannot be assigned to")
}

// TestNoAllocation: transformations cost the heap nothing.
func TestNoAllocation(t *testing.T) {
	b := bench(t)
	for _, chain := range []string{"{s.substr,1,$(rU{s.len})}{s.len}", "{s.int}", "{s.select,1,o}",
		"{s.strip,1}{s.striptail,1}{s.trim}", "{s.before,o}", "{s.tolower}{s.toupper}", "{s.md5}",
		"{s.sha256}", "{s.sha512}", "{s.corehash,8}", "{s.replace,o,oo}", "{s.rm,o}", "{s.count,b}",
		"{s.numeric}", "{s.encode.hexa}{s.decode.hexa}", "{s.encode.base64}{s.decode.base64}",
		"{s.encode.base58}{s.decode.base58}", "{s.encode.7bit}{s.decode.7bit}",
		"{s.escape.user}{s.unescape.user}", "{s.escape.common}{s.unescape.common}",
		"{s.urlencode.param}{s.urldecode.param}", "{s.prefixes}", "{s.len}{s.ftime,%F %T}",
		"{uri.user}", "{uri.host}{s.len}", "{uri.param,user}", "{uri.duri}", "{uri.tosocket}",
		"{param.value,user}", "{param.count}", "{param.name,-1}", "{nameaddr.uri}{uri.user}",
		"{tobody.user}", "{line.at,0}", "{urialias.encode}{urialias.decode}"} {
		p, _, err := b.Load(`request_route { $var(x) = $(ru` + chain + `); }`)
		if err != nil {
			t.Fatal(err)
		}
		r := b.Begin(b.Msg(), b.Source())
		if n := testing.AllocsPerRun(100, func() { p.Request(b.Ctx, r) }); n != 0 {
			t.Errorf("%s: %v allocations", chain, n)
		}
	}
}
