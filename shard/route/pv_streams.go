package route

import (
	"net/netip"
	"strconv"
)

// The variables of what a message arrived on and leaves by.

// defineStreamPVs adds them. A number that may be missing is null then.
func defineStreamPVs() {
	str := func(f func(c *Ctx) ([]byte, bool)) *pvDef { return &pvDef{code: pvCode{bytes: f}} }
	temp := func(f func(c *Ctx) ([]byte, bool)) *pvDef { return &pvDef{code: pvCode{bytes: f, temp: true}} }
	num := func(f func(c *Ctx) (int64, bool)) *pvDef { return &pvDef{code: pvCode{num: f}} }
	settable := func(d *pvDef, f func(c *Ctx, v Value) setResult) *pvDef {
		d.code.set, d.code.builds = f, true
		return d
	}
	source := (*Ctx).from
	received := (*Ctx).to
	conn := num(func(c *Ctx) (int64, bool) { id := int64(c.connection()); return id, id > 0 })
	for n, d := range map[string]*pvDef{
		"su":  temp(addrURI(source, false)),
		"sut": temp(addrURI(source, true)),
		"Ru":  temp(addrURI(received, false)),
		"Rut": temp(addrURI(received, true)),
		"Rn":  str(func(c *Ctx) ([]byte, bool) { b := c.receivedBy().name; return b, len(b) > 0 }),

		"RAi":  temp(readAdvertised),
		"RAp":  num(readAdvertisedPort),
		"RAu":  temp(advertisedURI(false)),
		"RAut": temp(advertisedURI(true)),

		"fs":  settable(str(readSendSocket), setSendSocket),
		"fsn": settable(str(readSendSocketName), setSendSocketName),

		"conid": conn, "ws_conid": conn,
		// $hu is of an HTTP request, which the script never sees.
		"hu": str(func(*Ctx) ([]byte, bool) { return nil, false }),
	} {
		pvs[n] = d
	}
	for n, field := range tlsFields {
		if tlsNumbers[n] {
			pvs[n] = num(tlsNumber(field))
		} else {
			pvs[n] = str(func(c *Ctx) ([]byte, bool) { b := c.tlsText(field); return b, b != nil })
		}
	}
}

// tlsFields are the variables of module tls that there are.
var tlsFields = map[string]TLSField{
	"tls_version": TLSVersion, "tls_description": TLSCipherInfo, "tls_cipher_info": TLSCipherInfo, "tls_cipher_bits": TLSCipherBits,
	"tls_peer_server_name": TLSServerName, "tls_peer_verified": TLSPeerVerified, "tls_peer_revoked": TLSPeerRevoked,
	"tls_peer_expired": TLSPeerExpired, "tls_peer_selfsigned": TLSPeerSelfSigned, "tls_peer_version": TLSPeerVersion, "tls_my_version": TLSMyVersion,
	"tls_peer_serial": TLSPeerSerial, "tls_my_serial": TLSMySerial, "tls_peer_subject": TLSPeerSubject, "tls_my_subject": TLSMySubject,
	"tls_peer_issuer": TLSPeerIssuer, "tls_my_issuer": TLSMyIssuer, "tls_peer_subject_cn": TLSPeerSubjectCN, "tls_my_subject_cn": TLSMySubjectCN,
	"tls_peer_issuer_cn": TLSPeerIssuerCN, "tls_my_issuer_cn": TLSMyIssuerCN, "tls_peer_subject_organization": TLSPeerSubjectOrganization,
	"tls_my_subject_organization": TLSMySubjectOrganization, "tls_peer_issuer_organization": TLSPeerIssuerOrganization,
	"tls_my_issuer_organization": TLSMyIssuerOrganization, "tls_peer_san_hostname": TLSPeerSANHostname, "tls_my_san_hostname": TLSMySANHostname,
	"tls_peer_san_uri": TLSPeerSANURI, "tls_my_san_uri": TLSMySANURI, "tls_peer_san_email": TLSPeerSANEmail, "tls_my_san_email": TLSMySANEmail,
	"tls_peer_san_ip": TLSPeerSANIP, "tls_my_san_ip": TLSMySANIP,
}

// tlsNumbers are those of them that are numbers.
var tlsNumbers = map[string]bool{"tls_cipher_bits": true, "tls_peer_verified": true, "tls_peer_revoked": true, "tls_peer_expired": true,
	"tls_peer_selfsigned": true, "tls_peer_version": true, "tls_my_version": true}

func tlsNumber(field TLSField) func(c *Ctx) (int64, bool) {
	return func(c *Ctx) (int64, bool) {
		b := c.tlsText(field)
		return atoi(b), b != nil
	}
}

// addrURI is an address as a URI; the transport parameter is left out for UDP unless full.
func addrURI(addr func(c *Ctx) netip.AddrPort, full bool) func(c *Ctx) ([]byte, bool) {
	return func(c *Ctx) ([]byte, bool) {
		a := addr(c)
		start := len(c.buf)
		c.buf = strconv.AppendUint(append(appendHost(append(c.buf, "sip:"...), a.Addr()), ':'), uint64(a.Port()), 10)
		return c.withTransport(start, full), true
	}
}

// withTransport ends the URI that begins at start of the scratch room.
func (c *Ctx) withTransport(start int, full bool) []byte {
	if t := c.transport(); full || t != UDP {
		word, _ := transportName(t)
		c.buf = append(append(c.buf, ";transport="...), word...)
	}
	return c.buf[start:len(c.buf):len(c.buf)]
}

// readSendSocket is $fs, readSendSocketName $fsn.
func readSendSocket(c *Ctx) ([]byte, bool) {
	l := c.forced()
	if l == nil {
		return nil, false
	}
	return l.socket, true
}

func readSendSocketName(c *Ctx) ([]byte, bool) {
	l := c.forced()
	if l == nil {
		return nil, false
	}
	return l.name, len(l.name) > 0
}

// readAdvertised is $RAi: what the listener shows, or its own address.
func readAdvertised(c *Ctx) ([]byte, bool) {
	if l := c.receivedBy(); len(l.advertised) > 0 {
		return l.advertised, true
	}
	return readRcvIP(c)
}

func readAdvertisedPort(c *Ctx) (int64, bool) {
	l := c.receivedBy()
	if len(l.advertised) > 0 && l.AdvertisePort > 0 {
		return int64(l.AdvertisePort), true
	}
	return int64(l.Addr.Port), true
}

func advertisedURI(full bool) func(c *Ctx) ([]byte, bool) {
	plain := addrURI((*Ctx).to, full)
	return func(c *Ctx) ([]byte, bool) {
		l := c.receivedBy()
		host, port := l.advertised, l.AdvertisePort
		if len(host) == 0 {
			return plain(c)
		}
		start := len(c.buf)
		c.buf = append(append(c.buf, "sip:"...), host...)
		if port > 0 {
			c.buf = strconv.AppendUint(append(c.buf, ':'), uint64(port), 10)
		}
		return c.withTransport(start, full), true
	}
}

// setSendSocket is $fs = "proto:host:port"; $null takes it back.
func setSendSocket(c *Ctx, v Value) setResult { return done(c.forceSocket(c.text(&v)) > 0) }

func setSendSocketName(c *Ctx, v Value) setResult { return done(c.forceSocketName(c.text(&v)) > 0) }
