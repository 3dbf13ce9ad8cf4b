package outside

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority signs the certificates of one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string // ca.pem, and name.pem with name.key for each certificate
}

var serial atomic.Int64

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.cert = a.sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "an authority of one test"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, &a.key.PublicKey)
	a.write("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *authority) sign(c *x509.Certificate, key *ecdsa.PublicKey) *x509.Certificate {
	a.t.Helper()
	c.SerialNumber = big.NewInt(serial.Add(1))
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// issue makes a certificate as make does and writes its files, which are named for its first name.
func (a *authority) issue(names ...string) {
	a.t.Helper()
	c := a.make(names...)
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		a.t.Fatal(err)
	}
	base := strings.ReplaceAll(names[0], ":", "_")
	a.write(base+".pem", "CERTIFICATE", c.Certificate[0])
	a.write(base+".key", "PRIVATE KEY", der)
}

// make makes a certificate with these subject alternative names: addresses, URIs
// ("sip:example.com", RFC 5922 §7.1) and DNS names.
func (a *authority) make(names ...string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else if strings.Contains(n, ":") {
			u, err := url.Parse(n)
			if err != nil {
				a.t.Fatal(err)
			}
			c.URIs = append(c.URIs, u)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	cert := a.sign(c, &key.PublicKey)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// pool is what trusts the authority.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// client is the configuration of a peer that connects to a proxy named 127.0.0.1.
func (a *authority) client() *tls.Config {
	return &tls.Config{RootCAs: a.pool(), ServerName: "127.0.0.1"}
}

// server is that of a peer with a certificate for these names.
func (a *authority) server(names ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.make(names...)}}
}

// configure writes the tls.cfg of a proxy that shows the certificate of 127.0.0.1 and trusts the
// authority, and gives its path. In more text {dir} is the folder of the certificates.
func (a *authority) configure(t *testing.T, verified bool, more string) string {
	t.Helper()
	verify := "no"
	if verified {
		verify = "yes"
	}
	text := fmt.Sprintf(`[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
private_key = {dir}/127.0.0.1.key
certificate = {dir}/127.0.0.1.pem
ca_list = {dir}/ca.pem

[client:default]
method = TLSv1.2+
verify_certificate = %[1]s
require_certificate = %[1]s
private_key = {dir}/127.0.0.1.key
certificate = {dir}/127.0.0.1.pem
ca_list = {dir}/ca.pem
`, verify) + more
	path := filepath.Join(a.dir, "tls.cfg")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "{dir}", a.dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
