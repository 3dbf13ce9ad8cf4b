package proxy

import (
	"net/netip"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/parser"
)

// FuzzParseIP compares the literals parseIP takes with net/netip's, which needs a string.
func FuzzParseIP(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "255.255.255.255", "1.2.3", "01.2.3.4", "1.2.3.256", "::", "::1", "[::1]",
		"2001:db8::1", "1:2:3:4:5:6:7:8", "1::8", "::ffff:1.2.3.4",
		"1:2:3:4:5:6:7::", ":1", "1:", "1:::2", "1::2::3", "12345::", "[", "[]", "::1.2.3.4.5", "fe80::1%eth0",
		"1:2:3:4:5:6:7:8:9", "1:::1.2.3.4", ":::1.2.3.4", "1:::1.2.3.4.5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var a netio.Addr
		ok := parseIP([]byte(s), &a)
		plain := s
		if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
			plain = s[1 : len(s)-1]
			if v4, err := netip.ParseAddr(plain); err == nil && v4.Is4() {
				plain = "" // brackets are IPv6's
			}
		}
		if head, tail, found := strings.Cut(plain, ":::"); found && head != "" {
			if v4, err := netip.ParseAddr(tail); err == nil && v4.Is4() {
				plain = head + "::" + tail // RFC 5118 §4.10; net/netip does not take it
			}
		}
		want, err := netip.ParseAddr(plain)
		if wantOK := err == nil && want.Zone() == ""; ok != wantOK {
			t.Fatalf("%q: taken %v, want %v", s, ok, wantOK)
		}
		if !ok {
			return
		}
		b := want.AsSlice()
		if (a.Family == 4) != want.Is4() || string(a.IP[:len(b)]) != string(b) {
			t.Fatalf("%q: got %v, want %v", s, a, want)
		}
	})
}

// TestDestination: where a URI sends a request, if it says so in numbers.
func TestDestination(t *testing.T) {
	f := func(uri, want string) {
		t.Helper()
		var u parser.URI
		var a netio.Addr
		if r := parser.ParseURI([]byte(uri), &u); r != parser.OK {
			t.Fatalf("%s: %v", uri, r)
		}
		got := ""
		if destination(&u, &a) {
			got = a.String()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", uri, got, want)
		}
	}
	f("sip:bob@127.0.0.1", "127.0.0.1:5060")
	f("sip:127.0.0.1:7000", "127.0.0.1:7000")
	f("sip:bob@[2001:db8::1]:7000", "[2001:db8::1]:7000")
	f("sip:bob@example.com;maddr=127.0.0.2", "127.0.0.2:5060")
	f("sip:bob@example.com", "")
}
