package route

import (
	"bytes"
	"strings"

	"viaduct/parser"
)

// valueAt reads where a value of a header field stands. It returns false if there is none.
type valueAt = func(c *Ctx) (parser.Span, bool)

// headerValue returns the nth value of a header, counted from 1 over all its rows. A negative n
// counts from the last.
func headerValue(name string, n int) valueAt {
	return func(c *Ctx) (parser.Span, bool) {
		at := n
		if at < 0 {
			count := 0
			for v := (values{m: c.Msg, name: name}); v.next(); {
				count++
			}
			at += count + 1
		}
		for v := (values{m: c.Msg, name: name}); v.next(); {
			if at--; at == 0 {
				return v.at, true
			}
		}
		return parser.Span{}, false
	}
}

// values walks through the comma-separated values of a header, by any name of it.
type values struct {
	m    *parser.Message
	name string
	at   parser.Span
	row  int // the next row to look at
	off  int // where the next value begins, 0 if in the next row
}

func (v *values) next() bool {
	if v.off == 0 {
		i := v.m.HeaderByName(v.name, v.row)
		if i < 0 {
			return false
		}
		v.row, v.off = i+1, int(v.m.Headers[i].Value.Off)
	}
	row := v.m.Headers[v.row-1].Value
	start, end := v.off, int(row.End())
	i := start
	for quoted, angle := false, false; i < end; i++ {
		switch c := v.m.Raw[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		}
		if i < end && v.m.Raw[i] == ',' && !quoted && !angle {
			break
		}
	}
	i = min(i, end)
	if v.off = i + 1; i == end {
		v.off = 0
	}
	text := v.m.Raw[start:i]
	left := len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
	text = bytes.TrimSpace(text)
	v.at = parser.Span{Off: uint32(start + left), Len: uint32(len(text))}
	return true
}

// headerName returns the header name that a step stands for: _ becomes -.
func headerName(st *selStep) string { return strings.ReplaceAll(st.name, "_", "-") }

// headerSelect compiles @hf_value.NAME[n] and what follows it. Without n it is all values, with
// commas between them. Both 0 and 1 are the first.
func headerSelect(steps []selStep) textOf {
	if len(steps) == 0 || steps[0].name == "" || steps[0].has && steps[0].text != "" {
		return nil
	}
	name, rest := headerName(&steps[0]), steps[1:]
	switch {
	case steps[0].has:
		n := steps[0].index
		if n == 0 {
			n = 1
		}
		return addrOrParams(headerValue(name, n), rest)
	case len(rest) == 0:
		return allValues(name, func(c *Ctx, at parser.Span) []byte { return c.Msg.Bytes(at) })
	case len(rest) == 1 && rest[0].name == "uri" && !rest[0].has:
		return allValues(name, valueURI)
	}
	return addrOrParams(headerValue(name, 1), rest)
}

// allValues joins, with commas, what pick returns for each value of a header.
func allValues(name string, pick func(c *Ctx, at parser.Span) []byte) textOf {
	return func(c *Ctx) ([]byte, bool) {
		start := len(c.buf)
		for v := (values{m: c.Msg, name: name}); v.next(); {
			b := pick(c, v.at)
			if len(c.buf)+1+len(b) > cap(c.buf) {
				break
			}
			if len(c.buf) > start {
				c.buf = append(c.buf, ',')
			}
			c.buf = append(c.buf, b...)
		}
		return c.buf[start:len(c.buf):len(c.buf)], len(c.buf) > start
	}
}

// valueURI returns the URI of a value, or else what stands in front of its parameters.
func valueURI(c *Ctx, at parser.Span) []byte {
	var a parser.NameAddr
	if parser.ParseNameAddr(c.Msg.Raw, at, &a) == parser.OK {
		return c.Msg.Bytes(a.URI)
	}
	b, _, _ := bytes.Cut(c.Msg.Bytes(at), []byte{';'})
	return b
}

// rowSelect compiles @hf_value2.NAME[n], which counts rows and not values.
func rowSelect(steps []selStep) textOf {
	if len(steps) != 1 || steps[0].has && steps[0].text != "" {
		return nil
	}
	name, at := headerName(&steps[0]), steps[0].index
	if at > 0 {
		at--
	}
	return func(c *Ctx) ([]byte, bool) {
		b, ok := c.Header(name, at)
		return bytes.TrimRight(b, " \t\r\n"), ok
	}
}

// existsSelect compiles @hf_value_exists.NAME.VALUE: 1 if the header has that value, else 0.
func existsSelect(steps []selStep) textOf {
	if len(steps) == 1 && steps[0].has && steps[0].text != "" {
		steps = []selStep{{name: steps[0].name}, {name: steps[0].text}}
	}
	if len(steps) != 2 || steps[0].has || steps[1].has {
		return nil
	}
	name, want := headerName(&steps[0]), []byte(steps[1].name)
	return func(c *Ctx) ([]byte, bool) {
		for v := (values{m: c.Msg, name: name}); v.next(); {
			if bytes.EqualFold(c.Msg.Bytes(v.at), want) {
				return oneText, true
			}
		}
		return zeroText, true
	}
}

var oneText, zeroText = []byte("1"), []byte("0")
