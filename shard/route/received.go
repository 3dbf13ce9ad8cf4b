package route

import (
	"viaduct/netio"
	"viaduct/shard/proxy"
)

// Events that run before a message is parsed or where parsing fails: event_route[core:msg-received]
// and event_route[core:receive-parse-error].

// maxReceived is the longest text that SetReceived accepts, the payload of the largest datagram.
const maxReceived = 65_507

// Received runs event_route[core:msg-received] on the message in packet, whose text the route may
// change. It returns false if the route has dropped the message: with drop, or because its last
// action returned less than 0 (5.6.3).
func (p *Program) Received(c *Ctx, packet *netio.Packet) (goOn bool) {
	e := p.core.received
	o, ran := e.onOwn(c, nil, packet)
	return !ran || o != Dropped && (o != Ended || c.Return >= 0)
}

// Received returns the message that event_route[core:msg-received] is running for. It returns nil
// in all other routes.
func (c *Ctx) Received() *netio.Packet { return c.packet }

// SetReceived replaces the text of the received message. It returns false in all other routes, and
// if the text is longer than a datagram.
func (c *Ctx) SetReceived(text []byte) bool {
	if c.packet == nil || len(text) > maxReceived {
		return false
	}
	c.packet.Data = c.Shard.Core.Keep(text)
	return true
}

// HasReceivedRoute tells whether the file has a route for Received.
func (p *Program) HasReceivedRoute() bool { return p.core.received.HasRoute() }

// ParseError runs event_route[core:receive-parse-error] on r, a malformed message. It returns false
// if the route has dropped or answered it.
func (p *Program) ParseError(c *Ctx, r *proxy.Request) (goOn bool) {
	c.Acted, c.Unanswered, c.ReplyIgnore = false, false, 0
	o := p.enter(c, p.core.parseError.rt, &atHand{Msg: r.M, Request: r, kind: RequestRoute})
	p.core.parseError.logLimit(c, o)
	return o != Dropped && !c.Acted
}

// HasParseErrorRoute tells whether the file has a route for ParseError.
func (p *Program) HasParseErrorRoute() bool { return p.core.parseError.HasRoute() }
