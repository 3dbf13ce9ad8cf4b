package route

import (
	"net/netip"
	"slices"

	"viaduct/netio"
	"viaduct/shard/proxy"
	"viaduct/shard/route/suggest"
	"viaduct/shard/route/syntax"
)

// What onsend_route, and nobody else, knows of the message that is about to leave.

// outgoing is that message, nil outside of onsend_route.
func (c *Ctx) outgoing() *proxy.Outgoing {
	if c.kind != OnsendRoute {
		return nil
	}
	return &c.Shard.Core.Outgoing
}

// messageLen is msg:len: of what was received, and in onsend_route of what is sent.
func (c *Ctx) messageLen() int64 {
	if o := c.outgoing(); o != nil {
		return int64(o.Len())
	}
	return int64(len(c.Msg.Raw))
}

// side is one end of the way that the message takes; nil means nothing leaves.
type side func(c *Ctx) *netio.Addr

func sentTo(c *Ctx) *netio.Addr {
	if o := c.outgoing(); o != nil {
		return &o.To
	}
	return nil
}

func sentFrom(c *Ctx) *netio.Addr {
	if o := c.outgoing(); o != nil {
		return &c.Shard.Listeners[o.By].Addr
	}
	return nil
}

// sendProto is the transport of what leaves.
func (c *Ctx) sendProto() (Transport, bool) {
	o := c.outgoing()
	if o == nil {
		return AnyTransport, false
	}
	return o.To.Proto, true
}

// defineOnsendValues adds snd_ip, to_port and the like.
func defineOnsendValues(number func(f func(c *Ctx) int64) *coreValue) {
	for prefix, at := range map[string]side{"snd_": sentFrom, "to_": sentTo} {
		addr := func(c *Ctx) netip.AddrPort {
			if a := at(c); a != nil {
				return a.AddrPort()
			}
			return netip.AddrPort{}
		}
		port := number(func(c *Ctx) int64 { return int64(addr(c).Port()) })
		for name, d := range map[string]*coreValue{
			"ip":    {kind: coreAddr, addr: addr},
			"port":  port,
			"proto": {kind: coreProto, proto: (*Ctx).sendProto},
			"af": {kind: coreFamily, is6: func(c *Ctx) (is6, ok bool) {
				a := at(c)
				return a != nil && a.Family == 6, a != nil
			}},
		} {
			d.onsend = true
			coreValues[prefix+name] = d
		}
	}
}

// mayStand reports a keyword of onsend_route that stands where onsend_route does not come.
func (cc *compiler) mayStand(n *syntax.Name, d *coreValue) {
	if d.onsend && cc.kind&InOnsend == 0 &&
		(cc.sub == nil || cc.runFor[cc.sub.name]&InOnsend == 0) {
		cc.ld.errorf(n.Pos, "%s belongs in onsend_route: elsewhere nothing is about to be sent",
			n.Name)
	}
}

// sendingNames are what stands in the parentheses of $snd, $sndto and $sndfrom.
var sendingNames = []string{"af", "buf", "ip", "len", "port", "proto", "sproto"}

// sendingVar is $snd(name), the same as $sndto, and $sndfrom. Outside of onsend_route they are
// null.
func sendingVar(at side) func(cc *compiler, pos Pos, inner, index string) *pvCode {
	return func(cc *compiler, pos Pos, inner, _ string) *pvCode {
		num := func(f func(a *netio.Addr) int64) *pvCode {
			return &pvCode{num: func(c *Ctx) (int64, bool) {
				if a := at(c); a != nil {
					return f(a), true
				}
				return 0, false
			}}
		}
		switch inner {
		case "af":
			return num(func(a *netio.Addr) int64 {
				if a.Family == 6 {
					return 10 // AF_INET6
				}
				return 2 // AF_INET
			})
		case "buf":
			cc.scratch = true
			return &pvCode{bytes: outgoingText, temp: true}
		case "ip":
			cc.scratch = true
			return &pvCode{bytes: func(c *Ctx) ([]byte, bool) {
				a := at(c)
				if a == nil {
					return nil, false
				}
				start := len(c.buf)
				c.buf = a.AddrPort().Addr().Unmap().WithZone("").AppendTo(c.buf)
				return c.buf[start:len(c.buf):len(c.buf)], true
			}, temp: true}
		case "len":
			return &pvCode{num: func(c *Ctx) (int64, bool) {
				if o := c.outgoing(); o != nil {
					return int64(o.Len()), true
				}
				return 0, false
			}}
		case "port":
			return num(func(a *netio.Addr) int64 { return int64(a.Port) })
		case "proto":
			return &pvCode{num: func(c *Ctx) (int64, bool) {
				t, ok := c.sendProto()
				return protoNumbers[t], ok
			}}
		case "sproto":
			return &pvCode{bytes: func(c *Ctx) ([]byte, bool) {
				t, ok := c.sendProto()
				if !ok {
					return nil, false
				}
				return transportName(t)
			}}
		}
		cc.ld.errorf(pos, "there is no %s of what is sent%s", quote(clip(inner)),
			suggest.DidYouMean(inner, slices.Clone(sendingNames)))
		return nil
	}
}

// protoNumbers are Kamailio's.
var protoNumbers = map[Transport]int64{UDP: 1, TCP: 2, TLS: 3, SCTP: 4, WS: 5, WSS: 6}

// outgoingText is the message as it is sent.
func outgoingText(c *Ctx) ([]byte, bool) {
	o := c.outgoing()
	if o == nil {
		return nil, false
	}
	start, end := len(c.buf), len(c.buf)+o.Len()
	if end > cap(c.buf) {
		return nil, false
	}
	c.buf = c.buf[:end]
	o.WriteTo(c.buf[start:end])
	return c.buf[start:end:end], true
}
