package proxy

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// statelessPrefix begins the branch of a request sent without a transaction.
const statelessPrefix = "z9hG4bKs"

// codeInternal is the status for failures that have no other one (§21.5.1).
const codeInternal = 500

// fail notes what ReplyError is to answer. It returns false.
func (r *Request) fail(cause Cause) bool {
	r.lastCause = cause
	if status := causes[cause].status; (status == 478 || status == 504) && !r.looking {
		r.core.count[CountUnresolvable]++
	}
	return false
}

// RelayFailure is what t_relay() returns for the last failure, in Kamailio's numbers: -6 if there
// was no branch to send, -7 if no listener has the transport, and -478 if the destination cannot
// be resolved. All others are -1.
func (r *Request) RelayFailure() int {
	switch r.lastCause {
	case NoTarget:
		return -6
	case TransportUnavailable:
		return -7
	case UnknownScheme:
		return -478
	}
	if causes[r.lastCause].status == 478 {
		return -478
	}
	return -1
}

// Unfinished reports whether the request is left without an answer and with nothing that could
// bring one: a Relay failed, or a transaction was made and forgotten. Its caller must not wait for
// ever, least of all after a 100.
func (r *Request) Unfinished() bool {
	if r.Tx != nil {
		return !r.Tx.Answered() && r.Tx.State() != txn.Terminated && r.Tx.Live() == 0 &&
			!r.core.waits(r.Tx) && !r.core.holds(r.Tx) && r.core.concluding != r.Tx
	}
	return r.lastCause != NoCause && !r.done && r.M.Method != parser.CANCEL
}

// ReplyError answers with the status of the last failure (sl_reply_error).
func (r *Request) ReplyError() bool {
	switch r.lastCause {
	case NoCause:
		return r.Refuse(NoTarget, "", "")
	case InClear:
		return r.Refuse(InClear, "", r.sipsNotAllowed())
	}
	return r.Refuse(r.lastCause, "", "")
}

// sipsNotAllowed is the Warning of RFC 5630 §5.3. Slow path.
func (r *Request) sipsNotAllowed() string {
	return "Warning: 380 " + string(r.core.SentBy(r.Listener)) + " \"SIPS Not Allowed\"\r\n"
}

// RetryAfter is the header of a 503 that says: not now.
var RetryAfter = "Retry-After: " + string(decimals[retryAfterSeconds]) + "\r\n"

// Relay forwards the request statefully (t_relay). An ACK to a 2xx has no transaction and is
// forwarded without one (§16.11); a CANCEL cancels the INVITE it belongs to. Relay returns false if
// nothing was sent; ReplyError then answers with the reason.
func (r *Request) Relay() bool {
	c := r.core
	switch {
	case r.IsHTTP():
		return false // no SIP server could read it
	case r.M.Method == parser.ACK:
		return r.Forward()
	case r.M.Method == parser.CANCEL && r.Invite != nil:
		return r.cancel()
	case r.M.Method == parser.CANCEL && c.cfg.UnmatchedCancel == DropUnmatched:
		return true
	}
	if r.branching || !r.hopsLeft() {
		return false
	}
	r.reserve()
	ok := r.relay()
	if !ok && r.Tx == nil && c.cfg.keepsFor(r.Flags) {
		r.newTransaction() // for the response that the program makes, which is accounted for
	}
	c.tx.Reserve(false)
	return ok
}

// reserve keeps a request that opens a dialog from using the reserve of the arena: it is refused
// while only the reserve is left, so that calls in progress go on.
func (r *Request) reserve() {
	if r.HasToTag() || r.M.Method == parser.CANCEL || r.Tx != nil && r.Tx.Total() > 0 {
		return
	}
	r.core.tx.Reserve(true)
}

// relay makes the transaction, if there is none yet, and its next branches.
func (r *Request) relay() bool {
	c, n := r.core, r.nMore
	if n == 0 && r.again {
		r.fresh = true
	}
	if r.fresh {
		n++
	}
	if n == 0 || r.Tx != nil && r.closed() {
		return r.fail(NoTarget)
	}
	one := n == 1 && r.fresh && r.armed.branch == 0 && r.armed.lost == 0
	for one && !r.where(&r.to) {
		if r.unresolved && r.wait() {
			return true
		}
		if !r.passOver() {
			r.targetFailed(r.lastCause)
			return r.nothingSent()
		}
	}
	if !one && r.awaitsName() && r.wait() {
		return true
	}
	shares, ok := r.shares(n)
	if !ok && r.M.Method != parser.CANCEL {
		return r.fail(BreadthSpent)
	}
	if !r.newTransaction() {
		return false
	}
	if r.M.Method == parser.INVITE && r.Tx.Status() == 0 && !r.no100 && !r.resumed {
		r.Trying()
	}
	r.keepPicks()
	if r.Tx.BestStatus() != 0 {
		r.Tx.UserFlags |= bestEarlier
	}
	if !r.save() {
		return r.noRoom()
	}
	if !one {
		return r.fork(shares)
	}
	r.to.Breadth = uint16(shares.next(1))
	br := c.tx.NewBranch(r.Tx, r.to)
	if br == nil {
		return r.noRoom()
	}
	r.fresh = false
	if cause := r.launch(br); cause == NoRoom {
		return r.noRoom()
	} else if cause != NoCause {
		r.targetFailed(cause)
		return r.fail(cause)
	}
	r.relayed = true
	return true
}

// Again makes the Request-URI a target of the next Relay if no other target is added before that:
// the request is sent to the same destination once more.
func (r *Request) Again() { r.again = true }

// closed reports whether the transaction takes no more branches: it is answered and they are no
// copies, the caller gave up, or a 6xx came (§16.7 step 5).
func (r *Request) closed() bool {
	tx := r.Tx
	return tx.Answered() && !tx.Replicated() || tx.Canceled() || tx.UserFlags&noMoreTargets != 0
}

// picksOf returns the failover list kept in a transaction.
func picksOf(tx *txn.Tx) *balance.Picks { return shm.View[balance.Picks](tx.User()[:]) }

// noRoom gives up a transaction for which the arena has no room. The caller gets a 503, which needs
// no room itself.
//
// A transaction that has branches goes on with them.
func (r *Request) noRoom() bool {
	c := r.core
	if r.Tx.Total() > 0 {
		if r.Tx.BestStatus() == 0 {
			c.note(r.Tx, 503, NoRoom)
		}
		r.targetFailed(NoRoom)
		return r.fail(NoRoom)
	}
	c.tx.Terminate(r.Tx)
	r.Tx = nil
	r.Refuse(NoRoom, "", "")
	return true // answered: the routing program has nothing left to do
}

// NewTransaction makes the server transaction of the request if it has none yet (t_newtran). It
// returns false if the arena has no room for it; ReplyError answers 503.
func (r *Request) NewTransaction() bool {
	if r.IsHTTP() {
		return false
	}
	r.reserve()
	ok := r.newTransaction()
	r.core.tx.Reserve(false)
	return ok
}

func (r *Request) newTransaction() bool {
	if r.unfit {
		return r.fail(Malformed)
	}
	r.alone = false // but for Hold
	if r.Tx == nil {
		r.Tx = r.core.tx.NewServer(r.Key, r.M.Method, &r.replyTo, uint16(r.Listener))
		if r.Tx == nil {
			return r.fail(NoRoom)
		}
		if r.core.tracing {
			r.traceNew()
		}
		if r.ours() {
			r.Tx.SetOurs()
			r.core.count[txn.CountLocal]++
		}
		r.Tx.SetLoop(r.loopHash())
		if !r.ours() {
			r.core.tx.NoteCall(r.Tx, r.M)
		}
		if r.lifetime > 0 {
			r.core.tx.SetLifetime(r.Tx, r.lifetime)
		}
		if r.secure() {
			r.Tx.SetSecure()
		}
		if r.replyOptions != 0 {
			r.Tx.SetReplyOptions(r.replyOptions)
		}
	}
	return true
}

// cancel is §16.10: the CANCEL gets its own 200 at once, the branches are cancelled, and the
// response to the INVITE follows from that.
func (r *Request) cancel() bool {
	if r.Tx != nil && r.Tx.Answered() {
		return true // relayed before
	}
	// Tx is nil if there is no room; the CANCEL is answered all the same.
	r.Tx = r.core.tx.NewServer(r.Key, r.M.Method, &r.replyTo, uint16(r.Listener))
	r.Reply(200, "canceling", "")
	c, tx := r.core, r.Invite
	if !tx.Invite() {
		return true // §9.2, §16.10: answered, without effect
	}
	if c.tracing {
		c.traceTx(tx, "canceled by the caller", "branches", tx.Live())
	}
	c.tx.Cancel(tx, r.reasonRows())
	if tx.Live() > 0 && !tx.Answered() && c.tx.Pending(tx) == 0 {
		c.concluding = tx // cancel_b_method 0
	}
	if c.dropBranches(tx) || c.waits(tx) {
		c.stopWaiting(tx)
		if c.tx.Pending(tx) == 0 {
			c.concluding = tx // nothing was sent that could bring a 487
		}
	}
	return true
}

// Finish concludes a transaction after the program has ended. It could not be done before, since a
// failure route makes its own request the request under way.
func (c *Core) Finish() {
	if tx := c.concluding; tx != nil {
		c.concluding = nil
		if !tx.Answered() && tx.State() != txn.Terminated && !c.undecided(tx) {
			c.conclude(tx, nil)
		}
	}
}

// reasonRows returns the Reason rows of a CANCEL (RFC 3326), which are passed on in ours, as many
// as maxReasonBytes hold.
func (r *Request) reasonRows() (rows []byte) {
	m := r.M
	if !r.core.callerReason(r.Invite) {
		return nil
	}
	for i := m.HeaderByName("Reason", 0); i >= 0; i = m.HeaderByName("Reason", i+1) {
		row := m.Headers[i].Line.Of(m.Raw)
		if len(rows)+len(row) > maxReasonBytes {
			r.core.count[CountRowsLeftOut]++
			continue
		}
		if rows == nil {
			rows = r.core.take(maxReasonBytes)
		}
		rows = append(rows, row...)
	}
	return rows
}

// plan plans the edits of §16.6 for a request that leaves with a transaction.
func (r *Request) plan(p *Plan, br *txn.Branch, leavesBy, share int) {
	c := r.core
	r.planRequest(p, c.tx.AppendBranch(r.viaHead(leavesBy), br), leavesBy, share)
}

// planRequest plans everything but the branch. head is our Via row without its line end; the rows
// that are inserted with it are appended to it.
func (r *Request) planRequest(p *Plan, head []byte, leavesBy, share int) {
	m := r.M
	p.Reset(m.Raw[:end(m)])
	p.over(r.core.listeners[leavesBy].proto)
	if m.StartLine.Off > 0 {
		p.Cut(0, m.StartLine.Off) // line ends before the request line (§7.5)
	}
	if r.uri != nil {
		p.Replace(m.URI.Off, m.URI.Len, r.uri)
	}
	if r.leave.server {
		head = append(head, r.core.cfg.ServerParam...)
	}
	if n := len(r.leave.params); n > 0 {
		head = append(append(r.core.take(len(head)+n+512), head...), r.leave.params...)
	}
	head = append(head, "\r\n"...)
	if r.rr.kind != notRecorded {
		if n := len(r.rr.texts); n > 0 {
			head = append(r.core.take(len(head)+2*n+512), head...)
		}
		head = r.core.appendRecordRoute(head, m, &r.rr, r.Listener, leavesBy, r.secureRoute())
	}
	if lacksLength(m, r.core.listeners[leavesBy].proto) {
		head = appendLength(head, r.edits.bodyBytes(m))
	}
	if !r.hasMF {
		head = append(head, "Max-Forwards: "...)
		head = append(head, decimals[r.maxForwards]...)
		head = append(head, "\r\n"...)
	}
	head = r.appendBreadth(head, share)
	p.Insert(m.HeaderStart, head)
	r.planPaths(p, leavesBy)
	r.planVia(p)
	r.planMaxForwards(p)
	r.planBreadth(p, share)
	r.planCuts(p)
	r.edits.plan(r.core, p, m, 0)
	if r.appendRoute != nil {
		at := m.HeaderEnd
		p.Insert(at, r.appendRoute)
	}
}

// Forward sends the request without a transaction (forward(), and ACK). The branch is a function of
// the request, so that its retransmissions, its CANCEL and its ACK look the same from whichever
// process sends them (§16.11).
func (r *Request) Forward() bool {
	c := r.core
	to := &r.to
	if r.IsHTTP() || !r.hopsLeft() {
		return false
	}
	for !r.where(to) {
		if r.unresolved && r.park() {
			return true
		}
		if !r.overtake() {
			r.targetFailed(r.lastCause)
			return false
		}
	}
	shares, ok := r.shares(1)
	if !ok && r.M.Method != parser.ACK && r.M.Method != parser.CANCEL {
		return r.fail(BreadthSpent)
	}
	p, share := &c.plan, shares.next(1)
	r.planStateless(p, to, share)
	mtu := r.mtu()
	if by := c.tooLong(r.M.Method, mtu, int(to.Listener), &to.Addr); by >= 0 {
		to.Addr.Proto, to.Listener = mtu, uint16(by)
		r.planStateless(p, to, share)
	}
	if cause := p.verdict(); cause != NoCause {
		r.targetFailed(cause)
		return r.fail(cause)
	}
	if !r.letsOut(&to.Addr, int(to.Listener)) {
		r.targetFailed(HeldBack)
		return r.fail(HeldBack)
	}
	c.setStreamOptions(to.Addr.Proto, r.ways.domain, r.leave.options)
	c.send(int(to.Listener), &to.Addr, p.Segments())
	r.done = true
	if r.wasHeld && r.Tx != nil && r.Tx.Total() == 0 {
		// The transaction may be there for the wait alone, and would keep repetitions from being
		// forwarded.
		c.tx.Terminate(r.Tx)
	}
	if c.tracing {
		r.trace("sent on without a transaction", "method", string(r.M.MethodBytes()), "to",
			AddrText(&to.Addr), "by", c.listenerName(int(to.Listener)))
	}
	if r.M.Method == parser.ACK {
		r.accountAck()
	}
	c.count[CountForwarded]++
	c.count[CountStateless]++
	return true
}

func (r *Request) planStateless(p *Plan, to *txn.Destination, share int) {
	r.planRequest(p, r.appendStatelessBranch(r.viaHead(int(to.Listener))), int(to.Listener), share)
}

// mtu returns the transport by which the request leaves if it is too long for a datagram.
func (r *Request) mtu() netio.Proto {
	if r.mtuProto == 0 {
		return r.core.cfg.MTUProto
	}
	return netio.Proto(r.mtuProto - 1)
}

// tooLong returns the listener by which the request in c.plan leaves over proto because it is too
// long for the datagram it was planned as (§18.1.1). It returns -1 if the request may leave as
// planned.
func (c *Core) tooLong(method parser.Method, proto netio.Proto, by int, to *netio.Addr) int {
	if c.cfg.UDPMTU == 0 || c.plan.Bytes() <= c.cfg.UDPMTU || to.Proto != netio.UDP ||
		proto == netio.UDP {
		return -1
	}
	stream := *to
	stream.Proto = proto
	if c.blocks(&stream, method) {
		return -1
	}
	return c.leavesBy(&stream, 0, by)
}

func (c *Core) send(listener int, to *netio.Addr, segments [][]byte) {
	c.out.Begin(listener, to, 0)
	for _, s := range segments {
		c.out.Append(s)
	}
	c.out.End()
}

// appendStatelessBranch appends a branch made of the top Via's branch and
// sent-by, or of RFC 2543's fields where that branch is not unique (§16.11).
func (r *Request) appendStatelessBranch(b []byte) []byte {
	m := r.M
	h := xxhash.Sum64(r.via.SentBy.Of(m.Raw))
	mix := func(s []byte) { h = (h ^ xxhash.Sum64(s)) * 0x9e3779b97f4a7c15 }
	if m.HasMagicCookie() {
		mix(r.via.Branch.Of(m.Raw))
	} else {
		cseq, _ := m.CSeq()
		if from, reason := m.From(); reason == parser.OK {
			mix(from.Tag.Of(m.Raw))
		}
		mix(m.CallID())
		mix(m.Bytes(m.URI))
		mix(r.via.Value.Of(m.Raw))
		h ^= uint64(cseq.Number)
	}
	var d [8]byte
	binary.BigEndian.PutUint64(d[:], h)
	b = append(b, statelessPrefix...)
	for _, x := range d {
		b = append(b, "0123456789abcdef"[x>>4], "0123456789abcdef"[x&15])
	}
	if r.Src.Proto.Reliable() {
		// The response goes back over the caller's connection, which only its port tells from
		// others.
		for shift := 12; shift >= 0; shift -= 4 {
			b = append(b, "0123456789abcdef"[r.Src.Port>>shift&15])
		}
	}
	return b
}
