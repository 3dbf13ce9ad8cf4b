package shard

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"strconv"
	"strings"
	"time"

	"viaduct/netio/stream"
	"viaduct/parser"
	"viaduct/shard/route"
)

// The doors to connections. The message at hand names its own where the engine brought it; a
// request that is read back from the arena, or was parked, has the one that is open with its source
// now.

func (s *session) ConnID() int64 { return int64(s.connection()) }

// connection is the number of the message's connection; 0: it has none.
func (s *session) connection() uint64 {
	w := s.w
	if w.conns == nil {
		return 0
	}
	src, listener := &s.r().Src, s.receivedBy()
	if s.ofResponse() {
		src = &s.src
	}
	switch {
	case !src.Proto.Reliable():
		return 0
	case s.conn != 0 && (s.ofResponse() || !s.r().Resumed()):
		return s.conn
	}
	return w.conns.Find(listener, src) // Slow path
}

// theConn is connection id, that of the message for 0; 0: there is none.
func (s *session) theConn(id int64) uint64 {
	switch {
	case s.w.conns == nil || id < 0:
		return 0
	case id == 0:
		return s.connection()
	}
	return uint64(id)
}

func (s *session) AliasConn(port int) int {
	conn := s.connection()
	if conn == 0 {
		return -1
	}
	if port == 0 {
		m := s.Msg()
		via, reason := m.TopVia()
		if reason != parser.OK || s.ofResponse() {
			return -1 // a response's topmost Via is ours
		}
		if port = int(via.Port); port == 0 {
			port = int(defaultSIPPort(via.Transport))
		}
	}
	return truth(s.w.conns.AliasOf(conn, uint16(port)))
}

func (s *session) ConnState(id int64) route.ConnState {
	conn := s.theConn(id)
	if conn == 0 {
		return route.ConnGone
	}
	switch s.w.conns.State(conn) {
	case stream.ConnUp:
		return route.ConnUp
	case stream.ConnAccepting:
		return route.ConnAccepting
	case stream.ConnConnecting:
		return route.ConnConnecting
	case stream.ConnClosing:
		return route.ConnBad
	}
	return route.ConnGone
}

func (s *session) SetConnLifetime(id int64, lifetime time.Duration) int {
	conn := s.theConn(id)
	return truth(conn != 0 && s.w.conns.SetLifetime(conn, lifetime))
}

func (s *session) SetConnKeepalive(id int64, idle time.Duration, count int, interval time.Duration) int {
	conn := s.theConn(id)
	return truth(conn != 0 && s.w.conns.SetKeepAlive(conn, idle, count, interval))
}

func (s *session) CloseConn(id int64, status int, reason []byte) int {
	conn := s.theConn(id)
	return truth(conn != 0 && s.w.conns.CloseWell(conn, status, reason))
}

// tlsInfo is what is known of the connection's TLS, nil if it has none.
func (s *session) tlsInfo() *stream.TLSInfo {
	if conn := s.connection(); conn != 0 {
		return s.w.conns.TLSInfo(conn)
	}
	return nil
}

func (s *session) PeerVerified() bool {
	info := s.tlsInfo()
	return info != nil && info.Verified
}

// TLSInfo: what it returns is made for each question; few programs ask, and not for every message.
func (s *session) TLSInfo(field route.TLSField) []byte {
	info := s.tlsInfo()
	if info == nil {
		return nil
	}
	switch field {
	case route.TLSVersion:
		if v := tlsVersions[info.Version]; v != "" {
			return []byte(v)
		}
		return nil
	case route.TLSCipherInfo:
		return []byte(tls.CipherSuiteName(info.CipherSuite))
	case route.TLSCipherBits:
		return strconv.AppendInt(nil, int64(cipherBits[info.CipherSuite]), 10)
	case route.TLSServerName:
		return textOrNil(info.ServerName)
	case route.TLSPeerVerified:
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
func certField(field route.TLSField, info *stream.TLSInfo) []byte {
	cert := info.Peer
	switch field {
	case route.TLSPeerExpired, route.TLSPeerSelfSigned, route.TLSPeerRevoked:
		return certFlag(field, cert)
	case route.TLSMyVersion, route.TLSMySerial, route.TLSMySubject, route.TLSMyIssuer, route.TLSMySubjectCN, route.TLSMyIssuerCN,
		route.TLSMySubjectOrganization, route.TLSMyIssuerOrganization, route.TLSMySANHostname, route.TLSMySANURI, route.TLSMySANEmail, route.TLSMySANIP:
		cert = info.Own
	}
	if cert == nil {
		return nil
	}
	switch field {
	case route.TLSPeerVersion, route.TLSMyVersion:
		return strconv.AppendInt(nil, int64(cert.Version), 10)
	case route.TLSPeerSerial, route.TLSMySerial:
		return cert.SerialNumber.Append(nil, 10)
	case route.TLSPeerSubject, route.TLSMySubject:
		return []byte(slashed(cert.Subject))
	case route.TLSPeerIssuer, route.TLSMyIssuer:
		return []byte(slashed(cert.Issuer))
	case route.TLSPeerSubjectCN, route.TLSMySubjectCN:
		return textOrNil(cert.Subject.CommonName)
	case route.TLSPeerIssuerCN, route.TLSMyIssuerCN:
		return textOrNil(cert.Issuer.CommonName)
	case route.TLSPeerSubjectOrganization, route.TLSMySubjectOrganization:
		return first(cert.Subject.Organization)
	case route.TLSPeerIssuerOrganization, route.TLSMyIssuerOrganization:
		return first(cert.Issuer.Organization)
	case route.TLSPeerSANHostname, route.TLSMySANHostname:
		return first(cert.DNSNames)
	case route.TLSPeerSANEmail, route.TLSMySANEmail:
		return first(cert.EmailAddresses)
	case route.TLSPeerSANURI, route.TLSMySANURI:
		if len(cert.URIs) > 0 {
			return []byte(cert.URIs[0].String())
		}
	case route.TLSPeerSANIP, route.TLSMySANIP:
		if len(cert.IPAddresses) > 0 {
			return []byte(cert.IPAddresses[0].String())
		}
	}
	return nil
}

// certFlag: whoever showed no certificate has none that expired. A revoked one does not get through
// its handshake where lists of them are kept (package tlsdomains), so that none is seen here.
func certFlag(field route.TLSField, cert *x509.Certificate) []byte {
	if cert == nil {
		return bit(false)
	}
	switch field {
	case route.TLSPeerExpired:
		now := time.Now()
		return bit(now.After(cert.NotAfter) || now.Before(cert.NotBefore))
	case route.TLSPeerSelfSigned:
		return bit(cert.CheckSignatureFrom(cert) == nil || string(cert.RawIssuer) == string(cert.RawSubject) && cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil)
	}
	return bit(false)
}

func first(list []string) []byte {
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
var attributeWords = map[string]string{"2.5.4.3": "CN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "street",
	"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.17": "postalCode", "1.2.840.113549.1.9.1": "emailAddress", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID"}
