package syntax

import (
	"net/netip"
	"strconv"
)

// number reads an integer: 12, 0x1F, 017, 0b101 or 101b.
func (lx *lexer) number(f *frame, t *token) {
	s := f.src[f.off:]
	n, base := 0, 10
	digits := ""
	switch {
	case len(s) > 2 && (s[1] == 'x' || s[1] == 'X') && s[0] == '0' && hexVal(s[2]) >= 0:
		base, n = 16, 2
		for n < len(s) && hexVal(s[n]) >= 0 {
			n++
		}
		digits = s[2:n]
	case len(s) > 2 && s[0] == '0' && s[1] == 'b' && (s[2] == '0' || s[2] == '1'):
		base, n = 2, 2
		for n < len(s) && (s[n] == '0' || s[n] == '1') {
			n++
		}
		digits = s[2:n]
	default:
		binary := true
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			binary = binary && s[n] <= '1'
			n++
		}
		digits = s[:n]
		switch {
		case binary && n < len(s) && s[n] == 'b' && (n+1 == len(s) || !IsNameByte(s[n+1])):
			base = 2
			n++
		case n > 1 && s[0] == '0':
			base = 8
		}
	}
	v, err := strconv.ParseInt(digits, base, 64)
	if err != nil && base == 8 {
		// "08" within a joined word such as a version or a host. Wherever a number is wanted, the
		// value is checked.
		v, err = strconv.ParseInt(digits, 10, 64)
	}
	if err != nil {
		lx.found.Errorf(t.pos, "number %s is out of range", Clip(s[:n]))
	}
	t.kind, t.num, t.text = tokInt, v, s[:n]
	f.off += n
}

// ipLen returns the length of the IPv4 address or bare IPv6 address that s starts with, or 0. A
// colon behind an IPv6 address, as in case ::1:, is not part of it. An IPv6 address has at least
// two colons, so host:port is not one.
func ipLen(s string) int {
	n, dots, colons := 0, 0, 0
	for n < len(s) && (hexVal(s[n]) >= 0 || s[n] == '.' || s[n] == ':') {
		switch s[n] {
		case '.':
			dots++
		case ':':
			colons++
		}
		n++
	}
	if dots < 3 && colons < 2 || n < len(s) && IsNameByte(s[n]) && colons >= 2 {
		return 0
	}
	if colons < 2 {
		return ipv4Len(s)
	}
	if s[n-1] == ':' && n > 2 && s[n-2] != ':' {
		n--
	}
	if ip, err := netip.ParseAddr(s[:n]); err != nil || !ip.Is6() {
		return 0
	}
	return n
}

// ipv4Len returns the length of the dotted quad that s starts with, or 0.
func ipv4Len(s string) int {
	i := 0
	for part := 0; part < 4; part++ {
		if part > 0 {
			if i >= len(s) || s[i] != '.' {
				return 0
			}
			i++
		}
		d, v := 0, 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' && d < 4 {
			v = v*10 + int(s[i]-'0')
			i++
			d++
		}
		if d == 0 || d > 3 || v > 255 {
			return 0
		}
	}
	return i
}

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// IsNameByte tells whether c may stand in a name.
func IsNameByte(c byte) bool { return isNameStart(c) || c >= '0' && c <= '9' }

// NameLen returns how many bytes at the start of s may stand in a name.
func NameLen(s string) int {
	n := 0
	for n < len(s) && IsNameByte(s[n]) {
		n++
	}
	return n
}

// dottedNames are the names of variables with a dot in them.
var dottedNames = map[string]bool{"from.user": true, "from.domain": true, "to.user": true,
	"to.domain": true, "ruri.user": true, "ruri.domain": true, "err.class": true,
	"err.level": true, "err.info": true, "err.rcode": true, "err.rreason": true}

// VarNameLen returns how many bytes at the start of s are the name of a variable. A dot belongs to
// it only in names that are known: in "$rU.wav" it is text, where Kamailio looks for a variable of
// that name.
func VarNameLen(s string) int {
	n := NameLen(s)
	if n < len(s) && s[n] == '.' {
		if end := n + 1 + NameLen(s[n+1:]); dottedNames[s[:end]] {
			return end
		}
	}
	return n
}

func hexVal(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// runeLen returns the length of the UTF-8 sequence that s starts with, at least 1.
func runeLen(s string) int {
	n := 1
	for s[0] >= 0x80 && n < len(s) && n < 4 && s[n]&0xC0 == 0x80 {
		n++
	}
	return n
}
