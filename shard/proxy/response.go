package proxy

import (
	"bytes"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/txn"
)

// Fate is what became of a response.
type Fate uint8

// The fates.
const (
	Forwarded  Fate = iota
	Absorbed        // a retransmission, or hop by hop
	NotOurs         // the top Via is not ours (§18.1.2)
	NoViaLeft       // ours is the only Via: nobody to give it to (§16.7 step 3)
	Stray           // no transaction waits for it (RFC 6026 §7.3)
	OtherShard      // its branch names another shard
)

// Response handles a response (§16.7). When the fate is OtherShard, shard says
// whose it is.
func (c *Core) Response(m *parser.Message) (fate Fate, shard int) {
	via, reason := m.TopVia()
	if reason != parser.OK || !c.viaIsOurs(via.SentBy.Of(m.Raw)) {
		return NotOurs, 0
	}
	branch := via.Branch.Of(m.Raw)
	id, ok := txn.ParseBranch(branch)
	if !ok {
		if c.cfg.StatelessReply && len(branch) == len(statelessPrefix)+16 && string(branch[:len(statelessPrefix)]) == statelessPrefix {
			return c.forwardStateless(m, via), 0
		}
		c.count[txn.CountStrayReplies]++
		return Stray, 0
	}
	if id.Shard != c.tx.Shard() {
		return OtherShard, id.Shard
	}
	br := c.tx.MatchResponse(m, id)
	if br == nil {
		c.count[txn.CountStrayReplies]++
		return Stray, 0
	}
	if !via.More && m.Next(via.Row) < 0 && !br.OfCancel() {
		return NoViaLeft, 0 // whoever made it did not answer our request, which had the caller's Via below ours
	}
	if t := c.targetOf(br); t != nil {
		t.Success(c.now / 1e6)
	}
	if !c.tx.Response(br, m) {
		return Absorbed, 0
	}
	c.upstream(c.tx.Tx(br), br, m, via)
	return Forwarded, 0
}

// upstream passes a response on (§16.7 steps 3 to 9). A provisional and a 2xx go
// at once; another final goes once no branch is left that could do better.
func (c *Core) upstream(tx *txn.Tx, br *txn.Branch, m *parser.Message, via *parser.Via) {
	status := int(m.Status)
	if status >= 300 && (tx.Answered() || c.tx.Pending(tx) > 0) {
		return
	}
	p := &c.plan
	p.Reset(m.Raw[:end(m)])
	if m.StartLine.Off > 0 {
		p.Cut(0, m.StartLine.Off)
	}
	if status == 503 && c.cfg.Remap503 {
		// §16.7 step 6: our own overload is not what the 503 says.
		status = 500
		c.planStatus(p, m, status, "Server Internal Error")
	}
	p.Cut(via.Cut.Off, via.Cut.Len)
	if c.tx.Respond(tx, status, p.Segments()) {
		c.count[CountRepliesFwd]++
	}
	if status >= 200 && status < 300 && tx.Invite() {
		// §16.7 step 10: the others are not needed any more.
		c.tx.Branches(tx, func(other *txn.Branch) bool {
			if other != br {
				c.tx.CancelBranch(other)
			}
			return true
		})
	}
}

// planStatus replaces code and reason phrase.
func (c *Core) planStatus(p *Plan, m *parser.Message, code int, phrase string) {
	const at = len("SIP/2.0 ")
	b := append(appendInt(c.take(len(phrase)+4), code), ' ')
	b = append(b, phrase...)
	p.Replace(m.StartLine.Off+uint32(at), m.StartLine.Len-uint32(at), b)
}

// forwardStateless passes a response on by its next Via alone (§16.11, §18.2.2).
func (c *Core) forwardStateless(m *parser.Message, top *parser.Via) Fate {
	vias := m.Values(parser.KindVia)
	vias.Next() // ours
	if !vias.Next() {
		return NoViaLeft
	}
	var next parser.Via
	var to netio.Addr
	if parser.ParseVia(m.Raw, vias.Value, &next) != parser.OK {
		return NoViaLeft
	}
	host := next.Host // maddr is not followed, see Request.responseTarget
	if !next.Received.Empty() {
		host = next.Received
	}
	if !parseIP(host.Of(m.Raw), &to) || broadcast(&to) {
		c.count[CountUnresolvable]++
		return NoViaLeft
	}
	to.Port = next.Port
	if next.RPort != 0 {
		to.Port = next.RPort
	}
	if to.Port == 0 {
		to.Port = defaultPort
	}
	// The reply leaves by the listener the request came in by (RFC 3581 §4), which is the one our own Via names unless
	// the request changed sides; then the family decides.
	by := c.listenerOf(top.SentBy.Of(m.Raw))
	if by = c.cfg.Egress.Egress(&to, by); by < 0 {
		return NoViaLeft
	}
	p := &c.plan
	p.Reset(m.Raw[:end(m)])
	if m.StartLine.Off > 0 {
		p.Cut(0, m.StartLine.Off)
	}
	p.Cut(top.Cut.Off, top.Cut.Len)
	c.send(by, &to, p.Segments())
	c.count[CountRepliesFwd]++
	return Forwarded
}

func (c *Core) listenerOf(sentBy []byte) int {
	for i := range c.listeners {
		if equalFold(sentBy, c.listeners[i].sentBy) {
			return i
		}
	}
	return 0
}

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
// (§16.8).
func (c *Core) BranchTimeout(tx *txn.Tx, br *txn.Branch) {
	if t := c.targetOf(br); t != nil && !br.Heard() {
		c.suspect(t, br)
	}
	switch {
	case tx.Answered() || tx.State() == txn.Terminated:
	case !tx.Canceled() && !br.Heard() && c.tx.TimeLeft(tx) && c.failover(tx, br):
	case c.tx.Pending(tx) > 1: // br itself is still counted
	case !tx.Invite():
		c.tx.Terminate(tx) // RFC 4320 §4.2: no 408 to a non-INVITE
	default:
		c.timedOut(tx, br)
	}
}

// timedOut answers an INVITE that nobody else answers.
func (c *Core) timedOut(tx *txn.Tx, br *txn.Branch) {
	if tx.Canceled() {
		c.replyLater(tx, br, 487, "Request Terminated")
		return
	}
	c.replyLater(tx, br, c.cfg.TimeoutStatus, "Request Timeout")
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
// or max_noninv_lifetime allows, whatever its destinations do.
func (c *Core) Expired(tx *txn.Tx) {
	if !tx.Answered() && tx.Invite() {
		c.tx.Branches(tx, func(br *txn.Branch) bool {
			if c.tx.Request(br) == nil {
				return true
			}
			c.timedOut(tx, br)
			return false
		})
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
	switch {
	case tx.Answered() || tx.State() == txn.Terminated:
	case !tx.Canceled() && c.failover(tx, br):
	case c.tx.Pending(tx) > 1:
	case tx.Canceled():
		c.replyLater(tx, br, 487, "Request Terminated")
	default:
		c.replyLater(tx, br, codeInternal, "Server Internal Error")
	}
}

// failover sends what br sent to the next destination of its set, with a branch
// of its own (RFC 3263 §4.3). A destination that is reached by another listener is
// passed over if our Record-Route, which names this one, stands in the request.
func (c *Core) failover(tx *txn.Tx, br *txn.Branch) bool {
	sent := c.tx.Request(br)
	if c.table == nil || sent == nil {
		return false
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
	next := c.tx.NewBranch(tx, txn.Destination{Addr: t.Addr, Listener: uint16(by), Target: t.UID})
	if next == nil {
		return false
	}
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

// NotDelivered gives an ICMP error to the transaction it hit. quoted is the
// beginning of the datagram that did not arrive. It reports the shard whose
// datagram it was; ok is false if that cannot be told.
func (c *Core) NotDelivered(quoted []byte) (shard int, ok bool) {
	branch := OurBranch(quoted)
	if len(branch) < txn.BranchBytes {
		return 0, false
	}
	id, ok := txn.ParseBranch(branch[:txn.BranchBytes])
	if !ok {
		return 0, false
	}
	if id.Shard == c.tx.Shard() {
		if br := c.tx.At(id); br != nil {
			c.tx.TransportError(br)
		}
	}
	return id.Shard, true
}

// OurBranch is what follows "branch=" in the first row of a request that left
// here: our Via. Nil if that is not what the bytes are.
func OurBranch(sent []byte) []byte {
	i := bytes.Index(sent, []byte("\r\nVia: SIP/2.0/UDP "))
	if i < 0 || bytes.IndexByte(sent, '\n') != i+1 {
		return nil // not the first row
	}
	row := sent[i+2:]
	if e := bytes.IndexByte(row, '\r'); e >= 0 {
		row = row[:e]
	}
	if _, branch, ok := bytes.Cut(row, []byte(";branch=")); ok {
		return branch
	}
	return nil
}
