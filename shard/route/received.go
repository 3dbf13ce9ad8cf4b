package route

import (
	"viaduct/netio"
	"viaduct/shard/proxy"
)

// What is run before anything is known of a message: event_route[core:msg-received], and
// event_route[core:receive-parse-error] where nothing ever will be.

// maxReceived is the longest text that SetReceived takes: what a datagram may have.
const maxReceived = 65_507

// Received runs event_route[core:msg-received] on p, whose text it may change. It returns false if
// the route has dropped it: with drop, or since the last that it did has returned less than 0
// (5.6.3).
func (p *Program) Received(c *Ctx, packet *netio.Packet) (goOn bool) {
	e := p.core.received
	o, ran := e.onOwn(c, nil, packet)
	return !ran || o != Dropped && (o != Ended || c.Return >= 0)
}

// Received is the message that event_route[core:msg-received] is run for; nil in all other routes.
func (c *Ctx) Received() *netio.Packet { return c.packet }

// SetReceived puts a text in the place of what was received. It returns false in all other routes,
// and where the text is longer than a datagram.
func (c *Ctx) SetReceived(text []byte) bool {
	if c.packet == nil || len(text) > maxReceived {
		return false
	}
	c.packet.Data = c.Shard.Core.Keep(text)
	return true
}

// HearsReceived tells whether there is a route for Received.
func (p *Program) HearsReceived() bool { return p.core.received.Heard() }

// ParseError runs event_route[core:receive-parse-error] on r, which is a malformed message. It
// returns false if the route has dropped it or answered.
func (p *Program) ParseError(c *Ctx, r *proxy.Request) (goOn bool) {
	c.Acted, c.Unanswered, c.ReplyIgnore = false, false, 0
	o := p.enter(c, p.core.parseError.rt, &atHand{Msg: r.M, Request: r, kind: RequestRoute})
	p.core.parseError.logLimit(c, o)
	return o != Dropped && !c.Acted
}

// HearsParseErrors tells whether there is a route for ParseError.
func (p *Program) HearsParseErrors() bool { return p.core.parseError.Heard() }
