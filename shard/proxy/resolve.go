package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
)

// parseIP reads an IPv4 literal, or an IPv6 literal in brackets or not, into a. It leaves the port
// alone and allocates nothing.
func parseIP(b []byte, a *netio.Addr) bool {
	family := parser.ReadIP(b, &a.IP)
	if family == 0 {
		return false
	}
	a.Family, a.Zone = family, 0
	return true
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// destination sets to from a SIP URI that says in numbers where a request goes: maddr before host
// (RFC 3261 §16.6 step 7, RFC 3263 §4). It returns false, with Family 0, for a name.
func destination(uri *parser.URI, to *netio.Addr) bool {
	host := uri.HostBytes()
	if maddr, ok := uri.Param("maddr"); ok {
		host = maddr
	}
	if !parseIP(host, to) {
		to.Family = 0
		return false
	}
	to.Port = uri.EffectivePort()
	return true
}
