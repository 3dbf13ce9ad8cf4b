package sdpops

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
		route.Declared{Name: "sdpops", Define: Define})
}

// TestWire holds what leaves against the files in testdata.
func TestWire(t *testing.T) {
	b := bench(t)
	b.Wire("testdata/looks.txt")
	b.Wire("testdata/edits.txt")
}

// TestNoAllocation: what looks at SDP, and what takes codecs out, costs the heap nothing.
func TestNoAllocation(t *testing.T) {
	b := bench(t)
	sdp := "v=0\r\no=a 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nm=audio 9 RTP/AVP 0 8 " +
		"97\r\na=rtpmap:97 iLBC/8000\r\n"
	b.Message(strings.NewReplacer("text/plain", "application/sdp", "Length: 4",
		"Length: "+strconv.Itoa(len(sdp)),
		"\r\n\r\nbody", "\r\n\r\n"+sdp).Replace(moduletest.Request))
	p, _, err := b.Load(`request_route {
	sdp_with_media("video"); sdp_with_active_media("audio"); sdp_with_transport("RTP/AVP"); sdp_content(); sdp_with_ice();
	sdp_with_codecs_by_name("opus,iLBC"); sdp_get_line_startswith("$var(x)", "m="); sdp_get_address_family();
	sdp_remove_codecs_by_name("PCMU,iLBC"); sdp_remove_line_by_prefix("a=x"); $sdp(sess_version) = -1;
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
