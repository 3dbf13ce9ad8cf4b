package proxy

import (
	"bytes"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// Outcome is what became of a response.
type Outcome uint8

// The outcomes.
const (
	Forwarded Outcome = iota
	Absorbed          // a retransmission, or hop by hop
	NotOurs           // the top Via is not ours (§18.1.2)
	// without a transaction: no Via is left that says where to send it (§16.7 step 3)
	NoViaLeft
	Stray      // no transaction waits for it (RFC 6026 §7.3)
	OtherShard // its branch names another shard
	Unfit      // it can drive a transaction, and there is none
)

// Response handles a response (§16.7). check is the result of Check: OK, or a defect that Drives.
// If the outcome is OtherShard, shard says whose response it is.
func (c *Core) Response(m *parser.Message, check parser.Reason) (outcome Outcome, shard int) {
	via, reason := m.TopVia()
	if reason != parser.OK {
		return NotOurs, 0
	}
	branch := via.Branch.Of(m.Raw)
	id, ok := txn.ParseBranch(branch)
	if sentBy := via.SentBy.Of(m.Raw); !c.viaIsOurs(sentBy) &&
		(!ok || id.Shard == c.tx.Shard() && !c.wrote(id, sentBy)) {
		if ok && check == parser.OK && c.passFormer(m, via) {
			return Forwarded, 0 // our Via shows what a process before this one showed
		}
		return NotOurs, 0
	}
	if !ok {
		if check != parser.OK {
			return Unfit, 0
		}
		if n := len(branch) - len(statelessPrefix); c.cfg.StatelessReply && (n == 16 || n == 20) &&
			string(branch[:len(statelessPrefix)]) == statelessPrefix {
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
		return c.Stray(m, check), 0
	}
	of := c.tx.OfBranch(br)
	ours := of.Ours()
	whole := check == parser.OK && (ours || viaBelow(m, via))
	if (!whole || br.Lost() || ours || of.Replicated()) && !br.OfCancel() {
		c.tx.Hold(br)
	}
	if t := c.targetOf(br); t != nil && !br.Lost() { // a late one says nothing about now
		t.Success(br.SentAt()/1e6, c.now/1e6)
	}
	if br.Status() == 0 && of.Invite() && !br.OfCancel() {
		c.count.Observe(HistogramFirstResponse,
			uint64(max(c.now-br.SentAt(), 0)/int64(FirstResponseUnit)), 1)
	}
	if c.tracing {
		c.traceResponse(br, m)
	}
	if !c.tx.Response(br, m) {
		return Absorbed, 0
	}
	if !whole {
		if m, via = c.mend(m); m == nil {
			return Absorbed, 0
		}
	}
	c.upstream(c.tx.Tx(br), br, m, via)
	return Forwarded, 0
}

// viaBelow reports whether there is a Via below ours that can be read.
func viaBelow(m *parser.Message, top *parser.Via) bool {
	var v []byte
	if top.More {
		row := m.Headers[top.Row].Value
		v = bytes.TrimLeft(m.Raw[top.Cut.End():row.End()], " \t\r\n")
	} else if i := m.Next(top.Row); i >= 0 {
		v = m.Headers[i].Value.Of(m.Raw)
	}
	const version = "SIP/2.0/"
	if len(v) > len(version)+len("UDP ") && string(v[:len(version)]) == version {
		return true
	}
	// Slow path: few write it otherwise.
	var next parser.Via
	vias := m.Values(parser.KindVia)
	vias.Next() // ours
	return vias.Next() && parser.ParseVia(m.Raw, vias.Value, &next) == parser.OK
}

// Stray handles a response whose branch, one of ours by its form, names no transaction.
func (c *Core) Stray(m *parser.Message, check parser.Reason) Outcome {
	via, _ := m.TopVia()
	switch {
	case check != parser.OK:
		return Unfit
	case c.passFormer(m, via):
		return Forwarded
	}
	c.count[txn.CountStrayReplies]++
	return Stray
}

// IsStray tells whether m came to us, and no transaction of this shard waits for it, and none of
// another one may.
func (c *Core) IsStray(m *parser.Message) bool {
	via, reason := m.TopVia()
	if reason != parser.OK || !c.viaIsOurs(via.SentBy.Of(m.Raw)) {
		return false
	}
	id, ok := txn.ParseBranch(via.Branch.Of(m.Raw))
	return !ok || id.Shard == c.tx.Shard() && c.tx.MatchResponse(m, id) == nil
}

// wrote reports whether the request that a branch sent shows that sent-by in its Via: a process
// before this one, or another configuration, may have shown it.
func (c *Core) wrote(id txn.BranchID, sentBy []byte) bool {
	br := c.tx.At(id)
	if br == nil {
		return false
	}
	sent := c.tx.Request(br)
	if sent == nil || c.stored.Parse(sent) != parser.OK {
		return false
	}
	via, reason := c.stored.TopVia()
	return reason == parser.OK && equalFold(via.SentBy.Of(sent), sentBy) && c.remember(sentBy)
}

// upstream passes a response on (§16.7 steps 3 to 9). A provisional and a 2xx go up at once.
// Another final waits until no branch is left that could bring a better one, see best.go.
func (c *Core) upstream(tx *txn.Tx, br *txn.Branch, m *parser.Message, via *parser.Via) {
	status := int(m.Status)
	if status >= 200 && status < 300 && (br.Lost() || tx.Replicated() && tx.Invite()) &&
		c.late(tx, br, m) {
		return
	}
	if tx.Saved() != 0 {
		if c.queued(tx, br, m) {
			return
		}
		c.restore(tx, m)
		if !c.passes(tx, br, m) {
			return
		}
	}
	c.passed(tx, br, m, via)
}

// passed does the part of upstream that follows the reply route.
func (c *Core) passed(tx *txn.Tx, br *txn.Branch, m *parser.Message, via *parser.Via) {
	status := int(m.Status) // as the reply route has left it
	if status >= 300 {
		c.final(tx, br, m, via)
		return
	}
	switch {
	case status < 200 && !tx.Invite():
		return // RFC 4320 §4.1: a non-INVITE has no provisional but a 100, which is hop by hop
	case status == 100 && !c.tx.Relays100():
		return // the reply route has made a 100 of it, which is hop by hop (§16.7 step 5)
	}
	c.forward(tx, br, m, via, nil)
	if status >= 200 && tx.Invite() {
		// §16.7 step 10: the other branches are not needed any more.
		if c.tracing && tx.Live() > 1 {
			c.traceTx(tx, "the other branches are cancelled", "since", status)
		}
		c.dropBranches(tx)
		c.tx.CancelOthers(tx, br, c.localReason(200))
	}
}

// forward sends m, which br received, upstream without our Via, with the rows more at the end of
// its headers.
func (c *Core) forward(tx *txn.Tx, br *txn.Branch, m *parser.Message, via *parser.Via,
	more []byte) {
	switch {
	case tx.Ours():
		c.finish(tx, m)
		return
	case tx.Replicated():
		return
	}
	p := &c.plan
	p.Reset(m.Raw[:end(m)])
	if m.StartLine.Off > 0 {
		p.Cut(0, m.StartLine.Off)
	}
	p.over(tx.Proto())
	status := int(m.Status)
	if !c.Reply.edits.restated(m) {
		status = c.planRemap(p, m)
	}
	p.Cut(via.Cut.Off, via.Cut.Len)
	if lacksLength(m, tx.Proto()) {
		planLength(c, p, m, c.Reply.edits.bodyBytes(m))
	}
	c.planChallenges(p, m, more)
	c.Reply.edits.plan(c, p, m, 0)
	if c.respond(tx, status, p.Segments()) {
		if c.tracing {
			c.tracePassed(tx, m, status)
		}
		c.count[CountRepliesFwd]++
		c.account(tx, br, br, m, status)
	}
}

// planRemap plans the status that m goes up with, and returns it: a 503 says that the destination
// is overloaded, not that we are (§16.7 step 6).
func (c *Core) planRemap(p *Plan, m *parser.Message) int {
	if m.Status == 503 && c.cfg.Remap503 {
		c.planStatus(p, m, 500, "Server Internal Error")
		return 500
	}
	return int(m.Status)
}

// planStatus replaces code and reason phrase.
func (c *Core) planStatus(p *Plan, m *parser.Message, code int, phrase string) {
	const at = len("SIP/2.0 ")
	b := append(appendInt(c.take(len(phrase)+4), code), ' ')
	b = append(b, phrase...)
	p.Replace(m.StartLine.Off+uint32(at), m.StartLine.Len-uint32(at), b)
}

// forwardStateless passes a response on by its next Via alone (§16.11, §18.2.2).
func (c *Core) forwardStateless(m *parser.Message, top *parser.Via) Outcome {
	if !c.nextVia(m) {
		return NoViaLeft
	}
	to := &c.replyTo
	if branch := top.Branch.Of(m.Raw); to.Proto.Reliable() &&
		len(branch) == len(statelessPrefix)+20 {
		if port, ok := hexPort(branch[len(branch)-4:]); ok {
			to.Port = port // of the caller's connection, see appendStatelessBranch
		}
	}
	return c.passOn(m, top)
}

// nextVia sets c.replyTo to where the Via below ours says that the response goes. It returns false
// if that Via does not say so.
func (c *Core) nextVia(m *parser.Message) bool {
	vias := m.Values(parser.KindVia)
	vias.Next() // ours
	if !vias.Next() {
		return false
	}
	var next parser.Via
	to := &c.replyTo
	*to = netio.Addr{}
	if parser.ParseVia(m.Raw, vias.Value, &next) != parser.OK {
		return false
	}
	host := next.Host // maddr is not followed, see Request.responseTarget
	if !next.Received.Empty() {
		host = next.Received
	}
	if !parseIP(host.Of(m.Raw), to) || broadcast(to) {
		c.count[CountUnresolvable]++
		return false
	}
	to.Port = next.Port
	if next.RPort != 0 {
		to.Port = next.RPort
	}
	to.Proto = viaProto(&next)
	if to.Port == 0 {
		to.Port = to.Proto.DefaultPort()
	}
	return true
}

// passFormer passes a response on by its next Via if it answers a request of a process before this
// one, so that a phone that rang across a restart is heard. It returns false for any other
// response, and for one that is hop by hop (§16.7 step 4, RFC 4320 §4.1). Slow path.
func (c *Core) passFormer(m *parser.Message, top *parser.Via) bool {
	if !c.cfg.PassFormer || m.Status == 100 {
		return false
	}
	cseq, reason := m.CSeq()
	if reason != parser.OK || cseq.Method == parser.CANCEL ||
		m.Status < 200 && cseq.Method != parser.INVITE {
		return false
	}
	if !c.nextVia(m) || !c.tx.Former(top.Branch.Of(m.Raw), &c.replyTo) ||
		c.passOn(m, top) != Forwarded {
		return false
	}
	c.count[CountFormer]++
	return true
}

// passOn sends a response whose top Via is ours to c.replyTo.
func (c *Core) passOn(m *parser.Message, top *parser.Via) Outcome {
	to := &c.replyTo
	// The response leaves by the listener that the request came in by (RFC 3581 §4). Our own Via
	// names that one unless the request changed sides; then family and transport decide.
	by := c.listenerOf(m.Raw, top)
	if by = c.Reply.by(to, c.cfg.Egress.Egress(to, by)); by < 0 {
		return NoViaLeft
	}
	p := &c.plan
	p.Reset(m.Raw[:end(m)])
	p.over(to.Proto)
	if lacksLength(m, to.Proto) {
		planLength(c, p, m, c.Reply.edits.bodyBytes(m))
	}
	if m.StartLine.Off > 0 {
		p.Cut(0, m.StartLine.Off)
	}
	if s := &c.status; s.code != 0 {
		phrase := s.phrase
		if phrase == nil {
			phrase = m.Bytes(m.Phrase)
		}
		c.planStatus(p, m, s.code, string(phrase))
	}
	p.Cut(top.Cut.Off, top.Cut.Len)
	c.Reply.edits.plan(c, p, m, 0)
	if c.cfg.OnsendReplies && !c.letsReplyOut(to, by) {
		return Absorbed
	}
	c.setStreamOptions(to.Proto, nil, c.Reply.options)
	c.send(by, to, p.Segments())
	if c.tracing {
		c.cfg.Trace(m.CallID(), "a response sent on without a transaction", "code", int(m.Status),
			"to", AddrText(to), "by", c.listenerName(by))
	}
	c.count[CountRepliesFwd]++
	return Forwarded
}

// PassOn passes the response on without its transaction. code, unless it is 0, is another status of
// the same class; phrase, unless it is empty, another reason phrase. It returns false if no
// transaction or Via says where the response goes.
func (p *Reply) PassOn(code int, phrase []byte) bool {
	c, m := p.core, p.M
	via, reason := m.TopVia()
	if reason != parser.OK || !c.viaIsOurs(via.SentBy.Of(m.Raw)) ||
		code != 0 && code/100 != int(m.Status)/100 || !c.nextVia(m) {
		return false
	}
	c.status = newStatus{code, phrase}
	defer func() { c.status = newStatus{} }()
	return c.passOn(m, via) == Forwarded
}

// newStatus is the status that a response is passed on with; code 0 means its own.
type newStatus struct {
	code   int
	phrase []byte
}

// listenerOf returns the listener that a Via of ours names. A transport that we do not have counts
// as UDP.
func (c *Core) listenerOf(raw []byte, via *parser.Via) int {
	sentBy, proto := via.SentBy.Of(raw), viaProto(via)
	for i := range c.listeners {
		if l := &c.listeners[i]; l.proto == proto && equalFold(sentBy, l.shown.sentBy) {
			return i
		}
	}
	return 0
}

func hexPort(b []byte) (port uint16, ok bool) {
	for _, c := range b {
		d := hexDigit(c)
		if d < 0 {
			return 0, false
		}
		port = port<<4 | uint16(d)
	}
	return port, port != 0
}

// NotDelivered reports an ICMP error to the transaction it hit. quoted is the beginning of the
// datagram that did not arrive. It returns the shard whose datagram it was; ok is false if that
// cannot be told.
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
			if c.ignoresError(br) {
				return id.Shard, true
			}
			if br.Untried() {
				c.report(br, blocklist.ICMP, c.tx.Tx(br).Method())
			}
			c.Explain(PeerUnreachable, "")
			c.tx.TransportError(br)
			c.Explain(NoCause, "")
		}
	}
	return id.Shard, true
}

// OurBranch returns what follows "branch=" in our Via, the first row of a request that left here.
// It returns nil if sent is no such request.
func OurBranch(sent []byte) []byte {
	i := bytes.Index(sent, []byte("\r\nVia: SIP/2.0/UDP ")) // what ICMP speaks of is a datagram
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
