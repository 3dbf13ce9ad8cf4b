package proxy

import (
	"testing"

	"viaduct/netio"
	"viaduct/parser"
)

// TestValidate: what §16.3 finds, the first of its items first.
func TestValidate(t *testing.T) {
	b := newBench(t, nil)
	r := &b.c.Request
	f := func(method, rows string, want Cause, phrase string) {
		t.Helper()
		text := []byte(method + " sip:bob@127.0.0.1:7000 SIP/2.0\r\n" +
			"Via: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bKv\r\n" + rows +
			"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: v\r\nCSeq: 1 INVITE\r\nMax-Forwards: 0\r\n\r\n")
		parsed := b.m.Parse(text)
		if !r.Begin(&b.m, &netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 6000, Family: 4}, 0) {
			t.Fatal("unanswerable")
		}
		got := r.Syntax(parsed)
		if got.Cause == NoCause {
			got = r.Validate()
		}
		if got.Cause != want || got.Phrase != phrase {
			t.Errorf("%s %q: %+v, want %v, %q", method, rows, got, want, phrase)
		}
	}
	const breadth, route, require = "Max-Breadth: x\r\n", "Route: <\r\n", "Proxy-Require: a, b\r\n"
	f("INVITE", "", NoCause, "") // Max-Forwards 0 is for where it leaves
	f("BYE", "", Malformed, "CSeq method mismatch")
	f("FOO", "", UnknownMethod, "")
	f("BYE", breadth, Malformed, "CSeq method mismatch")
	f("INVITE", breadth, BadBreadth, "")
	f("INVITE", require+route+breadth, BadBreadth, "")
	f("INVITE", require+route, Malformed, "Bad Route")
	f("INVITE", require, UnsupportedOption, "")
	f("INVITE", "Proxy-Require: \r\n", NoCause, "")
	b.c.cfg.Extensions = []string{"a", "c"}
	f("INVITE", "Proxy-Require: A , c\r\n", NoCause, "")
	f("INVITE", require, UnsupportedOption, "")
	if got := r.Validate().Header; got != "Unsupported: b\r\n" {
		t.Errorf("of a and b, with a supported: %q", got)
	}
	f("ACK", "CSeq: 1 ACK\r\n", Malformed, MalformedPhrase(parser.DoubledCSeq))
}
