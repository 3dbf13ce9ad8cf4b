package route

import (
	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
)

// RunsOnResponses makes e the event of responses that are made here and have left through a
// transaction (tm:local-response).
func (m *Module) RunsOnResponses(e *Event) {
	e.also = InCoreReply
	m.responded = e
}

// HearsResponses tells whether Responded runs anything.
func (p *Program) HearsResponses() bool { return p.responded.HasRoute() }

// answered is a response that event routes run on.
type answered struct {
	m     parser.Message
	reply proxy.Reply
}

// answerAtHand is where the response is parsed that an event's route runs on.
func (c *Ctx) answerAtHand() *answered {
	if c.raised > 0 {
		return &answered{} // Slow path: the route of another event has the usual one
	}
	if c.answered == nil {
		c.answered = &answered{}
	}
	return c.answered
}

// RaiseAnswered runs the event's route, if there is one, on the response that the request at hand
// was just answered with, without a transaction. The response has left, so what the route changes
// of it is lost.
func (e *Event) RaiseAnswered(c *Ctx) {
	if !e.HasRoute() || c.Request == nil || c.raised == maxRaised {
		return
	}
	a := c.answerAtHand()
	if !c.Request.Answered(&a.reply, &a.m) {
		return
	}
	at := &c.answeredAt
	*at = atHand{Msg: &a.m, Reply: &a.reply, kind: CoreReplyRoute}
	c.raised++
	defer func() { c.raised-- }()
	e.logLimit(c, c.within(e.rt, at))
}

// Responded runs the route on the response in text, which was made here and has left through tx: in
// the run at hand, whose variables it sees, or else with those that tx keeps. The response has
// left, so what the route changes of it is lost.
func (p *Program) Responded(c *Ctx, tx *txn.Tx, text []byte) {
	within := c.Msg != nil
	if within && c.prog != nil {
		p = c.prog
	}
	e := p.responded
	if !e.HasRoute() || c.raised == maxRaised {
		return
	}
	a := c.answerAtHand()
	if a.m.Parse(text) != parser.OK {
		return
	}
	a.reply.BeginOf(c.Shard.Core, tx, &a.m)
	at := &c.answeredAt
	*at = atHand{Msg: &a.m, Reply: &a.reply, kind: CoreReplyRoute}
	c.raised++
	defer func() { c.raised-- }()
	if within {
		e.logLimit(c, c.within(e.rt, at))
		return
	}
	c.begin(p)
	c.atHand = *at
	c.kept.reset()
	if tx.Saved() != 0 {
		c.ReadKept(c.Shard.Core.Vars(tx))
	}
	o := p.run(c, e.rt.entry, 0)
	if c.kept.changed && tx.Saved() != 0 && tx.State() != txn.Terminated {
		c.Shard.Core.KeepVars(tx, c)
	}
	c.end()
	e.logLimit(c, o)
}
