package proxy

import (
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/txn"
)

// targetOf is the destination of a set that br went to, nil if it was none or is
// gone.
func (c *Core) targetOf(br *txn.Branch) *balance.Target {
	if br.Target() == 0 || c.table == nil {
		return nil
	}
	return c.table.Target(br.Target())
}

func (c *Core) event(t *balance.Target, e balance.Event) {
	if e != balance.NoEvent && c.cfg.OnTarget != nil {
		c.cfg.OnTarget(t, e, "call")
	}
}

// BranchTimeout is txn.User's: the destination said nothing, or nothing final
// (§16.8). It counts as a 408.
func (c *Core) BranchTimeout(tx *txn.Tx, br *txn.Branch) {
	if t := c.targetOf(br); t != nil && !br.Heard() {
		c.suspect(t, br)
	}
	if tx.Answered() || tx.State() == txn.Terminated {
		return
	}
	tx.UserFlags |= anyTimeout
	if !br.Heard() && c.tx.TimeLeft(tx) && c.failover(tx, br) {
		return
	}
	heard := br.Provisional()
	if heard {
		tx.UserFlags |= anyReplied
	}
	if c.note(tx, 408, true) && heard {
		tx.UserFlags |= bestHeard
	}
	if c.tx.Pending(tx) == 0 {
		c.conclude(tx, br)
	}
}

// suspect books a call that a destination did not answer at all. One alone may be
// a request it does not like; the second one without a sign of life between them
// counts.
func (c *Core) suspect(t *balance.Target, br *txn.Branch) {
	nowMs := c.now / 1e6
	since, known := c.suspects[t.UID]
	if !known || t.LastResponseMs() >= since {
		c.suspects[t.UID] = nowMs
		return
	}
	if e := t.FailTimeout(br.SentAt()/1e6, nowMs); e != balance.NoEvent {
		delete(c.suspects, t.UID)
		c.event(t, e)
	}
}

// Expired is txn.User's: the transaction has lasted longer than max_inv_lifetime
// or max_noninv_lifetime allows, whatever its destinations do. No failure route
// runs: there is no time left for what it might try.
func (c *Core) Expired(tx *txn.Tx) {
	if !tx.Answered() {
		c.note(tx, 408, true)
		c.sendBest(tx, nil)
	}
	if !tx.Answered() {
		c.tx.Terminate(tx)
	}
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		c.tx.Abandon(br)
		return true
	})
}

// BranchFailed is txn.User's: the request did not reach the destination (§16.9:
// as if it had answered 503, which we do not pass on).
func (c *Core) BranchFailed(tx *txn.Tx, br *txn.Branch) {
	if t := c.targetOf(br); t != nil {
		c.event(t, t.Fail(c.now/1e6))
	}
	if tx.Answered() || tx.State() == txn.Terminated || c.failover(tx, br) {
		return
	}
	c.note(tx, 503, true)
	if c.tx.Pending(tx) == 0 {
		c.conclude(tx, br)
	}
}

// failover sends what br sent to the next destination of its set, with a branch
// of its own (RFC 3263 §4.3), unless a failure route decides about that. A destination that is reached by another listener is
// passed over if our Record-Route, which names this one, stands in the request.
func (c *Core) failover(tx *txn.Tx, br *txn.Branch) bool {
	sent := c.tx.Request(br)
	if c.table == nil || sent == nil || br.Target() == 0 || tx.Canceled() || tx.UserFlags&noMoreTargets != 0 || c.failureRoute(tx) != 0 {
		return false
	}
	if !picksOf(tx).Has(br.Target()) {
		return false // one branch of several, of another set than the one whose list was kept
	}
	var t *balance.Target
	by := -1
	for {
		if t = picksOf(tx).NextTarget(c.table); t == nil {
			return false
		}
		if t.Addr.Family == 0 {
			continue
		}
		by = c.leavesBy(&t.Addr, t.UID, tx.Listener())
		if by >= 0 && (by == br.Listener() || tx.UserFlags&recordedRoute == 0) {
			break
		}
	}
	next := c.tx.NewBranch(tx, txn.Destination{Addr: t.Addr, Listener: uint16(by), Target: t.UID, Breadth: uint16(br.Breadth())})
	if next == nil {
		return false
	}
	next.SetReplyRoute(br.ReplyRoute())
	if c.stored.Parse(sent) != parser.OK {
		c.tx.Discard(next)
		return false
	}
	m, p := &c.stored, &c.plan
	p.Reset(sent)
	if tx.UserFlags&pickedURI != 0 {
		uri := c.targetURI(c.take(int(m.URI.Len)+64), m.Bytes(m.URI), t)
		p.Replace(m.URI.Off, m.URI.Len, uri)
	}
	via := c.listeners[by].via
	row := c.tx.AppendBranch(append(c.take(len(via)+txn.BranchBytes+2), via...), next)
	p.Replace(m.Headers[0].Line.Off, m.Headers[0].Line.Len, append(row, "\r\n"...))
	room := c.tx.Room(next, p.Bytes())
	if room == nil {
		c.tx.Discard(next)
		return false
	}
	p.WriteTo(room)
	c.tx.Send(tx, next)
	c.count[CountFailover]++
	c.count[CountForwarded]++
	return true
}
