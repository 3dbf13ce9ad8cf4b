package route

import "viaduct/shard/proxy"

// Accounting is what a module does about transactions that come to an end.
type Accounting struct {
	// Flags are the message flags of the transactions that Heard is told of, and Keeps those with
	// which a request is kept for that. With All every request is kept. With Acks Heard is told of
	// ACKs to 2xx too. They are known when Open is called.
	Flags, Keeps uint32
	All, Acks    bool
	// Heard is told of each moment of a transaction. It runs on the request, whatever the shard
	// works on, and with the variables that the transaction keeps. Text it reads is valid until it
	// returns.
	Heard func(c *Ctx, a *proxy.Accounted)
}

// Accounts has the module told of transactions. One module of a file may ask for that.
func (m *Module) Accounts(a *Accounting) { m.accounting = a }

// Compiles has f called with the routes, for variables that the module's parameters name.
func (m *Module) Compiles(f func(b *VarBuild)) { m.compiles = append(m.compiles, f) }

// Append appends the variable's value as text, nothing for null, and gives back the scratch room
// that reading it took. A value without room in dst is cut.
func (p *Place) Append(c *Ctx, dst []byte) []byte {
	mark, fault, stop := len(c.buf), c.Fault, c.stop
	if v := p.Value(c); !v.IsNull() {
		text := c.TextOf(v)
		dst = append(dst, text[:min(len(text), cap(dst)-len(dst))]...)
	}
	c.buf, c.Fault, c.stop = c.buf[:mark], fault, stop
	return dst
}

// Accounting returns what the program's modules do about transactions that end, nil for nothing.
func (p *Program) Accounting() *Accounting { return p.accounting }

// Account tells the program's module of a moment of one of its transactions, between two steps of a
// run, or between two messages. Without anything left of the request nothing is done.
func (p *Program) Account(c *Ctx, a *proxy.Accounted) {
	if p.accounting == nil || a.Flags(c.Shard.Core)&p.accounting.Flags == 0 {
		return
	}
	r := a.Request
	if r == nil {
		if r = c.Shard.Core.RequestOf(a.Tx); r == nil {
			return
		}
		if a.URI != nil {
			r.SetRequestURI(a.URI)
		}
	}
	at := atHand{Msg: r.M, Request: r, kind: RequestRoute}
	if a.Missed && a.Request == nil {
		at.kind = FailureRoute // for $T_reply_code
	}
	if c.Msg == nil {
		c.begin(p)
		c.atHand = at
		c.ReadKept(c.Shard.Core.Vars(a.Tx))
		p.accounting.Heard(c, a)
		c.kept.changed = false
		c.end()
		return
	}
	outer, text := c.atHand, len(c.buf)
	own := c.Request
	others := a.Ack || (own == nil || own.Tx != a.Tx) && c.Tx != a.Tx
	if others { // the variables at hand are those of another transaction
		if c.otherKept == nil {
			c.otherKept = newKept()
		}
		c.kept, c.otherKept = c.otherKept, c.kept
		c.ReadKept(c.Shard.Core.Vars(a.Tx))
	}
	c.atHand = at
	c.ruri.forget()
	c.duri.forget()
	p.accounting.Heard(c, a)
	if others {
		c.kept, c.otherKept = c.otherKept, c.kept
	}
	c.atHand, c.buf = outer, c.buf[:text]
	c.ruri.forget()
	c.duri.forget()
}
