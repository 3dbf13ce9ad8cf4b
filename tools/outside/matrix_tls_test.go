package outside

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// secured is a proxy between a caller and a callee whose Contacts are sips URIs, over TLS.
func secured(t *testing.T) (srv *streamServer, caller, callee *peer) {
	t.Helper()
	t.Parallel()
	srv = startStreams(t, streamSetup{verify: true, setup: setup{program: routes("\tloose_route();\n\troute(RELAY);")}})
	caller = dialer(t, "the caller", overTLS, srv.tls, withTLS(srv.ca.client()), withSips())
	callee = listener(t, "the callee", overTLS, loopback4, withTLS(srv.ca.server("127.0.0.1")), withSips())
	return srv, caller, callee
}

// Row 12, §16.6 step 4, RFC 5630 §3.1.3: where the Request-URI is sips, or the topmost Route,
// Record-Route is sips as well, and the dialog's requests follow it.
func TestRow12SipsRecordRoute(t *testing.T) {
	srv, caller, callee := secured(t)
	d := caller.call(srv.tls)
	d.uri = callee.contact("callee")
	invite, ack := d.establish(callee)
	check := func(m *message) {
		t.Helper()
		rr := recordRoutes(m)
		if len(rr) == 0 {
			t.Fatalf("no Record-Route in\n%s", m.raw)
		}
		for _, r := range rr {
			if uri := strings.Trim(r, "<>"); !strings.HasPrefix(uri, "sips:"+srv.tls.String()+";") ||
				!hasParam(uri, "lr") {
				t.Errorf("Record-Route %s, want sips:%v with lr", r, srv.tls)
			}
		}
	}
	check(invite)
	if len(ack.all("Route")) != 0 {
		t.Errorf("the ACK arrives as\n%s", ack.raw)
	}
	e := d.asSeenBy(callee, invite, srv.tls)
	e.request("INFO")
	caller.answers("INFO", 200, "OK")
	callee.expect("200")
	d.request("BYE")
	m := callee.expect("BYE")
	if len(m.all("Route")) != 0 || !strings.HasPrefix(m.get("Via"), "SIP/2.0/TLS ") {
		t.Errorf("the BYE arrives as\n%s", m.raw)
	}
	callee.reply(m, 200, "OK", "")
	caller.expect("200")

	// A sips URI that nobody needs to resolve: what counts is the Route.
	f := caller.call(srv.tls)
	f.uri = "sip:callee@example.com"
	f.routes = []string{"<sips:" + callee.addr.String() + ";lr>"}
	f.invite()
	m = callee.expect("INVITE")
	check(m)
	callee.reply(m, 486, "Busy Here", "callee")
	callee.expect("ACK")
	caller.expect("100")
	f.ack(caller.expect("486"))

	// And a sip URI gets sip.
	g := caller.invitesTo(srv.tls, "sip:callee@"+callee.addr.String()+";transport=tls")
	m = callee.expect("INVITE")
	for _, r := range recordRoutes(m) {
		if !strings.HasPrefix(r, "<sip:") {
			t.Errorf("Record-Route of a sip URI: %s", r)
		}
	}
	callee.reply(m, 486, "Busy Here", "callee")
	callee.expect("ACK")
	caller.expect("100")
	g.ack(caller.expect("486"))
}

// wire is a TCP listener that keeps the first bytes of each connection and says nothing.
type wire struct {
	addr netip.AddrPort
	mu   sync.Mutex
	got  [][]byte
}

func newWire(t *testing.T, addr netip.AddrPort) *wire {
	t.Helper()
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: addr}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				b := make([]byte, 2048)
				n, _ := io.ReadAtLeast(conn, b, 6)
				w.mu.Lock()
				w.got = append(w.got, b[:n])
				w.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return w
}

// Row 87, §26.2, RFC 5630 §3.1: a request for a sips URI leaves over TLS or not at all: what the
// next hop has is not asked, and nothing is sent in clear.
func TestRow87SipsNeverInClear(t *testing.T) {
	t.Parallel()
	srv := startStreams(t, streamSetup{verify: true, globals: []string{"udp_mtu=1300", "udp_mtu_try_proto=TCP"},
		setup: setup{
			program: routes("\tloose_route();\n\tif ($rU == \"du\") $du = $hdr(X-Du);\n\troute(RELAY);"),
			edits:   []string{`"fr_timer", 30000`, `"fr_timer", 2000`},
		}})
	gateway := newPeer(t, "a gateway without TLS")
	inClear := newWire(t, gateway.addr)
	for _, transport := range []string{"UDP", overTCP, overTLS} {
		caller := srv.caller(t, "the caller over "+transport, transport)
		du := ""
		for _, f := range []func(*dialog){
			func(d *dialog) { d.uri = "sips:callee@" + gateway.addr.String() },
			func(d *dialog) { d.uri = "sips:callee@" + gateway.addr.String() + ";transport=tcp" },
			func(d *dialog) { d.uri = "sips:callee@" + gateway.addr.String() + ";transport=udp" },
			func(d *dialog) { d.routes = []string{"<sips:" + gateway.addr.String() + ";lr>"} },
			func(d *dialog) {
				d.uri, d.routes = "sips:callee@192.0.2.1", []string{"<sip:" + gateway.addr.String() + ";lr>"}
			},
			func(d *dialog) { d.uri, du = "sips:du@192.0.2.1", "sip:"+gateway.addr.String() },
			func(d *dialog) { d.uri, du = "sips:du@192.0.2.1", "sip:"+gateway.addr.String()+";transport=tcp" },
			func(d *dialog) { d.uri, du = "sips:du@192.0.2.1", "sip:"+gateway.addr.String()+";transport=udp" },
		} {
			d := caller.call(srv.at(transport))
			f(d)
			d.invite("X-Du: " + du)
			m := caller.next(patience)
			for m != nil && m.status() == 100 {
				m = caller.next(patience)
			}
			if m == nil || m.status() < 400 {
				t.Fatalf("%s %q over %s gets %v", d.uri, d.routes, transport, m)
			}
			d.ack(m)
		}
	}
	gateway.silence(beat)
	inClear.mu.Lock()
	defer inClear.mu.Unlock()
	for _, b := range inClear.got {
		// a handshake record, RFC 8446 §5.1
		if len(b) > 0 && b[0] != 22 || bytes.Contains(b, []byte("SIP/2.0")) {
			t.Errorf("sent over TCP: %q", b)
		}
	}
}

// s_client runs OpenSSL's client against the proxy and gives what it says.
func s_client(t *testing.T, srv *streamServer, args ...string) string {
	t.Helper()
	path := needs(t, "openssl", "openssl")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path,
		append([]string{"s_client", "-connect", srv.tls.String(), "-CAfile", srv.ca.dir + "/ca.pem"}, args...)...)
	cmd.Stdin = strings.NewReader("") // its end ends the session
	out, _ := cmd.CombinedOutput()    // it exits with 1 where there is no session
	if ctx.Err() != nil {
		t.Fatalf("openssl %q does not end:\n%s", args, out)
	}
	return string(out)
}

// Row 89, RFC 8996, RFC 8446, RFC 6066 §3: TLS 1.0 and 1.1 are refused, 1.3 is used where both have
// it, and the name that the client asks for selects the certificate.
func TestRow89TLSVersions(t *testing.T) {
	needs(t, "openssl", "openssl")
	t.Parallel()
	ca := newAuthority(t)
	for _, name := range []string{"127.0.0.1", "one.example.net", "two.example.net"} {
		ca.issue(name)
	}
	named := ""
	for _, name := range []string{"one.example.net", "two.example.net"} {
		named += "\n[server:any]\nserver_name = " + name +
			"\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\nprivate_key = {dir}/" + name +
			".key\ncertificate = {dir}/" + name + ".pem\nca_list = {dir}/ca.pem\n"
	}
	srv := startStreams(t, streamSetup{ca: ca, tlsCfg: named})

	f := func(want string, args ...string) {
		t.Helper()
		if out := s_client(t, srv, args...); !strings.Contains(out, want) {
			t.Errorf("openssl s_client %q does not say %q:\n%s", args, want, out)
		}
	}
	// OpenSSL 3 itself allows 1.0 and 1.1 only at level 0.
	const old = "DEFAULT:@SECLEVEL=0"
	f("Cipher is (NONE)", "-tls1", "-cipher", old)
	f("Cipher is (NONE)", "-tls1_1", "-cipher", old)
	f("protocol version", "-tls1_1", "-cipher", old)
	f("New, TLSv1.2", "-tls1_2")
	f("New, TLSv1.3", "-tls1_3")
	f("New, TLSv1.3")
	f("Verify return code: 0 (ok)", "-verify_ip", "127.0.0.1", "-noservername")
	f("Verify return code: 0 (ok)", "-servername", "one.example.net", "-verify_hostname", "one.example.net")
	f("Verify return code: 0 (ok)", "-servername", "two.example.net", "-verify_hostname", "two.example.net")
	f("Verify return code: 62 (", "-servername", "two.example.net", "-verify_hostname", "one.example.net")
	// the default
	f("Verify return code: 0 (ok)", "-servername", "three.example.net", "-verify_ip", "127.0.0.1")

	// The sessions were real ones: a call by TLS 1.2, and one by 1.3.
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := ca.client()
		c.MinVersion, c.MaxVersion = version, version
		caller, callee := dialer(t, "the caller", overTLS, srv.tls, withTLS(c)), newPeer(t, "the callee")
		caller.requests(srv.tls, "MESSAGE", callee.contact("callee"))
		answered(caller, callee, "MESSAGE")
	}
}

// Row 88, RFC 5922 §7.1, §4: the certificate is held against the domain of the URI, not against the
// host that SRV names.
func TestRow88DomainCertificate(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	ca.issue("127.0.0.1")
	hosts := map[string]*peer{}
	n := newNameserver(t, "gw.example.net 60 IN A 127.0.0.1")
	add := func(domain string, a *authority, names ...string) {
		hosts[domain] = listener(t, "the host of "+domain, overTLS, loopback4, withTLS(a.server(names...)), withSips())
		n.add(fmt.Sprintf("_sips._tcp.%s 60 IN SRV 1 1 %d gw.example.net", domain, hosts[domain].addr.Port()))
	}
	add("dns.example.org", ca, "dns.example.org")
	add("uri.example.org", ca, "sip:uri.example.org")
	add("several.example.org", ca, "gw.example.net", "sip:other.example.org", "sip:several.example.org")
	// the host that SRV names
	add("srv.example.org", ca, "gw.example.net")
	add("other.example.org", ca, "sip:elsewhere.example.org") // another domain
	// §7.2: wildcards do not match
	add("wild.example.org", ca, "*.example.org")
	// §7.1: with SIP URIs there, DNS names do not count
	add("both.example.org", ca, "sip:not.example.org", "both.example.org")
	// not signed by whom we trust
	add("stranger.example.org", stranger, "stranger.example.org")
	// §7.1: a person, not a domain
	add("user.example.org", ca, "sip:bob@user.example.org")
	srv := startStreams(t, streamSetup{ca: ca, verify: true, globals: locating(t, n.addr)})
	caller := dialer(t, "the caller", overTLS, srv.tls, withTLS(ca.client()), withSips())
	for _, good := range []string{"dns.example.org", "uri.example.org", "several.example.org"} {
		d := caller.invitesTo(srv.tls, "sips:callee@"+good)
		m := hosts[good].expect("INVITE")
		hosts[good].reply(m, 486, "Busy Here", "callee")
		hosts[good].expect("ACK")
		caller.expect("100")
		d.ack(caller.expect("486"))
	}
	for _, bad := range []string{"srv.example.org", "other.example.org", "wild.example.org", "both.example.org",
		"stranger.example.org", "user.example.org"} {
		d := caller.invitesTo(srv.tls, "sips:callee@"+bad)
		m := caller.next(patience)
		for m != nil && m.status() == 100 {
			m = caller.next(patience)
		}
		if m == nil || m.status() < 400 {
			t.Fatalf("%s gets %v", bad, m)
		}
		d.ack(m)
		hosts[bad].silence(0)
		if want := map[string]string{"srv.example.org": "the certificate is for gw.example.net, not for " +
			"srv.example.org",
			"other.example.org": "the certificate is for elsewhere.example.org, not for other.example.org"}[bad]; want != "" {
			eventually(t, "which name was wanted and which ones the certificate has, in the line of the branch",
				func() bool {
					for _, l := range callLines(srv.text(), d.id) {
						if strings.Contains(l, `msg="branch failed"`) &&
							strings.Contains(l, `cause="handshake failed"`) &&
							strings.Contains(l, want) {
							return true
						}
					}
					return false
				})
		}
	}
}
