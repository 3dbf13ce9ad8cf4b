package route

import "viaduct/shard/proxy"

// HeaderRows tells whether b consists of header rows. The last one may lack its line end.
func HeaderRows(b []byte) bool { return proxy.HeaderRows(b) }

// Fnmatch tells whether text matches a shell pattern (fnmatch(3)): * is any text, ? any character,
// [a-c] and [!a-c] one character in or out of a set, and a backslash makes the next character
// ordinary. With fold the case of letters does not matter.
func Fnmatch(pattern, text []byte, fold bool) bool {
	star, from := -1, 0 // the last *, and the end of the text it stands for
	p, t := 0, 0
	for t < len(text) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				star, from = p, t
				p++
				continue
			}
			if n, ok := fnmatchOne(pattern[p:], text[t], fold); ok {
				p += n
				t++
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		p, t = star+1, from
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// fnmatchOne matches one character. It returns how many bytes of the pattern that takes.
func fnmatchOne(p []byte, c byte, fold bool) (n int, ok bool) {
	same := func(a byte) bool { return a == c || fold && lower(a) == lower(c) }
	switch p[0] {
	case '?':
		return 1, true
	case '\\':
		if len(p) > 1 {
			return 2, same(p[1])
		}
	case '[':
		i, not, in := 1, false, false
		if i < len(p) && (p[i] == '!' || p[i] == '^') {
			not = true
			i++
		}
		for first := true; i < len(p) && (first || p[i] != ']'); first = false {
			if i+2 < len(p) && p[i+1] == '-' && p[i+2] != ']' {
				in = in || p[i] <= c && c <= p[i+2] ||
					fold && lower(p[i]) <= lower(c) && lower(c) <= lower(p[i+2])
				i += 3
				continue
			}
			in = in || same(p[i])
			i++
		}
		if i < len(p) {
			return i + 1, in != not
		}
	}
	return 1, same(p[0])
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c |= 0x20
	}
	return c
}
