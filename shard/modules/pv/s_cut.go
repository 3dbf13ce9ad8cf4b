package pv

import (
	"bytes"
	"math"
	"strings"

	"viaduct/shard/route"
)

// blanks are the bytes that {s.trim} and its like take for white space.
const blanks = " \t\r\n"

// cuts are the transformations that give a piece of the text. None copies.
func cuts(m *route.Module) {
	piece := func(name, doc string, f func(b []byte) []byte) {
		route.Transform0(m, name, doc, func(c *route.Ctx, v route.Value) route.Value {
			return view(f(c.TextOf(v)))
		})
	}
	piece("s.trim", "The text without white space around it.",
		func(b []byte) []byte { return bytes.Trim(b, blanks) })
	piece("s.ltrim", "The text without white space in front.",
		func(b []byte) []byte { return bytes.TrimLeft(b, blanks) })
	piece("s.rtrim", "The text without white space at the end.",
		func(b []byte) []byte { return bytes.TrimRight(b, blanks) })
	piece("s.unquote", "The text without the quotes around it, single or double.",
		func(b []byte) []byte { return within(b, `""''`) })
	piece("s.unbracket", "The text without the brackets around it: () [] {} <>.",
		func(b []byte) []byte { return within(b, "()[]{}<>") })

	offset := route.Int("offset", math.MinInt32, math.MaxInt32,
		"where it begins; negative ones count from the end")
	length := route.Int("length", 0, math.MaxInt32, "how many bytes; 0: up to the end")
	route.Transform2(m, "s.substr", offset, length, "A part of the text.", substr)

	index := route.Int("index", math.MinInt32, math.MaxInt32,
		"the index; negative ones count from the last")
	route.Transform2(m, "s.select", index, route.Rest(route.Verbatim(separator())),
		"The item with that index of a list.",
		func(c *route.Ctx, v route.Value, index int, sep byte) route.Value {
			return view(selected(c.TextOf(v), index, sep))
		})

	count := route.Int("count", math.MinInt32, math.MaxInt32, "how many bytes; below 1: none")
	route.Transform1(m, "s.strip", count, "The text without its first bytes.",
		func(c *route.Ctx, v route.Value, n int) route.Value {
			b := c.TextOf(v)
			return view(b[min(max(n, 0), len(b)):])
		})
	route.Transform1(m, "s.striptail", count, "The text without its last bytes.",
		func(c *route.Ctx, v route.Value, n int) route.Value {
			b := c.TextOf(v)
			return view(b[:len(b)-min(max(n, 0), len(b))])
		})
	around(m)
}

// around are the transformations that give what stands before or behind a character.
func around(m *route.Module) {
	char := route.Rest(route.Text("character", "the character; of several, the first counts"))
	at := func(name, doc string, find func(b []byte, char byte) int,
		cut func(b []byte, i int) []byte) {
		route.Transform1(m, name, char, doc,
			func(c *route.Ctx, v route.Value, char []byte) route.Value {
				b, i := c.TextOf(v), -1
				if len(char) > 0 {
					i = find(b, char[0])
				}
				return view(cut(b, i))
			})
	}
	before := func(b []byte, i int) []byte {
		if i < 0 {
			return b
		}
		return b[:i]
	}
	after := func(b []byte, i int) []byte {
		if i < 0 {
			return b[len(b):]
		}
		return b[i+1:]
	}
	at("s.before", "The part before the character; all if it is missing.", bytes.IndexByte,
		before)
	at("s.after", "The part after the character; nothing if it is missing.", bytes.IndexByte,
		after)
	at("s.rbefore", "The part before the last such character; all if there is none.",
		bytes.LastIndexByte, before)
	at("s.rafter", "The part after the last such character; nothing if there is none.",
		bytes.LastIndexByte, after)
	at("s.stripto", "The text from the character on; nothing if it is not there.", bytes.IndexByte,
		func(b []byte, i int) []byte {
			if i < 0 {
				return b[len(b):]
			}
			return b[i:]
		})
}

// view is a piece of a text as a value.
func view(b []byte) route.Value { return route.TextValue(b[:len(b):len(b)]) }

// within is what stands between two characters that belong together; otherwise b.
func within(b []byte, pairs string) []byte {
	n := len(b)
	if n < 2 {
		return b
	}
	for i := 0; i < len(pairs); i += 2 {
		if b[0] == pairs[i] && b[n-1] == pairs[i+1] {
			return b[1 : n-1]
		}
	}
	return b
}

// separator is one character, or \n, \r, \t, \\.
func separator() route.Arg[byte] {
	return route.Parsed("separator", "one character for the separator",
		`is no separator: it is one character, or \n, \r, \t, \\`, "the separator of items",
		func(s string) (byte, bool) {
			if len(s) == 2 && s[0] == '\\' {
				if i := strings.IndexByte("nrt\\", s[1]); i >= 0 {
					return "\n\r\t\\"[i], true
				}
			}
			return (s + "\x00")[0], len(s) == 1
		})
}

// selected is the item of that index; empty if there is none.
func selected(b []byte, index int, sep byte) []byte {
	if index < 0 {
		for ; index < -1; index++ {
			i := bytes.LastIndexByte(b, sep)
			if i < 0 {
				return nil
			}
			b = b[:i]
		}
		return b[bytes.LastIndexByte(b, sep)+1:]
	}
	for ; index > 0; index-- {
		i := bytes.IndexByte(b, sep)
		if i < 0 {
			return nil
		}
		b = b[i+1:]
	}
	if i := bytes.IndexByte(b, sep); i >= 0 {
		b = b[:i]
	}
	return b
}

func substr(c *route.Ctx, v route.Value, offset, length int) route.Value {
	b := c.TextOf(v)
	if offset < 0 {
		offset += len(b)
	}
	if offset < 0 || offset >= len(b) {
		return route.Null
	}
	if length > 0 && length <= len(b)-offset {
		return view(b[offset : offset+length])
	}
	return view(b[offset:])
}
