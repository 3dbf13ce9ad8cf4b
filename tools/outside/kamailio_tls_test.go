package outside

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Calls through viaduct and Kamailio, with TLS between the two, in both directions; each verifies
// the other's certificate, and either side ends the call.
func TestTLSWithKamailio(t *testing.T) {
	t.Parallel()
	needs(t, "kamailio", "kamailio")
	if found, _ := filepath.Glob("/usr/lib/*/kamailio/modules/tls.so"); len(found) == 0 {
		t.Skip("needs Kamailio's module tls (package kamailio-tls-modules)")
	}
	s := streamSetup{verify: true, setup: setup{program: routes("\tloose_route();\n\troute(RELAY);")}}
	ours := startStreams(t, s)
	s.ca, s.other = ours.ca, true
	theirs := startStreams(t, s)
	for _, c := range []struct {
		name          string
		first, second *streamServer
	}{{"to Kamailio", ours, theirs}, {"from Kamailio", theirs, ours}} {
		caller, callee := c.first.caller(t, "the caller "+c.name, overTCP), newPeer(t, "the callee "+c.name)
		callee.once.Store(true)
		for _, calleeEnds := range []bool{false, true} {
			d := caller.call(c.first.tcp)
			d.uri = callee.contact("callee")
			d.routes = []string{fmt.Sprintf("<sip:%v;transport=tls;lr>", c.second.tls)}
			invite, _ := d.establish(callee)
			if vias := strings.Join(invite.all("Via"), ","); !strings.Contains(vias, "SIP/2.0/TLS ") {
				t.Errorf("%s: no TLS in Via: %s", c.name, vias)
			}
			if !calleeEnds {
				d.request("BYE")
				answered(caller, callee, "BYE")
				continue
			}
			e := d.asSeenBy(callee, invite, c.second.addr)
			e.request("BYE")
			answered(callee, caller, "BYE")
		}
	}
}
