package pv

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// who are the variables of From and To. What is written to them leaves with the message, and is
// read when msg_apply_changes() has made it part of that, as in Kamailio.
func who(m *route.Module) {
	for _, h := range []struct {
		letter, name string
		kind         parser.Kind
		parsed       func(c *route.Ctx) *parser.URI
		uri          func(c *route.Ctx) ([]byte, bool)
	}{
		{"f", "From", parser.KindFrom, (*route.Ctx).ParsedFrom, (*route.Ctx).FromURI},
		{"t", "To", parser.KindTo, (*route.Ctx).ParsedTo, (*route.Ctx).ToURI},
	} {
		written := func(name, doc string, read func(c *route.Ctx) ([]byte, bool),
			write func(c *route.Ctx, v route.Value) route.SetResult) {
			plainVar(m, h.letter+name, doc+" of "+h.name+".",
				route.Place{NoRoom: true, SetRoom: true, Text: read, Set: write})
		}
		piece := func(span func(a *parser.NameAddr) parser.Span) func(c *route.Ctx) ([]byte, bool) {
			return func(c *route.Ctx) ([]byte, bool) {
				a, r := c.Msg.FromOrTo(h.kind)
				if r != parser.OK {
					return nil, false
				}
				s := span(a)
				return c.Msg.Bytes(s), s.Len > 0
			}
		}
		written("u", "The URI", h.uri,
			func(c *route.Ctx, v route.Value) route.SetResult { return c.SetFromOrToURI(h.kind, v) })
		written("U", "The user", pick(h.parsed, userOf),
			func(c *route.Ctx, v route.Value) route.SetResult {
				return c.SetFromOrToPart(h.kind, route.UserPart, v)
			})
		written("d", "The host", pick(h.parsed, hostOf),
			func(c *route.Ctx, v route.Value) route.SetResult {
				return c.SetFromOrToPart(h.kind, route.HostPart, v)
			})
		written("n", "The name", piece(func(a *parser.NameAddr) parser.Span { return a.Display }),
			func(c *route.Ctx, v route.Value) route.SetResult { return c.SetFromOrToName(h.kind, v) })
		textVar(m, h.letter+"t", "The tag of "+h.name+".",
			piece(func(a *parser.NameAddr) parser.Span { return a.Tag }))
	}
}
