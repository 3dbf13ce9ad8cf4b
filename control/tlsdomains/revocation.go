package tlsdomains

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// revocations are the revocation lists of one domain, by their issuer's name.
type revocations map[string]*revocation

// revocation is one list. It is immutable.
type revocation struct {
	list    *x509.RevocationList
	serials map[string]struct{} // of the revoked certificates
	// verified says that the signature was checked against a CA of ca_list. Otherwise the issuer is
	// a certificate between the peer's and its CA's, known only when a peer shows it.
	verified bool
}

// parseRevocations reads the lists of a PEM file and checks their signatures by the CAs.
func parseRevocations(data []byte, cas []*x509.Certificate, now time.Time) (revocations, []string,
	error) {
	rs := revocations{}
	var warnings []string
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, nil, err
		}
		r := &revocation{list: list,
			serials: make(map[string]struct{}, len(list.RevokedCertificateEntries))}
		for _, e := range list.RevokedCertificateEntries {
			r.serials[string(e.SerialNumber.Bytes())] = struct{}{}
		}
		for _, ca := range cas {
			if string(ca.RawSubject) == string(list.RawIssuer) {
				if err = list.CheckSignatureFrom(ca); err == nil {
					r.verified = true
					break
				}
			}
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the list of %s is not signed by the CA of that name: %w",
				list.Issuer, err)
		}
		if expired(list, now) {
			warnings = append(warnings,
				fmt.Sprintf("the list of %s has expired at %s: no certificate of that CA will be "+
					"believed", list.Issuer, list.NextUpdate.Format(time.RFC3339)))
		}
		if old := rs[string(list.RawIssuer)]; old == nil ||
			old.list.ThisUpdate.Before(list.ThisUpdate) {
			rs[string(list.RawIssuer)] = r
		}
	}
	if len(rs) == 0 {
		return nil, nil, fmt.Errorf("there is no X509 CRL in it")
	}
	return rs, warnings, nil
}

func expired(list *x509.RevocationList, now time.Time) bool {
	return !list.NextUpdate.IsZero() && now.After(list.NextUpdate)
}

// check looks up every certificate of a verified chain, except the CA's own at the end. As with
// OpenSSL's CRL_CHECK_ALL, a CA without a list, or whose list has expired, is not trusted: whoever
// configures lists wants to know.
func (rs revocations) check(chain []*x509.Certificate, now time.Time) error {
	for i, cert := range chain[:len(chain)-1] {
		r := rs[string(cert.RawIssuer)]
		if r == nil {
			return fmt.Errorf("there is no revocation list of %s", cert.Issuer)
		}
		if expired(r.list, now) {
			return fmt.Errorf("the revocation list of %s has expired", cert.Issuer)
		}
		if !r.verified {
			if err := r.list.CheckSignatureFrom(chain[i+1]); err != nil {
				return fmt.Errorf("the revocation list of %s: %w", cert.Issuer, err)
			}
		}
		if _, revoked := r.serials[string(cert.SerialNumber.Bytes())]; revoked {
			return fmt.Errorf("the certificate of %s with serial number %x is revoked",
				cert.Subject, cert.SerialNumber)
		}
	}
	return nil
}
