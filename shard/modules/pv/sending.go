package pv

import (
	"slices"

	"viaduct/netio"
	"viaduct/shard/route"
)

// sending are the variables of the message that is about to leave. Outside of onsend_route they are
// null.
func sending(m *route.Module) {
	to := func(c *route.Ctx) *netio.Addr {
		if o := c.Outgoing(); o != nil {
			return &o.To
		}
		return nil
	}
	from := func(c *route.Ctx) *netio.Addr {
		if o := c.Outgoing(); o != nil {
			return &c.Shard.Listeners[o.By].Addr
		}
		return nil
	}
	const inner = "af, buf, ip, len, port, proto or sproto"
	for _, name := range []string{"snd", "sndto"} {
		m.Var(route.Var{Name: name, Inner: inner, Always: true, Compile: sendingVar(to),
			Doc: "In onsend_route, a part of the message's destination."})
	}
	m.Var(route.Var{Name: "sndfrom", Inner: inner, Always: true, Compile: sendingVar(from),
		Doc: "In onsend_route, a part of the listener that the message leaves by."})
}

// sendingNames are what stands in the parentheses.
var sendingNames = []string{"af", "buf", "ip", "len", "port", "proto", "sproto"}

// sendingVar is $snd(name) with at one end of the way that the message takes. at returns nil if
// nothing leaves.
func sendingVar(
	at func(c *route.Ctx) *netio.Addr) func(b *route.VarBuild, inner, _ string) route.Place {
	num := func(f func(a *netio.Addr) int64) route.Place {
		return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			if a := at(c); a != nil {
				return f(a), true
			}
			return 0, false
		}}
	}
	return func(b *route.VarBuild, inner, _ string) route.Place {
		switch inner {
		case "af":
			return num(func(a *netio.Addr) int64 {
				if a.Family == 6 {
					return 10 // AF_INET6
				}
				return 2 // AF_INET
			})
		case "buf":
			return route.Place{Text: outgoingText}
		case "ip":
			return route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
				a := at(c)
				if a == nil {
					return nil, false
				}
				return built(c, a.AddrPort().Addr().Unmap().WithZone("").AppendTo(c.Room()))
			}}
		case "len":
			return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
				if o := c.Outgoing(); o != nil {
					return int64(o.Len()), true
				}
				return 0, false
			}}
		case "port":
			return num(func(a *netio.Addr) int64 { return int64(a.Port) })
		case "proto":
			return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
				o := c.Outgoing()
				if o == nil {
					return 0, false
				}
				return protoNumber(o.To.Proto), true
			}}
		case "sproto":
			return route.Place{NoRoom: true, Text: func(c *route.Ctx) ([]byte, bool) {
				o := c.Outgoing()
				if o == nil {
					return nil, false
				}
				return route.TransportName(o.To.Proto)
			}}
		}
		b.Errorf("there is no %s of what is sent%s", route.Quote(inner),
			route.DidYouMean(inner, slices.Clone(sendingNames)))
		return route.Place{}
	}
}

// outgoingText is the message as it is sent; null if the scratch room is too small for it.
func outgoingText(c *route.Ctx) ([]byte, bool) {
	o, b := c.Outgoing(), c.Room()
	if o == nil || o.Len() > cap(b) {
		return nil, false
	}
	b = b[:o.Len()]
	o.WriteTo(b)
	return built(c, b)
}
