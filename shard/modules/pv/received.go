package pv

import (
	"strconv"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/route"
)

// arrivals are the variables of a message before it is read, and of how it came.
func arrivals(m *route.Module) {
	numberVar(m, "mi", "The number of the message, counted by the shard, as each process of "+
		"Kamailio counts. In branch_route and failure_route it is that of the message that made "+
		"them run.",
		func(c *route.Ctx) (int64, bool) { return c.Shard.Messages, true })
	numberVar(m, "bs", "The length of the body.",
		func(c *route.Ctx) (int64, bool) { b, _ := c.Body(); return int64(len(b)), true })
	madeVar(m, "sas", "The source of the message: transport, address and port, separated by "+
		"colons.",
		func(c *route.Ctx) ([]byte, bool) {
			word, _ := c.TransportWord()
			return built(c, appendPort(route.AppendHost(append(append(c.Room(), word...), ':'),
				c.From().Addr()), c.From().Port()))
		})
	m.Var(route.Var{Name: "msgbuf", Inner: "number", Always: true, Compile: msgbufVar,
		Doc: "A character of the message, counted from 0. It is read-only: write to $rcv(buf) " +
			"before the message is parsed, or use replace_all() later."})
	m.Var(route.Var{Name: "rcv", Always: true,
		Inner:   "buf, len, proto, sproto, srcip, srcport, rcvip, rcvport or af",
		Compile: rcvVar, Doc: "In event_route[core:msg-received], a part of what was received. " +
			"Assigning to buf replaces the message."})
	m.Var(route.Var{Name: "rpl", Inner: "dhost, dport, dproto, dprotoid, cntvia or cntrr",
		Always: true, Compile: rplVar,
		Doc: "For a response, the destination in its second Via, and the number of its Via and " +
			"Record-Route values."})
}

// appendPort appends a colon and a port.
func appendPort(b []byte, port uint16) []byte {
	return strconv.AppendUint(append(b, ':'), uint64(port), 10)
}

// msgbufVar is $msgbuf(number).
func msgbufVar(b *route.VarBuild, inner, _ string) route.Place {
	at, ok := b.Index(inner)
	if !ok {
		return route.Place{}
	}
	return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
		raw := c.Msg.Raw
		n, all := at.At(c)
		if n < 0 {
			n += len(raw) // -1 is the last (5.6.3)
		}
		if all || n < 0 || n >= len(raw) {
			return nil, false
		}
		return raw[n : n+1], true
	}}
}

// rcvVar is $rcv(name), null where no message has just come.
func rcvVar(b *route.VarBuild, inner, _ string) route.Place {
	num := func(f func(c *route.Ctx, p *netio.Packet) int64) route.Place {
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			p := c.Received()
			if p == nil {
				return 0, false
			}
			return f(c, p), true
		}}
	}
	text := func(f func(c *route.Ctx, p *netio.Packet) ([]byte, bool)) route.Place {
		return route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
			p := c.Received()
			if p == nil {
				return nil, false
			}
			return f(c, p)
		}}
	}
	here := func(c *route.Ctx, p *netio.Packet) *route.Listener {
		return &c.Shard.Listeners[p.Listener]
	}
	switch inner {
	case "buf":
		p := text(func(_ *route.Ctx, p *netio.Packet) ([]byte, bool) { return p.Data, true })
		p.NoRoom, p.SetRoom = true, true
		p.Set = func(c *route.Ctx, v route.Value) route.SetResult {
			return set(route.Truth(v.IsText() && c.SetReceived(v.S)))
		}
		return p
	case "len":
		return num(func(_ *route.Ctx, p *netio.Packet) int64 { return int64(len(p.Data)) })
	case "proto":
		return num(func(c *route.Ctx, p *netio.Packet) int64 {
			return protoNumber(here(c, p).Addr.Proto)
		})
	case "sproto":
		return text(func(c *route.Ctx, p *netio.Packet) ([]byte, bool) {
			return route.TransportName(here(c, p).Addr.Proto)
		})
	case "srcip":
		return text(func(c *route.Ctx, p *netio.Packet) ([]byte, bool) {
			return built(c, route.AppendHost(c.Room(), p.Src.AddrPort().Addr()))
		})
	case "srcport":
		return num(func(_ *route.Ctx, p *netio.Packet) int64 { return int64(p.Src.Port) })
	case "rcvip":
		return text(func(c *route.Ctx, p *netio.Packet) ([]byte, bool) {
			return built(c, route.AppendHost(c.Room(), here(c, p).Addr.AddrPort().Addr()))
		})
	case "rcvport":
		return num(func(c *route.Ctx, p *netio.Packet) int64 { return int64(here(c, p).Addr.Port) })
	case "af":
		return num(func(_ *route.Ctx, p *netio.Packet) int64 {
			if p.Src.Family == 6 {
				return 10 // AF_INET6
			}
			return 2 // AF_INET
		})
	}
	b.Errorf("$rcv has buf, len, proto, sproto, srcip, srcport, rcvip, rcvport and af, not %s",
		route.Quote(inner))
	return route.Place{}
}

// rplVar is $rpl(name).
func rplVar(b *route.VarBuild, inner, _ string) route.Place {
	second := func(c *route.Ctx, v *parser.Via) bool {
		return !c.Msg.IsRequest && viaAt(c.Msg, 1, v)
	}
	count := func(kind parser.Kind) route.Place {
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			n, values := int64(0), c.Msg.Values(kind)
			for values.Next() {
				n++
			}
			return n, !c.Msg.IsRequest
		}}
	}
	switch inner {
	case "dhost":
		return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			var v parser.Via
			if !second(c, &v) {
				return nil, false
			}
			if v.Received.Len > 0 {
				return v.Received.Of(c.Msg.Raw), true
			}
			return v.Host.Of(c.Msg.Raw), true
		}}
	case "dport":
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			var v parser.Via
			if !second(c, &v) {
				return 0, false
			}
			switch {
			case v.RPort != 0:
				return int64(v.RPort), true
			case v.Port != 0:
				return int64(v.Port), true
			case v.Transport == parser.TLS:
				return 5061, true
			}
			return 5060, true
		}}
	case "dproto":
		return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
			var v parser.Via
			if !second(c, &v) {
				return nil, false
			}
			return route.TransportName(v.Transport)
		}}
	case "dprotoid":
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			var v parser.Via
			return protoNumber(v.Transport), second(c, &v)
		}}
	case "cntvia":
		return count(parser.KindVia)
	case "cntrr":
		return count(parser.KindRecordRoute)
	}
	b.Errorf("$rpl has dhost, dport, dproto, dprotoid, cntvia and cntrr, not %s",
		route.Quote(inner))
	return route.Place{}
}
