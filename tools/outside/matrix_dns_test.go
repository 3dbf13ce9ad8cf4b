package outside

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// resolves tries what the proxy finds for a URI: the callee at the end of it gets the request, and
// the nameserver was asked just for these. What begins with a question mark may have been asked: a
// further service, for the case that the first fails.
func resolves(t *testing.T, srv *streamServer, n *nameserver, caller, callee *peer, uri string, asked ...string) {
	t.Helper()
	n.queries()
	caller.requests(srv.at(caller.protocol()), "MESSAGE", uri)
	m := callee.expect("MESSAGE")
	if via := m.get("Via"); !strings.HasPrefix(via, "SIP/2.0/"+callee.protocol()+" ") {
		t.Errorf("%s arrives with Via %s", uri, via)
	}
	if m.uri() != uri {
		t.Errorf("the Request-URI %s arrives as %s", uri, m.uri())
	}
	callee.reply(m, 200, "OK", "callee")
	caller.expect("200")
	got := n.queries()
	for _, q := range got {
		if !slices.Contains(asked, q) && !slices.Contains(asked, "?"+q) {
			t.Errorf("%s: %q was asked; %q are needed", uri, got, asked)
			break
		}
	}
	for _, q := range asked {
		// Of the two kinds of address one is enough.
		name, kind, _ := strings.Cut(q, " ")
		if !slices.Contains(got, q) && name[0] != '?' && !(kind == "AAAA" && slices.Contains(got, name+" A")) {
			t.Errorf("%s: %q was asked, but not %q", uri, got, q)
		}
	}
}

func both(name string) []string { return []string{name + " A", name + " AAAA"} }

// Row 60, RFC 3263 §4.1, §4.2: an address is used as it is, a name with a port is looked up as an
// address; neither asks for services. UDP for sip, TLS for sips, unless the URI names a transport.
func TestRow60NoServiceLookup(t *testing.T) {
	t.Parallel()
	n := newNameserver(t, "h.example.net 60 IN A 127.0.0.1", "s.example.net 60 IN A 127.0.0.1",
		// Traps: who asks for services goes astray.
		`h.example.net 60 IN NAPTR 10 50 "s" "SIP+D2T" "" _sip._tcp.h.example.net`,
		"_sip._udp.h.example.net 60 IN SRV 1 1 9 h.example.net",
		"_sip._tcp.h.example.net 60 IN SRV 1 1 9 h.example.net",
		"_sips._tcp.s.example.net 60 IN SRV 1 1 9 s.example.net")
	srv := startStreams(t, streamSetup{globals: locating(t, n.addr)})
	caller, callee := newPeer(t, "the caller"), newPeer(t, "the callee over UDP")
	byTCP := listenerAt(t, "the callee over TCP", overTCP, callee.addr)
	byTLS := listener(t, "the callee over TLS", overTLS, loopback4,
		withTLS(srv.ca.server("127.0.0.1", "s.example.net")))
	port, tlsPort := callee.addr.Port(), byTLS.addr.Port()
	f := func(at *peer, uri string, asked ...string) {
		t.Helper()
		resolves(t, srv, n, caller, at, uri, asked...)
	}
	f(callee, fmt.Sprintf("sip:callee@127.0.0.1:%d", port))
	f(callee, fmt.Sprintf("sip:callee@h.example.net:%d", port), both("h.example.net")...)
	f(byTCP, fmt.Sprintf("sip:callee@127.0.0.1:%d;transport=tcp", port))
	f(byTLS, fmt.Sprintf("sips:callee@127.0.0.1:%d", tlsPort))
	f(byTLS, fmt.Sprintf("sips:callee@s.example.net:%d", tlsPort), both("s.example.net")...)
	// The answer is remembered: a second call asks nothing.
	f(callee, fmt.Sprintf("sip:callee@h.example.net:%d", port))
	byTCP.silence(0)
}

// Row 61, RFC 3263 §4.1: NAPTR by order and preference, what is not spoken skipped, then SRV, then
// addresses; sips takes SIPS services alone; without NAPTR the SRV records that are there decide;
// without those UDP and port 5060.
func TestRow61ServiceLookup(t *testing.T) {
	t.Parallel()
	callee := newPeer(t, "the callee over UDP")
	port := callee.addr.Port()
	tlsAddr := freeAddress(t)
	var zone []string
	for _, domain := range []string{"a.example.net", "b.example.net", "c.example.net"} {
		zone = append(zone,
			fmt.Sprintf("_sip._udp.%s 60 IN SRV 1 1 %d gw.%[1]s", domain, port),
			fmt.Sprintf("_sip._tcp.%s 60 IN SRV 1 1 %d gw.%[1]s", domain, port),
			fmt.Sprintf("_sips._tcp.%s 60 IN SRV 1 1 %d gw.%[1]s", domain, tlsAddr.Port()),
			"gw."+domain+" 60 IN A 127.0.0.1")
	}
	naptr := func(domain string, order, preference int, service, prefix string) string {
		return fmt.Sprintf(`%s 60 IN NAPTR %d %d "s" "%s" "" %s.%[1]s`, domain, order, preference, service, prefix)
	}
	zone = append(zone,
		naptr("a.example.net", 10, 10, "SIP+D2S", "_sip._sctp"), // nobody speaks it here
		naptr("a.example.net", 20, 20, "SIP+D2U", "_sip._udp"),
		naptr("a.example.net", 20, 10, "SIP+D2T", "_sip._tcp"),
		naptr("a.example.net", 30, 1, "SIPS+D2T", "_sips._tcp"),
		naptr("b.example.net", 30, 1, "SIP+D2T", "_sip._tcp"),
		naptr("b.example.net", 20, 50, "SIP+D2U", "_sip._udp"),
		"_sip._tcp.d.example.net 60 IN SRV 1 1 "+fmt.Sprint(port)+" gw.a.example.net")
	n := newNameserver(t, zone...)
	srv := startStreams(t, streamSetup{globals: locating(t, n.addr)})
	caller := newPeer(t, "the caller")
	byTCP := listenerAt(t, "the callee over TCP", overTCP, callee.addr)
	byTLS := listenerAt(t, "the callee over TLS", overTLS, tlsAddr,
		withTLS(srv.ca.server("127.0.0.1", "a.example.net", "c.example.net")))
	f := func(at *peer, uri string, asked ...string) {
		t.Helper()
		resolves(t, srv, n, caller, at, uri, asked...)
	}
	with := func(name string, more ...string) []string { return append(both(name), more...) }
	f(byTCP, "sip:callee@a.example.net",
		with("gw.a.example.net", "a.example.net NAPTR", "_sip._tcp.a.example.net SRV", "?_sip._udp.a.example.net SRV",
			"?_sips._tcp.a.example.net SRV")...)
	f(callee, "sip:callee@b.example.net",
		with("gw.b.example.net", "b.example.net NAPTR", "_sip._udp.b.example.net SRV",
			"?_sip._tcp.b.example.net SRV")...)
	f(byTLS, "sips:callee@a.example.net", "?_sips._tcp.a.example.net SRV")
	// A transport in the URI: no NAPTR (§4.1), but SRV (§4.2).
	f(callee, "sip:callee@c.example.net;transport=udp", with("gw.c.example.net", "_sip._udp.c.example.net SRV")...)
	f(byTLS, "sips:callee@c.example.net;transport=tcp", "_sips._tcp.c.example.net SRV")
	// No NAPTR at all.
	n.queries()
	caller.requests(srv.addr, "MESSAGE", "sip:callee@d.example.net")
	answered(caller, byTCP, "MESSAGE")
	if q := n.queries(); !slices.Contains(q, "d.example.net NAPTR") ||
		!slices.Contains(q, "_sip._tcp.d.example.net SRV") {
		t.Errorf("without NAPTR %q are asked", q)
	}
	for _, p := range []*peer{callee, byTCP, byTLS} {
		p.silence(0)
	}

	// Nothing but an address.
	_, wellKnown := loopbackPeer(t, 5060)
	n.add("e.example.net 60 IN A " + wellKnown.addr.Addr().String())
	caller.requests(srv.addr, "MESSAGE", "sip:callee@e.example.net")
	answered(caller, wellKnown, "MESSAGE")

	// No such name: an answer, and nothing is sent (RFC 3261 §21.4.5 or §16.9).
	d := caller.invitesTo(srv.addr, "sip:callee@nobody.example.net")
	m := caller.next(patience)
	for m != nil && m.status() == 100 {
		m = caller.next(patience)
	}
	if m == nil || m.status() < 400 {
		t.Fatalf("a name that is not there gets %v", m)
	}
	d.ack(m)
}

// Row 61: the same with the resolvers that stand before nameservers in the field.
func TestRow61Resolvers(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		name  string
		start func(*testing.T, *nameserver) netip.AddrPort
	}{{"unbound", startUnbound}, {"dnsmasq", startDnsmasq}} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			callee := newPeer(t, "the callee")
			byTCP := listenerAt(t, "the callee over TCP", overTCP, callee.addr)
			n := newNameserver(t, `a.example.net 60 IN NAPTR 20 10 "s" "SIP+D2T" "" _sip._tcp.a.example.net`,
				`a.example.net 60 IN NAPTR 30 10 "s" "SIP+D2U" "" _sip._udp.a.example.net`,
				fmt.Sprintf("_sip._tcp.a.example.net 60 IN SRV 1 1 %d gw.example.net", callee.addr.Port()),
				fmt.Sprintf("_sip._udp.a.example.net 60 IN SRV 1 1 %d gw.example.net", callee.addr.Port()),
				"gw.example.net 60 IN A 127.0.0.1")
			srv := startStreams(t, streamSetup{globals: locating(t, r.start(t, n))})
			caller := newPeer(t, "the caller")
			resolves(t, srv, n, caller, byTCP, "sip:callee@a.example.net",
				append(both("gw.example.net"), "a.example.net NAPTR", "_sip._tcp.a.example.net SRV",
					"?_sip._udp.a.example.net SRV")...)
			resolves(t, srv, n, caller, callee, "sip:callee@a.example.net;transport=udp",
				"?_sip._udp.a.example.net SRV", "?gw.example.net A", "?gw.example.net AAAA")
			callee.silence(0)
		})
	}
}

// Row 62, RFC 2782: the lowest priority alone while it lives; among equals by weight, and one of
// weight 0 hardly ever, but alone it serves.
func TestRow62Weights(t *testing.T) {
	t.Parallel()
	loads(t)
	var all []*peer
	var zone []string
	for i, c := range []struct{ priority, weight int }{{1, 70}, {1, 30}, {1, 0}, {2, 100}} {
		p := newPeer(t, fmt.Sprintf("callee %d", i))
		all = append(all, p)
		zone = append(zone, fmt.Sprintf("_sip._udp.w.example.net 3600 IN SRV %d %d %d gw.example.net", c.priority,
			c.weight, p.addr.Port()))
	}
	only := newPeer(t, "the only callee")
	n := newNameserver(t, append(zone, "gw.example.net 3600 IN A 127.0.0.1",
		fmt.Sprintf("_sip._udp.zero.example.net 3600 IN SRV 1 0 %d gw.example.net", only.addr.Port()))...)
	srv := startStreams(t, streamSetup{globals: locating(t, n.addr)})
	caller := newPeer(t, "the caller")
	const requests, atOnce = 10000, 50
	count := make([]int, len(all))
	for sent := 0; sent < requests; sent += atOnce {
		for range atOnce {
			caller.requests(srv.addr, "MESSAGE", "sip:callee@w.example.net;transport=udp")
		}
		for answers := 0; answers < atOnce; {
			for i, p := range all {
				for m := p.next(0); m != nil; m = p.next(0) {
					count[i]++
					p.reply(m, 200, "OK", "callee")
				}
			}
			if m := caller.next(time.Millisecond); m != nil {
				if m.status() != 200 {
					t.Fatalf("an answer nobody gave:\n%s", m.raw)
				}
				answers++
			} else if srv.ended() || t.Context().Err() != nil {
				t.Fatal("the proxy does not answer")
			}
		}
	}
	// σ of 10,000 draws at 0.7 is 46: two in a hundred are 4 σ. Weight 0 stands first in the list
	// and wins on a draw of 0, one in 101 (RFC 2782, page 3).
	f := func(i, want, within int) {
		t.Helper()
		if count[i] < want-within || count[i] > want+within {
			t.Errorf("callee %d got %d of %d requests, want %d ± %d (all: %v)", i, count[i], requests, want, within,
				count)
		}
	}
	f(0, 7000, requests*2/100)
	f(1, 3000, requests*2/100)
	f(2, 100, 100)
	f(3, 0, 0)
	for range 3 {
		caller.requests(srv.addr, "MESSAGE", "sip:callee@zero.example.net;transport=udp")
		answered(caller, only, "MESSAGE")
	}
}

// failing is a proxy and a name that stands for two destinations, of which the first is as first
// says.
func failing(t *testing.T, transport string, s setup) (srv *streamServer, caller *peer, first, second netip.AddrPort) {
	t.Helper()
	first, second = freeAddress(t), freeAddress(t)
	prefix := "_sip._udp"
	if transport == overTCP {
		prefix = "_sip._tcp"
	}
	n := newNameserver(t, fmt.Sprintf("%s.two.example.net 60 IN SRV 1 1 %d gw.example.net", prefix, first.Port()),
		fmt.Sprintf("%s.two.example.net 60 IN SRV 2 1 %d gw.example.net", prefix, second.Port()),
		"gw.example.net 60 IN A 127.0.0.1")
	srv = startStreams(t, streamSetup{globals: locating(t, n.addr), setup: s})
	return srv, newPeer(t, "the caller"), first, second
}

// Row 63, RFC 3263 §4.3, RFC 3261 §8.1.2: on a 503, a failure of the transport or a time-out the
// next address gets the request: another branch, all else the same.
func TestRow63NextAddress(t *testing.T) {
	t.Parallel()
	t.Run("a 503", func(t *testing.T) {
		t.Parallel()
		srv, caller, one, two := failing(t, "UDP", setup{})
		first, second := newPeerAt(t, "the first", one), newPeerAt(t, "the second", two)
		d := caller.invitesTo(srv.addr, "sip:callee@two.example.net;transport=udp")
		m := first.expect("INVITE")
		first.reply(m, 503, "Service Unavailable", "first")
		first.expect("ACK")
		goesOn(t, d, m, second)
	})
	t.Run("a time-out", func(t *testing.T) {
		t.Parallel()
		srv, caller, one, two := failing(t, "UDP",
			setup{timers: true, edits: []string{`"fr_timer", 30000`, `"fr_timer", 2000`}})
		first, second := newPeerAt(t, "the first", one), newPeerAt(t, "the second", two)
		first.once.Store(true)
		d := caller.invitesTo(srv.addr, "sip:callee@two.example.net;transport=udp")
		goesOn(t, d, first.expect("INVITE"), second)
	})
	for _, transport := range []string{"UDP", overTCP} {
		t.Run("nobody there over "+transport, func(t *testing.T) {
			t.Parallel()
			srv, caller, one, two := failing(t, transport, setup{})
			var second *peer
			if transport == "UDP" {
				second = newPeerAt(t, "the second", two)
			} else {
				second = listenerAt(t, "the second", overTCP, two)
			}
			d := caller.invitesTo(srv.addr, "sip:callee@two.example.net;transport="+strings.ToLower(transport))
			goesOn(t, d, nil, second)
			if bound(t, one) {
				t.Error("the first address was somebody's")
			}
		})
	}
}

// goesOn has the second destination take the call; sent is what the first got, if anything.
func goesOn(t *testing.T, d *dialog, sent *message, second *peer) {
	t.Helper()
	m := second.expect("INVITE")
	if sent != nil {
		if m.branch() == sent.branch() {
			t.Error("the second address gets the first's branch")
		}
		for _, name := range []string{"Call-ID", "CSeq", "From", "To", "Max-Forwards"} {
			if m.get(name) != sent.get(name) {
				t.Errorf("%s is %q for the first address, %q for the second", name, sent.get(name), m.get(name))
			}
		}
	}
	if m.get("Call-ID") != d.id || m.get("CSeq") != "1 INVITE" {
		t.Errorf("the second address gets\n%s", m.raw)
	}
	second.reply(m, 200, "OK", "second")
	d.peer.expect("100")
	d.confirm(d.peer.expect("200"))
	d.request("ACK")
	second.expect("ACK")
	d.request("BYE")
	second.answers("BYE", 200, "OK")
	d.peer.expect("200")
	d.peer.silence(0)
}

// Row 64, RFC 3263 §4.3: that all destinations of a name failed is no reason to fail the next call
// to it, nor is a resolver that failed.
func TestRow64NameIsNotPoisoned(t *testing.T) {
	t.Parallel()
	one, two := freeAddress(t), freeAddress(t)
	n := newNameserver(t, fmt.Sprintf("_sip._tcp.two.example.net 60 IN SRV 1 1 %d gw.example.net", one.Port()),
		fmt.Sprintf("_sip._tcp.two.example.net 60 IN SRV 2 1 %d gw.example.net", two.Port()),
		"gw.example.net 60 IN A 127.0.0.1",
		"later.example.net 60 IN A 127.0.0.1")
	srv := startStreams(t, streamSetup{globals: locating(t, n.addr)})
	caller := newPeer(t, "the caller")
	fails := func(uri string) bool {
		t.Helper()
		caller.requests(srv.addr, "MESSAGE", uri)
		m := caller.next(patience)
		if m == nil {
			t.Fatalf("%s is not answered", uri)
		}
		return m.status() >= 400
	}
	for range 3 {
		if !fails("sip:callee@two.example.net;transport=tcp") {
			t.Error("nobody is there, and the call succeeds")
		}
	}
	first := listenerAt(t, "the first", overTCP, one)
	caller.requests(srv.addr, "MESSAGE", "sip:callee@two.example.net;transport=tcp")
	answered(caller, first, "MESSAGE")

	callee := newPeer(t, "the callee")
	uri := fmt.Sprintf("sip:callee@later.example.net:%d", callee.addr.Port())
	n.fail("later.example.net", true)
	if !fails(uri) {
		t.Error("the resolver fails, and the call succeeds")
	}
	n.fail("later.example.net", false)
	// A failure may be remembered for a moment (RFC 2308 §7), no longer than
	// dns_cache_negative_ttl.
	eventually(t, "a call to a name that resolves again", func() bool {
		caller.requests(srv.addr, "MESSAGE", uri)
		for end := time.Now().Add(patience); time.Now().Before(end); {
			if m := callee.next(10 * time.Millisecond); m != nil {
				callee.reply(m, 200, "OK", "callee")
			}
			if m := caller.next(10 * time.Millisecond); m != nil {
				return m.status() == 200
			}
		}
		return false
	})
}
