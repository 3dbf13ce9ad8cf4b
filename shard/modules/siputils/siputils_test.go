package siputils

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/sl"
	"viaduct/shard/modules/textops"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "sl", Define: sl.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "siputils", Define: Define})
}

// TestCases holds functions of texts against the file in testdata.
func TestCases(t *testing.T) { bench(t).Check("testdata/texts.txt") }

// TestWire holds what leaves against the files in testdata.
func TestWire(t *testing.T) {
	b := bench(t)
	b.Wire("testdata/uri.txt")
	b.Wire("testdata/contact.txt")
	b.Wire("testdata/checks.txt")
}

// TestNoAllocation: looking at messages and URIs costs the heap nothing.
func TestNoAllocation(t *testing.T) {
	b := bench(t)
	p, _, err := b.Load(`request_route {
	is_first_hop(); uri_param("user", "phone"); uri_param_any("lr"); get_uri_param("user", "$var(x)"); is_gruu();
	cmp_uri("$ru", "$fu"); cmp_aor("$ru", "$fu"); is_supported("path"); is_tel_number("$rU"); is_uri("$fu");
	add_uri_param("x=1"); uri_param_rm("x"); encode_contact("n", "1.2.3.4"); $var(u) = $fu; set_uri_user("$var(u)", "$rU");
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

// TestNoRowsWithin: a URI that would begin a row is refused.
func TestNoRowsWithin(t *testing.T) {
	b := bench(t)
	if got := b.Value(`$var(v) = "sip:x\r\nEvil: 1";`,
		`contact_param_encode("k", "$var(v)")`); got != "-1" {
		t.Errorf("contact_param_encode is %s", got)
	}
}
