package pv

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

// nameAddrs are the transformations {nameaddr.…} and {tobody.…}, of what From and To hold.
func nameAddrs(m *route.Module) {
	part := func(name, doc string, of func(a *nameAddr) route.Value) {
		route.Transform0(m, "nameaddr."+name, doc, func(c *route.Ctx, v route.Value) route.Value {
			a, ok := splitNameAddr(c.TextOf(v))
			if !ok {
				return route.Null
			}
			return of(&a)
		})
	}
	part("name", "The display name as it is written, with quotes and white space.",
		func(a *nameAddr) route.Value { return view(a.name) })
	part("uri", "The URI.", func(a *nameAddr) route.Value { return view(a.uri) })
	part("len", "How long name and URI are.", func(a *nameAddr) route.Value {
		return route.IntValue(int64(a.len))
	})

	body := func(name, doc string, of func(b []byte, a *parser.NameAddr) []byte) {
		route.Transform0(m, "tobody."+name, doc, func(c *route.Ctx, v route.Value) route.Value {
			var a parser.NameAddr
			b := bytes.TrimRight(c.TextOf(v), blanks)
			b = bytes.TrimLeft(b, blanks)
			if len(b) == 0 || parser.ParseNameAddr(b, parser.Span{Len: uint32(len(b))},
				&a) != parser.OK ||
				a.CheckURI(b) != parser.OK {
				return route.Null
			}
			return view(of(b, &a))
		})
	}
	body("uri", "The URI.", func(b []byte, a *parser.NameAddr) []byte { return a.URI.Of(b) })
	body("display", "The display name, with quotes.",
		func(b []byte, a *parser.NameAddr) []byte { return a.Display.Of(b) })
	body("tag", "The tag.", func(b []byte, a *parser.NameAddr) []byte { return a.Tag.Of(b) })
	body("params", "The parameters of the header.", func(b []byte, a *parser.NameAddr) []byte {
		return bytes.TrimPrefix(a.Params.Of(b), []byte{';'})
	})
	ofURI := func(of func(u *parser.URI) []byte) func(b []byte, a *parser.NameAddr) []byte {
		return func(b []byte, a *parser.NameAddr) []byte {
			var u parser.URI
			parser.ParseURI(a.URI.Of(b), &u)
			return of(&u)
		}
	}
	body("user", "The user of the URI.", ofURI((*parser.URI).UserBytes))
	body("host", "The host of the URI.", ofURI((*parser.URI).HostBytes))
}

// nameAddr is a display name and a URI: views.
type nameAddr struct {
	name, uri []byte
	len       int
}

// splitNameAddr finds the angle brackets. Without them all is the URI. It says false of what is
// empty and of brackets that do not end.
func splitNameAddr(b []byte) (a nameAddr, ok bool) {
	i, in := 0, false
	for ; i < len(b) && (in || b[i] != '<'); i++ {
		switch {
		case b[i] == '"':
			in = !in
		case b[i] == '\\' && in:
			i++
		}
	}
	if i >= len(b) {
		return nameAddr{b[:0], b, len(b)}, len(b) > 0
	}
	n := bytes.IndexByte(b[i:], '>')
	if n < 0 {
		return nameAddr{}, false
	}
	return nameAddr{b[:i], b[i+1 : i+n], i + n + 1}, true
}
