package traffic

import (
	"bytes"
	"net/netip"
	"testing"

	"viaduct/parser"
)

var (
	testCaller = netip.MustParseAddrPort("127.0.0.1:6000")
	testID     = [idBytes]byte([]byte("0123456789abcdef"))
)

// everyMessage is one of each message of the bench, as a proxy would pass it on.
func everyMessage(t testing.TB) map[string][]byte {
	const target = "sip:bob@127.0.0.1:7000"
	fill := func(text string) []byte {
		tm := newTemplate(text)
		return tm.appendTo(nil, &testID, 0x1a2b)
	}
	proxied := func(b []byte) []byte {
		return bytes.Replace(b, []byte("Via: "),
			[]byte("Record-Route: <sip:127.0.0.1;lr>, <sip:127.0.0.2;lr;x=\"a,b\">\r\n"+
				"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1.2\r\nVia: "), 1)
	}
	out := map[string][]byte{
		"INVITE":  proxied(fill(style{testCaller, UDP, true}.inviteText(target))),
		"CANCEL":  fill(style{testCaller, UDP, false}.cancelText(target)),
		"OPTIONS": fill(style{testCaller, UDP, false}.optionsText(target)),
	}
	var m message
	respond := func(request, status, end string, tag []byte) []byte {
		b := out[request]
		if !m.scan(b) {
			t.Fatalf("%s does not scan:\n%s", request, b)
		}
		return append(appendEcho([]byte(status), b, &m, tag), end...)
	}
	tag := append([]byte("t"), testID[:]...)
	contact := "Contact: <" + target + ">\r\n"
	body := sdp("127.0.0.1", 7000)
	out["180"] = respond("INVITE", "SIP/2.0 180 Ringing\r\n", contact+emptyEnd, tag)
	out["200"] = respond("INVITE", "SIP/2.0 200 OK\r\n", contact+"Content-Length: "+itoa(len(body))+"\r\n\r\n"+body,
		tag)
	out["200 OPTIONS"] = respond("OPTIONS", "SIP/2.0 200 OK\r\n", emptyEnd, nil)
	if !m.scan(out["200"]) {
		t.Fatal("200 does not scan")
	}
	top := newTemplate(style{testCaller, UDP, false}.dialogTop())
	out["ACK"] = appendAck(nil, &top, &testID, 0x1a2b, out["200"], &m)
	out["BYE"] = bytes.Clone(out["ACK"])
	byeFromAck(out["BYE"])
	back := bytes.Clone(out["BYE"])
	if ackFromBye(back); !bytes.Equal(back, out["ACK"]) {
		t.Fatalf("ACK does not come back from BYE:\n%s", back)
	}
	failure := respond("INVITE", "SIP/2.0 486 Busy Here\r\n", emptyEnd, tag)
	if !m.scan(failure) {
		t.Fatal("486 does not scan")
	}
	ack := fill(style{testCaller, UDP, false}.ackFailureText(target))
	out["486"] = failure
	out["ACK 486"] = append(append(ack, m.to.in(failure)...), "\r\n"...)
	return out
}

func itoa(n int) string {
	b := []byte{}
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// What the generator writes must satisfy the strict parser, and the generator's own scanner must
// agree with it.
func TestMessagesAgainstParser(t *testing.T) {
	for name, b := range everyMessage(t) {
		var p parser.Message
		if r := p.Parse(b); r != parser.OK {
			t.Errorf("%s: parser says %v:\n%s", name, r, b)
			continue
		}
		if r := p.Check(); r != parser.OK {
			t.Errorf("%s: parser's check says %v:\n%s", name, r, b)
			continue
		}
		var m message
		if !m.scan(b) {
			t.Errorf("%s does not scan", name)
			continue
		}
		cseq, _ := p.CSeq()
		length, _ := p.ContentLength()
		if m.isRequest != p.IsRequest || string(m.callID.in(b)) != string(p.CallID()) || m.cseqNumber != cseq.Number ||
			m.length != length ||
			string(m.body.in(b)) != string(p.Body()) || !m.isRequest && m.status != int(p.Status) {
			t.Errorf("%s: scanner and parser differ: %+v", name, m)
		}
		if n := len(p.Body()); n != length {
			t.Errorf("%s: Content-Length %d, body %d bytes", name, length, n)
		}
		if branch := []byte("branch=z9hG4bK"); !bytes.Contains(b, branch) {
			t.Errorf("%s: no branch", name)
		}
	}
}

func TestRouteIsReversed(t *testing.T) {
	ack := everyMessage(t)["ACK"]
	want := "Route: <sip:127.0.0.2;lr;x=\"a,b\">\r\nRoute: <sip:127.0.0.1;lr>\r\n"
	if !bytes.Contains(ack, []byte(want)) {
		t.Errorf("want\n%s in\n%s", want, ack)
	}
}

func TestScanRefuses(t *testing.T) {
	good := string(everyMessage(t)["BYE"])
	f := func(name, from, to string) {
		t.Helper()
		b := bytes.Replace([]byte(good), []byte(from), []byte(to), 1)
		if string(b) == good {
			t.Fatalf("%s: %q is not in the message", name, from)
		}
		var m message
		if m.scan(b) {
			t.Errorf("%s was accepted:\n%s", name, b)
		}
	}
	f("no version", " SIP/2.0\r\n", "\r\n")
	f("bare line feed", "Max-Forwards: 70\r\n", "Max-Forwards: 70\n")
	f("folded line", "Max-Forwards: 70\r\n", "Max-Forwards:\r\n 70\r\n")
	f("no Via", "Via: ", "Xia: ")
	f("no Call-ID", "Call-ID: ", "Cull-ID: ")
	f("no CSeq", "CSeq: ", "CSaq: ")
	f("no end", "\r\n\r\n", "\r\n")
	var m message
	for _, b := range []string{"", "\r\n\r\n", "SIP/2.0 200", "SIP/2.0 2OO OK\r\n\r\n"} {
		if m.scan([]byte(b)) {
			t.Errorf("%q was accepted", b)
		}
	}
}

func TestCompactForms(t *testing.T) {
	var m message
	b := []byte("SIP/2.0 200 OK\r\nv: SIP/2.0/UDP a;branch=z9hG4bKx\r\nVIA : b\r\nf: <sip:a>;tag=1\r\n" +
		"t: <sip:b>;tag=2\r\ni: x\r\ncseq: 7 BYE\r\nm: <sip:c>\r\nl: 0\r\n\r\n")
	if !m.scan(b) || m.vias != 2 || string(m.callID.in(b)) != "x" || m.cseqNumber != 7 || m.method != methodBye ||
		string(m.contact.in(b)) != "sip:c" || m.length != 0 {
		t.Errorf("%+v", m)
	}
}

func FuzzScan(f *testing.F) {
	for _, b := range everyMessage(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m message
		if !m.scan(b) {
			return
		}
		spans := append([]span{m.uri, m.from, m.to, m.callID, m.cseq, m.contact, m.body}, m.via[:m.viaLines]...)
		for _, s := range append(spans, m.recordRoute[:m.routes]...) {
			if s.from > s.to || int(s.to) > len(b) {
				t.Fatalf("span %v outside %d bytes", s, len(b))
			}
		}
		if m.isRequest && m.uri.empty() {
			t.Fatal("request without URI")
		}
		if !m.isRequest && (m.status < 0 || m.status > 999) {
			t.Fatalf("status %d", m.status)
		}
	})
}

func TestIdentityIsUnique(t *testing.T) {
	seen := map[uint64]bool{}
	for i := range uint64(100_000) {
		id := identity(i)
		if seen[id] {
			t.Fatalf("identity of %d occurred before", i)
		}
		seen[id] = true
	}
}

func TestHex(t *testing.T) {
	b := make([]byte, 8)
	for _, v := range []uint64{0, 1, 0xdeadbeef, 0xffffffff} {
		putHex(b, v)
		if got, ok := hexValue(b); !ok || got != v {
			t.Errorf("%x came back as %x from %s", v, got, b)
		}
	}
	if _, ok := hexValue([]byte("0000000G")); ok {
		t.Error("G is no digit")
	}
}
