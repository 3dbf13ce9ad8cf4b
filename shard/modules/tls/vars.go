package tls

import "viaduct/shard/route"

// variables declares what a script can ask about the connection and its certificates.
func variables(m *route.Module) {
	for name, field := range fields {
		p := route.Place{NoRoom: true}
		if numbers[name] {
			p.Int = func(c *route.Ctx) (int64, bool) {
				b := text(c, field)
				return route.Atoi(b), b != nil
			}
		} else {
			p.Text = func(c *route.Ctx) ([]byte, bool) {
				b := text(c, field)
				return b, b != nil
			}
		}
		m.Var(route.Var{Name: name, Doc: "Of the TLS connection that the message came on.",
			Place: p})
	}
}

// fields are the variables.
var fields = map[string]tlsField{
	"tls_version": tlsVersion, "tls_description": tlsCipherInfo, "tls_cipher_info": tlsCipherInfo,
	"tls_cipher_bits":      tlsCipherBits,
	"tls_peer_server_name": tlsServerName, "tls_peer_verified": tlsPeerVerified,
	"tls_peer_revoked": tlsPeerRevoked,
	"tls_peer_expired": tlsPeerExpired, "tls_peer_selfsigned": tlsPeerSelfSigned,
	"tls_peer_version": tlsPeerVersion, "tls_my_version": tlsMyVersion,
	"tls_peer_serial": tlsPeerSerial, "tls_my_serial": tlsMySerial,
	"tls_peer_subject": tlsPeerSubject, "tls_my_subject": tlsMySubject,
	"tls_peer_issuer": tlsPeerIssuer, "tls_my_issuer": tlsMyIssuer,
	"tls_peer_subject_cn": tlsPeerSubjectCN, "tls_my_subject_cn": tlsMySubjectCN,
	"tls_peer_issuer_cn": tlsPeerIssuerCN, "tls_my_issuer_cn": tlsMyIssuerCN,
	"tls_peer_subject_organization": tlsPeerSubjectOrganization,
	"tls_my_subject_organization":   tlsMySubjectOrganization,
	"tls_peer_issuer_organization":  tlsPeerIssuerOrganization,
	"tls_my_issuer_organization":    tlsMyIssuerOrganization,
	"tls_peer_san_hostname":         tlsPeerSANHostname, "tls_my_san_hostname": tlsMySANHostname,
	"tls_peer_san_uri": tlsPeerSANURI, "tls_my_san_uri": tlsMySANURI,
	"tls_peer_san_email": tlsPeerSANEmail, "tls_my_san_email": tlsMySANEmail,
	"tls_peer_san_ip": tlsPeerSANIP, "tls_my_san_ip": tlsMySANIP,
}

// numbers are those of them that are numbers.
var numbers = map[string]bool{"tls_cipher_bits": true, "tls_peer_verified": true,
	"tls_peer_revoked": true, "tls_peer_expired": true,
	"tls_peer_selfsigned": true, "tls_peer_version": true, "tls_my_version": true}
