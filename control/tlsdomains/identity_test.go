package tlsdomains

import (
	"slices"
	"testing"
)

func TestIdentities(t *testing.T) {
	ca := newAuthority(t, "CA", nil)
	f := func(names []string, want ...string) {
		t.Helper()
		if got := Identities(ca.issue(t, names...).Leaf); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", names, got, want)
		}
	}
	names := func(n ...string) []string { return n }
	f(names("sip:Example.com"), "example.com")
	f(names("sip:example.com:5061"), "example.com")
	f(names("sip:example.com;transport=tls"), "example.com")
	f(names("SIP:example.com."), "example.com")
	f(names("sip:[2001:db8::1]:5061"), "2001:db8::1")
	// §7.1: DNS only if no sip: URI
	f(names("sip:a.example.com", "sip:b.example.com", "dns.example.com"), "a.example.com", "b.example.com")
	f(names("sip:alice@example.com", "dns.example.com"), "dns.example.com")
	f(names("sip:alice@example.com"))
	f(names("sips:example.com", "xmpp:example.com"))
	f(names("DNS.example.com", "dns.example.com"), "dns.example.com")
	f(names("*.example.com"))
	f(names("CN=cn.example.com"), "cn.example.com")
	f(names("CN=cn.example.com", "dns.example.com"), "dns.example.com")
	f(names("CN=cn.example.com", "email=a@example.com")) // §7.1: only without a subjectAltName
	f(names("CN=cn.example.com", "192.0.2.1"))
	f(names("CN=Example Incorporated"))
	f(names("CN=-example.com"))
	f(names("CN=*.example.com"))
}

func TestMatches(t *testing.T) {
	ca := newAuthority(t, "CA", nil)
	f := func(domain string, want bool, names ...string) {
		t.Helper()
		if got := Matches(ca.issue(t, names...).Leaf, domain); got != want {
			t.Errorf("%q for %q: %v", names, domain, got)
		}
	}
	f("example.com", true, "sip:example.com")
	f("EXAMPLE.com.", true, "sip:example.com")
	f("example.com", true, "example.com")
	f("example.com", false, "sip:example.org", "example.com")
	f("sip.example.com", false, "example.com")
	f("sip.example.com", false, "*.example.com")
	f("*.example.com", false, "*.example.com")
	f("example.com", false, "sip.example.com")
	f("example.com", true, "CN=example.com")
	f("", false, "CN=example.com")
	f("192.0.2.1", true, "192.0.2.1")
	f("192.0.2.1", true, "sip:192.0.2.1")
	f("192.0.2.1", false, "192.0.2.2")
	f("[2001:db8::1]", true, "2001:db8:0::1")
	f("2001:db8::1", true, "sip:[2001:db8::1]")
}
