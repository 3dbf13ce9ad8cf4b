package pv

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// vias are the variables of the first Via, the second and the last.
func vias(m *route.Module) {
	for _, v := range []struct {
		name, doc string
		at        int
	}{{"via0", "the first Via", 0}, {"via1", "the second Via", 1}, {"viaZ", "the last Via", -1}} {
		name, at := v.name, v.at
		m.Var(route.Var{Name: v.name, Inner: "host, port, proto, branch, rport, received or i",
			Always: true, Doc: "What " + v.doc + " says.",
			Compile: func(b *route.VarBuild, inner, _ string) route.Place {
				return viaPart(b, name, inner, at)
			}})
	}
}

// viaPart is $via0(inner) and its like.
func viaPart(b *route.VarBuild, name, inner string, at int) route.Place {
	text := func(f func(v *parser.Via, raw []byte) []byte) route.Place {
		return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			var v parser.Via
			if !viaAt(c.Msg, at, &v) {
				return nil, false
			}
			t := f(&v, c.Msg.Raw)
			return t, len(t) > 0
		}}
	}
	number := func(f func(v *parser.Via) int64) route.Place {
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			var v parser.Via
			if !viaAt(c.Msg, at, &v) {
				return 0, false
			}
			n := f(&v)
			return n, n > 0
		}}
	}
	switch inner {
	case "host":
		return text(func(v *parser.Via, raw []byte) []byte { return v.Host.Of(raw) })
	case "port":
		return number(func(v *parser.Via) int64 {
			switch {
			case v.Port != 0:
				return int64(v.Port)
			case v.Transport == parser.TLS:
				return 5061
			}
			return 5060
		})
	case "proto":
		return text(func(v *parser.Via, raw []byte) []byte { return v.Transport.Upper() })
	case "branch":
		return text(func(v *parser.Via, raw []byte) []byte { return v.Branch.Of(raw) })
	case "received":
		return text(func(v *parser.Via, raw []byte) []byte { return v.Received.Of(raw) })
	case "rport":
		return number(func(v *parser.Via) int64 { return int64(v.RPort) })
	case "i":
		return text(func(v *parser.Via, raw []byte) []byte { return viaParam(v, raw, "i") })
	}
	b.Errorf("$%s has host, port, proto, branch, rport, received and i, not %s", name,
		route.Quote(inner))
	return route.Place{}
}

// viaAt reads a Via: from 0, or -1 for the last. It returns false if there is none, or one that is
// malformed.
func viaAt(m *parser.Message, at int, v *parser.Via) bool {
	values, last := m.Values(parser.KindVia), parser.Span{}
	for n := 0; values.Next(); n++ {
		if last = values.Value; n == at {
			return parser.ParseVia(m.Raw, last, v) == parser.OK
		}
	}
	return at < 0 && last.Len > 0 && parser.ParseVia(m.Raw, last, v) == parser.OK
}

// viaParam is the value of a parameter.
func viaParam(v *parser.Via, raw []byte, name string) []byte {
	u := parser.URI{Raw: raw, Params: parser.Span{Off: v.SentBy.End(),
		Len: v.Value.End() - v.SentBy.End()}}
	value, _ := u.Param(name)
	return value
}
