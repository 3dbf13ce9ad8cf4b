package tls

import "viaduct/shard/route"

// variables declares what a script can ask about the connection and its certificates.
func variables(m *route.Module) {
	for name, field := range fields {
		if numbers[name] {
			m.Var(name,
				"Of the TLS connection that the message came on.", route.Place{Int: func(c *route.Ctx) (int64, bool) {
					b := c.Host.TLSInfo(field)
					return route.Atoi(b), b != nil
				}})
			continue
		}
		m.Var(name,
			"Of the TLS connection that the message came on.", route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
				b := c.Host.TLSInfo(field)
				return b, b != nil
			}})
	}
}

// fields are the variables.
var fields = map[string]route.TLSField{
	"tls_version": route.TLSVersion, "tls_description": route.TLSCipherInfo, "tls_cipher_info": route.TLSCipherInfo, "tls_cipher_bits": route.TLSCipherBits,
	"tls_peer_server_name": route.TLSServerName, "tls_peer_verified": route.TLSPeerVerified,
	"tls_peer_revoked": route.TLSPeerRevoked,
	"tls_peer_expired": route.TLSPeerExpired, "tls_peer_selfsigned": route.TLSPeerSelfSigned, "tls_peer_version": route.TLSPeerVersion, "tls_my_version": route.TLSMyVersion,
	"tls_peer_serial": route.TLSPeerSerial, "tls_my_serial": route.TLSMySerial, "tls_peer_subject": route.TLSPeerSubject, "tls_my_subject": route.TLSMySubject,
	"tls_peer_issuer": route.TLSPeerIssuer, "tls_my_issuer": route.TLSMyIssuer, "tls_peer_subject_cn": route.TLSPeerSubjectCN, "tls_my_subject_cn": route.TLSMySubjectCN,
	"tls_peer_issuer_cn": route.TLSPeerIssuerCN, "tls_my_issuer_cn": route.TLSMyIssuerCN,
	"tls_peer_subject_organization": route.TLSPeerSubjectOrganization,
	"tls_my_subject_organization":   route.TLSMySubjectOrganization,
	"tls_peer_issuer_organization":  route.TLSPeerIssuerOrganization,
	"tls_my_issuer_organization":    route.TLSMyIssuerOrganization, "tls_peer_san_hostname": route.TLSPeerSANHostname, "tls_my_san_hostname": route.TLSMySANHostname,
	"tls_peer_san_uri": route.TLSPeerSANURI, "tls_my_san_uri": route.TLSMySANURI, "tls_peer_san_email": route.TLSPeerSANEmail, "tls_my_san_email": route.TLSMySANEmail,
	"tls_peer_san_ip": route.TLSPeerSANIP, "tls_my_san_ip": route.TLSMySANIP,
}

// numbers are those of them that are numbers.
var numbers = map[string]bool{"tls_cipher_bits": true, "tls_peer_verified": true,
	"tls_peer_revoked": true, "tls_peer_expired": true,
	"tls_peer_selfsigned": true, "tls_peer_version": true, "tls_my_version": true}
