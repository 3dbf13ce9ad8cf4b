package path

import (
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/textops"
	"viaduct/shard/route"
)

func bench(t *testing.T, head string) *moduletest.Bench {
	b := moduletest.New(t, route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "path", Define: Define})
	b.Head = head
	return b
}

// TestAsKamailio holds the rows that are added against Kamailio's.
func TestAsKamailio(t *testing.T) {
	bench(t, "").Wire("testdata/path.txt")
	bench(t, `modparam("path", "received_format", 1)`).Wire("testdata/alias.txt")
	bench(t, `modparam("path", "received_name", "rcv")`).Wire("testdata/name.txt")
	bench(t, `modparam("path", "enable_r2", 1)
modparam("path", "sockname_mode", 1)`).Wire("testdata/r2.txt")
}

// TestRefused: what can be no name.
func TestRefused(t *testing.T) {
	for _, name := range []string{"", "a b", "a=b", "a;b"} {
		b := bench(t, `modparam("path", "received_name", "`+name+`")`)
		b.Fails("exit;", `path.received_name is `+route.Quote(name)+
			"; it is made of letters, digits and -.!%*_+`'~")
	}
}

// TestNothingAllocated: a Path costs the heap nothing.
func TestNothingAllocated(t *testing.T) {
	b := bench(t, `modparam("path", "enable_r2", 1)`)
	b.Quiet = true
	p, _, err := b.Load(`request_route { add_path_received("u", "a=b"); add_path("$rU"); forward(); }`)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
		b.Core.Release()
		b.Sent = b.Sent[:0]
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
