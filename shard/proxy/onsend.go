package proxy

import (
	"viaduct/netio"
	"viaduct/shard/txn"
)

// Outgoing is the message that is about to leave, while onsend_route runs. Nothing that the route
// does changes it.
type Outgoing struct {
	To   netio.Addr // transport included
	By   int        // the listener it leaves by
	plan *Plan
}

// Len is the length of the message in bytes.
func (o *Outgoing) Len() int { return o.plan.Bytes() }

// WriteTo writes the message into b, which must be Len bytes long.
func (o *Outgoing) WriteTo(b []byte) { o.plan.WriteTo(b) }

// letsOut asks onsend_route, if there is one, about the request in the Core's plan. It returns
// false if the request must not leave.
func (r *Request) letsOut(to *netio.Addr, by int) bool {
	return !r.core.cfg.OnsendRequests || r.ours() || r.asksOnsend(to, by)
}

// asksOnsend runs onsend_route. Slow path: few programs have one.
func (r *Request) asksOnsend(to *netio.Addr, by int) bool {
	c, branching := r.core, r.branching
	c.Outgoing = Outgoing{*to, by, &c.plan}
	r.branching = true // so it cannot relay, and what it decides is not kept
	send := c.cfg.Script.Onsend(r)
	r.branching = branching
	return send
}

// letsOutAgain is letsOut for a request that is sent to the next address or destination: the
// request under way is then the one that the transaction keeps.
func (c *Core) letsOutAgain(tx *txn.Tx, to *netio.Addr, by int) bool {
	return !c.resume(tx) || c.Request.letsOut(to, by)
}

// letsReplyOut asks onsend_route about the response in the Core's plan.
func (c *Core) letsReplyOut(to *netio.Addr, by int) bool {
	c.Outgoing = Outgoing{*to, by, &c.plan}
	return c.cfg.Script.Onsend(nil)
}
