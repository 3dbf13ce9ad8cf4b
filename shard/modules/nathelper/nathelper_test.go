package nathelper

import (
	"strconv"
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/textopsx"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "textopsx", Define: textopsx.Define},
		route.Declared{Name: "nathelper", Define: Define})
}

// TestWire holds what leaves against the file in testdata.
func TestWire(t *testing.T) {
	b := bench(t)
	b.Head = `modparam("nathelper", "received_avp", "$avp(rcv)")`
	b.Wire("testdata/edits.txt")
}

// TestNoAllocation: fixing a message costs the heap nothing.
func TestNoAllocation(t *testing.T) {
	b := bench(t)
	b.Head = `modparam("nathelper", "received_avp", "$avp(rcv)")`
	sdp := "v=0\r\no=a 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nm=audio 9 RTP/AVP 0 8 " +
		"97\r\na=rtpmap:97 iLBC/8000\r\n"
	b.Message(strings.NewReplacer("text/plain", "application/sdp", "Length: 4",
		"Length: "+strconv.Itoa(len(sdp)),
		"\r\n\r\nbody", "\r\n\r\n"+sdp).Replace(moduletest.Request))
	p, _, err := b.Load(`request_route {
	nat_uac_test("1023"); fix_nated_sdp("15"); add_contact_alias(); set_alias_to_pv("$var(x)"); fix_nated_register();
	$var(n) = $rr_count;
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

// TestAliasUnneeded: only a Contact that names the source, its transport included, needs no alias.
func TestAliasUnneeded(t *testing.T) {
	b := bench(t)
	f := func(contact string, want int) {
		t.Helper()
		b.Message(strings.Replace(moduletest.Request, "<sip:alice@127.0.0.1:15998>", contact, 1))
		if _, got := b.Run(`add_contact_alias();`); got != want {
			t.Errorf("%s: %d, want %d", contact, got, want)
		}
	}
	f("<sip:alice@127.0.0.1:15998;transport=udp>", 2)
	f("<sip:alice@127.0.0.1:15998;transport=tcp>", 1)
	f("<sip:alice@127.0.0.1:15998>", 1)
	f("<sip:alice@127.0.0.1:15999;transport=udp>", 1)
}
