package pv

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

// requestURIs are the variables of where a request is to go: the Request-URI as it is now and as it
// was received, and the outbound URI.
func requestURIs(m *route.Module) {
	part := func(name, doc string, which route.URIPart, p route.Place) {
		p.NoRoom, p.SetRoom = p.Int == nil, true
		p.Set = func(c *route.Ctx, v route.Value) route.SetResult { return c.SetURIPart(which, v) }
		plainVar(m, name, doc, p)
	}
	plainVar(m, "ru", "The Request-URI.", route.Place{NoRoom: true, SetRoom: true,
		Text: (*route.Ctx).RURI, Set: (*route.Ctx).SetRURI})
	part("rU", "The user of the Request-URI; assigning $null removes it.", route.UserPart,
		route.Place{Text: pick((*route.Ctx).RequestURI, userOf)})
	part("rd", "The host of the Request-URI.", route.HostPart,
		route.Place{Text: pick((*route.Ctx).RequestURI, hostOf)})
	part("rp", "The port of the Request-URI, 5060 if it has none, 5061 with transport=tls; "+
		"assigning $null removes it.",
		route.PortPart, route.Place{Text: digits(port((*route.Ctx).RequestURI)),
			Int: port((*route.Ctx).RequestURI)})
	bothVar(m, "rP", "The transport of the Request-URI as it is written, UDP if none is; as a "+
		"number as $prid.", pick((*route.Ctx).RequestURI, writtenTransport),
		transportNumber((*route.Ctx).RequestURI))
	bothVar(m, "rz", "The scheme of the Request-URI; as a number 1 for sip, 2 for sips and 3 for "+
		"tel.", pick((*route.Ctx).RequestURI, schemeOf), schemeNumber)

	textVar(m, "ou", "The Request-URI as received.",
		func(c *route.Ctx) ([]byte, bool) { return c.Msg.Bytes(c.Msg.URI), c.Msg.IsRequest })
	textVar(m, "oU", "The user of the Request-URI as received.", pick(received, userOf))
	textVar(m, "od", "The host of the Request-URI as received.", pick(received, hostOf))
	digitsVar(m, "op", "The port of the Request-URI as received, 5060 if it has none, 5061 "+
		"with transport=tls.", port(received))

	plainVar(m, "du", "The outbound URI: the request goes there if it is set. Assigning $null "+
		"clears it.",
		route.Place{NoRoom: true, SetRoom: true,
			Text: (*route.Ctx).DURI, Set: (*route.Ctx).SetDURI})
	textVar(m, "dd", "The host of the outbound URI.", pick((*route.Ctx).OutboundURI, hostOf))
	digitsVar(m, "dp", "The port of the outbound URI, 5060 if it has none, 5061 with transport=tls.",
		port((*route.Ctx).OutboundURI))
	bothVar(m, "dP", "The transport of the outbound URI as it is written, UDP if none is; as a "+
		"number as $prid.", pick((*route.Ctx).OutboundURI, writtenTransport),
		transportNumber((*route.Ctx).OutboundURI))
}

// received is the Request-URI as received, nil if it is no SIP URI.
func received(c *route.Ctx) *parser.URI {
	u, r := c.Msg.RequestURI()
	if r != parser.OK {
		// Kamailio takes one with headers too, which no Request-URI may have.
		return c.ParseURI(c.Msg.Bytes(c.Msg.URI))
	}
	return u
}

func userOf(u *parser.URI) ([]byte, bool)   { return u.UserBytes(), u.User.Len > 0 }
func hostOf(u *parser.URI) ([]byte, bool)   { return u.HostBytes(), u.Host.Len > 0 }
func schemeOf(u *parser.URI) ([]byte, bool) { return u.SchemeName.Of(u.Raw), true }

// writtenTransport is the parameter transport as it stands, UDP without one, sips or not (5.6.3).
func writtenTransport(u *parser.URI) ([]byte, bool) {
	if t := uriParam(u, "transport"); len(t) > 0 {
		return t, true
	}
	return route.UDP.Upper(), true
}

// pick reads a piece of the URI that uri gives.
func pick(uri func(c *route.Ctx) *parser.URI,
	piece func(u *parser.URI) ([]byte, bool)) func(c *route.Ctx) ([]byte, bool) {
	return func(c *route.Ctx) ([]byte, bool) {
		if u := uri(c); u != nil {
			return piece(u)
		}
		return nil, false
	}
}

// port reads the port of a URI as Kamailio shows it, sips or not.
func port(uri func(c *route.Ctx) *parser.URI) func(c *route.Ctx) (int64, bool) {
	return func(c *route.Ctx) (int64, bool) {
		u := uri(c)
		if u == nil {
			return 0, false
		}
		return int64(route.PlainPort(u)), true
	}
}

// transportNumber returns the number of the transport that writtenTransport reads.
func transportNumber(uri func(c *route.Ctx) *parser.URI) func(c *route.Ctx) (int64, bool) {
	read := pick(uri, writtenTransport)
	return func(c *route.Ctx) (int64, bool) {
		b, ok := read(c)
		if !ok {
			return 0, false
		}
		for t := route.UDP; t <= route.WSS; t++ {
			if bytes.EqualFold(b, t.Upper()) {
				return protoNumber(t), true
			}
		}
		return 0, true
	}
}

// schemeNumber is the number of $rz.
func schemeNumber(c *route.Ctx) (int64, bool) {
	u := c.RequestURI()
	if u == nil {
		return 0, false
	}
	switch u.Scheme {
	case parser.SIP:
		return 1, true
	case parser.SIPS:
		return 2, true
	case parser.TEL:
		return 3, true
	}
	return 0, true
}

// methodNumber is $rmid, and the number of $rm.
func methodNumber(c *route.Ctx) (int64, bool) { n := MethodNumber(c); return n, n != 0 }
