package tlsdomains

import (
	"crypto/x509"
	"encoding/asn1"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17} // RFC 5280 §4.2.1.6

// Identities returns the SIP domains that a certificate speaks for (RFC 5922 §7.1): the hosts of
// its sip: URIs; if it has none, its DNS names; and if it has no subjectAltName at all, the common
// name. Names are in lower case. Wildcards are no identities (§7.2), so they are left out.
func Identities(cert *x509.Certificate) []string {
	var names []string
	add := func(name string) {
		if name = canonical(name); name != "" && !strings.Contains(name, "*") &&
			!slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, u := range cert.URIs {
		if host, ok := sipHost(u); ok {
			add(host)
		}
	}
	if len(names) > 0 {
		return names
	}
	for _, name := range cert.DNSNames {
		add(name)
	}
	if len(names) == 0 && !hasSubjectAltName(cert) && isHostName(cert.Subject.CommonName) {
		add(cert.Subject.CommonName)
	}
	return names
}

// Matches reports whether the certificate speaks for the domain (RFC 5922 §7.2): the names are
// equal apart from case. A certificate for a domain does not count for its subdomains, and
// wildcards do not count. A domain that is an address matches an iPAddress as well: §7.1 speaks of
// names only, but trunks are often written as addresses, and an address in a certificate can mean
// nothing else.
func Matches(cert *x509.Certificate, domain string) bool {
	domain = canonical(domain)
	if domain == "" {
		return false
	}
	if slices.Contains(Identities(cert), domain) {
		return true
	}
	ip, err := netip.ParseAddr(domain)
	if err != nil {
		return false
	}
	for _, b := range cert.IPAddresses {
		if a, ok := netip.AddrFromSlice(b); ok && a.Unmap() == ip.Unmap() {
			return true
		}
	}
	return false
}

// canonical returns the form in which names are compared: lower case, without the root's dot and
// without the brackets of an IPv6 address.
func canonical(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if len(name) > 2 && name[0] == '[' && name[len(name)-1] == ']' {
		name = name[1 : len(name)-1]
	}
	return name
}

// sipHost returns the host of a sip: URI without a user. By §7.1 a URI with a user names that user,
// and one that is not sip: names nobody.
func sipHost(u *url.URL) (host string, ok bool) {
	if !strings.EqualFold(u.Scheme, "sip") || u.Opaque == "" {
		return "", false
	}
	rest, _, _ := strings.Cut(u.Opaque, ";")
	if strings.Contains(u.Opaque, "@") {
		return "", false
	}
	if rest[:min(1, len(rest))] == "[" {
		host, _, ok = strings.Cut(rest, "]")
		return host + "]", ok
	}
	host, _, _ = strings.Cut(rest, ":")
	return host, host != ""
}

func hasSubjectAltName(cert *x509.Certificate) bool {
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidSubjectAltName) {
			return true
		}
	}
	return false
}

// isHostName tells a host name from the prose that common names often are.
func isHostName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	return true
}
