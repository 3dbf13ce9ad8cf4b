package tlsdomains

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var errNoCertificate = errors.New("the peer showed no certificate")

// oidSIPDomain is id-kp-sipDomain, the extended key usage of a SIP domain's certificate (RFC 5924
// §4).
var oidSIPDomain = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 20}

// verify checks the certificates that a peer has shown, whichever side it is on: a chain to a
// trusted CA, its length, and the revocation lists.
//
// The key usage may be that of a server or of a client: SIP peers are both with one certificate,
// and public CAs no longer issue any for clients (2026).
func (d *domain) verify(certs []*x509.Certificate, now time.Time) error {
	if len(certs) == 0 {
		return errNoCertificate
	}
	if len(certs) > peerCertificates {
		return fmt.Errorf("the peer showed %d certificates, more than %d", len(certs),
			peerCertificates)
	}
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if slices.ContainsFunc(certs[0].UnknownExtKeyUsage, oidSIPDomain.Equal) {
		usages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	}
	chains, err := certs[0].Verify(x509.VerifyOptions{Roots: d.roots, Intermediates: between,
		KeyUsages: usages, CurrentTime: now})
	if err != nil {
		return err
	}
	err = fmt.Errorf("more than %d certificates between the peer's and its CA's (verify_depth)",
		d.depth())
	for _, chain := range chains {
		if len(chain)-2 > d.depth() {
			continue
		}
		if d.crls == nil {
			return nil
		}
		if err = d.crls.check(chain, now); err == nil {
			return nil
		}
	}
	return err
}

// verifyClient is VerifyConnection of a server. It runs for resumed sessions too, whose certificate
// was trusted once, so that a revocation list or CA list that has changed since then counts.
func (d *domain) verifyClient(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 || d.clients == lookOnly {
		return nil // ClientAuth has required what must be there
	}
	return d.verify(cs.PeerCertificates, time.Now())
}

// verifyServer is VerifyConnection of a client. The certificate must be for one of names, if there
// are any.
func (d *domain) verifyServer(cs tls.ConnectionState, names []string) error {
	if err := d.verify(cs.PeerCertificates, time.Now()); err != nil {
		return err
	}
	cert := cs.PeerCertificates[0]
	if len(names) == 0 || slices.ContainsFunc(names, func(n string) bool {
		return Matches(cert, n)
	}) {
		return nil
	}
	own := strings.Join(Identities(cert), ", ")
	if own == "" {
		own = "no SIP domain at all"
	}
	return fmt.Errorf("the certificate is for %s, not for %s (RFC 5922 §7)", own,
		strings.Join(names, " or "))
}
