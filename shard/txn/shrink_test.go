package txn

import (
	"testing"

	"viaduct/parser"
)

const longInvite = "INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP p.example;branch=z9hG4bK1\r\n" +
	"v :SIP/2.0/UDP a.example;branch=z9hG4bK2,\r\n SIP/2.0/UDP c.example;branch=z9hG4bK3\r\n" +
	"MAX-FORWARDS: 69\r\nRecord-Route: <sip:p.example;lr>\r\nUser-Agent: a phone,\r\n\twhich folds\r\n" +
	"Contact: <sip:alice@192.0.2.1:5060>\r\nf: <sip:alice@a.example>;tag=1\r\nTo: <sip:bob@b.example>\r\n" +
	"i: call\r\nCSeq: 1 INVITE\r\nX-Account: 7\r\nProxy-Authorization: Digest a=\"b\"\r\n" +
	"Supported: timer, 100rel\r\n" +
	"Content-Type: application/sdp\r\nContent-Length: 8\r\n\r\nv=0\r\nTo:x"

// TestLasting: what lasts of an INVITE beyond its first provisional response.
func TestLasting(t *testing.T) {
	want := "INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP p.example;branch=z9hG4bK1\r\n" +
		"v :SIP/2.0/UDP a.example;branch=z9hG4bK2,\r\n SIP/2.0/UDP c.example;branch=z9hG4bK3\r\n" +
		"MAX-FORWARDS: 69\r\nRecord-Route: <sip:p.example;lr>\r\nf: <sip:alice@a.example>;tag=1\r\n" +
		"To: <sip:bob@b.example>\r\ni: call\r\nCSeq: 1 INVITE\r\n"
	const end = "Proxy-Authorization: Digest a=\"b\"\r\n\r\n"
	for hop, more := range map[string]string{"": "", "x-acc": "X-Account: 7\r\n"} {
		x := &Table{hopHeaders: hop}
		got := string(x.appendLasting(nil, []byte(longInvite)))
		if w := want + more + end; got != w {
			t.Errorf("with ac_extra_hdrs %q\n%s\nlasts, want\n%s", hop, got, w)
		}
		var m parser.Message
		if r := m.Parse([]byte(got)); r != parser.OK {
			t.Errorf("with ac_extra_hdrs %q it does not parse: %v", hop, r)
		}
	}
}
