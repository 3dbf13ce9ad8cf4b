package proxy

import (
	"viaduct/parser"
	"viaduct/shard/txn"
)

// Accounted is a moment of a transaction that accounting is told of.
type Accounted struct {
	Tx *txn.Tx
	// Request is the request if it is at hand, else nil: then RequestOf has what is left of it.
	Request *Request
	// URI is the Request-URI of the branch whose response this is, nil if that is not known.
	URI []byte
	// Response is the response that has left, nil if nothing but Status is known of it.
	Response *parser.Message
	Status   int
	Local    bool // the response was made here
	// Missed says that the destinations of an INVITE have failed, before a failure route may try
	// others. The caller has no answer yet.
	Missed bool
	Ack    bool // Request is an ACK to the 2xx of Tx
}

// accounts reports whether tx is one that accounting is told of. Responses that end what a panic
// has left, and requests of our own, are none.
func (c *Core) accounts(tx *txn.Tx) bool {
	return c.cfg.Account != nil && tx != nil && !c.aborting && !tx.Ours() && !tx.Replicated()
}

// keepsFor reports whether a request with these message flags is kept for Account.
func (c *Config) keepsFor(flags uint32) bool {
	return c.Account != nil && (c.AccountAll || flags&c.AccountFlags != 0)
}

// account tells accounting that m has left, a response that br received. atHand is the branch whose
// response was handled last.
func (c *Core) account(tx *txn.Tx, br, atHand *txn.Branch, m *parser.Message, status int) {
	if c.accounts(tx) {
		a := &c.accounted
		*a = Accounted{Tx: tx, URI: c.accountURI(br, atHand), Response: m, Status: status}
		c.cfg.Account(a)
	}
}

// accountOwn tells accounting of a response made here, in text, to the request r, which may be nil.
func (c *Core) accountOwn(r *Request, tx *txn.Tx, status int, text []byte) {
	if status < 200 || !c.accounts(tx) {
		return
	}
	a := &c.accounted
	*a = Accounted{Tx: tx, Request: r, Status: status, Local: true}
	if a.Flags(c)&c.cfg.AccountFlags == 0 {
		return
	}
	m := c.spareReply()
	if m.Parse(text) != parser.OK {
		m = nil
	}
	a.Response = m
	if status >= 300 && tx.Invite() && c.missed != tx {
		a.Missed = true
		c.cfg.Account(a)
		a.Missed = false
	}
	if last := c.bestBranch(tx); last != nil && last.Status() == status {
		a.URI = c.accountURI(last, nil)
	}
	c.cfg.Account(a)
}

// accountMissed tells accounting that the destinations of tx, an INVITE, have failed. br is the
// branch that ended last, and m its response, if that is at hand.
func (c *Core) accountMissed(tx *txn.Tx, br *txn.Branch, m *parser.Message) {
	if !tx.Invite() || !c.accounts(tx) {
		return
	}
	status := tx.BestStatus()
	local := tx.UserFlags&bestLocal != 0
	if tx.Canceled() && (status == 0 || local) {
		status, local = 487, true
	}
	if status < 300 {
		return
	}
	if m == nil || int(m.Status) != status {
		m = nil
		if kept := c.tx.Best(tx); kept != nil {
			if m = c.spareReply(); m.Parse(kept) != parser.OK {
				m = nil
			}
		}
	}
	a := &c.accounted
	*a = Accounted{Tx: tx, Response: m, Status: status, Local: local, Missed: true,
		URI: c.accountURI(c.bestBranch(tx), br)}
	c.cfg.Account(a)
}

// accountAck tells accounting of an ACK that is sent on.
func (r *Request) accountAck() {
	c := r.core
	if !c.cfg.AccountAcks || !r.HasToTag() {
		return
	}
	cseq, reason := r.M.CSeq()
	if reason != parser.OK {
		return
	}
	tx := c.tx.FindCall(r.M.CallID(), cseq.Number)
	if tx == nil || !tx.Invite() || !tx.Answered() || !c.accounts(tx) {
		return
	}
	a := &c.accounted
	*a = Accounted{Tx: tx, Request: r, Status: tx.Status(), Ack: true}
	c.cfg.Account(a)
}

// accountURI returns the Request-URI of br. atHand is the branch whose response was handled last:
// its request is only there as the one that was answered.
func (c *Core) accountURI(br, atHand *txn.Branch) []byte {
	switch {
	case br == nil:
		return nil
	case br == atHand:
		return c.BranchURI(br)
	}
	return uriOf(c.tx.Request(br))
}

// bestBranch returns the last branch of tx that has the best status, nil if none has.
func (c *Core) bestBranch(tx *txn.Tx) (best *txn.Branch) {
	status := tx.BestStatus()
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		if br.Status() == status {
			best = br
		}
		return true
	})
	return best
}

// spareReply is where a response is parsed that others only look at.
func (c *Core) spareReply() *parser.Message {
	c.makeAside()
	return &c.aside.reply
}

// Flags returns the message flags of a transaction that is accounted for.
func (a *Accounted) Flags(c *Core) uint32 {
	if a.Request != nil && !a.Ack {
		return a.Request.Flags
	}
	return c.TxFlags(a.Tx)
}

// ClearFlags takes message flags from the transaction.
func (a *Accounted) ClearFlags(c *Core, flags uint32) {
	if a.Request != nil && !a.Ack {
		a.Request.Flags &^= flags
	}
	c.SetTxFlags(a.Tx, c.TxFlags(a.Tx)&^flags)
}

// Program returns the hash of the program that decided about the transaction, 0 if nothing tells.
func (a *Accounted) Program(c *Core) uint64 {
	if a.Request != nil && !a.Ack {
		return a.Request.Program
	}
	if s := c.saved(a.Tx); s != nil {
		return s.Program
	}
	return 0
}
