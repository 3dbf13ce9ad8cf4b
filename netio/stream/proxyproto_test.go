package stream

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
)

func fromLoopback(cfg *Config) {
	cfg.Listeners[0].ProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

func TestProxyHeader(t *testing.T) {
	r := newRig(t, 1, fromLoopback)
	m := message("behind", 3)
	f := func(header, src string) {
		t.Helper()
		c := r.dial(0)
		for i := range header {
			r.write(c, header[i:i+1])
		}
		r.write(c, m)
		g := r.recv(0, 1)[0]
		want := src
		if src == "" {
			want = c.LocalAddr().String()
		}
		if g.src.String() != want || g.data != m {
			t.Fatalf("%q: from %s, want %s", header, g.src, want)
		}
		r.send(0, 100, g.src, 0, m)
		if s := read(t, c, len(m)); s != m {
			t.Fatal(s)
		}
		c.Close()
	}
	f("PROXY TCP4 192.0.2.1 198.51.100.1 56324 5060\r\n", "192.0.2.1:56324")
	f("PROXY TCP6 2001:db8::1 2001:db8::2 1 5060\r\n", "[2001:db8::1]:1")
	f("PROXY UNKNOWN\r\n", "")
	f("PROXY UNKNOWN ffff:f...f:ffff what ever 65535 65535\r\n", "")
	sig := string(proxySignature)
	f(sig+"\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x34\x13\xc4", "192.0.2.7:4660")
	// the one before may not be gone yet
	f(sig+"\x21\x11\x00\x0f\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x35\x13\xc4\x04\x00\x00", "192.0.2.7:4661")
	f(sig+"\x21\x21\x00\x24\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x09"+strings.Repeat("\x00", 16)+
		"\x00\x07\x13\xc4", "[2001:db8::9]:7")
	f(sig+"\x20\x00\x00\x00", "")
	f(sig+"\x21\x00\x00\x03abc", "")
}

func TestProxyHeaderRefused(t *testing.T) {
	r := newRig(t, 1, fromLoopback, func(c *Config) { c.Limits.AdmitTimeout.Store(300 * time.Millisecond) })
	sig := string(proxySignature)
	n := uint64(0)
	f := func(begin string) {
		t.Helper()
		c := r.dial(0)
		r.write(c, begin)
		ended(t, c)
		n++
		r.wait("the error to be counted", func() bool { return r.e.Stats().ProxyErrors == n })
	}
	f("") // nothing in time
	f("PROXY TCP4 192.")
	f(message("no header", 0))
	f("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n")
	f("PROXY TCP4 2001:db8::1 2001:db8::2 1 5060\r\n")
	f("PROXY TCP6 fe80::1%1 2001:db8::2 1 5060\r\n")
	f("PROXY TCP4 192.0.2.1 198.51.100.1 65536 5060\r\n")
	f("PROXY TCP4 192.0.2.1 198.51.100.1 1 5060\n")
	f("PROXY UDP4 192.0.2.1 198.51.100.1 1 5060\r\n")
	f("PROXY TCP4 " + strings.Repeat("1", 200))
	f(sig + "\x31\x11\x00\x00")
	f(sig + "\x22\x11\x00\x00")
	f(sig + "\x21\x11\x00\x0bxxxxxxxxxxx")
	f(sig + "\x21\x21\x00\x0cxxxxxxxxxxxx")
	f(sig + "\x21\x11\xff\xff")
	if s := r.e.Stats(); s.MessagesIn != 0 {
		t.Fatalf("%+v", s)
	}
}

// From a peer that is not on the list a header is no SIP.
func TestProxyHeaderFromStranger(t *testing.T) {
	r := newRig(t, 1,
		func(cfg *Config) { cfg.Listeners[0].ProxyFrom = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	for i, header := range []string{"PROXY TCP4 192.0.2.1 198.51.100.1 56324 5060\r\n",
		string(proxySignature) + "\x20\x00\x00\x00"} {
		c := r.dial(0)
		r.write(c, header)
		ended(t, c)
		if s := r.e.Stats(); s.Ended[Junk] != uint64(i+1) {
			t.Fatalf("%+v", s)
		}
	}
	c := r.dial(0)
	r.write(c, message("plain", 0))
	if g := r.recv(0, 1)[0]; g.src != netio.AddrFrom(c.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()) {
		t.Fatalf("%+v", g)
	}
}
