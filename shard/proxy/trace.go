package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
)

// At debug level each step of a call is told, with its Call-ID. All of it is behind Core.tracing:
// below that level a step costs one branch that always goes the same way. The functions here
// allocate.

// maxTraced bounds the transactions whose Call-ID is remembered. Beyond it, steps without a
// message, such as timers, are told without a Call-ID.
const maxTraced = 1 << 16

// Tracing reports whether steps are told.
func (c *Core) Tracing() bool { return c.tracing }

// trace tells a step of the request under way.
func (r *Request) trace(step string, attrs ...any) {
	r.core.cfg.Trace(r.M.CallID(), step, attrs...)
}

// traceNew tells that the request has a transaction now, and remembers its Call-ID.
func (r *Request) traceNew() {
	c := r.core
	if c.calls == nil {
		c.calls = make(map[uint64]string)
	}
	if len(c.calls) < maxTraced {
		c.calls[r.Tx.Key()] = string(r.M.CallID())
	}
	r.trace("a new transaction", "method", string(r.M.MethodBytes()))
}

// callOf returns the Call-ID of a transaction, empty if it is not known.
func (c *Core) callOf(tx *txn.Tx) []byte { return []byte(c.calls[tx.Key()]) }

// traceTx tells a step of a transaction.
func (c *Core) traceTx(tx *txn.Tx, step string, attrs ...any) {
	c.cfg.Trace(c.callOf(tx), step, append(attrs, "state", tx.State().String())...)
}

// traceBranch tells a step of a branch.
func (c *Core) traceBranch(br *txn.Branch, step string, attrs ...any) {
	to := br.Addr()
	c.cfg.Trace(c.callOf(c.tx.Tx(br)), step,
		append([]any{"branch", br.Index(), "to", c.addr(&to), "by", c.listenerName(br.Listener())},
			attrs...)...)
}

// traceResponse tells of a response to a branch that waited for one.
func (c *Core) traceResponse(br *txn.Branch, m *parser.Message) {
	from := br.Addr()
	method := "INVITE"
	if cseq, reason := m.CSeq(); reason == parser.OK {
		method = string(cseq.MethodName.Of(m.Raw))
	}
	step := "a response to a branch"
	if br.OfCancel() {
		step = "a response to a CANCEL of ours"
	}
	c.cfg.Trace(m.CallID(), step, "code", int(m.Status), "method", method, "branch", br.Index(),
		"destination", c.addr(&from), "state", br.State().String())
}

// tracePassed tells that a response goes up.
func (c *Core) tracePassed(tx *txn.Tx, m *parser.Message, status int) {
	to := tx.ReplyTo()
	c.cfg.Trace(m.CallID(), "a response passed on", "code", status, "to", c.addr(&to), "by",
		c.listenerName(tx.Listener()))
}

// traceAnswer tells of a response made here.
func (c *Core) traceAnswer(m *parser.Message, code int, phrase string, to netio.Addr) {
	c.cfg.Trace(m.CallID(), "answered here", "code", code, "phrase", phrase, "to", c.addr(&to))
}

// Ended is called by the transaction table, while steps are told, when a transaction has ended.
func (c *Core) Ended(tx *txn.Tx) {
	c.traceTx(tx, "the transaction ended", "last_code", tx.Status(), "branches", tx.Total())
	delete(c.calls, tx.Key())
}

// Sent is called by the transaction table, while steps are told, when something left that no step
// here tells.
func (c *Core) Sent(tx *txn.Tx, br *txn.Branch, method parser.Method, again txn.Again) {
	step := "sent by a transaction"
	if again {
		step = "sent again by a transaction"
	}
	if br == nil {
		to := tx.ReplyTo()
		c.traceTx(tx, step, "code", tx.Status(), "method", method.String(), "to", c.addr(&to), "by",
			c.listenerName(tx.Listener()))
		return
	}
	to := br.Addr()
	c.traceTx(tx, step, "method", method.String(), "branch", br.Index(), "to", c.addr(&to), "by",
		c.listenerName(br.Listener()))
}

func (c *Core) addr(a *netio.Addr) string { return AddrText(a) }

func (c *Core) listenerName(by int) string {
	l := &c.listeners[by]
	return AddrText(&l.addr)
}

// AddrText returns an address with its transport, as "udp:192.0.2.1:5060".
func AddrText(a *netio.Addr) string {
	if a.Family == 0 {
		return ""
	}
	return string(a.AppendTo(append(appendLower(nil, []byte(a.Proto.String())), ':')))
}
