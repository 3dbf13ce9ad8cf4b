package route

import (
	"net/netip"

	"viaduct/netio"
	"viaduct/shard/proxy"
	"viaduct/shard/route/syntax"
)

// What onsend_route, and no other route, knows of the message that is about to leave.

// Outgoing returns the message that is about to leave. It returns nil outside of onsend_route.
func (c *Ctx) Outgoing() *proxy.Outgoing {
	if c.kind != OnsendRoute {
		return nil
	}
	return &c.Shard.Core.Outgoing
}

// messageLen is msg:len, the length of what was received, or in onsend_route of what will be sent.
func (c *Ctx) messageLen() int64 {
	if o := c.Outgoing(); o != nil {
		return int64(o.Len())
	}
	return int64(len(c.Msg.Raw))
}

// side returns the local or the remote address of the message being sent. It returns nil if none
// is.
type side func(c *Ctx) *netio.Addr

func sentTo(c *Ctx) *netio.Addr {
	if o := c.Outgoing(); o != nil {
		return &o.To
	}
	return nil
}

func sentFrom(c *Ctx) *netio.Addr {
	if o := c.Outgoing(); o != nil {
		return &c.Shard.Listeners[o.By].Addr
	}
	return nil
}

// sendProto returns the transport of the message being sent. It returns false if none is.
func (c *Ctx) sendProto() (Transport, bool) {
	o := c.Outgoing()
	if o == nil {
		return AnyTransport, false
	}
	return o.To.Proto, true
}

// defineOnsendValues adds the keywords snd_ip, to_port and the like.
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

// mayStand reports a keyword of onsend_route that stands where onsend_route cannot reach it.
func (cc *compiler) mayStand(n *syntax.Name, d *coreValue) {
	if d.onsend && cc.kind&InOnsend == 0 &&
		(cc.sub == nil || cc.runFor[cc.sub.name]&InOnsend == 0) {
		cc.ld.errorf(n.Pos, "%s belongs in onsend_route: elsewhere nothing is about to be sent",
			n.Name)
	}
}
