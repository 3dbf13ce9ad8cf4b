package parser

import (
	"strings"
	"testing"
)

// inviteSDP is the message all numbers of this package are about: an INVITE with SDP as a softphone behind one
// proxy sends it.
var inviteSDP = crlf(`INVITE sip:+4930123456@sip.example.com:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-524287-1---8f3a1c77d2e4b5a6;rport
Max-Forwards: 70
Contact: <sip:alice@192.0.2.10:5060;transport=udp>
To: <sip:+4930123456@sip.example.com>
From: "Alice" <sip:alice@sip.example.com>;tag=9fxced76sl
Call-ID: 843817637684230@998sdasdh09
CSeq: 1 INVITE
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY
Content-Type: application/sdp
User-Agent: Softphone 4.2
Content-Length: 203

v=0
o=alice 2890844526 2890844526 IN IP4 192.0.2.10
s=-
c=IN IP4 192.0.2.10
t=0 0
m=audio 49172 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=sendrecv
`)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func BenchmarkIndex(b *testing.B) {
	var m Message
	b.SetBytes(int64(len(inviteSDP)))
	b.ReportAllocs()
	for b.Loop() {
		if r := m.Parse(inviteSDP); r != OK || len(m.Headers) != 11 {
			b.Fatal(r)
		}
	}
}

func BenchmarkIndexAndCheck(b *testing.B) {
	var m Message
	b.SetBytes(int64(len(inviteSDP)))
	b.ReportAllocs()
	for b.Loop() {
		m.Parse(inviteSDP)
		if r := m.Check(); r != OK {
			b.Fatal(r)
		}
	}
}

func BenchmarkIndexAndFields(b *testing.B) {
	var m Message
	b.SetBytes(int64(len(inviteSDP)))
	b.ReportAllocs()
	for b.Loop() {
		if r := m.Parse(inviteSDP); r != OK {
			b.Fatal(r)
		}
		via, r1 := m.TopVia()
		cseq, r2 := m.CSeq()
		from, r3 := m.From()
		to, r4 := m.To()
		mf, r5 := m.MaxForwards()
		cl, r6 := m.ContentLength()
		if r1|r2|r3|r4|r5|r6 != OK || via.Branch.Len == 0 || via.SentBy.Len == 0 || cseq.Number != 1 ||
			from.Tag.Len != 10 || to.Tag.Len != 0 || mf != 70 || cl != 203 || len(m.CallID()) == 0 {
			b.Fatal("wrong fields")
		}
	}
}
