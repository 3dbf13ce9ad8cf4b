package tlsdomains

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"viaduct/netio"
)

// serve is a server that shows cert and remembers the SNI it was asked for.
func serve(cert tls.Certificate, sni *string) *tls.Config {
	return &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		*sni = h.ServerName
		return &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert}, nil
	}}
}

// The certificate has to be that of the URI's domain, whatever host SRV led to (RFC 5922 §7, RFC
// 3263 §4.1).
func TestServersAreCheckedAgainstTheDomain(t *testing.T) {
	ca, other, f := newAuthority(t, "CA", nil), newAuthority(t, "Other", nil), newFolder(t)
	f.write("ca.pem", ca.pem())
	verifying := "[client:default]\nverify_certificate = yes\nca_list = ca.pem\n"
	named := verifying + "[client:192.0.2.9:5061]\nverify_certificate = yes\nca_list = ca.pem\n" +
		"server_name = trunk.example.net\n"
	g := func(cfg string, cert tls.Certificate, domain, wantSNI, want string) {
		t.Helper()
		s := f.open(cfg)
		var sni string
		_, _, serverErr, err := shake(t, serve(cert, &sni), s.Client(0, domain, there))
		if want == "" && (err != nil || serverErr != nil) ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want) || serverErr == nil) {
			t.Errorf("%s for %q: %v, %v, want %q", cert.Leaf.DNSNames, domain, err, serverErr, want)
		}
		if sni != wantSNI {
			t.Errorf("asked for %q, want %q", sni, wantSNI)
		}
	}
	g(verifying, ca.issue(t, "example.com"), "example.com", "example.com", "")
	g(verifying, ca.issue(t, "sip:example.com"), "Example.com.", "example.com", "")
	g(verifying, ca.issue(t, "CN=example.com"), "example.com", "example.com", "")
	g(verifying, ca.issue(t, "sip1.example.com"), "example.com", "example.com",
		"for sip1.example.com, not for example.com")
	g(verifying, ca.issue(t, "*.example.com"), "sip.example.com", "sip.example.com",
		"for no SIP domain at all, not for sip.example.com")
	g(verifying, ca.issue(t, "sip:alice@example.com"), "example.com", "example.com", "no SIP domain")
	g(verifying, other.issue(t, "example.com"), "example.com", "example.com", "unknown authority")
	g(verifying, ca.issue(t, "192.0.2.9"), "192.0.2.9", "", "")
	g(verifying, ca.issue(t, "example.com"), "192.0.2.9", "", "not for 192.0.2.9")
	g(verifying, ca.issue(t, "example.com"), "", "", "")
	g(verifying, other.issue(t, "example.com"), "", "", "unknown authority")
	g(named, ca.issue(t, "trunk.example.net"), "192.0.2.9", "trunk.example.net", "")
	g(named, ca.issue(t, "trunk.example.net"), "", "trunk.example.net", "")
	g(named, ca.issue(t, "192.0.2.9"), "192.0.2.9", "trunk.example.net", "")
	g(named, ca.issue(t, "example.com"), "192.0.2.9", "trunk.example.net",
		"for example.com, not for 192.0.2.9 or trunk.example.net")
	g(named, ca.issue(t, "trunk.example.net"), "example.com", "trunk.example.net", "")
	g(named, ca.issue(t, "sip1.example.com"), "example.com", "trunk.example.net",
		"not for example.com or trunk.example.net")
	g("[client:default]\nverify_certificate = no\n", other.issue(t, "nobody"), "example.com", "example.com", "")
	g("[client:default]\nrequire_certificate = yes\nca_list = ca.pem\n", other.issue(t, "example.com"), "example.com",
		"example.com", "unknown authority")
	// Nobody has said anything about clients: verified, by the system's CAs.
	g("", ca.issue(t, "example.com"), "example.com", "example.com", "authority")
}

// SIP certificates name a server's use, a client's, or that of RFC 5924; those for other things are
// not believed.
func TestKeyUsages(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.write("ca.pem", ca.pem())
	s := f.open("[client:default]\nverify_certificate = yes\nca_list = ca.pem\n")
	g := func(ok bool, unknown []asn1.ObjectIdentifier, usages ...x509.ExtKeyUsage) {
		t.Helper()
		tmpl := template("example.com")
		tmpl.ExtKeyUsage, tmpl.UnknownExtKeyUsage = usages, unknown
		if err := s.Client(0, "example.com",
			there).VerifyConnection(tls.ConnectionState{PeerCertificates: []*x509.Certificate{ca.issueAs(t,
			tmpl).Leaf}}); (err == nil) != ok {
			t.Errorf("%v %v: %v", usages, unknown, err)
		}
	}
	g(true, nil)
	g(true, nil, x509.ExtKeyUsageServerAuth)
	g(true, nil, x509.ExtKeyUsageClientAuth)
	g(true, nil, x509.ExtKeyUsageAny)
	g(true, []asn1.ObjectIdentifier{oidSIPDomain})
	g(false, nil, x509.ExtKeyUsageCodeSigning)
	g(false, []asn1.ObjectIdentifier{{1, 2, 3}})
}

func TestClientDomains(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	for _, name := range []string{"default", "addr", "named", "tree", "id"} {
		f.put(name, ca.issue(t, "CN="+name))
	}
	domain := func(title, cert, more string) string {
		return "[client:" + title + "]\ncertificate = " + cert + ".pem\nprivate_key = " + cert + ".key\n" + more + "\n"
	}
	s := f.open(domain("default", "default", "") + domain("192.0.2.9:5061", "addr", "") + domain("192.0.2.9:5061",
		"named", "server_name = own.example.com") +
		domain("any", "tree", "server_name = example.org\nserver_name_mode = 1") + domain("any", "id",
		"server_name = unused.invalid\nserver_id = carrier"))
	shown := func(cfg *tls.Config) string {
		t.Helper()
		var sni string
		cs, _, serverErr, err := shake(t, serve(ca.issue(t, "x"), &sni), cfg)
		if err != nil || serverErr != nil {
			t.Fatal(err, serverErr)
		}
		return cs.PeerCertificates[0].Subject.CommonName
	}
	g := func(domain, dst, want string) {
		t.Helper()
		if got := shown(s.Client(0, domain, netio.AddrFrom(netip.MustParseAddrPort(dst)))); got != want {
			t.Errorf("to %s at %s: the certificate is %s, want %s", domain, dst, got, want)
		}
	}
	g("example.com", "192.0.2.1:5061", "default")
	g("example.com", "192.0.2.9:5062", "default")
	g("example.com", "192.0.2.9:5061", "addr")
	g("192.0.2.9", "192.0.2.9:5061", "addr")
	g("own.example.com", "192.0.2.9:5061", "named")
	g("sip.example.org", "192.0.2.1:5061", "tree")
	g("", "192.0.2.1:5061", "default")
	if got := shown(s.ClientByID("carrier", "example.com")); got != "id" {
		t.Errorf("by id: the certificate is %s", got)
	}
	if s.ClientByID("nobody", "") != nil || s.ClientByID("", "") != nil {
		t.Error("an unknown server_id gave a domain")
	}
}

// A server may name other CAs than ours when it asks; our certificate is shown all the same, as
// OpenSSL does.
func TestCertificateIsShownToWhoeverAsks(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("c", ca.issue(t, "CN=c"))
	s := f.open("[client:default]\ncertificate = c.pem\nprivate_key = c.key\n")
	server := &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, "x")}, ClientAuth: tls.RequireAnyClientCert,
		ClientCAs: newAuthority(t, "Other", nil).pool(),
	}
	cs, _, serverErr, err := shake(t, server, s.Client(0, "x", there))
	if err != nil || serverErr != nil || cs.PeerCertificates[0].Subject.CommonName != "c" {
		t.Errorf("%v, %v", serverErr, err)
	}
}

func TestServersMayBeRevoked(t *testing.T) {
	ca, f, later := newAuthority(t, "CA", nil), newFolder(t), time.Now().Add(time.Hour)
	bad := ca.issue(t, "example.com")
	f.write("ca.pem", ca.pem())
	f.write("crl.pem", ca.revoke(t, later, bad))
	s := f.open("[client:default]\nverify_certificate = yes\nca_list = ca.pem\ncrl = crl.pem\n[client:any]\n" +
		"server_name = lax.example.com\nca_list = ca.pem\n")
	g := func(cert tls.Certificate, domain, want string) {
		t.Helper()
		var sni string
		_, cs, _, err := shake(t, serve(cert, &sni), s.Client(0, domain, there))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", domain, err, want)
		}
		if believed := s.VerifyServer(domain, there, &cs); err == nil &&
			(believed == nil) != slices.Contains(cert.Leaf.DNSNames, domain) {
			t.Errorf("%s: VerifyServer: %v", domain, believed)
		}
	}
	g(bad, "example.com", "is revoked")
	g(ca.issue(t, "example.com"), "example.com", "")
	g(ca.issue(t, "lax.example.com"), "lax.example.com", "")
	g(bad, "lax.example.com", "")
}
