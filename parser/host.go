package parser

import "net/netip"

// HostIP is the address a host is written as: an IPv4 address or an IPv6 address with or without
// brackets. ok is false for a name. No zone is accepted, and an IPv4-mapped IPv6 address stays one.
// netip.ParseAddr would need a string.
func HostIP(host []byte) (addr netip.Addr, ok bool) {
	if n := len(host); n >= 2 && host[0] == '[' && host[n-1] == ']' {
		return parseIPv6(host[1 : n-1])
	}
	if ip, ok := parseIPv4(host); ok {
		return netip.AddrFrom4(ip), true
	}
	for _, c := range host {
		if c == ':' {
			return parseIPv6(host)
		}
	}
	return netip.Addr{}, false
}

// parseIPv4 reads four decimal numbers up to 255. Leading zeros are refused as in net/netip: some
// readers take them for octal.
func parseIPv4(b []byte) (ip [4]byte, ok bool) {
	n, digits, v := 0, 0, 0
	for i := 0; i <= len(b); i++ {
		if i == len(b) || b[i] == '.' {
			if digits == 0 || n > 3 {
				return ip, false
			}
			ip[n] = byte(v)
			n++
			digits, v = 0, 0
			continue
		}
		d := int(b[i]) - '0'
		if d < 0 || d > 9 || digits > 0 && v == 0 {
			return ip, false
		}
		if v = v*10 + d; v > 255 {
			return ip, false
		}
		digits++
	}
	return ip, n == 4
}

// parseIPv6 reads RFC 4291 §2.2 text: up to eight groups, one "::", perhaps an IPv4 tail.
func parseIPv6(b []byte) (addr netip.Addr, ok bool) {
	var ip [16]byte
	n, gap := 0, -1 // bytes so far; where the "::" is
	i := 0
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, i = 0, 2
	}
	for i < len(b) {
		if n == 16 {
			return addr, false
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
				return addr, false
			}
			n += copy(ip[n:], v4[:])
			break
		}
		if i == start || i-start > 4 {
			return addr, false
		}
		ip[n], ip[n+1] = byte(v>>8), byte(v)
		n += 2
		if i == len(b) {
			break
		}
		if b[i] != ':' || i+1 == len(b) {
			return addr, false
		}
		i++
		if b[i] == ':' {
			if gap >= 0 {
				return addr, false
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
		return netip.AddrFrom16(ip), n == 16
	}
	if n == 16 {
		return addr, false // "::" stands for at least one group
	}
	tail := n - gap
	copy(ip[16-tail:], ip[gap:n])
	clear(ip[gap : 16-tail])
	return netip.AddrFrom16(ip), true
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

// SameHost tells whether two hosts as written are the same: names in any case, with or without the
// final dot; addresses by value, IPv6 with or without brackets (RFC 3261 §19.1.4, RFC 5952 for why
// text does not do).
func SameHost(a, b []byte) bool {
	if string(a) == string(b) {
		return true
	}
	ipA, okA := HostIP(a)
	ipB, okB := HostIP(b)
	if okA || okB {
		return okA && okB && ipA == ipB
	}
	a, b = trimDot(a), trimDot(b)
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a) && i < len(b); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func trimDot(name []byte) []byte {
	if n := len(name); n > 1 && name[n-1] == '.' {
		return name[:n-1]
	}
	return name
}
