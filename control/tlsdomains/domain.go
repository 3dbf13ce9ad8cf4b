package tlsdomains

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"strings"
	"time"

	"viaduct/shard/route/suggest"
)

// clients says what a server wants of its clients' certificates.
type clients uint8

const (
	notAsked clients = iota // verify_client = off
	lookOnly                // optional_no_ca: asked for, never a reason to refuse
	optional                // asked for, refused if wrong
	required                // refused if missing or wrong
)

// domain is a section whose files have been read. It is immutable.
type domain struct {
	section
	clients  clients // for a server
	verifies bool    // for a client: whether the server's certificate is checked
	roots    *x509.CertPool
	crls     revocations
	config   *tls.Config // used by a server as it is; cloned for a client with a name
}

// methods are the values of method that are accepted.
var methods = map[string][2]uint16{
	"":         {tls.VersionTLS12, tls.VersionTLS13},
	"tlsv1.2":  {tls.VersionTLS12, tls.VersionTLS12},
	"tlsv1.2+": {tls.VersionTLS12, tls.VersionTLS13},
	"tlsv1.3":  {tls.VersionTLS13, tls.VersionTLS13},
	"tlsv1.3+": {tls.VersionTLS13, tls.VersionTLS13},
}

var methodNames = []string{"TLSv1.2", "TLSv1.2+", "TLSv1.3", "TLSv1.3+"}

// versions reads the method. Methods that only allow TLS 1.0, 1.1 or SSL are refused; those that
// begin there begin at 1.2 instead (RFC 8996).
func (s *section) versions(r *report) (lowest, highest uint16) {
	method := strings.ToLower(s.Method)
	v, ok := methods[method]
	switch {
	case ok:
	case method == "tlsv1+" || method == "tlsv1.0+" || method == "tlsv1.1+" || method == "sslv23":
		v = methods[""]
		r.warn(s.of("method"), "method = %s is taken as TLSv1.2+: SSL, TLS 1.0 and 1.1 are "+
			"refused (RFC 8996)", s.Method)
	case method == "tlsv1" || method == "tlsv1.0" || method == "tlsv1.1" || method == "sslv2" ||
		method == "sslv3":
		r.problem(s.of("method"), "method = %s is refused (RFC 8996); write TLSv1.2+", s.Method)
	default:
		r.problem(s.of("method"),
			"unknown method %q%s; there are TLSv1.2, TLSv1.2+, TLSv1.3 and TLSv1.3+", s.Method,
			suggest.DidYouMean(s.Method, methodNames))
	}
	return v[0], v[1]
}

// load reads the files of a section. Mistakes go to the report; the domain is usable only if there
// were none.
func load(s *section, f *files, r *report, now time.Time) *domain {
	d := &domain{section: *s}
	lowest, highest := s.versions(r)
	d.config = &tls.Config{
		MinVersion: lowest,
		MaxVersion: highest,
		// One message is one record: crypto/tls would cut the first ones to fit TCP segments.
		DynamicRecordSizingDisabled: true,
	}
	if s.CipherList != "" {
		ids, unused, err := cipherList(s.CipherList)
		if err != nil {
			r.problem(s.of("cipher_list"), "cipher_list: %v", err)
		}
		if len(unused) > 0 {
			r.warn(s.of("cipher_list"), "cipher_list: without effect here: %s",
				strings.Join(unused, ", "))
		}
		if lowest == tls.VersionTLS13 {
			r.warn(s.of("cipher_list"), "cipher_list is about TLS 1.2 only, which %s excludes",
				s.Method)
		}
		d.config.CipherSuites = ids
	}
	if cert := d.certificate(f, r, now); cert != nil {
		d.config.Certificates = []tls.Certificate{*cert}
		if s.role == client {
			// By itself crypto/tls shows the certificate only to a server that names its CA;
			// OpenSSL shows it to any that asks, and peers rely on that.
			d.config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate,
				error) {
				return cert, nil
			}
		}
	}
	cas := d.authorities(f, r)
	if s.CRL != "" {
		data, err := f.read(s.CRL)
		var warnings []string
		if err == nil {
			d.crls, warnings, err = parseRevocations(data, cas, now)
		}
		if err != nil {
			r.problem(s.of("crl"), "crl %s: %v", s.CRL, err)
		}
		for _, w := range warnings {
			r.warn(s.of("crl"), "crl %s: %s", s.CRL, w)
		}
	}
	if s.role == server {
		d.asServer(r)
	} else {
		d.asClient(r)
	}
	if s.kind == forAny && s.ServerName == "" {
		r.problem(s.at, "%s needs a server_name: nothing else tells when it is meant", s.title())
	}
	return d
}

// certificate reads certificate and key. A server must have one; a client may have one.
func (d *domain) certificate(f *files, r *report, now time.Time) *tls.Certificate {
	if d.Certificate == "" {
		switch {
		case d.role == server && d.at.file == "":
			r.problem(d.at, `the tls module has no certificate; write modparam("tls", `+
				`"certificate", "cert.pem") and modparam("tls", "private_key", "key.pem")`)
		case d.role == server:
			r.problem(d.at, "%s has no certificate; write certificate = cert.pem and private_key "+
				"= key.pem", d.title())
		case d.PrivateKey != "":
			r.problem(d.of("private_key"),
				"private_key without a certificate; write certificate = cert.pem")
		}
		return nil
	}
	keyName := d.PrivateKey
	if keyName == "" {
		keyName = d.Certificate // as with Kamailio, one file may hold both
	}
	chain, err := f.read(d.Certificate)
	if err != nil {
		r.problem(d.of("certificate"), "certificate %s: %v", d.Certificate, err)
	}
	if why := unusableKey(keyName, nil); why != nil {
		r.problem(d.of("private_key"), "private_key %s: %v", keyName, why)
		return nil
	}
	key, keyErr := f.read(keyName)
	if keyErr == nil {
		keyErr = unusableKey(keyName, key)
	}
	if keyErr != nil && keyName != d.Certificate {
		r.problem(d.of("private_key"), "private_key %s: %v", keyName, keyErr)
	} else if keyErr != nil && err == nil {
		r.problem(d.of("certificate"), "certificate %s: %v", d.Certificate, keyErr)
	}
	if err != nil || keyErr != nil {
		return nil
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		r.problem(d.of("certificate"), "certificate %s with private_key %s: %s", d.Certificate,
			keyName, strings.TrimPrefix(err.Error(), "tls: "))
		return nil
	}
	if now.After(cert.Leaf.NotAfter) {
		r.warn(d.of("certificate"), "certificate %s has expired at %s", d.Certificate,
			cert.Leaf.NotAfter.Format(time.RFC3339))
	}
	return &cert
}

// authorities reads ca_list and ca_path and returns the CAs.
func (d *domain) authorities(f *files, r *report) (cas []*x509.Certificate) {
	take := func(key, name string, read func(string) (*bundle, error)) []*x509.Certificate {
		if name == "" {
			return nil
		}
		b, err := read(name)
		if err != nil {
			r.problem(d.of(key), "%s %s: %v", key, name, err)
			return nil
		}
		for _, why := range b.skipped {
			r.warn(d.of(key), "%s %s: left out: %s", key, name, why)
		}
		return b.cas
	}
	cas = take("ca_list", d.CAList, f.authorities)
	// Only those of ca_list are named to clients, as with Kamailio.
	if len(cas) > 0 && d.role == server && d.asks() != notAsked {
		d.config.ClientCAs = pool(cas)
	}
	cas = append(cas[:len(cas):len(cas)], take("ca_path", d.CAPath, f.authoritiesIn)...)
	d.roots = pool(cas)
	return cas
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

// asks reads the three settings about clients' certificates; verify_client overrides the others.
func (s *section) asks() clients {
	switch s.VerifyClient {
	case "off":
		return notAsked
	case "optional_no_ca":
		return lookOnly
	case "optional":
		return optional
	case "on":
		return required
	}
	switch {
	case s.RequireCertificate:
		// Kamailio: "MUST present valid certificate", whatever verify_certificate says.
		return required
	case s.VerifyCertificate:
		return optional
	}
	return notAsked
}

func (d *domain) asServer(r *report) {
	d.clients = d.asks()
	if d.VerifyClient != "" && (d.VerifyCertificate || d.RequireCertificate) {
		r.warn(d.of("verify_client"),
			"verify_client = %s beats verify_certificate and require_certificate", d.VerifyClient)
	}
	if d.clients >= optional && d.CAList == "" && d.CAPath == "" {
		r.problem(d.at, "%s asks clients for certificates but believes no CA; write ca_list = "+
			"ca.pem", d.title())
	}
	switch d.clients {
	case lookOnly, optional:
		d.config.ClientAuth = tls.RequestClientCert
	case required:
		d.config.ClientAuth = tls.RequireAnyClientCert
	}
	d.config.VerifyConnection = d.verifyClient
}

func (d *domain) asClient(r *report) {
	if d.VerifyClient != "" {
		r.warn(d.of("verify_client"),
			"verify_client is for servers; a client's domain has verify_certificate")
	}
	d.verifies = d.VerifyCertificate || d.RequireCertificate
	if d.verifies && d.CAList == "" && d.CAPath == "" {
		d.roots = nil // crypto/x509 then takes the CAs of the system
	}
	// The standard check would compare the certificate with the SNI by the rules of the web,
	// wildcards included. verifyServer does the whole check by the rules of SIP.
	d.config.InsecureSkipVerify = true
}

// dial returns the configuration for one connection to name.
func (d *domain) dial(name string) *tls.Config {
	cfg := d.config.Clone()
	cfg.ServerName = d.sni(name)
	if d.verifies {
		expect := d.expect(name)
		cfg.VerifyConnection = func(cs tls.ConnectionState) error {
			return d.verifyServer(cs, expect)
		}
	}
	return cfg
}

// sni returns the name to ask for: that of an address's domain, else that of the URI, else the
// default's. Addresses are not sent as SNI (RFC 6066 §3).
func (d *domain) sni(name string) string {
	name = canonical(name)
	switch {
	case d.kind == forAddr && d.ServerName != "":
		return d.ServerName
	case name != "" && !isAddress(name):
		return name
	case d.kind == forDefault:
		return d.ServerName
	}
	return ""
}

// expect returns the names of which the certificate must have one: the domain of the URI (RFC 5922
// §7.3), never the host that SRV led to; and in the domain of an address also the name that the
// operator has written there, who knows what is at that address. If it returns none, the peer's
// name is not checked.
func (d *domain) expect(name string) (names []string) {
	if name = canonical(name); name != "" {
		names = append(names, name)
	}
	if d.kind == forAddr && d.ServerName != "" {
		names = append(names, canonical(d.ServerName))
	}
	return names
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// named reports whether the domain's server_name means name.
func (d *domain) named(name string) bool {
	own := canonical(d.ServerName)
	if own == "" || name == "" {
		return false
	}
	below := strings.HasSuffix(name, "."+own)
	switch d.ServerNameMode {
	case 1:
		return below || name == own
	case 2:
		return below
	}
	return name == own
}
