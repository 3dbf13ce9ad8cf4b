package pv

import (
	"bytes"
	"math"

	"viaduct/shard/route"
)

// changes are the transformations that write the text anew: letters, white space, pieces of it.
func changes(m *route.Module) {
	same := func(name, doc string, f func(dst, b []byte) []byte) {
		made(m, name, doc, always(f, times(1, 0)))
	}
	same("s.tolower", "The text with its letters A to Z in lower case.",
		func(dst, b []byte) []byte { return cased(dst, b, 'A') })
	same("s.toupper", "The text with its letters a to z in upper case.",
		func(dst, b []byte) []byte { return cased(dst, b, 'a') })
	same("s.rmws", "The text without white space.", func(dst, b []byte) []byte {
		return only(dst, b,
			func(x byte) bool { return x != ' ' && x != '\t' && x != '\r' && x != '\n' })
	})
	same("s.numeric", "The digits of the text.", func(dst, b []byte) []byte {
		return only(dst, b, func(x byte) bool { return x >= '0' && x <= '9' })
	})

	what := route.Text("what", "what to look for")
	route.Transform1(m, "s.rm", route.Rest(what), "The text without any occurrence of another "+
		"text.",
		func(c *route.Ctx, v route.Value, what []byte) route.Value {
			return replaced(c, v, what, nil)
		})
	route.Transform2(m, "s.replace", what, route.Text("with", "the replacement"),
		"The text with all occurrences of one text replaced by another.", replaced)
	char := route.Rest(route.Text("character", "the character; of several, the first counts"))
	route.Transform1(m, "s.count", char, "How often the character is in the text.",
		func(c *route.Ctx, v route.Value, char []byte) route.Value {
			if len(char) == 0 {
				return route.IntValue(0)
			}
			return route.IntValue(int64(bytes.Count(c.TextOf(v), char[:1])))
		})

	most := route.Optional(route.Int("count", math.MinInt32, math.MaxInt32,
		"how many at most; below 1: all"), 0)
	route.Transform1(m, "s.prefixes", most, "The prefixes of the text, separated by commas.",
		func(c *route.Ctx, v route.Value, n int) route.Value { return prefixes(c, v, n, "") })
	route.Transform1(m, "s.prefixes.quoted", most, "The same, each in single quotes.",
		func(c *route.Ctx, v route.Value, n int) route.Value { return prefixes(c, v, n, "'") })

	width := route.Int("width", 0, math.MaxInt32,
		"how many bytes a line has; 0: the result is null")
	indent := route.Int("indent", 0, math.MaxInt32, "how far the lines after the first are "+
		"indented")
	route.Transform2(m, "s.fmtlines", width, indent, "The text in lines, indented with spaces.",
		func(c *route.Ctx, v route.Value, width, indent int) route.Value {
			return lines(c, v, width, indent, ' ')
		})
	route.Transform2(m, "s.fmtlinet", width, indent, "The text in lines, indented with tabs.",
		func(c *route.Ctx, v route.Value, width, indent int) route.Value {
			return lines(c, v, width, indent, '\t')
		})
}

// cased appends b with the 26 letters from first on in the other case.
func cased(dst, b []byte, first byte) []byte {
	n := len(dst)
	dst = append(dst, b...)
	for i, x := range dst[n:] {
		if x-first < 26 {
			dst[n+i] = x ^ 0x20
		}
	}
	return dst
}

func only(dst, b []byte, keep func(x byte) bool) []byte {
	for _, x := range b {
		if keep(x) {
			dst = append(dst, x)
		}
	}
	return dst
}

// replaced is the text with all that is what replaced; an empty what is nowhere.
func replaced(c *route.Ctx, v route.Value, what, with []byte) route.Value {
	b := c.TextOf(v)
	if len(what) == 0 || !bytes.Contains(b, what) {
		return view(b)
	}
	// what and with may lie behind what is in use: they are expanded for this call.
	room := c.Room()
	if len(b)+max(0, len(with)-len(what))*(len(b)/len(what)) > cap(room) {
		return c.TooLong()
	}
	out := room
	for {
		i := bytes.Index(b, what)
		if i < 0 {
			return c.Built(append(out, b...))
		}
		out = append(append(out, b[:i]...), with...)
		b = b[i+len(what):]
	}
}

// prefixes are the first n pieces that the text begins with, the shortest first.
func prefixes(c *route.Ctx, v route.Value, n int, quote string) route.Value {
	b := c.TextOf(v)
	if n <= 0 || n > len(b) {
		n = len(b)
	}
	out := c.Room()
	if n*(n+1)/2+n*(1+2*len(quote)) > cap(out) {
		return c.TooLong()
	}
	for i := range n {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, quote...), b[:i+1]...), quote...)
	}
	return c.Built(out)
}

// lines breaks the text behind each width bytes.
func lines(c *route.Ctx, v route.Value, width, indent int, with byte) route.Value {
	if width == 0 {
		return route.Null
	}
	b, out := c.TextOf(v), c.Room()
	if len(b)+len(b)/width*(2+indent) > cap(out) {
		return c.TooLong()
	}
	for len(b) > width {
		out = append(append(out, b[:width]...), '\r', '\n')
		for range indent {
			out = append(out, with)
		}
		b = b[width:]
	}
	return c.Built(append(out, b...))
}
