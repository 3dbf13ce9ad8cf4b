package route

import "viaduct/shard/txn"

// OnRequest runs read on the request of tx and returns its value. A nil tx means the transaction of
// the current message. It returns null if the transaction has not kept its request.
func (c *Ctx) OnRequest(tx *txn.Tx, read func(c *Ctx) Value) Value {
	if tx == nil {
		if c.Request != nil {
			return read(c)
		}
		if tx = c.Tx; tx == nil {
			return Value{}
		}
	}
	r := c.Shard.Core.RequestOf(tx)
	if r == nil {
		return Value{}
	}
	return c.on(&atHand{Msg: r.M, Request: r, kind: FailureRoute}, read)
}

// OnReply runs read on the best response of the transaction and returns its value. In a reply route
// that is the current response. It returns null if there is none.
func (c *Ctx) OnReply(read func(c *Ctx) Value) Value {
	if c.Request == nil {
		return read(c)
	}
	tx := c.Request.Tx
	if tx == nil {
		return Value{}
	}
	m := c.Shard.Core.BestReply(tx)
	if c.Request.Losing() != nil {
		m = c.Request.BestResponse()
	}
	if m == nil {
		return Value{}
	}
	p := &c.Shard.Core.Reply
	was := p.M
	p.M = m
	defer func() { p.M = was }()
	return c.on(&atHand{Msg: m, Reply: p, Tx: tx, kind: ReplyRoute}, read)
}

// on runs read with at as the current message, and returns its value.
func (c *Ctx) on(at *atHand, read func(c *Ctx) Value) Value {
	outer := c.atHand
	c.ruri.forget()
	c.duri.forget()
	c.atHand = *at
	v := read(c)
	c.atHand = outer
	c.ruri.forget()
	c.duri.forget()
	return v
}
