package proxy

import (
	"bytes"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// targetOf returns the destination of a set that br went to. It returns nil if br went to none, or
// that is gone.
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

// BranchTimeout implements txn.User: the destination said nothing, or nothing final (§16.8). It
// counts as a 408.
func (c *Core) BranchTimeout(tx *txn.Tx, br *txn.Branch) {
	if c.tracing {
		c.traceBranch(br, "the timer of a branch ended", "state", br.State().String())
	}
	if t := c.targetOf(br); t != nil && !br.HasResponse() && !c.tx.Spares(tx, br.Index()) {
		c.suspect(t, br)
	}
	if tx.Answered() || tx.State() == txn.Terminated {
		return
	}
	tx.UserFlags |= anyTimeout
	cause := TimerFired
	if br.Provisional() {
		cause = RangTooLong
	}
	if !tx.Canceled() { // else the caller does not wait for it
		c.branchFailed(br, cause, "")
	}
	if !br.HasResponse() {
		c.report(br, blocklist.Timeout, tx.Method())
		if c.tx.TimeLeft(tx) && (c.nextAddress(tx, br, c.tx.Request(br), false) ||
			c.failover(tx, br)) {
			return
		}
	}
	heard := br.Provisional()
	if heard {
		tx.UserFlags |= anyReplied
	}
	if c.note(tx, 408, cause) && heard {
		tx.UserFlags |= bestHeard
	}
	c.branchLost(tx, br, losing{status: 408, timedOut: true, sent: c.tx.Request(br)})
	switch {
	case c.undecided(tx):
	case c.cfg.SilentTimeout && tx.Invite() && tx.Total() == 1 && !br.HasResponse() && !tx.Ours() &&
		!tx.Canceled() && c.failureRoute(tx) == 0:
		c.count[CountSilent]++
		c.tx.Terminate(tx)
	default:
		c.conclude(tx, br)
	}
}

// suspect notes that a destination did not answer a call at all. A single call may be a request
// that the destination does not like; the second without a sign of life in between counts as a
// failure.
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

// Expired implements txn.User: the transaction has lasted longer than max_inv_lifetime or
// max_noninv_lifetime allows, whatever its destinations do. No failure route runs: there is no time
// left for what it might try.
func (c *Core) Expired(tx *txn.Tx) {
	if c.tracing {
		c.traceTx(tx, "the lifetime of a transaction ended")
	}
	if !tx.Answered() {
		c.tx.Branches(tx, func(br *txn.Branch) bool {
			if !br.Final() && !br.Lost() && !tx.Canceled() {
				c.branchFailed(br, LivedTooLong, "")
			}
			return true
		})
		c.note(tx, 408, LivedTooLong)
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

// BranchFailed implements txn.User: the request did not reach the destination. §16.9 treats that as
// if the destination had answered 503, which we do not pass on.
func (c *Core) BranchFailed(tx *txn.Tx, br *txn.Branch) {
	cause, detail := c.failing, c.detail
	c.failing, c.detail = NoCause, ""
	if cause == NoCause {
		cause = NotSent
	}
	// A name is not down while it has another address.
	if t := c.targetOf(br); t != nil && !c.tx.Spares(tx, br.Index()) {
		c.event(t, t.Fail(br.SentAt()/1e6, c.now/1e6))
	}
	if tx.Answered() || tx.State() == txn.Terminated {
		if c.tracing {
			c.traceBranch(br, "a branch did not arrive, and nobody waits for it", "cause",
				cause.String(), "detail", detail)
		}
		return
	}
	if !tx.Canceled() {
		c.branchFailed(br, cause, detail)
	}
	if c.nextAddress(tx, br, c.tx.Request(br), true) || c.failover(tx, br) {
		return
	}
	c.note(tx, 503, cause)
	c.branchLost(tx, br, losing{status: 503, sent: c.tx.Request(br)})
	if !c.undecided(tx) {
		c.conclude(tx, br)
	}
}

// Explain sets the cause for the next call of BranchFailed, and what else is known, in words.
func (c *Core) Explain(cause Cause, detail string) { c.failing, c.detail = cause, detail }

// SendAgain sends a request once more whose connection broke before it was answered. The peer may
// have closed an idle connection just then without processing the request; if it did process it, it
// knows the repetition by its branch (§18.4). from is the far end of that connection. If the peer
// had opened the connection (not ours), from is no address to connect to. It returns false if the
// request has failed.
func (c *Core) SendAgain(token uint64, from *netio.Addr, ours bool) bool {
	br := c.tx.Sent(token)
	if br == nil {
		return false
	}
	o := optionsOf(br.Marks())
	if to := br.Addr(); o&txn.NoConnect != 0 || !ours && to.SameIP(from) && to.Port == from.Port {
		return false
	}
	if tx := c.tx.Tx(br); tx.Answered() || tx.Canceled() || tx.State() == txn.Terminated {
		return false
	}
	return c.tx.SendAgain(br, o)
}

// ignoresError passes over the first ICMP error about a request that has no other destination: its
// port may be closed for a moment, and Timer A or E tries again (tm's retry_refused). It reports
// whether it did.
func (c *Core) ignoresError(br *txn.Branch) bool {
	tx := c.tx.Tx(br)
	return c.cfg.RetryRefused && !c.tx.Spares(tx, br.Index()) && c.failureRoute(tx) == 0 &&
		c.tx.PendingBut(tx, br) == 0 &&
		(c.targetOf(br) == nil || picksOf(tx).Remaining() == 0) && c.tx.IgnoreError(br)
}

// failover sends what br sent to the next destination of its set, as a new branch (RFC 3263 §4.3),
// unless a failure route decides about that. It reports whether it did.
func (c *Core) failover(tx *txn.Tx, br *txn.Branch) bool {
	sent := c.tx.Request(br)
	if c.table == nil || sent == nil || br.Target() == 0 || tx.Canceled() ||
		tx.UserFlags&noMoreTargets != 0 || c.failureRoute(tx) != 0 {
		return false
	}
	if !picksOf(tx).Has(br.Target()) {
		return false // one branch of several, of another set than the one whose list was kept
	}
	secure := tx.Secure() || hasScheme(requestURI(sent), "sips:")
	for {
		t := picksOf(tx).NextTarget(c.table)
		if t == nil {
			return false
		}
		list := c.addressesOf(t, tx, secure)
		at, by := 0, -1
		for ; at < len(list); at++ {
			if secure && !list[at].Proto.Secure() {
				continue
			}
			if by = c.leavesBy(&list[at], t.UID, tx.Listener()); by >= 0 && !broadcast(&list[at]) &&
				!c.blocks(&list[at], tx.Method()) {
				break
			}
		}
		if at == len(list) {
			continue
		}
		var domain []byte
		if list[at].Proto.Secure() {
			domain = append(c.take(len(t.Host)), t.Host...)
		}
		next := c.again(tx, br, sent,
			txn.Destination{Addr: list[at], Listener: uint16(by), Target: t.UID}, t, domain)
		if next == nil {
			return false
		}
		if rest := list[at+1:]; len(rest) > 0 || len(domain) > 0 {
			c.tx.KeepSpares(tx, next.Index(), rest, domain)
		}
		c.count[CountFailover]++
		return true
	}
}

// requestURI returns the Request-URI of a request that was sent from here.
func requestURI(sent []byte) []byte {
	_, rest, _ := bytes.Cut(sent, []byte{' '})
	return rest
}

// addressesOf returns the current addresses of a destination of a set, best first. A destination
// that is a name is looked up in the resolver's cache alone, since nothing can wait here: a name
// that nobody has looked up yet is passed over, and will be known to the next call.
func (c *Core) addressesOf(t *balance.Target, tx *txn.Tx, secure bool) []netio.Addr {
	w := &c.Request.ways // free: what the last relay made in it has been sent
	if t.Addr.Family != 0 {
		w.list[0] = t.Addr
		return w.list[:1]
	}
	var u parser.URI
	if c.cfg.Resolver == nil ||
		parser.ParseURI(append(c.take(len(t.URI)), t.URI...), &u) != parser.OK {
		return nil
	}
	proto, given, ok := protoOf(&u, secure)
	if !ok {
		return nil
	}
	c.query = NameQuery{Host: u.HostBytes(), Port: u.Port, Proto: proto,
		HasProto: given && u.Transport() != parser.TransportNone,
		Secure:   secure || u.Scheme == parser.SIPS,
		Protos:   c.protos, Families: c.families, Seed: tx.Key()}
	n, answer := c.cfg.Resolver.Lookup(&c.query, c.endpoints[:])
	if answer != Resolved {
		if answer == Unknown && c.cfg.Names != nil {
			c.cfg.Names.Prefetch(&c.query)
		}
		c.count[CountUnresolvable]++
		return nil
	}
	for i := range n {
		w.list[i] = c.endpoints[i].Addr
		w.list[i].Proto = c.endpoints[i].Proto
	}
	return w.list[:n]
}

// nextAddress sends what br sent to the next address of the name it was sent to, as a new branch
// (RFC 3263 §4.3). sent is the request; br may be over. failed says that the request did not reach
// its destination. It reports whether something was sent.
func (c *Core) nextAddress(tx *txn.Tx, br *txn.Branch, sent []byte, failed bool) bool {
	if sent == nil || tx.Canceled() || tx.Answered() || tx.State() == txn.Terminated ||
		tx.UserFlags&noMoreTargets != 0 {
		return false
	}
	for {
		to, domain, ok := c.tx.NextSpare(tx, br.Index())
		if !ok {
			return false
		}
		if was := br.Addr(); to.Proto == netio.UDP && was.Proto.Reliable() && to.SameIP(&was) &&
			to.Port == was.Port && !failed {
			// Sending to the same peer by datagram after all is only for when it cannot be reached
			// by a stream (RFC 3261 §18.1.1).
			continue
		}
		by := c.leavesBy(&to, br.Target(), tx.Listener())
		if was := br.Addr(); by >= 0 && to.SameIP(&was) && !c.sameInterface(by, br.Listener()) {
			// a Route of ours may have named the interface
			by = c.withProto(br.Listener(), to.Proto)
		}
		if by < 0 || c.blocks(&to, tx.Method()) {
			continue
		}
		next := c.again(tx, br, sent,
			txn.Destination{Addr: to, Listener: uint16(by), Target: br.Target()}, nil, domain)
		if next == nil {
			return false
		}
		c.tx.InheritSpares(tx, br.Index(), next.Index())
		c.count[CountNextAddress]++
		return true
	}
}

// again sends the request of br once more, elsewhere, as a new branch: with a new Via, and with
// Record-Route rows for the listener it leaves by now. t, if not nil, is the destination whose host
// replaces that of the Request-URI where a set chose it. It returns nil if there is no room, or
// what was sent cannot be read.
func (c *Core) again(tx *txn.Tx, br *txn.Branch, sent []byte, to txn.Destination, t *balance.Target,
	domain []byte) *txn.Branch {
	m, p := &c.stored, &c.plan
	if m.Parse(sent) != parser.OK || len(m.Headers) == 0 {
		return nil
	}
	to.Breadth = uint16(br.Breadth())
	next := c.tx.NewBranch(tx, to)
	if next == nil {
		return nil
	}
	next.SetReplyRoute(br.ReplyRoute())
	next.SetLostRoute(br.LostRoute())
	next.SetMarks(br.Marks())
	c.planAgain(tx, br, next, sent, to, t)
	if by := c.tooLong(tx.Method(), c.cfg.MTUProto, int(to.Listener), &to.Addr); by >= 0 &&
		!br.Addr().Proto.Reliable() {
		to.Addr.Proto, to.Listener = c.cfg.MTUProto, uint16(by)
		next.Redirect(to.Addr, by)
		c.planAgain(tx, br, next, sent, to, t)
		c.count[CountToStream]++
	}
	if p.verdict() != 0 {
		c.tx.Discard(next)
		return nil
	}
	room := c.tx.Room(next, p.Bytes())
	if room == nil {
		c.tx.Discard(next)
		return nil
	}
	p.WriteTo(room)
	if c.cfg.OnsendRequests && !c.letsOutAgain(tx, &to.Addr, next.Listener()) {
		c.tx.Discard(next)
		return nil
	}
	c.setStreamOptions(to.Addr.Proto, domain, optionsOf(br.Marks()))
	c.tx.Send(tx, next)
	if c.tracing {
		c.traceBranch(next, "a branch sent elsewhere", "instead_of", br.Index())
	}
	c.count[CountForwarded]++
	return next
}

// behindBranch is what the program had added to a Via row of ours, which ends in its branch
// otherwise.
func behindBranch(row []byte) []byte {
	if i := bytes.Index(row, branchParam); i >= 0 {
		if i += len(branchParam); bytes.IndexByte(row[i:], ';') >= 0 {
			return row[i+bytes.IndexByte(row[i:], ';'):]
		}
	}
	return nil
}

var branchParam = []byte(";branch=")

// planAgain plans the request of next from c.stored, the request that br sent.
func (c *Core) planAgain(tx *txn.Tx, br, next *txn.Branch, sent []byte, to txn.Destination,
	t *balance.Target) {
	m, p := &c.stored, &c.plan
	p.Reset(sent)
	p.over(to.Addr.Proto)
	if t != nil && tx.UserFlags&pickedURI != 0 {
		uri := c.targetURI(c.take(int(m.URI.Len)+len(t.URI)+64), m.Bytes(m.URI), t)
		p.Replace(m.URI.Off, m.URI.Len, uri)
	}
	head := c.tx.AppendBranch(c.viaLike(m, br.Listener(), int(to.Listener)), next)
	head = append(append(head, behindBranch(m.Headers[0].Value.Of(m.Raw))...), "\r\n"...)
	from, until := m.Headers[0].Line.Off, m.Headers[0].Line.End()
	if tx.UserFlags&recordedRoute != 0 && int(to.Listener) != br.Listener() {
		rows := 1
		if c.twoRecordRoutes(tx.Listener(), br.Listener()) {
			rows = 2
		}
		for i := 1; i <= min(rows, len(m.Headers)-1); i++ {
			if m.Headers[i].Kind != parser.KindRecordRoute {
				break
			}
			until = m.Headers[i].Line.End()
		}
		secure := hasScheme(m.Bytes(m.URI), "sips:") && !c.cfg.IgnoreSips
		rr := c.recordedIn(m)
		head = c.appendRecordRoute(head, m, &rr, tx.Listener(), int(to.Listener), secure)
	}
	if lacksLength(m, to.Addr.Proto) {
		head = appendLength(head, len(m.Body()))
	}
	p.Replace(from, until-from, head)
	if int(to.Listener) != br.Listener() && m.Has(parser.KindPath) {
		c.planPathsAgain(br.Listener(), int(to.Listener))
	}
}
