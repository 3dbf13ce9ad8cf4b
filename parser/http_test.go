package parser

import "testing"

func TestParseHTTP(t *testing.T) {
	var m Message
	f := func(in string, reason Reason, method, uri string) {
		t.Helper()
		if got := m.ParseHTTP([]byte(in)); got != reason {
			t.Errorf("%q: %v, want %v", in, got, reason)
		} else if got == OK && (string(m.MethodBytes()) != method || string(m.Bytes(m.URI)) != uri) {
			t.Errorf("%q: %q of %q", in, m.MethodBytes(), m.Bytes(m.URI))
		}
	}
	f("GET /a?b=c HTTP/1.1\r\nVia: SIP/2.0/TCP 1.2.3.4:5\r\nHost: a\r\n\r\n", OK, "GET", "/a?b=c")
	if v, r := m.TopVia(); r != OK || v.Port != 5 || m.HeaderByName("host", 0) != 1 {
		t.Errorf("%+v, %v", v, r)
	}
	f("INVITE * HTTP/1.0\r\n\r\n", OK, "INVITE", "*")
	f("POST http://a/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", OK, "POST", "http://a/")
	if string(m.Body()) != "abc" {
		t.Errorf("body %q", m.Body())
	}
	f("INVITE sip:a SIP/2.0\r\n\r\n", BadVersion, "", "")
	f("SIP/2.0 200 OK\r\n\r\n", BadVersion, "", "")
	f("GET / SIP/9.0\r\n\r\n", BadVersion, "", "")
	f("GET HTTP/1.1\r\n\r\n", BadRequestLine, "", "")
	f("GET /a b HTTP/1.1\r\n\r\n", BadRequestLine, "", "")
	f("GET / gopher\r\n\r\n", BadRequestLine, "", "")
	f("", Empty, "", "")
}
