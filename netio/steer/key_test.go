package steer

import "bytes"

// plainKey spells out which bytes of a datagram decide its shard, in the words of steer.c and as
// plainly as possible: the oracle for the kernel program and for the parser. nil means that there
// is no key.
func plainKey(datagram []byte) []byte {
	searched := datagram[:min(len(datagram), 2048)]
	if len(searched) < 12 || !isLetter(searched[0]) {
		return nil
	}
	_, rest, _ := bytes.Cut(searched, []byte{'\n'}) // the first line is never a header
	for len(rest) > 0 {
		if rest[0] == '\r' || rest[0] == '\n' {
			return nil // an empty line ends the header
		}
		if value, ok := valueOfCallID(rest); ok {
			return keyIn(value)
		}
		_, rest, _ = bytes.Cut(rest, []byte{'\n'})
	}
	return nil
}

// valueOfCallID reports whether a line's name is the Call-ID's, and what comes after the name.
func valueOfCallID(line []byte) (value []byte, ok bool) {
	for _, name := range []string{"call-id", "i"} {
		if len(line) <= len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
			continue
		}
		if next := line[len(name)]; next == ' ' || next == '\t' || next == ':' {
			return line[len(name):], true
		}
	}
	return nil, false
}

func keyIn(value []byte) []byte {
	value = bytes.TrimLeft(value, " \t")
	if len(value) == 0 || value[0] != ':' {
		return nil
	}
	value = bytes.TrimLeft(value[1:], " \t")
	end := bytes.IndexFunc(value, func(r rune) bool { return r <= ' ' })
	if end < 1 || end > 255 { // -1: cut off at the end of what is searched
		return nil
	}
	return value[:end]
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }
