package textopsx

import (
	"bytes"
	"strconv"
	"strings"

	"viaduct/parser"
	"viaduct/shard/route"
)

// A target is what the functions about header values are given: NAME, NAME[INDEX], NAME.PARAM or
// NAME[INDEX].PARAM. The index begins with 1, below 0 it counts from the last, * is all.
type target struct {
	name, param string
	index       int
	given, all  bool // there is an index; it is *
}

const targetDoc = `such as "Foo", "Foo[2]", "Foo[-1].param" or "Foo[*]"`

// readTarget reads one.
func readTarget(s string) (t target, ok bool) {
	t.index = 1
	open, dot := strings.IndexByte(s, '['), strings.IndexByte(s, '.')
	rest := ""
	switch {
	case open >= 0 && (dot < 0 || open < dot):
		end := strings.IndexByte(s, ']')
		if end < open {
			return t, false
		}
		index := s[open+1 : end]
		t.name, rest, t.given = s[:open], s[end+1:], true
		if t.all = index == "*"; !t.all {
			n, err := strconv.Atoi(index)
			if err != nil || n == 0 {
				return t, false
			}
			t.index = n
		}
	case dot >= 0:
		t.name, rest = s[:dot], s[dot:]
	default:
		t.name = s
	}
	if rest != "" {
		if rest[0] != '.' || !route.IsToken(rest[1:]) {
			return t, false
		}
		t.param = rest[1:]
	}
	return t, route.IsToken(t.name)
}

// A value is one of those that commas part in the rows of a name.
type value struct {
	row         int
	whole       parser.Span // between its commas
	text        parser.Span // without the white space around it
	first, last bool        // of its row
}

// A walk goes through the values of a name, or through whole rows.
type walk struct {
	c    *route.Ctx
	name string
	rows bool // a row is one value, as in Authorization
	row  int  // the row at hand; -1 before the first
	pos  uint32
	more bool // the row at hand has more
}

func (w *walk) begin(c *route.Ctx, name string, rows bool) {
	*w = walk{c: c, name: name, rows: rows, row: -1}
}

// next is the next value. It returns false if there is none.
func (w *walk) next(v *value) bool {
	m := w.c.Msg
	first := false
	if !w.more {
		w.row = m.HeaderByName(w.name, w.row+1)
		if w.row < 0 {
			return false
		}
		w.pos, w.more, first = m.Headers[w.row].Value.Off, true, true
	}
	end := m.Headers[w.row].Value.End()
	stop := end
	if !w.rows {
		stop = w.pos + uint32(upTo(m.Raw[w.pos:end], ','))
	}
	v.row, v.first, v.last = w.row, first, stop == end
	v.whole = parser.Span{Off: w.pos, Len: stop - w.pos}
	v.text = trim(m.Raw, v.whole)
	w.pos, w.more = stop+1, stop < end
	return true
}

// upTo is where sep first stands in b outside of quotes and angle brackets, or the end.
func upTo(b []byte, sep byte) int {
	quoted, bracket := false, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !bracket:
			quoted = !quoted
		case quoted:
		case c == '<':
			bracket = true
		case c == '>':
			bracket = false
		case c == sep && !bracket:
			return i
		}
	}
	return len(b)
}

func trim(b []byte, s parser.Span) parser.Span {
	text := s.Of(b)
	left := bytes.TrimLeft(text, " \t\r\n")
	s.Off += uint32(len(text) - len(left))
	s.Len = uint32(len(bytes.TrimRight(left, " \t\r\n")))
	return s
}

// count is how many values there are.
func (t *target) count(c *route.Ctx, rows bool) (n int) {
	var w walk
	var v value
	for w.begin(c, t.name, rows); w.next(&v); {
		n++
	}
	return n
}

// each calls f with each value that is meant, until that is not above 0. It returns how many there
// were, or below 1 what f gave.
func (t *target) each(c *route.Ctx, rows bool, f func(v value) route.Result) (n int,
	r route.Result) {
	index := t.index
	if index < 0 {
		index += t.count(c, rows) + 1
	}
	var w walk
	var v value
	at := 0
	for w.begin(c, t.name, rows); w.next(&v); {
		if at++; !t.all && at != index {
			continue
		}
		n++
		if r := f(v); r <= 0 {
			return n, r
		}
	}
	return n, 1
}

// A param is a parameter of a value: where it stands with what parts it from the one before, and
// its value with the equals sign in front.
type param struct {
	all   parser.Span // from its separator on
	text  parser.Span // without that
	value parser.Span // behind the equals sign; empty and at its end if there is none
	equal bool
	first bool // rows: nothing stands in front of it
}

// find is the parameter of that name in a value: behind semicolons, or in a row of credentials
// (RFC 7235) behind commas.
func (v *value) find(c *route.Ctx, name string, rows bool) (p param, ok bool) {
	b := c.Msg.Raw
	pos, end := v.text.Off, v.text.End()
	sep := byte(';')
	if rows {
		sep = ','
		pos += uint32(upTo(b[pos:end], ' ')) // the scheme
	} else {
		pos += uint32(upTo(b[pos:end], sep))
	}
	for first := true; pos < end; first = false {
		start := pos
		if !rows || !first {
			start++
		}
		start = min(start, end)
		stop := start + uint32(upTo(b[start:end], sep))
		text := trim(b, parser.Span{Off: start, Len: stop - start})
		eq := bytes.IndexByte(text.Of(b), '=')
		word := text.Of(b)
		if eq >= 0 {
			word = word[:eq]
		}
		if strings.EqualFold(name, string(bytes.TrimSpace(word))) {
			p = param{all: parser.Span{Off: pos, Len: text.End() - pos}, text: text, equal: eq >= 0,
				first: rows && first}
			p.value = parser.Span{Off: text.End()}
			if eq >= 0 {
				p.value = trim(b, parser.Span{Off: text.Off + uint32(eq) + 1, Len: text.Len - uint32(eq) - 1})
			}
			return p, true
		}
		pos = stop
	}
	return p, false
}
