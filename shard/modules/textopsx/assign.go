package textopsx

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

// headerValues declares the functions that edit one value of a header field, or a parameter of one.
// Those whose name ends in 2 take a whole row for a value, as Authorization is.
func headerValues(m *route.Module) {
	const in = route.Anywhere &^ route.InOnsend
	where := func(wrong string, fits func(t target) bool) route.Arg[target] {
		return route.Parsed("target", "a header value", wrong, targetDoc, func(s string) (target, bool) {
			t, ok := readTarget(s)
			return t, ok && fits(t)
		})
	}
	one := where("is no header value "+targetDoc+", without a parameter",
		func(t target) bool { return t.param == "" && !t.all })
	each := where("is no header value "+targetDoc, func(target) bool { return true })
	notAll := where("is no header value "+targetDoc+", and all of them only with a parameter",
		func(t target) bool { return !t.all || t.param != "" })
	text := route.Text("value", "the value")

	route.Func2(m, "append_hf_value", in, one, text,
		"Adds a value after an existing one; without an index, or if that value is missing, in a "+
			"row of its own.", appendValue)
	route.Func2(m, "insert_hf_value", in, one, text,
		"Adds a value in front of an existing one; without an index, in a row of its own in front "+
			"of the first.", insertValue)
	remove := func(rows bool) func(c *route.Ctx, t target) route.Result {
		return func(c *route.Ctx, t target) route.Result { return removeValue(c, &t, rows) }
	}
	route.Func1(m, "remove_hf_value", in, each,
		"Removes a value, or a parameter of one. False: there is no such value.", remove(false))
	route.Func1(m, "remove_hf_value2", in, each, "The same as remove_hf_value, for "+
		"whole rows.", remove(true))
	assign := func(rows bool) func(c *route.Ctx, t target, text []byte) route.Result {
		return func(c *route.Ctx, t target, text []byte) route.Result {
			return assignValue(c, &t, text, rows)
		}
	}
	route.Func2(m, "assign_hf_value", in, notAll, text,
		"Replaces a value, or sets a parameter of it; an empty text leaves only the parameter's "+
			"name. False: there is no such value.", assign(false))
	route.Func2(m, "assign_hf_value2", in, notAll, text, "The same as assign_hf_value, for whole "+
		"rows.",
		assign(true))

	name := route.Parsed("hname", "the name of a header field", "is no name of a header field",
		"the name of a header field",
		func(s string) (target, bool) { return target{name: s, all: true}, route.IsToken(s) })
	some := route.NonEmpty(text)
	route.Func2(m, "include_hf_value", in, name, some,
		"Adds a value after those of the first row, unless it is there already.",
		func(c *route.Ctx, t target, text []byte) route.Result {
			switch {
			case !noLineEnd(text):
				return -1
			case has(c, &t, text):
				return 1
			}
			i := c.Msg.HeaderByName(t.name, 0)
			if i < 0 {
				return newRow(c, c.Msg.HeaderEnd, t.name, text)
			}
			return c.Insert(c.Msg.Headers[i].Value.End(), append(append(c.Room(), ','), text...))
		})
	route.Func2(m, "exclude_hf_value", in, name, some, "Removes all values that equal a text.",
		func(c *route.Ctx, t target, text []byte) route.Result {
			_, r := t.each(c, false, func(v value) route.Result {
				if !bytes.EqualFold(c.Msg.Bytes(v.text), text) {
					return 1
				}
				return v.remove(c)
			})
			return r
		})
	route.Func2(m, "hf_value_exists", in, name, text, "Tells whether one of the values equals a "+
		"text.",
		func(c *route.Ctx, t target, text []byte) route.Result { return route.Truth(has(c, &t, text)) })
}

// has tells whether a name has a value.
func has(c *route.Ctx, t *target, text []byte) bool {
	found := false
	t.each(c, false, func(v value) route.Result {
		found = bytes.EqualFold(c.Msg.Bytes(v.text), text)
		return route.Truth(!found)
	})
	return found
}

// newRow adds a row.
func newRow(c *route.Ctx, at uint32, name string, text []byte) route.Result {
	row := append(append(append(c.Room(), name...), ": "...), text...)
	v := c.Built(append(row, "\r\n"...))
	if v.IsNull() {
		return -1
	}
	return c.InsertRows(at, v.S)
}

// noLineEnd tells whether a text may become part of a row.
func noLineEnd(text []byte) bool { return !bytes.ContainsAny(text, "\r\n") }

func appendValue(c *route.Ctx, t target, text []byte) route.Result {
	if !noLineEnd(text) {
		return -1
	}
	if t.given {
		n, r := t.each(c, false, func(v value) route.Result {
			return c.Insert(v.whole.End(), append(append(c.Room(), ','), text...))
		})
		if n > 0 {
			return r
		}
	}
	return newRow(c, c.Msg.HeaderEnd, t.name, text)
}

func insertValue(c *route.Ctx, t target, text []byte) route.Result {
	first := c.Msg.HeaderByName(t.name, 0)
	switch {
	case !noLineEnd(text):
		return -1
	case first < 0 && t.index == 1:
		return newRow(c, c.Msg.HeaderEnd, t.name, text)
	case !t.given:
		return newRow(c, c.Msg.Headers[first].Line.Off, t.name, text)
	}
	n, r := t.each(c, false, func(v value) route.Result {
		return c.Insert(v.whole.Off, append(append(c.Room(), text...), ','))
	})
	if n == 0 {
		return -1
	}
	return r
}

// remove takes a value out, with a comma; the last one of a row with the row.
func (v *value) remove(c *route.Ctx) route.Result {
	at := v.whole
	switch {
	case v.first && v.last:
		at = c.Msg.Headers[v.row].Line
	case v.last:
		at.Off, at.Len = at.Off-1, at.Len+1
	default:
		at.Len++
	}
	return c.Edit(at, nil)
}

func removeValue(c *route.Ctx, t *target, rows bool) route.Result {
	found := 0
	rows = rows || t.all && t.param == "" // with all values go the rows
	_, r := t.each(c, rows, func(v value) route.Result {
		if t.param == "" {
			found++
			return v.remove(c)
		}
		p, ok := v.find(c, t.param, rows)
		if !ok {
			return 1
		}
		found++
		at := p.all
		if p.first {
			at = p.text
			if end := v.text.End(); at.End() < end {
				at.Len++ // the comma behind it
			}
		}
		return c.Edit(at, nil)
	})
	if found == 0 && r > 0 {
		return -1
	}
	return r
}

func assignValue(c *route.Ctx, t *target, text []byte, rows bool) route.Result {
	if !noLineEnd(text) {
		return -1
	}
	n, r := t.each(c, rows, func(v value) route.Result {
		if t.param == "" {
			return c.Edit(v.text, text)
		}
		p, ok := v.find(c, t.param, rows)
		switch {
		case !ok:
			out := append(c.Room(), ';')
			if rows {
				out[0] = ','
			}
			out = append(out, t.param...)
			if len(text) > 0 {
				out = append(append(out, '='), text...)
			}
			return c.Insert(v.text.End(), out)
		case len(text) == 0 && p.equal:
			end := p.value.End()
			at := p.text.Off + uint32(bytes.IndexByte(c.Msg.Bytes(p.text), '='))
			return c.Edit(parser.Span{Off: at, Len: end - at}, nil)
		case len(text) == 0:
			return 1
		case p.equal:
			return c.Edit(p.value, text)
		}
		return c.Insert(p.text.End(), append(append(c.Room(), '='), text...))
	})
	if n == 0 {
		return -1
	}
	return r
}
