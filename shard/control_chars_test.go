package shard

import (
	"bytes"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/parser"
)

// TestControlCharacters: a control character, or a line end that is none, in a start line or header
// is answered 400 (a response: dropped) whatever transport it came by, and the answer repeats none
// of them. With accept_ctrl_chars the same messages pass.
func TestControlCharacters(t *testing.T) {
	const config = `
listen=udp:127.0.0.1:5060
listen=tcp:127.0.0.1:5060
listen=ws:127.0.0.1:5060
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
request_route {
	$du = "sip:127.0.0.1:7000";
	if (!t_relay()) sl_reply_error();
}
`
	request := func(proto, id string) string {
		return "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/" + proto + " 127.0.0.1:6000;branch=z9hG4bK-" + id +
			"\r\nMax-Forwards: 70\r\nFrom: Alice <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: " + id +
			"\r\nCSeq: 1 OPTIONS\r\nX-Pad: pad\r\nContent-Length: 0\r\n\r\n"
	}
	cases := []struct{ name, old, new, accepted string }{
		{"a header smuggled behind a CR", "pad\r\n", "pad\rContent-Length: 263\r\n", "OPTIONS "},
		{"an LF alone", "pad\r\n", "pad\n", "OPTIONS "},
		{"an empty line of an LF alone", "0\r\n\r\n", "0\r\n\n", "OPTIONS "},
		{"NUL", "pad\r\n", "p\x00d\r\n", "OPTIONS "},
		{"ESC in what the answer repeats", "Alice", "\"A\x1blice\"", "OPTIONS "},
		{"a CR in what the answer repeats", "Alice", "\"A\rTo: x\"", "OPTIONS "},
		{"LF alone in what the answer repeats", "Alice <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\n",
			"<sip:a@x>;tag=1\nTo: <sip:b@y>\n", "OPTIONS "},
		{"DEL in a Request-URI", "bob", "b\x7fb", "SIP/2.0 400 Bad Request-URI"},
	}
	for _, accept := range []bool{false, true} {
		setting := config
		if accept {
			setting = "accept_ctrl_chars=yes" + config
		}
		f := newFlow(t, setting, "", 8<<20)
		for i, c := range cases {
			for _, proto := range []string{"UDP", "TCP", "WS"} {
				from := "127.0.0.1:6000"
				if proto != "UDP" {
					from = strings.ToLower(proto) + ":" + from
				}
				f.sent = nil
				f.receive(from, []byte(strings.Replace(request(proto, proto+string(rune('a'+i))), c.old, c.new, 1)))
				var first []byte
				if len(f.sent) > 0 {
					first = f.sent[0].bytes
				}
				switch refused := bytes.HasPrefix(first, []byte("SIP/2.0 400 Control character\r\n")); {
				case !accept && !refused:
					t.Errorf("%s over %s: %q", c.name, proto, first)
				case accept && !bytes.HasPrefix(first, []byte(c.accepted)):
					t.Errorf("%s over %s, accepted: %q", c.name, proto, first)
				}
				if rest := bytes.ReplaceAll(first, []byte("\r\n"), nil); !accept && bytes.ContainsFunc(rest,
					func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("%s over %s: the answer repeats it: %q", c.name, proto, first)
				}
			}
		}
		before := f.w.count[dropBase+int(parser.ControlCharacter)]
		f.sent = nil
		f.receive("127.0.0.1:6000", []byte(request("UDP", "response")))
		if len(f.sent) != 1 {
			t.Fatalf("%v", f.sent)
		}
		sent := f.sent[0].bytes
		f.sent = nil
		f.receive("127.0.0.1:7000", answerTo(sent, "200 OK", "uas", "X: \x00\n"))
		if n := f.w.count[dropBase+int(parser.ControlCharacter)] - before; n == 0 == !accept ||
			accept == (len(f.sent) == 0) {
			t.Errorf("a response with NUL, accepted %v: %d dropped, %d sent", accept, n, len(f.sent))
		}
	}
}

// TestStrayLineEndOnAStream: what the framing finds is answered and counted as what the parser
// finds.
func TestStrayLineEndOnAStream(t *testing.T) {
	f := newFlow(t, "listen=tcp:127.0.0.1:5060\nloadmodule \"tm.so\"\nrequest_route { t_relay(); }\n", "", 8<<20)
	src, err := read("tcp:127.0.0.1:6000")
	if err != nil {
		t.Fatal(err)
	}
	head := "OPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/TCP 127.0.0.1:6000;branch=z9hG4bK-1\r\nFrom: <sip:a@x>;tag=1\r\n" +
		"To: <sip:b@y>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
	f.w.streamed(&netio.Packet{Data: []byte(head), Src: src}, 1, stream.StrayLineEnd)
	f.endBatch()
	if len(f.sent) != 1 || !bytes.HasPrefix(f.sent[0].bytes, []byte("SIP/2.0 400 Control character\r\n")) ||
		f.w.count[refuseBase+int(parser.ControlCharacter)] != 1 {
		t.Errorf("%v", f.sent)
	}
	f.w.streamed(&netio.Packet{Data: []byte("SIP/2.0 200 OK\n\n"), Src: src}, 1, stream.StrayLineEnd)
	if f.endBatch(); len(f.sent) != 1 || f.w.count[dropBase+int(parser.ControlCharacter)] != 1 {
		t.Errorf("a response: %v", f.sent)
	}
}
