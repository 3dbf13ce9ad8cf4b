package tlsdomains

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// authority is a CA made for one test.
type authority struct {
	cert  *x509.Certificate
	key   crypto.Signer
	above *authority // who signed it, nil for itself
}

var serial atomic.Int64

func newAuthority(tb testing.TB, name string, above *authority) *authority {
	tmpl := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, key := above.sign(tb, tmpl)
	return &authority{cert, key, above}
}

// sign makes a key and a certificate for it; a nil authority signs with that same key.
func (a *authority) sign(tb testing.TB, tmpl *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	tmpl.SerialNumber = big.NewInt(serial.Add(1))
	if tmpl.NotBefore.IsZero() {
		tmpl.NotBefore, tmpl.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := tmpl, crypto.Signer(key)
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert, key
}

// name is what issue puts into a certificate: "sip:…" a URI, an address an iPAddress, "CN=…" the
// common name, and else a DNS name.
func template(names ...string) *x509.Certificate {
	tmpl := &x509.Certificate{
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		switch ip := net.ParseIP(n); {
		case len(n) > 3 && n[:3] == "CN=":
			tmpl.Subject.CommonName = n[3:]
		case ip != nil:
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		case len(n) > 3 && n[3] == ':' || len(n) > 4 && n[4] == ':':
			u, err := url.Parse(n)
			if err != nil {
				panic(err)
			}
			tmpl.URIs = append(tmpl.URIs, u)
		case len(n) > 6 && n[:6] == "email=":
			tmpl.EmailAddresses = append(tmpl.EmailAddresses, n[6:])
		default:
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	return tmpl
}

// issue makes a certificate for names with the chain up to, but without, the root.
func (a *authority) issue(tb testing.TB, names ...string) tls.Certificate {
	tb.Helper()
	return a.issueAs(tb, template(names...))
}

func (a *authority) issueAs(tb testing.TB, tmpl *x509.Certificate) tls.Certificate {
	tb.Helper()
	leaf, key := a.sign(tb, tmpl)
	c := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	for up := a; up != nil && up.above != nil; up = up.above {
		c.Certificate = append(c.Certificate, up.cert.Raw)
	}
	return c
}

func (a *authority) pool() *x509.CertPool { return pool([]*x509.Certificate{a.cert}) }

// revoke makes a revocation list in PEM.
func (a *authority) revoke(tb testing.TB, until time.Time, certs ...tls.Certificate) string {
	tb.Helper()
	tmpl := &x509.RevocationList{Number: big.NewInt(serial.Add(1)), ThisUpdate: time.Now().Add(-time.Hour),
		NextUpdate: until}
	for _, c := range certs {
		tmpl.RevokedCertificateEntries = append(tmpl.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.Leaf.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, tmpl, a.cert, a.key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

func pemOf(tb testing.TB, c tls.Certificate) (cert, key string) {
	tb.Helper()
	for _, der := range c.Certificate {
		cert += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		tb.Fatal(err)
	}
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// folder is where a test keeps its tls.cfg and PEM files.
type folder struct {
	tb  testing.TB
	dir string
}

func newFolder(tb testing.TB) *folder { return &folder{tb, tb.TempDir()} }

func (f *folder) write(name, text string) {
	f.tb.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.tb.Fatal(err)
	}
}

// put writes name.pem and name.key.
func (f *folder) put(name string, c tls.Certificate) {
	f.tb.Helper()
	cert, key := pemOf(f.tb, c)
	f.write(name+".pem", cert)
	f.write(name+".key", key)
}

func (f *folder) config() string { return filepath.Join(f.dir, "tls.cfg") }

// open writes the tls.cfg and opens it.
func (f *folder) open(cfg string) *Store {
	f.tb.Helper()
	f.write("tls.cfg", cfg)
	s, err := Open(Options{File: f.config()})
	if err != nil {
		f.tb.Fatal(err)
	}
	return s
}
