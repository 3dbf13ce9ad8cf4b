package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A value is an answer, or a part of one, with its members in the order in which they came.
type value struct {
	text    string   // of a scalar
	number  bool     // the scalar is a number, so it stands at the right edge of its column
	list    []value  // elements
	members []member // of an object
	kind    valueKind
}

type member struct {
	name string
	v    value
}

type valueKind uint8

const (
	scalar valueKind = iota
	list
	object
)

// readValue reads one JSON value.
func readValue(b []byte) (value, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return nextValue(d)
}

func nextValue(d *json.Decoder) (v value, err error) {
	t, err := d.Token()
	if err != nil {
		return value{}, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			v.kind = list
			for d.More() {
				e, err := nextValue(d)
				if err != nil {
					return value{}, err
				}
				v.list = append(v.list, e)
			}
		} else {
			v.kind = object
			for d.More() {
				name, err := d.Token()
				if err != nil {
					return value{}, err
				}
				e, err := nextValue(d)
				if err != nil {
					return value{}, err
				}
				v.members = append(v.members, member{fmt.Sprint(name), e})
			}
		}
		_, err = d.Token() // the closing one
	case json.Number:
		v.text, v.number = t.String(), true
	case bool:
		v.text = "no"
		if t {
			v.text = "yes"
		}
	case nil:
		v.text = ""
	case string:
		v.text = printable(t)
	}
	return v, err
}

// printable returns s without what would move the cursor of a terminal or change its colours.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '.'
		}
		return r
	}, s)
}

// A painter writes answers for people.
type painter struct {
	b      strings.Builder
	colour bool
}

// Escapes of ECMA-48 for a heading, and back.
const (
	headingOn  = "\x1b[1m"
	headingOff = "\x1b[0m"
)

func (p *painter) heading(s string) string {
	if !p.colour || s == "" {
		return s
	}
	return headingOn + s + headingOff
}

// value writes v, each line behind indent: an object as a line for each member, a list of objects
// as a table, and another list as a line for each element.
func (p *painter) value(v *value, indent string) {
	switch v.kind {
	case scalar:
		p.lines(v.text, indent)
	case object:
		p.object(v, indent)
	case list:
		p.list(v, indent)
	}
}

// lines writes a text that may have several lines.
func (p *painter) lines(s, indent string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		p.b.WriteString(strings.TrimRight(indent+line, " ") + "\n")
	}
}

func (p *painter) object(v *value, indent string) {
	width := 0
	for _, m := range v.members {
		if m.v.kind == scalar {
			width = max(width, utf8.RuneCountInString(m.name))
		}
	}
	for i := range v.members {
		m := &v.members[i]
		if m.v.kind == scalar {
			first, rest, more := strings.Cut(m.v.text, "\n")
			p.b.WriteString(strings.TrimRight(indent+p.heading(m.name)+
				strings.Repeat(" ", width-utf8.RuneCountInString(m.name)+2)+first, " ") + "\n")
			if more {
				p.lines(rest, indent+strings.Repeat(" ", width+2))
			}
			continue
		}
		p.b.WriteString(indent + p.heading(m.name) + "\n")
		p.value(&m.v, indent+"  ")
	}
}

func (p *painter) list(v *value, indent string) {
	rows := make([]*value, len(v.list))
	table := len(rows) > 0
	for i := range v.list {
		rows[i] = inner(&v.list[i])
		table = table && rows[i].kind == object && flat(rows[i])
	}
	if table {
		p.table(rows, indent)
		return
	}
	for i, r := range rows {
		if r.kind != scalar && i > 0 {
			p.b.WriteByte('\n')
		}
		p.value(r, indent)
	}
}

// inner returns what is in an object of one member that is an object itself, as Kamailio wraps the
// elements of its lists, and otherwise v.
func inner(v *value) *value {
	for v.kind == object && len(v.members) == 1 && v.members[0].v.kind == object {
		v = &v.members[0].v
	}
	return v
}

// flat reports whether an object has no list of objects in it, so that it makes one row of a table.
func flat(v *value) bool {
	for i := range v.members {
		m := &v.members[i].v
		switch m.kind {
		case object:
			if !flat(m) {
				return false
			}
		case list:
			for j := range m.list {
				if m.list[j].kind != scalar {
					return false
				}
			}
		}
	}
	return true
}

// A column of a table has the members of one name.
type column struct {
	name   string
	width  int
	number bool
	empty  bool
	cells  []string // by row
}

// table writes objects as rows. Members of objects in them have columns of their own, with both
// names; a column in which no row has anything is left out.
func (p *painter) table(rows []*value, indent string) {
	var columns []*column
	of := map[string]*column{}
	for i, r := range rows {
		cells(r, "", func(name, text string, number bool) {
			c := of[name]
			if c == nil {
				c = &column{name: name, number: true, empty: true, cells: make([]string, len(rows))}
				of[name] = c
				columns = append(columns, c)
			}
			c.cells[i] = text
			if text != "" {
				c.empty = false
				c.number = c.number && number
			}
		})
	}
	columns = slices.DeleteFunc(columns, func(c *column) bool { return c.empty })
	for _, c := range columns {
		c.width = utf8.RuneCountInString(c.name)
		for _, s := range c.cells {
			c.width = max(c.width, utf8.RuneCountInString(s))
		}
	}
	if len(columns) > manyColumns {
		p.turned(columns, indent)
		return
	}
	p.row(indent, columns, func(c *column) (string, string) { return p.heading(c.name), c.name })
	for i := range rows {
		p.row(indent, columns, func(c *column) (string, string) { return c.cells[i], c.cells[i] })
	}
}

// manyColumns is how many columns a table has at most; one that has more lies on its side.
const manyColumns = 24

// turned writes a table with a line for each column, and a column for each row.
func (p *painter) turned(columns []*column, indent string) {
	names, widths := 0, make([]int, len(columns[0].cells))
	for _, c := range columns {
		names = max(names, utf8.RuneCountInString(c.name))
		for i, s := range c.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(s))
		}
	}
	for _, c := range columns {
		line := indent + p.heading(c.name) + strings.Repeat(" ", names-utf8.RuneCountInString(c.name))
		for i, s := range c.cells {
			line += "  " + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(s)) + s
		}
		p.b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// row writes a line of a table. cell returns what is written in a column, and the same without
// escapes, which take no room.
func (p *painter) row(indent string, columns []*column, cell func(*column) (string, string)) {
	var b strings.Builder
	b.WriteString(indent)
	for i, c := range columns {
		text, plain := cell(c)
		gap := strings.Repeat(" ", c.width-utf8.RuneCountInString(plain))
		if c.number {
			text = gap + text
		} else {
			text += gap
		}
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(text)
	}
	p.b.WriteString(strings.TrimRight(b.String(), " ") + "\n")
}

// cells calls f for each scalar in an object that makes a row.
func cells(v *value, prefix string, f func(name, text string, number bool)) {
	for i := range v.members {
		name, m := prefix+v.members[i].name, &v.members[i].v
		switch m.kind {
		case scalar:
			f(name, strings.ReplaceAll(m.text, "\n", " "), m.number)
		case object:
			cells(m, name+".", f)
		case list:
			words := make([]string, len(m.list))
			for j := range m.list {
				words[j] = m.list[j].text
			}
			f(name, strings.Join(words, " "), false)
		}
	}
}
