package tls

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"strconv"
	"strings"
	"time"

	"viaduct/netio/stream"
	"viaduct/shard/route"
)

// tlsField names a piece of what is known of a TLS connection. Peer is the other side's
// certificate, My our own.
type tlsField uint8

const (
	tlsVersion    tlsField = iota // "TLSv1.3"
	tlsCipherInfo                 // the cipher suite
	tlsCipherBits                 // of the cipher's key, a decimal number
	tlsServerName                 // the name the peer asked for (RFC 6066 §3)
	tlsPeerVerified
	tlsPeerRevoked    // these four are "1" or "0"
	tlsPeerExpired    //
	tlsPeerSelfSigned //
	tlsPeerVersion    // X.509 version, a decimal number
	tlsMyVersion
	tlsPeerSerial // decimal
	tlsMySerial
	tlsPeerSubject // the whole name
	tlsMySubject
	tlsPeerIssuer
	tlsMyIssuer
	tlsPeerSubjectCN
	tlsMySubjectCN
	tlsPeerIssuerCN
	tlsMyIssuerCN
	tlsPeerSubjectOrganization
	tlsMySubjectOrganization
	tlsPeerIssuerOrganization
	tlsMyIssuerOrganization
	tlsPeerSANHostname // the first subjectAltName of that kind
	tlsMySANHostname
	tlsPeerSANURI
	tlsMySANURI
	tlsPeerSANEmail
	tlsMySANEmail
	tlsPeerSANIP
	tlsMySANIP
)

// peerVerified is is_peer_verified(): the peer showed a certificate and it was verified.
func peerVerified(c *route.Ctx) bool {
	info := c.TLSInfo()
	return info != nil && info.Verified
}

// text is a field of what is known of the connection, as text; nil when there is no such thing.
// It is made for each question: few programs ask, and not for every message.
func text(c *route.Ctx, field tlsField) []byte {
	info := c.TLSInfo()
	if info == nil {
		return nil
	}
	switch field {
	case tlsVersion:
		if v := tlsVersions[info.Version]; v != "" {
			return []byte(v)
		}
		return nil
	case tlsCipherInfo:
		return []byte(tls.CipherSuiteName(info.CipherSuite))
	case tlsCipherBits:
		return strconv.AppendInt(nil, int64(cipherBits[info.CipherSuite]), 10)
	case tlsServerName:
		return textOrNil(info.ServerName)
	case tlsPeerVerified:
		return bit(info.Verified)
	}
	return certField(field, info)
}

// tlsVersions are OpenSSL's words, which programs compare with.
var tlsVersions = map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}

// cipherBits are the lengths of the ciphers' keys (RFC 5246 appendix C, RFC 7905, RFC 8446 §B.4),
// of the suites that crypto/tls has.
var cipherBits = func() map[uint16]int {
	bits := make(map[uint16]int)
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, suite := range list {
			bits[suite.ID] = keyBits(suite.Name)
		}
	}
	return bits
}()

// keyBits reads the cipher in a suite's name, TLS_AES_128_GCM_SHA256 or
// TLS_RSA_WITH_3DES_EDE_CBC_SHA.
func keyBits(name string) int {
	switch {
	case strings.Contains(name, "AES_256"), strings.Contains(name, "CHACHA20"):
		return 256
	case strings.Contains(name, "AES_128"), strings.Contains(name, "RC4_128"):
		return 128
	case strings.Contains(name, "3DES_EDE"):
		return 168
	}
	return 0
}

func textOrNil(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func bit(set bool) []byte {
	if set {
		return []byte("1")
	}
	return []byte("0")
}

// certField is a field of a certificate: the other side's, or ours.
func certField(field tlsField, info *stream.TLSInfo) []byte {
	cert := info.Peer
	switch field {
	case tlsPeerExpired, tlsPeerSelfSigned, tlsPeerRevoked:
		return certFlag(field, cert)
	case tlsMyVersion, tlsMySerial, tlsMySubject, tlsMyIssuer, tlsMySubjectCN, tlsMyIssuerCN,
		tlsMySubjectOrganization, tlsMyIssuerOrganization, tlsMySANHostname, tlsMySANURI,
		tlsMySANEmail, tlsMySANIP:
		cert = info.Own
	}
	if cert == nil {
		return nil
	}
	switch field {
	case tlsPeerVersion, tlsMyVersion:
		return strconv.AppendInt(nil, int64(cert.Version), 10)
	case tlsPeerSerial, tlsMySerial:
		return cert.SerialNumber.Append(nil, 10)
	case tlsPeerSubject, tlsMySubject:
		return []byte(slashed(cert.Subject))
	case tlsPeerIssuer, tlsMyIssuer:
		return []byte(slashed(cert.Issuer))
	case tlsPeerSubjectCN, tlsMySubjectCN:
		return textOrNil(cert.Subject.CommonName)
	case tlsPeerIssuerCN, tlsMyIssuerCN:
		return textOrNil(cert.Issuer.CommonName)
	case tlsPeerSubjectOrganization, tlsMySubjectOrganization:
		return firstOf(cert.Subject.Organization)
	case tlsPeerIssuerOrganization, tlsMyIssuerOrganization:
		return firstOf(cert.Issuer.Organization)
	case tlsPeerSANHostname, tlsMySANHostname:
		return firstOf(cert.DNSNames)
	case tlsPeerSANEmail, tlsMySANEmail:
		return firstOf(cert.EmailAddresses)
	case tlsPeerSANURI, tlsMySANURI:
		if len(cert.URIs) > 0 {
			return []byte(cert.URIs[0].String())
		}
	case tlsPeerSANIP, tlsMySANIP:
		if len(cert.IPAddresses) > 0 {
			return []byte(cert.IPAddresses[0].String())
		}
	}
	return nil
}

// certFlag: whoever showed no certificate has none that expired. A revoked one does not get through
// its handshake where lists of them are kept (package tlsdomains), so that none is seen here.
func certFlag(field tlsField, cert *x509.Certificate) []byte {
	if cert == nil {
		return bit(false)
	}
	switch field {
	case tlsPeerExpired:
		now := time.Now()
		return bit(now.After(cert.NotAfter) || now.Before(cert.NotBefore))
	case tlsPeerSelfSigned:
		return bit(cert.CheckSignatureFrom(cert) == nil ||
			string(cert.RawIssuer) == string(cert.RawSubject) &&
				cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate,
					cert.Signature) == nil)
	}
	return bit(false)
}

func firstOf(list []string) []byte {
	if len(list) == 0 {
		return nil
	}
	return []byte(list[0])
}

// slashed is a name as OpenSSL's X509_NAME_oneline has it, "/C=DE/O=Example/CN=sip.example", in the
// order of the certificate.
func slashed(n pkix.Name) string {
	s := ""
	for _, a := range n.Names {
		word := a.Type.String()
		if short := attributeWords[word]; short != "" {
			word = short
		}
		if v, ok := a.Value.(string); ok {
			s += "/" + word + "=" + v
		}
	}
	return s
}

// attributeWords are RFC 4514's, and OpenSSL's for the address.
var attributeWords = map[string]string{"2.5.4.3": "CN", "2.5.4.5": "serialNumber", "2.5.4.6": "C",
	"2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "street",
	"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.17": "postalCode",
	"1.2.840.113549.1.9.1": "emailAddress", "0.9.2342.19200300.100.1.25": "DC",
	"0.9.2342.19200300.100.1.1": "UID"}
