package jansson

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may be nested. Beyond: it is no JSON.
const maxDepth = 256

// compact appends the JSON text b in one form: no white space, strings with the fewest escapes,
// numbers as Go has them. So texts that are equal are equal byte by byte, and what reads it need
// not check. It says false if b is no JSON (RFC 8259).
func compact(dst, b []byte) ([]byte, bool) {
	w := writer{dst: dst, b: b}
	if !w.value(0) {
		return dst, false
	}
	w.space()
	return w.dst, len(w.b) == 0
}

// writer reads b and writes dst.
type writer struct{ dst, b []byte }

func (w *writer) space() {
	for len(w.b) > 0 && (w.b[0] == ' ' || w.b[0] == '\t' || w.b[0] == '\r' || w.b[0] == '\n') {
		w.b = w.b[1:]
	}
}

// take passes a character that must come next.
func (w *writer) take(x byte) bool {
	w.space()
	if len(w.b) == 0 || w.b[0] != x {
		return false
	}
	w.dst, w.b = append(w.dst, x), w.b[1:]
	return true
}

func (w *writer) value(depth int) bool {
	w.space()
	if len(w.b) == 0 || depth > maxDepth {
		return false
	}
	switch w.b[0] {
	case '{':
		return w.list('{', '}', func() bool { return w.text() && w.take(':') && w.value(depth+1) })
	case '[':
		return w.list('[', ']', func() bool { return w.value(depth + 1) })
	case '"':
		return w.text()
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(w.b, []byte(word)) {
			w.dst, w.b = append(w.dst, word...), w.b[len(word):]
			return true
		}
	}
	return w.number()
}

func (w *writer) list(open, end byte, item func() bool) bool {
	w.take(open)
	if w.take(end) {
		return true
	}
	for {
		if !item() {
			return false
		}
		if w.take(end) {
			return true
		}
		if !w.take(',') {
			return false
		}
	}
}

// number takes integers of 64 bits, and reals that a float64 holds.
func (w *writer) number() bool {
	n, real := 0, false
	digits := func() bool {
		from := n
		for n < len(w.b) && w.b[n] >= '0' && w.b[n] <= '9' {
			n++
		}
		return n > from
	}
	if w.b[0] == '-' {
		n++
	}
	zero := n < len(w.b) && w.b[n] == '0'
	first := n
	if !digits() || zero && n > first+1 {
		return false
	}
	if n < len(w.b) && w.b[n] == '.' {
		n, real = n+1, true
		if !digits() {
			return false
		}
	}
	if n < len(w.b) && w.b[n]|0x20 == 'e' {
		n, real = n+1, true
		if n < len(w.b) && (w.b[n] == '+' || w.b[n] == '-') {
			n++
		}
		if !digits() {
			return false
		}
	}
	text := string(w.b[:n])
	w.b = w.b[n:]
	if !real {
		i, err := strconv.ParseInt(text, 10, 64)
		w.dst = strconv.AppendInt(w.dst, i, 10)
		return err == nil
	}
	f, err := strconv.ParseFloat(text, 64)
	w.dst = appendReal(w.dst, f)
	return err == nil
}

// appendReal writes a number that stays a real when it is read again.
func appendReal(dst []byte, f float64) []byte {
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	if !bytes.ContainsAny(dst[from:], ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// text takes a string. What is no UTF-8, and a NUL, is refused, as in Kamailio.
func (w *writer) text() bool {
	w.space()
	if len(w.b) == 0 || w.b[0] != '"' {
		return false
	}
	w.dst = append(w.dst, '"')
	for i := 1; i < len(w.b); {
		x := w.b[i]
		switch {
		case x == '"':
			w.dst, w.b = append(w.dst, '"'), w.b[i+1:]
			return true
		case x < ' ':
			return false
		case x != '\\':
			r, n := utf8.DecodeRune(w.b[i:])
			if r == utf8.RuneError && n == 1 {
				return false
			}
			w.dst = append(w.dst, w.b[i:i+n]...)
			i += n
		default:
			r, n := unescape(w.b[i:])
			if n == 0 || r == 0 {
				return false
			}
			w.dst = appendRune(w.dst, r)
			i += n
		}
	}
	return false
}

// unescape reads an escape. n is 0 if it is none.
func unescape(b []byte) (r rune, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), b[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	r, ok := hex4(b)
	switch {
	case !ok:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	}
	low, ok := hex4(b[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// appendRune writes a character of a string.
func appendRune(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if r < ' ' {
		const digits = "0123456789ABCDEF"
		return append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
	}
	return utf8.AppendRune(dst, r)
}

// appendText writes s as a string. It says false of what is no UTF-8 and of a NUL.
func appendText(dst, s []byte) ([]byte, bool) {
	dst = append(dst, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 || r == 0 {
			return dst, false
		}
		dst = appendRune(dst, r)
		s = s[n:]
	}
	return append(dst, '"'), true
}

// plainText appends what a string of a compact text means.
func plainText(dst, b []byte) []byte {
	for b = b[1 : len(b)-1]; len(b) > 0; {
		if b[0] != '\\' {
			dst, b = append(dst, b[0]), b[1:]
			continue
		}
		r, n := unescape(b)
		dst, b = utf8.AppendRune(dst, r), b[n:]
	}
	return dst
}
