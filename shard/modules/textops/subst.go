package textops

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// each calls f with each match and what goes in its place. It returns how many there were, or
// below 0 if f did.
func (x *substitution) each(c *route.Ctx, b []byte,
	f func(start, end int, with []byte) route.Result) int {
	var with [maxPieces][]byte
	n := 0
	for s := c.Scan(x.re, b); (n == 0 || x.all) && s.Next(); {
		at := &s.At
		if at[0] == at[1] {
			break // as in Kamailio: nothing is matched
		}
		for i := range x.pieces {
			if t := x.pieces[i].text; t != nil {
				with[i] = t.Expand(c)
			}
		}
		out := c.Room()
		for i, p := range x.pieces {
			switch g := 2 * p.group; {
			case p.text != nil:
				out = append(out, with[i]...)
			case g < len(at) && at[g] >= 0:
				out = append(out, b[at[g]:at[g+1]]...)
			}
		}
		made := c.Built(out)
		if made.IsNull() || f(int(at[0]), int(at[1]), made.S) <= 0 {
			return -1
		}
		n++
	}
	return n
}

// in makes the substitution in a part of the message that begins at off.
func (x *substitution) in(c *route.Ctx, b []byte, off uint32) int {
	return x.each(c, b, func(start, end int, with []byte) route.Result {
		return c.Edit(parser.Span{Off: off + uint32(start), Len: uint32(end - start)}, with)
	})
}

// made is the text b with the substitution made, in the scratch room.
func (x *substitution) made(c *route.Ctx, b []byte) (route.Value, int) {
	v, pos := route.TextValue(nil), 0
	n := x.each(c, b, func(start, end int, with []byte) route.Result {
		v = c.Joined(v, b[pos:start], with)
		pos = end
		return route.Truth(!v.IsNull())
	})
	if n <= 0 {
		return v, n
	}
	return c.Joined(v, b[pos:], nil), n
}

const substDoc = `such as "/pattern/text/gis": \1 in the text is what the first parentheses match`

// substitutions declares the functions that make them.
func substitutions(m *route.Module) {
	expr := route.Special("expression", substDoc)
	declare := func(name string, in route.Kinds, doc string,
		f func(c *route.Ctx, x *substitution) route.Result) {
		m.Func(route.Func{Name: name, In: in, Args: []route.AnyArg{expr}, Doc: doc,
			Build: func(b *route.Build) route.Call {
				x := substAt(b, 0, b.Name())
				if x == nil {
					return nil
				}
				return func(c *route.Ctx) route.Result { return f(c, x) }
			}})
	}
	within := func(p part) func(*route.Ctx, *substitution) route.Result {
		return func(c *route.Ctx, x *substitution) route.Result {
			b, off := p.of(c)
			return route.Truth(x.in(c, b, off) > 0)
		}
	}
	declare("subst", route.Anywhere, "Substitutes in headers and body.", within(behind))
	declare("subst_body", route.Anywhere, "Substitutes in the body.", within(theBody))
	declare("subst_uri", route.Anywhere, "Substitutes in the Request-URI.",
		func(c *route.Ctx, x *substitution) route.Result {
			if c.Request == nil {
				return -1
			}
			v, n := x.made(c, c.Request.RequestURI())
			if n <= 0 {
				return -1
			}
			return c.SetRequestURI(v.S)
		})
	declare("subst_user", route.Anywhere, "Substitutes in the user of the Request-URI.",
		func(c *route.Ctx, x *substitution) route.Result {
			u := c.RequestURI()
			if u == nil {
				return -1
			}
			v, n := x.made(c, u.User.Of(u.Raw))
			if n <= 0 {
				return -1
			}
			return c.SetUser(v.S)
		})
	m.Func(route.Func{Name: "subst_hf", In: route.Anywhere,
		Args: []route.AnyArg{header(nameDoc), expr,
			route.Name("which", "a, f or l",
				"all headers of the name (a), the first (f) or the last (l)")},
		Doc: "Substitutes in the value of headers.",
		Build: func(b *route.Build) route.Call {
			name, ok := header(nameDoc).At(b, 0)
			x := substAt(b, 1, b.Name())
			which, ok2 := b.Known(2, "a, f or l")
			if !ok || x == nil || !ok2 {
				return nil
			}
			if which != "a" && which != "f" && which != "l" {
				b.Errorf(2, "subst_hf: %s is none of a, f, l", route.Quote(which))
				return nil
			}
			of, _ := name.Known()
			return func(c *route.Ctx) route.Result {
				n := 0
				for i := pick(c, of, which[0], -1); i >= 0; i = pick(c, of, which[0], i) {
					h := &c.Msg.Headers[i]
					n += x.in(c, c.Msg.Bytes(c.Msg.FieldBody(h)), h.Value.Off)
				}
				return route.Truth(n > 0)
			}
		}})
}
