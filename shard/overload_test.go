package shard

import (
	"testing"

	"viaduct/parser"
)

// Emergency calls and what claims priority are told from the rest.
func TestUrgent(t *testing.T) {
	for uri, want := range map[string]bool{
		"urn:service:sos": true, "URN:SERVICE:SOS.fire": true, "urn:service:sosa": false,
		"urn:service:counseling": false, "sip:sos@example.com": false, "urn:": false,
	} {
		for header, claims := range map[string]bool{"": false, "Resource-Priority: ets.0\r\n": true,
			"resource-priority:wps.1\r\n": true} {
			var m parser.Message
			text := "INVITE " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n" + header +
				"Call-ID: a\r\n\r\n"
			if r := m.Parse([]byte(text)); r != parser.OK {
				t.Fatal(r)
			}
			if got := urgent(&m); got != (want || claims) {
				t.Errorf("%s %s: %v", uri, header, got)
			}
		}
	}
}
