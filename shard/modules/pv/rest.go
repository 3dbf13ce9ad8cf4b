package pv

import (
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route"
)

// longNames are variables that say in words what others say in letters, and some that few files
// read.
func longNames(m *route.Module) {
	textVar(m, "from", "The URI of From, as $fu.", (*route.Ctx).FromURI)
	textVar(m, "to", "The URI of To, as $tu.", (*route.Ctx).ToURI)
	for _, h := range []struct {
		name, what string
		parsed     func(c *route.Ctx) *parser.URI
	}{{"from", "the URI of From, as $f", (*route.Ctx).ParsedFrom},
		{"to", "the URI of To, as $t", (*route.Ctx).ParsedTo},
		{"ruri", "the Request-URI, as $r", (*route.Ctx).RequestURI}} {
		textVar(m, h.name+".user", "The user of "+h.what+"U.", pick(h.parsed, userOf))
		textVar(m, h.name+".domain", "The host of "+h.what+"d.", pick(h.parsed, hostOf))
	}
	for _, part := range []string{"class", "level", "info", "rcode", "rreason"} {
		textVar(m, "err."+part, "Null. In Kamailio it is what the parser found wrong, which the "+
			"log says here.", func(*route.Ctx) ([]byte, bool) { return nil, false })
	}
	textVar(m, "ouri", "The Request-URI as received, as $ou.",
		func(c *route.Ctx) ([]byte, bool) { return c.Msg.Bytes(c.Msg.URI), c.Msg.IsRequest })
	plainVar(m, "duri", "The outbound URI, as $du.", route.Place{NoRoom: true, SetRoom: true,
		Text: (*route.Ctx).DURI, Set: (*route.Ctx).SetDURI})
	madeVar(m, "src_ip", "The address that the message came from, as $si.", (*route.Ctx).SourceIP)
	numberVar(m, "true", "1.", func(*route.Ctx) (int64, bool) { return 1, true })
	textVar(m, "mts", "What the message is: rq for a request, rp for a response.",
		func(c *route.Ctx) ([]byte, bool) {
			if c.Msg.IsRequest {
				return typeRequest, true
			}
			return typeReply, true
		})
	numberVar(m, "rsi", "The status of a response; 0 for a request.",
		func(c *route.Ctx) (int64, bool) { return int64(c.Msg.Status), true })
	numberVar(m, "fsp", "The port of the listener that the message must leave by; 0: any listener.",
		func(c *route.Ctx) (int64, bool) {
			if l := c.Forced(); l != nil {
				return int64(l.Addr.Port), true
			}
			return 0, true
		})
	madeVar(m, "Ras", "The advertised address of the listener that received the message, as "+
		"proto:host:port.",
		advertisedSocket)
	madeVar(m, "ds", "The branches that were added, as a Contact row.",
		func(c *route.Ctx) ([]byte, bool) {
			if c.Request == nil {
				return nil, false
			}
			return contactRow(c)
		})
	m.Var(route.Var{Name: "nh", Inner: "u, d, U, p or P", Always: true, Compile: nextHop,
		Doc: "The next hop of the message: $du, or without it the Request-URI; for a response its " +
			"second Via. u is the whole URI, d the host, U the user, p the port, P the transport."})
}

var typeRequest, typeReply = []byte("rq"), []byte("rp")

// advertisedSocket is $Ras.
func advertisedSocket(c *route.Ctx) ([]byte, bool) {
	l := c.ReceivedBy()
	if len(l.Advertised) == 0 {
		return l.Socket, true
	}
	b := append(append(c.Room(), l.Proto.Lower()...), ':')
	b = append(append(b, l.Advertised...), ':')
	port, _ := advertisedPort(c)
	return built(c, strconv.AppendInt(b, port, 10))
}

// contactRow is $ds.
func contactRow(c *route.Ctx) ([]byte, bool) {
	b := append(c.Room(), "Contact: "...)
	for i := 0; ; i++ {
		t, ok := c.Request.Added(i)
		switch {
		case !ok && i == 0:
			return nil, false
		case !ok:
			return built(c, b)
		case i > 0:
			b = append(b, ", "...)
		}
		if b = append(append(append(b, '<'), t.URI...), '>'); t.Q >= 0 {
			b = route.AppendQ(append(b, ";q="...), t.Q)
		}
	}
}

// nextHop is $nh(inner).
func nextHop(b *route.VarBuild, inner, _ string) route.Place {
	text := func(f func(c *route.Ctx, u *parser.URI) ([]byte, bool)) route.Place {
		return route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
			var u parser.URI
			text, ok := nextHopURI(c)
			if !ok || !parseURI(text, &u) {
				return nil, false
			}
			return f(c, &u)
		}}
	}
	switch inner {
	case "u":
		return route.Place{Text: nextHopURI}
	case "d":
		return text(func(_ *route.Ctx, u *parser.URI) ([]byte, bool) { return hostOf(u) })
	case "U":
		return text(func(_ *route.Ctx, u *parser.URI) ([]byte, bool) { return userOf(u) })
	case "p":
		return text(func(c *route.Ctx, u *parser.URI) ([]byte, bool) {
			port := u.Port
			if port == 0 {
				port = 5060 // transport=tls or not (5.6.3)
			}
			return built(c, strconv.AppendInt(c.Room(), int64(port), 10))
		})
	case "P":
		return text(func(_ *route.Ctx, u *parser.URI) ([]byte, bool) {
			return writtenTransport(u)
		})
	}
	b.Errorf("$nh has u, d, U, p and P, not %s", route.Quote(inner))
	return route.Place{}
}

// nextHopURI is where the message goes next.
func nextHopURI(c *route.Ctx) ([]byte, bool) {
	if c.Msg.IsRequest {
		if u, ok := c.DURI(); ok && len(u) > 0 {
			return u, true
		}
		return c.RURI()
	}
	var v parser.Via
	if !viaAt(c.Msg, 1, &v) {
		return nil, false
	}
	host, port := v.Host.Of(c.Msg.Raw), v.Port
	if r := v.Received.Of(c.Msg.Raw); len(r) > 0 {
		host = r
	}
	if v.RPort > 0 {
		port = v.RPort
	}
	b := append(append(c.Room(), "sip:"...), host...)
	if port > 0 {
		b = strconv.AppendUint(append(b, ':'), uint64(port), 10)
	}
	b = append(append(b, ";transport="...), v.Transport.Lower()...)
	return built(c, b)
}
