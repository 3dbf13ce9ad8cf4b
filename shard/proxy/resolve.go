package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
)

// parseIP reads an IPv4 literal or an IPv6 literal, in brackets or not, into a;
// the port is left alone. It allocates nothing, unlike netip.ParseAddr, which
// needs a string.
func parseIP(b []byte, a *netio.Addr) bool {
	if len(b) > 2 && b[0] == '[' && b[len(b)-1] == ']' {
		return parseIPv6(b[1:len(b)-1], a)
	}
	if parseIPv4(b, a.IP[:4]) {
		clear(a.IP[4:])
		a.Family, a.Zone = 4, 0
		return true
	}
	return parseIPv6(b, a)
}

// parseIPv4 reads four decimal numbers without leading zeros.
func parseIPv4(b []byte, ip []byte) bool {
	if len(b) < 7 || len(b) > 15 {
		return false
	}
	field, digits, v := 0, 0, 0
	for _, c := range b {
		switch {
		case c == '.':
			if digits == 0 || field == 3 {
				return false
			}
			ip[field] = byte(v)
			field, digits, v = field+1, 0, 0
		case c-'0' <= 9:
			if digits > 0 && v == 0 {
				return false
			}
			v = v*10 + int(c-'0')
			digits++
			if v > 255 {
				return false
			}
		default:
			return false
		}
	}
	if field != 3 || digits == 0 {
		return false
	}
	ip[3] = byte(v)
	return true
}

// parseIPv6 reads RFC 4291's text form without zone, "::" and a trailing IPv4
// address included.
func parseIPv6(b []byte, a *netio.Addr) bool {
	var ip [16]byte
	var v4 [4]byte
	n, gap := 0, -1
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, b = 0, b[2:]
	}
	for len(b) > 0 {
		if n == 16 {
			return false
		}
		v, digits := 0, 0
		for digits < len(b) && digits < 5 {
			d := hexDigit(b[digits])
			if d < 0 {
				break
			}
			v = v<<4 | d
			digits++
		}
		if digits < len(b) && b[digits] == '.' {
			if n > 12 || !parseIPv4(b, ip[n:n+4]) {
				return false
			}
			n += 4
			break
		}
		if digits == 0 || digits > 4 {
			return false
		}
		ip[n], ip[n+1] = byte(v>>8), byte(v)
		n += 2
		b = b[digits:]
		if len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return false
		}
		b = b[1:]
		if b[0] == ':' {
			if gap >= 0 {
				return false
			}
			gap, b = n, b[1:]
			if len(b) > 0 && b[0] == ':' && parseIPv4(b[1:], v4[:]) {
				// RFC 5118 §4.10: RFC 3261's grammar has a third colon in front of an IPv4 tail
				b = b[1:]
			}
		}
	}
	if gap >= 0 {
		if n == 16 {
			return false
		}
		copy(ip[16-(n-gap):], ip[gap:n])
		clear(ip[gap : 16-(n-gap)])
	} else if n != 16 {
		return false
	}
	a.IP, a.Family, a.Zone = ip, 6, 0
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

// destination is where a SIP URI says a request goes, if it says so in numbers:
// maddr before host (RFC 3261 §16.6 step 7, RFC 3263 §4). A name gives Family 0:
// this build resolves none.
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
