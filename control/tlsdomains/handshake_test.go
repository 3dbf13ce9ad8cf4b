package tlsdomains

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
)

const patience = 30 * time.Second

var (
	here  = netio.AddrFrom(netip.MustParseAddrPort("10.0.0.1:5061"))
	there = netio.AddrFrom(netip.MustParseAddrPort("192.0.2.9:5061"))
)

// shake runs one handshake over a socket pair and gives what both sides saw. One byte goes each
// way, so that a client also hears what a TLS 1.3 server thinks of it.
func shake(tb testing.TB, server,
	client *tls.Config) (atServer, atClient tls.ConnectionState, serverErr, clientErr error) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	defer a.Close()
	b, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	defer b.Close()
	deadline := time.Now().Add(patience)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	s, c := tls.Server(b, server), tls.Client(a, client)
	done := make(chan error, 1)
	go func() {
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte("!"))
		}
		if err == nil {
			_, err = io.ReadFull(s, make([]byte, 1))
		}
		if err != nil {
			b.Close()
		}
		done <- err
	}()
	if clientErr = c.Handshake(); clientErr == nil {
		_, clientErr = io.ReadFull(c, make([]byte, 1))
	}
	if clientErr == nil {
		_, clientErr = c.Write([]byte("!"))
	}
	if clientErr != nil {
		a.Close()
	}
	serverErr = <-done
	return s.ConnectionState(), c.ConnectionState(), serverErr, clientErr
}

// seenBy is the common name of the certificate that a client with this SNI is shown on local.
func seenBy(t *testing.T, s *Store, local netio.Addr, sni string) string {
	t.Helper()
	_, cs, serverErr, err := shake(t, s.Server(0, local), &tls.Config{ServerName: sni, InsecureSkipVerify: true})
	if err != nil || serverErr != nil {
		t.Fatalf("sni %q: %v, %v", sni, err, serverErr)
	}
	return cs.PeerCertificates[0].Subject.CommonName
}

func TestServerNameSelectsTheCertificate(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	for _, name := range []string{"default", "addr", "addrname", "plain", "tree", "below", "other"} {
		f.put(name, ca.issue(t, "CN="+name))
	}
	domain := func(title, cert, more string) string {
		return fmt.Sprintf("[server:%s]\ncertificate = %s.pem\nprivate_key = %s.key\n%s\n", title, cert, cert, more)
	}
	s := f.open(domain("default", "default", "") +
		domain("10.0.0.1:5061", "addr", "") +
		domain("10.0.0.1:5061", "addrname", "server_name = Own.example.com") +
		domain("any", "plain", "server_name = plain.example.com") +
		domain("any", "tree", "server_name = tree.example.com\nserver_name_mode = 1") +
		domain("any", "below", "server_name = below.example.com\nserver_name_mode = 2") +
		domain("[2001:db8::1]:5061", "other", "server_name = v6.example.com"))
	elsewhere := netio.AddrFrom(netip.MustParseAddrPort("10.0.0.2:5061"))
	v6 := netio.AddrFrom(netip.MustParseAddrPort("[2001:db8::1]:5061"))
	f2 := func(local netio.Addr, sni, want string) {
		t.Helper()
		if got := seenBy(t, s, local, sni); got != want {
			t.Errorf("sni %q: the certificate is %s, want %s", sni, got, want)
		}
	}
	f2(elsewhere, "", "default")
	f2(elsewhere, "unknown.example.com", "default")
	f2(elsewhere, "plain.example.com", "plain")
	f2(elsewhere, "PLAIN.example.com", "plain")
	f2(elsewhere, "x.plain.example.com", "default")
	f2(elsewhere, "tree.example.com", "tree")
	f2(elsewhere, "x.y.tree.example.com", "tree")
	f2(elsewhere, "xtree.example.com", "default")
	f2(elsewhere, "below.example.com", "default")
	f2(elsewhere, "x.below.example.com", "below")
	f2(elsewhere, "own.example.com", "default")
	f2(here, "", "addr")
	f2(here, "own.example.com", "addrname")
	f2(here, "plain.example.com", "plain")
	f2(here, "unknown.example.com", "addr")
	f2(v6, "", "other")
	f2(v6, "v6.example.com", "other")
	f2(v6, "unknown.example.com", "default")
}

func TestVersions(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("s", ca.issue(t, "s.example.com"))
	g := func(method string, lowest, highest, want uint16) {
		t.Helper()
		s := f.open("[server:default]\ncertificate = s.pem\nprivate_key = s.key\n" + method)
		cs, _, serverErr, err := shake(t, s.Server(0, here),
			&tls.Config{InsecureSkipVerify: true, MinVersion: lowest, MaxVersion: highest})
		if want == 0 {
			if err == nil || serverErr == nil || !strings.Contains(serverErr.Error(), "version") {
				t.Errorf("%s: versions %x to %x were not refused: %v, %v", method, lowest, highest, serverErr, err)
			}
		} else if err != nil || cs.Version != want {
			t.Errorf("%s: version %x, %v, want %x", method, cs.Version, err, want)
		}
	}
	g("", tls.VersionTLS10, tls.VersionTLS13, tls.VersionTLS13)
	g("", tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS12)
	g("", tls.VersionTLS10, tls.VersionTLS11, 0)
	g("", tls.VersionTLS10, tls.VersionTLS10, 0)
	g("method = TLSv1+", tls.VersionTLS10, tls.VersionTLS11, 0)
	g("method = SSLv23", tls.VersionTLS10, tls.VersionTLS13, tls.VersionTLS13)
	g("method = TLSv1.2", tls.VersionTLS10, tls.VersionTLS13, tls.VersionTLS12)
	g("method = tlsv1.3", tls.VersionTLS10, tls.VersionTLS12, 0)
	g("method = TLSv1.3+", tls.VersionTLS10, tls.VersionTLS13, tls.VersionTLS13)
}

func TestClientCertificates(t *testing.T) {
	ca, other, f := newAuthority(t, "CA", nil), newAuthority(t, "Other", nil), newFolder(t)
	f.put("s", ca.issue(t, "s.example.com"))
	f.write("ca.pem", ca.pem())
	good, stranger := ca.issue(t, "c.example.com"), other.issue(t, "c.example.com")
	stale := template("c.example.com")
	stale.NotBefore, stale.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	expired := ca.issueAs(t, stale)
	g := func(settings string, cert *tls.Certificate, want string) {
		t.Helper()
		s := f.open("[server:default]\ncertificate = s.pem\nprivate_key = s.key\nca_list = ca.pem\n" + settings)
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			cfg := &tls.Config{InsecureSkipVerify: true, MaxVersion: version}
			if cert != nil { // shown whatever CAs the server names
				cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return cert, nil
				}
			}
			cs, _, err, clientErr := shake(t, s.Server(0, here), cfg)
			if want == "" {
				if err != nil || clientErr != nil {
					t.Errorf("%s: %v, %v", settings, err, clientErr)
				}
				continue
			}
			if want == "believed" || want == "not believed" {
				if err != nil || clientErr != nil || (s.VerifyClient(here, &cs) == nil) != (want == "believed") {
					t.Errorf("%s: %v, %v; VerifyClient: %v, want %s", settings, err, clientErr,
						s.VerifyClient(here, &cs), want)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), want) || clientErr == nil {
				t.Errorf("%s: version %x: server %v, client %v, want %q", settings, version, err, clientErr, want)
			}
		}
	}
	g("", nil, "")
	g("", &stranger, "")
	g("verify_certificate = yes", nil, "")
	g("verify_certificate = yes", &good, "")
	g("verify_certificate = yes", &stranger, "unknown authority")
	g("verify_certificate = yes", &expired, "expired")
	g("require_certificate = yes", nil, "didn't provide a certificate")
	g("require_certificate = yes", &good, "")
	g("require_certificate = yes", &stranger, "unknown authority")
	g("verify_certificate = yes\nrequire_certificate = yes", &good, "")
	g("verify_client = off", &stranger, "")
	g("verify_client = optional", nil, "")
	g("verify_client = optional", &stranger, "unknown authority")
	g("verify_client = on", nil, "didn't provide a certificate")
	g("verify_client = on", &good, "believed")
	g("verify_client = optional_no_ca", nil, "not believed")
	g("verify_client = optional_no_ca", &stranger, "not believed")
	g("verify_client = optional_no_ca", &expired, "not believed")
	g("verify_client = optional_no_ca", &good, "believed")
	g("verify_client = on\nverify_certificate = no", &good, "believed")
}

func TestVerifyDepth(t *testing.T) {
	root := newAuthority(t, "Root", nil)
	low := newAuthority(t, "Low", newAuthority(t, "Middle", root))
	f := newFolder(t)
	f.put("s", root.issue(t, "s.example.com"))
	f.write("ca.pem", root.pem())
	cert := low.issue(t, "c.example.com")
	g := func(depth string, ok bool) {
		t.Helper()
		s := f.open("[server:default]\ncertificate = s.pem\nprivate_key = s.key\nca_list = ca.pem\n" +
			"verify_client = on\n" + depth)
		_, _, err, _ := shake(t, s.Server(0, here),
			&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}})
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "verify_depth") {
			t.Errorf("%q: %v", depth, err)
		}
	}
	g("", true)
	g("verify_depth = 2", true)
	g("verify_depth = 1", false)
	g("verify_depth = 0", false)
}

func TestRevocationLists(t *testing.T) {
	root := newAuthority(t, "Root", nil)
	sub := newAuthority(t, "Sub", root)
	f, later := newFolder(t), time.Now().Add(time.Hour)
	f.put("s", root.issue(t, "s.example.com"))
	f.write("ca.pem", root.pem())
	good, bad, deep := root.issue(t, "good"), root.issue(t, "bad"), sub.issue(t, "deep")
	g := func(crl string, cert tls.Certificate, want string) {
		t.Helper()
		f.write("crl.pem", crl)
		s := f.open("[server:default]\ncertificate = s.pem\nprivate_key = s.key\nca_list = ca.pem\n" +
			"verify_client = on\ncrl = crl.pem\n")
		_, _, err, _ := shake(t, s.Server(0, here),
			&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", cert.Leaf.DNSNames, err, want)
		}
	}
	list := root.revoke(t, later, bad)
	g(list, good, "")
	g(list, bad, "is revoked")
	g(list, deep, "no revocation list of CN=Sub")
	g(list+sub.revoke(t, later), deep, "")
	g(list+sub.revoke(t, later, deep), deep, "is revoked")
	g(root.revoke(t, later, tls.Certificate{Leaf: sub.cert})+sub.revoke(t, later), deep, "is revoked")
	g(list+newAuthority(t, "Sub", root).revoke(t, later), deep, "the revocation list of CN=Sub")
	g(root.revoke(t, time.Now().Add(-time.Minute)), good, "has expired")
}
