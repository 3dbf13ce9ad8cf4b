package parser

import "encoding/binary"

// Pieces of grammar that several fields share. In all of them b ends where the header's value ends,
// i is an offset into b, and -1 means malformed.

// number reads 1*DIGIT up to limit. end is the offset behind the last digit, -1 if there
// is no digit or the number exceeds limit. limit is below 2^40: the sum cannot overflow.
func number(b []byte, i int, limit uint64) (n uint64, end int) {
	start := i
	for i < len(b) {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		if n = n*10 + uint64(d); n > limit {
			return 0, -1
		}
		i++
	}
	if i == start {
		return 0, -1
	}
	return n, i
}

// decimal is the number b[i:e] if that is 1 to 8 digits, and -1 if it is anything else, or stands
// in the first 8 bytes of b. number says what it is then.
//
// The digits are loaded as the most significant end of a word, the bytes in front of them become
// zeros, and then all are joined in pairs three times.
func decimal(b []byte, i, e int) int {
	n := uint(e - i - 1)
	if n > 7 || e < 8 || e > len(b) {
		return -1
	}
	w := (word64(b, e-8) ^ '0'*ones) & lastBytes[n]
	if (w+(0x7f-9)*ones|w)&tops != 0 {
		return -1
	}
	w = w * (10<<8 + 1) >> 8 & 0x00ff00ff00ff00ff
	w = w * (100<<16 + 1) >> 16 & 0x0000ffff0000ffff
	return int(w * (10000<<32 + 1) >> 32)
}

// word64 and word32 are the bytes of b from i on, little-endian. The third index says that the
// slice is not empty, which spares four instructions that keep a pointer from going past the end.
func word64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8 : i+8]) }
func word32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i : i+4 : i+4]) }

// lastBytes[n] has the n+1 most significant bytes set.
var lastBytes = [8]uint64{0xff << 56, 0xffff << 48, 0xffffff << 40, 0xffffffff << 32, 1<<64 - 1<<24,
	1<<64 - 1<<16, 1<<64 - 1<<8, 1<<64 - 1}

// byteAt is b[i], and NUL where there is none.
func byteAt(b []byte, i int) byte {
	if uint(i) < uint(len(b)) {
		return b[i]
	}
	return 0
}

// hostEnd is the offset behind the host that starts at i: a name, an IPv4 address or a bracketed
// IPv6 reference (RFC 3261 §25.1). Names are not checked beyond their characters.
func hostEnd(b []byte, i int) int {
	if i < len(b) && b[i] == '[' {
		for e := i + 1; e < len(b); e++ {
			if b[e] == ']' {
				if !parseIPv6(b[i+1:e], new([16]byte)) {
					return -1
				}
				return e + 1
			}
		}
		return -1
	}
	e := run(b, i, classHost)
	if e == i {
		return -1
	}
	return e
}

// paramFollows is i if a parameter list may go on or end there, else -1.
func paramFollows(b []byte, i int) int {
	if i == len(b) || b[i] == ';' || b[i] == ',' {
		return i
	}
	return -1
}

// genericParam reads SEMI token [ EQUAL ( token / host / quoted-string ) ] (RFC 3261 §25.1,
// generic-param), the semicolon being at semi. end is the offset behind the parameter, next that
// behind the white space which follows it. value has its quotes, and Len 0 when there is no "=", or
// nothing behind it. Names and values may be of any bytes that leave no doubt where they end: most
// are nobody's business here.
func genericParam(b []byte, semi int) (name, value Span, end, next int) {
	i := skipLWS(b, semi+1)
	e := i
	for e < len(b) && b[e] != '=' && is(b[e], classValue) {
		e++
	}
	if e == i {
		return name, value, 0, -1
	}
	name = span(i, e)
	end = e
	i = skipLWS(b, e)
	if i < len(b) && b[i] == '=' {
		end = i + 1
		i = skipLWS(b, end)
		if i < len(b) && b[i] == '"' {
			if e = quotedEnd(b, i); e < 0 {
				return name, value, 0, -1
			}
		} else {
			e = run(b, i, classValue)
		}
		if value = span(i, e); e > i {
			end = e
		}
		i = skipLWS(b, e)
	}
	return name, value, end, paramFollows(b, i)
}

// quotedEnd is the offset behind the quoted-string that starts at i (RFC 3261 §25.1); a backslash
// takes the next byte with it, and that may be a NUL.
func quotedEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// Param finds a parameter by name (lower case; any case matches) in ps, a list ";name=value;name"
// in b. ok tells whether it is there; value is what is behind the "=", quotes included, Len 0 if
// there is none; whole runs from the ";" to the end of the parameter. Cutting whole removes it.
func Param(b []byte, ps Span, name string) (value, whole Span, ok bool) {
	b = b[:ps.End()]
	i := skipLWS(b, int(ps.Off))
	for i >= 0 && i < len(b) && b[i] == ';' {
		n, v, end, next := genericParam(b, i)
		if next < 0 {
			if next = oddParam(b, i, true); next < 0 {
				break
			}
		} else if equalFold(n.Of(b), name) {
			return v, span(i, end), true
		}
		i = next
	}
	return Span{}, Span{}, false
}
