package tlsdomains

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"viaduct/shard/route/suggest"
)

// Settings are the settings of one domain. The zero Settings are Kamailio's defaults, except for
// the method.
type Settings struct {
	Method             string // "TLSv1.2", "TLSv1.2+", "TLSv1.3", "TLSv1.3+"; "" means TLSv1.2+
	Certificate        string // PEM file: the certificate, and those between it and its CA
	PrivateKey         string // PEM file; "" if the key is in Certificate
	CAList             string // PEM file: the CAs whose certificates are trusted
	CAPath             string // folder of such files
	CRL                string // PEM file with the revocation lists of those CAs
	CipherList         string // for TLS 1.2, as ciphers(1) has it; "" means Go's choice
	VerifyCertificate  bool
	RequireCertificate bool
	// "off", "optional", "on", "optional_no_ca"; "" leaves it to the two above
	VerifyClient string
	// VerifyDepth is how many certificates may stand between the peer's and its CA's; 0 means 9, -1
	// means none.
	VerifyDepth    int
	ServerName     string // server: the SNI this domain is for; client: the name to ask for
	ServerNameMode int    // 0 that name, 1 also its subdomains, 2 only its subdomains
	ServerID       string // client: a name for ClientByID
}

// setting is one key of tls.cfg and parameter of the tls module.
type setting struct {
	name string
	// other are further spellings that Kamailio 5.6 accepts in tls.cfg (tried with its server), and
	// those of the core's old globals.
	other []string
	set   func(s *Settings, value string) error
}

func text(field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		*field(s) = value
		return nil
	}
}

func flag(field func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, value string) (err error) {
		*field(s), err = parseBool(value)
		return err
	}
}

var settings = []setting{
	{"method", []string{"tls_method"}, text(func(s *Settings) *string { return &s.Method })},
	{"certificate", []string{"cert_file", "tls_certificate"}, text(func(s *Settings) *string {
		return &s.Certificate
	})},
	{"private_key", []string{"pkey_file", "tls_private_key"}, text(func(s *Settings) *string {
		return &s.PrivateKey
	})},
	{"ca_list", []string{"calist_file", "tls_ca_list"}, text(func(s *Settings) *string {
		return &s.CAList
	})},
	{"ca_path", nil, text(func(s *Settings) *string { return &s.CAPath })},
	{"crl", nil, text(func(s *Settings) *string { return &s.CRL })},
	{"cipher_list", nil, text(func(s *Settings) *string { return &s.CipherList })},
	{"verify_certificate", []string{"verify_cert", "tls_verify"}, flag(func(s *Settings) *bool {
		return &s.VerifyCertificate
	})},
	{"require_certificate", []string{"require_cert", "tls_require_certificate"},
		flag(func(s *Settings) *bool {
			return &s.RequireCertificate
		})},
	{"verify_client", nil, setVerifyClient},
	{"verify_depth", nil, setVerifyDepth},
	{"server_name", nil, text(func(s *Settings) *string { return &s.ServerName })},
	{"server_name_mode", nil, setServerNameMode},
	{"server_id", nil, text(func(s *Settings) *string { return &s.ServerID })},
}

// Set sets one value by its name in tls.cfg, as a parameter of the tls module, or as one of the
// core's globals (tls_certificate …).
func (s *Settings) Set(name, value string) error {
	k := findSetting(name)
	if k == nil {
		return fmt.Errorf("unknown TLS setting %q%s", name,
			suggest.DidYouMean(name, settingNames()))
	}
	if err := k.set(s, value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func findSetting(name string) *setting {
	same := func(n string) bool { return strings.EqualFold(n, name) }
	for i := range settings {
		if k := &settings[i]; same(k.name) || slices.ContainsFunc(k.other, same) {
			return k
		}
	}
	return nil
}

func settingNames() (names []string) {
	for _, k := range settings {
		names = append(names, k.name)
	}
	return names
}

func parseBool(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "yes", "true", "on", "enable", "enabled", "1":
		return true, nil
	case "no", "false", "off", "disable", "disabled", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", value)
}

var verifyClients = []string{"off", "optional", "on", "optional_no_ca"}

func setVerifyClient(s *Settings, value string) error {
	value = strings.ToLower(value)
	if !slices.Contains(verifyClients, value) {
		return fmt.Errorf("%q is none of %s", value, strings.Join(verifyClients, ", "))
	}
	s.VerifyClient = value
	return nil
}

func setVerifyDepth(s *Settings, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 100 {
		return fmt.Errorf("%q is no number between 0 and 100", value)
	}
	if s.VerifyDepth = n; n == 0 {
		s.VerifyDepth = -1
	}
	return nil
}

func setServerNameMode(s *Settings, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 2 {
		return fmt.Errorf("%q is none of 0 (that name), 1 (and those below it), 2 (only those "+
			"below it)", value)
	}
	s.ServerNameMode = n
	return nil
}

// depth returns how many certificates may stand between the peer's and the CA's.
func (s *Settings) depth() int {
	switch {
	case s.VerifyDepth == 0:
		return defaultVerifyDepth
	case s.VerifyDepth < 0:
		return 0
	}
	return s.VerifyDepth
}
