package parser

import (
	"encoding/binary"
	"net/netip"
)

// HostIP is the address a host is written as: an IPv4 address or an IPv6 address with or without
// brackets. ok is false for a name. No zone is accepted, and an IPv4-mapped IPv6 address stays one.
// netip.ParseAddr would need a string.
func HostIP(host []byte) (addr netip.Addr, ok bool) {
	var ip [16]byte
	switch ReadIP(host, &ip) {
	case 4:
		return netip.AddrFrom4([4]byte(ip[:4])), true
	case 6:
		return netip.AddrFrom16(ip), true
	}
	return netip.Addr{}, false
}

// ReadIP is HostIP that writes into ip: network order, zeros behind the four bytes of an IPv4
// address. It returns the family, 4 or 6, or 0 for a name; then ip may hold anything.
func ReadIP(host []byte, ip *[16]byte) (family uint8) {
	if n := len(host); n >= 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	} else if v4, ok := parseIPv4(host); ok {
		binary.BigEndian.PutUint64(ip[:8], uint64(v4)<<32)
		clear(ip[8:])
		return 4
	}
	if parseIPv6(host, ip) {
		return 6
	}
	return 0
}

// parseIPv4 reads four decimal numbers up to 255. Leading zeros are refused as in net/netip: some
// readers take them for octal.
func parseIPv4(b []byte) (ip uint32, ok bool) {
	if len(b) < len("0.0.0.0") || len(b) > len("255.255.255.255") {
		return 0, false
	}
	dots, digits, v := 0, 0, uint32(0)
	for _, c := range b {
		switch {
		case c-'0' <= 9:
			if digits > 0 && v == 0 {
				return 0, false
			}
			v = v*10 + uint32(c-'0')
			digits++
			if v > 255 {
				return 0, false
			}
		case c == '.' && digits > 0 && dots < 3:
			ip = ip<<8 | v
			dots, digits, v = dots+1, 0, 0
		default:
			return 0, false
		}
	}
	return ip<<8 | v, dots == 3 && digits > 0
}

// parseIPv6 reads RFC 4291 §2.2 text: up to eight groups, one "::", perhaps an IPv4 tail.
func parseIPv6(b []byte, ip *[16]byte) bool {
	n, gap := 0, -1 // bytes so far; where the "::" is
	i := 0
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, i = 0, 2
	}
	for i < len(b) {
		if n == 16 {
			return false
		}
		start, v := i, 0
		for i < len(b) && i-start < 5 {
			d := hexDigit(b[i])
			if d < 0 {
				break
			}
			v = v<<4 | d
			i++
		}
		if i < len(b) && b[i] == '.' {
			v4, ok := parseIPv4(b[start:])
			if !ok || n > 12 {
				return false
			}
			binary.BigEndian.PutUint32(ip[n:], v4)
			n += 4
			break
		}
		if i == start || i-start > 4 {
			return false
		}
		ip[n], ip[n+1] = byte(v>>8), byte(v)
		n += 2
		if i == len(b) {
			break
		}
		if b[i] != ':' || i+1 == len(b) {
			return false
		}
		i++
		if b[i] == ':' {
			if gap >= 0 {
				return false
			}
			gap = n
			i++
			// RFC 5118 §4.10: RFC 3261's grammar wrote "::" and ":" in front of an IPv4 tail, and
			// so do some.
			if i < len(b) && b[i] == ':' {
				if _, v4 := parseIPv4(b[i+1:]); v4 {
					i++
				}
			}
		}
	}
	if gap < 0 {
		return n == 16
	}
	if n == 16 {
		return false // "::" stands for at least one group
	}
	tail := n - gap
	copy(ip[16-tail:], ip[gap:n])
	clear(ip[gap : 16-tail])
	return true
}

func hexDigit(c byte) int {
	switch {
	case c-'0' <= 9:
		return int(c - '0')
	case lower(c)-'a' < 6:
		return int(lower(c)-'a') + 10
	}
	return -1
}
