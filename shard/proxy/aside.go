package proxy

import (
	"viaduct/parser"
	"viaduct/shard/txn"
)

// aside is the request of a transaction that a program asks about while it works on another
// message.
type aside struct {
	request Request
	m       parser.Message
	waiting waitingRelay
	reply   parser.Message
}

// RequestOf returns the request of tx, to be read only: what tx keeps of it, or what it sent first.
// The result is valid until the next call. It is nil if nothing of the request is left. Slow path:
// the memory for it is made at the first call.
func (c *Core) RequestOf(tx *txn.Tx) *Request {
	c.makeAside()
	a, concluding, running := c.aside, c.concluding, c.running
	defer func() { c.concluding, c.running = concluding, running }()
	if c.resumeInto(&a.request, &a.m, &a.waiting, tx) {
		return &a.request
	}
	var sent []byte
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		if !br.Final() { // else it is an ACK
			sent = c.tx.Request(br)
		}
		return sent == nil
	})
	from := tx.ReplyTo()
	if sent == nil || a.m.Parse(sent) != parser.OK ||
		!a.request.Begin(&a.m, &from, tx.Listener()) {
		return nil
	}
	a.request.Tx, a.request.resumed = tx, true
	return &a.request
}

func (c *Core) makeAside() {
	if c.aside == nil {
		c.aside = new(aside)
		c.aside.request.core = c
	}
}

// BestReply returns the best response of tx so far, to be read only, valid until the next call. It
// is nil if no response came, or if the best one was made here.
func (c *Core) BestReply(tx *txn.Tx) *parser.Message {
	kept := c.tx.Best(tx)
	if kept == nil {
		return nil
	}
	c.makeAside()
	if c.aside.reply.Parse(kept) != parser.OK {
		return nil
	}
	return &c.aside.reply
}
