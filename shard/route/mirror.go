package route

import "viaduct/shard/trace"

// Mirrors has f told of each message that a shard receives or sends, in the order of the wire,
// while the program is the one of new requests. f runs on the shard, within whatever it works on,
// and must be short. The message is valid until f returns.
func (m *Module) Mirrors(f func(c *Ctx, x *trace.Message)) { m.mirrors = append(m.mirrors, f) }

// Mirrors returns what the program's modules want to be told of messages.
func (p *Program) Mirrors() []func(c *Ctx, x *trace.Message) { return p.mirrors }

// Judge runs the event's route, if there is one, on a copy of a message. It returns false if the
// route drops it. It must be called between two messages.
func (e *Event) Judge(c *Ctx, text []byte) bool {
	if !e.HasRoute() || c.Msg != nil || c.raised == maxRaised {
		return true
	}
	a := c.answerAtHand()
	if a.m.Parse(text) != 0 {
		return true
	}
	at := &atHand{Msg: &a.m, kind: CoreReplyRoute}
	if a.m.IsRequest {
		r := &c.Shard.Core.Request
		if !r.BeginOwn(&a.m, &ownSource) {
			return true
		}
		at.Request, at.kind = r, RequestRoute
	} else {
		a.reply.BeginCopy(c.Shard.Core, &a.m, &ownSource)
		at.Reply = &a.reply
	}
	c.raised++
	defer func() { c.raised-- }()
	o := e.prog.enter(c, e.rt, at)
	e.logLimit(c, o)
	return o != Dropped
}
