package shard

import (
	"testing"

	"golang.org/x/tools/txtar"

	"viaduct/shard/proxy"
)

// TestHistogramsCount: a call whose destination is a name leaves its times: how long it waited for
// the name, and how long for the first response, which is the only one that counts.
func TestHistogramsCount(t *testing.T) {
	a := txtar.Parse([]byte(`
-- config --
listen=udp:127.0.0.1:5060
auto_aliases=no
loadmodule "tm.so"
loadmodule "sl.so"
modparam("tm", "fr_timer", 30000)
request_route {
	t_relay();
}
-- names --
callee.example.com 127.0.0.1:7000
-- in 127.0.0.1:6000 --
INVITE sip:bob@callee.example.com:7000 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-u1
Max-Forwards: 70
From: <sip:alice@127.0.0.1>;tag=alice
To: <sip:bob@127.0.0.1>
Call-ID: call-1@caller
CSeq: 1 INVITE
Content-Length: 0

-- wait 40ms --
-- resolved --
-- wait 100ms --
-- answer 127.0.0.1:7000 180 Ringing --
-- wait 1s --
-- answer 127.0.0.1:7000 200 OK --
`))
	f := newStory(t, a)
	f.play(a, false)
	check := func(name string, at int, low, high float64, unit float64) {
		t.Helper()
		h := f.w.count.Histogram(at)
		if ms := h.Quantile(0.5) * unit; h.Count() != 1 || ms < low || ms > high {
			t.Errorf("%s: %d values, %v ms", name, h.Count(), ms)
		}
	}
	ms := float64(nameUnit) / 1e6
	check("names", histogramNames, 32, 64, ms)
	check("first response", proxy.HistogramFirstResponse, 64, 128,
		float64(proxy.FirstResponseUnit)/1e6)
	if n := f.w.count[countCodes+180]; n != 1 {
		t.Errorf("%d responses of status 180", n)
	}
}
