package pv

import (
	"bytes"

	"viaduct/shard/route"
)

const (
	// RFC 3261 §25.1, unreserved
	unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()"
	urlPlain   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~"
)

// charset tells which bytes may stand as they are.
type charset [256]bool

func charsetOf(s string) *charset {
	var t charset
	for i := range len(s) {
		t[s[i]] = true
	}
	return &t
}

var (
	// §25.1, user-unreserved and param-unreserved. Kamailio escapes the slash of a user.
	userChars  = charsetOf(unreserved + "&=+$,;?")
	paramChars = charsetOf(unreserved + "[]/:&+$")
	urlChars   = charsetOf(urlPlain)
)

// escapes are the transformations that escape a text, and take escapes out.
func escapes(m *route.Module) {
	put := func(name, doc string, factor, more int, f func(dst, b []byte) ([]byte, bool)) {
		made(m, name, doc, maker{f, times(factor, more)})
	}
	put("s.escape.common", "The text with a backslash before quotes and backslashes.", 2, 0,
		escapeCommon)
	put("s.unescape.common", "The text without the backslashes before quotes and backslashes.", 1,
		0,
		unescapeCommon)
	put("s.escape.csv", "The text in double quotes, with those in it doubled.", 2, 2, escapeCSV)
	put("s.escape.user", "The text escaped as the user of a URI; null if a byte is not printable "+
		"ASCII.", 3,
		0,
		func(dst, b []byte) ([]byte, bool) { return percent(dst, b, userChars, printable) })
	put("s.escape.param", "The text escaped as a parameter of a URI; null if a byte is not "+
		"printable ASCII.",
		3, 0,
		func(dst, b []byte) ([]byte, bool) { return percent(dst, b, paramChars, printable) })
	put("s.urlencode.param", "The text as a parameter of a URL.", 3, 0,
		func(dst, b []byte) ([]byte, bool) { return percent(dst, b, urlChars, nil) })
	unescape := func(dst, b []byte) ([]byte, bool) { return unpercent(dst, b) }
	put("s.unescape.user", "The user of a URI, unescaped; null if an escape is bad or stands for "+
		"a byte that is not printable ASCII.", 1, 0, unescape)
	put("s.unescape.param", "A parameter of a URI, unescaped; null as for {s.unescape.user}.", 1,
		0,
		unescape)
	put("s.urldecode.param", "A parameter of a URL, unescaped. Anything else stays.", 1, 0,
		urldecode)
}

func printable(x byte) bool { return x >= ' ' && x < 0x7f }

func escapeCommon(dst, b []byte) ([]byte, bool) {
	for _, x := range b {
		switch x {
		case '\'', '"', '\\':
			dst = append(dst, '\\', x)
		case 0:
			dst = append(dst, '\\', '0')
		default:
			dst = append(dst, x)
		}
	}
	return dst, true
}

func unescapeCommon(dst, b []byte) ([]byte, bool) {
	for len(b) > 0 {
		if b[0] == '\\' && len(b) > 1 {
			if i := bytes.IndexByte([]byte(`'"\0`), b[1]); i >= 0 {
				dst = append(dst, "'\"\\\x00"[i])
				b = b[2:]
				continue
			}
		}
		dst = append(dst, b[0])
		b = b[1:]
	}
	return dst, true
}

func escapeCSV(dst, b []byte) ([]byte, bool) {
	dst = append(dst, '"')
	for _, x := range b {
		if x == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, x)
	}
	return append(dst, '"'), true
}

// percent writes what is not plain as %xx. It says false of a byte that must not be there.
func percent(dst, b []byte, plain *charset, may func(x byte) bool) ([]byte, bool) {
	const digits = "0123456789abcdef"
	for _, x := range b {
		switch {
		case plain[x]:
			dst = append(dst, x)
		case may != nil && !may(x):
			return dst, false
		default:
			dst = append(dst, '%', digits[x>>4], digits[x&15])
		}
	}
	return dst, true
}

func unpercent(dst, b []byte) ([]byte, bool) {
	for i := 0; i < len(b); i++ {
		x := b[i]
		if x == '%' {
			var ok bool
			if x, ok = escaped(b[i:]); !ok || !printable(x) {
				return dst, false
			}
			i += 2
		}
		dst = append(dst, x)
	}
	return dst, true
}

func urldecode(dst, b []byte) ([]byte, bool) {
	for i := 0; i < len(b); i++ {
		x := b[i]
		switch x {
		case '+':
			x = ' '
		case '%':
			if y, ok := escaped(b[i:]); ok {
				x = y
				i += 2
			}
		}
		dst = append(dst, x)
	}
	return dst, true
}

// escaped is the byte that b begins with as %xx.
func escaped(b []byte) (byte, bool) {
	if len(b) < 3 {
		return 0, false
	}
	hi, lo := hexValue[b[1]], hexValue[b[2]]
	return byte(hi<<4 | lo&15), hi|lo >= 0
}

// hexValue is what a hexadecimal digit means, negative for another byte.
var hexValue = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range 10 {
		t['0'+i] = int8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = int8(10+i), int8(10+i)
	}
	return t
}()
