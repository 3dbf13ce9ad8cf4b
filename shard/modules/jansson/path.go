package jansson

import "bytes"

// valueEnd is where the value ends that a compact text has at i.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = textEnd(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
		}
		i++
		if depth == 0 && i < len(b) && (b[i] == ',' || b[i] == '}' || b[i] == ']') {
			return i
		}
	}
	return i
}

// textEnd is where the string ends that a compact text has at i.
func textEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// span is a value in a compact text.
type span struct{ from, to int }

// member finds a key, which is written as a string, in the object at s. Two of them are none.
func member(b []byte, s span, key []byte) (at span, ok bool) {
	if b[s.from] != '{' {
		return at, false
	}
	for i := s.from + 1; i < s.to-1; i++ {
		k := textEnd(b, i)
		v := span{k + 1, valueEnd(b, k+1)}
		if bytes.Equal(b[i:k], key) {
			if ok {
				return at, false
			}
			at, ok = v, true
		}
		i = v.to
	}
	return at, ok
}

// element finds an item of the array at s.
func element(b []byte, s span, index int) (at span, ok bool) {
	if b[s.from] != '[' {
		return at, false
	}
	for i := s.from + 1; i < s.to-1; i++ {
		at = span{i, valueEnd(b, i)}
		if index == 0 {
			return at, true
		}
		index--
		i = at.to
	}
	return at, false
}

// count is the number of items of an array.
func count(b []byte, s span) (n int) {
	for i := s.from + 1; i < s.to-1; i++ {
		i = valueEnd(b, i)
		n++
	}
	return n
}

// step is one part of a path: a key, or an index if that is not negative.
type step struct {
	key   []byte
	index int
}

// next reads a part of a path such as a.b[0].c. It says false of what is none.
func next(path []byte, first bool) (s step, rest []byte, ok bool) {
	if path[0] == '[' {
		n, i := 0, 1
		for ; i < len(path) && path[i] >= '0' && path[i] <= '9' && i < 9; i++ {
			n = n*10 + int(path[i]-'0')
		}
		if i == 1 || i == len(path) || path[i] != ']' {
			return s, nil, false
		}
		return step{index: n}, path[i+1:], true
	}
	if !first {
		if path[0] != '.' {
			return s, nil, false
		}
		path = path[1:]
	}
	n := bytes.IndexAny(path, ".[")
	if n < 0 {
		n = len(path)
	}
	return step{path[:n], -1}, path[n:], n > 0
}

// find follows a path as far as it goes: at is what it has found last, rest what is left of the
// path, from the part on that is not there. It says false of what is no path.
func find(b, path, scratch []byte) (at span, last step, rest []byte, ok bool) {
	at, last = span{0, len(b)}, step{index: -1}
	for first := true; len(path) > 0; first = false {
		s, behind, ok := next(path, first)
		if !ok {
			return at, last, path, false
		}
		var to span
		if s.index >= 0 {
			to, ok = element(b, at, s.index)
		} else {
			key, text := appendText(scratch, s.key)
			to, ok = member(b, at, key)
			ok = ok && text
		}
		if !ok {
			return at, last, path, true
		}
		at, last, path = to, s, behind
	}
	return at, last, nil, true
}
