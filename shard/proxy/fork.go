package proxy

import (
	"cmp"
	"slices"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/txn"
)

// target is one member of the target set (§16.5): a Request-URI and where it goes.
type target struct {
	uri   []byte     // nil means the Request-URI as received
	dst   []byte     // outbound URI; nil means none
	addr  netio.Addr // where dst points, if a set chose it
	uid   uint16     // the UID of that destination
	q     int16      // q-value in thousandths; below 0 means none given
	flags uint32     // branch flags
}

// AppendBranch adds a target to the next Relay. Without a URI the target is the current Request-URI
// with the outbound URI, which is then used up. With a URI it has the outbound URI all the same, as
// in Kamailio 5.6. It returns false if there is no room, or uri is no URI.
func (r *Request) AppendBranch(uri []byte, q int) bool {
	switch {
	case len(uri) > len(r.uriBuf) || len(uri) > 0 && !isURI(uri):
		r.core.count[CountBadTarget]++
		return false
	case r.nMore == len(r.more):
		r.core.count[CountTooManyTargets]++
		return false
	}
	t := r.mainTarget()
	t.q = int16(q)
	if len(uri) > 0 {
		t.uri = r.core.keep(uri)
		if t.uid != 0 && r.pickURI {
			t.addr.Family, t.uid = 0, 0 // the set chose the host of a different Request-URI
		}
	} else {
		r.dst, r.dstAddr.Family, r.target = nil, 0, 0
	}
	r.more[r.nMore] = t
	r.nMore++
	return true
}

func isURI(b []byte) bool {
	var u parser.URI
	return parser.ParseURI(b, &u) == parser.OK
}

// RemoveBranch removes target n of those added, counted from 0. It returns false if there is none.
func (r *Request) RemoveBranch(n int) bool {
	if n < 0 || n >= r.nMore {
		return false
	}
	copy(r.more[n:], r.more[n+1:r.nMore])
	r.nMore--
	return true
}

// ClearBranches forgets the targets added.
func (r *Request) ClearBranches() { r.nMore = 0 }

// BranchFlagsOf returns the flags of a branch of the next Relay: 0 is that of the Request-URI, the
// others are those that AppendBranch has added. In a branch route 0 is the branch at hand. It
// returns nil if there is no such branch. What the flags mean is up to the routing program.
func (r *Request) BranchFlagsOf(branch int) *uint32 {
	switch {
	case branch == 0:
		return &r.BranchFlags
	case branch > 0 && branch <= r.nMore:
		return &r.more[branch-1].flags
	}
	return nil
}

// mainTarget returns the Request-URI as a target. Its bytes are valid for the batch.
func (r *Request) mainTarget() target {
	c := r.core
	return target{c.keep(r.uri), c.keep(r.dst), r.dstAddr, r.target, -1, r.BranchFlags}
}

// setTarget makes t the Request-URI and outbound URI.
func (r *Request) setTarget(t *target) {
	r.uri, r.dst, r.dstAddr, r.target, r.BranchFlags = t.uri, t.dst, t.addr, t.uid, t.flags
}

// Keep copies b into the scratch of the batch.
func (c *Core) Keep(b []byte) []byte { return c.keep(b) }

// keep copies b into the scratch of the batch.
func (c *Core) keep(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append(c.take(len(b)), b...)
}

// LoadContacts takes the target set of the next Relay, for NextContacts to hand out by q
// (t_load_contacts). Targets without a q come last. With a single target there is nothing to sort,
// and nothing is loaded.
func (r *Request) LoadContacts() bool {
	r.loadedAt, r.nLoaded = 0, 0
	if r.nMore == 0 {
		return true
	}
	if r.fresh {
		r.contacts[0] = r.mainTarget()
		r.nLoaded = 1
	}
	r.nLoaded += uint8(copy(r.contacts[r.nLoaded:], r.more[:r.nMore]))
	slices.SortStableFunc(r.contacts[:r.nLoaded], func(a, b target) int {
		return cmp.Compare(b.q, a.q)
	})
	r.nMore, r.fresh = 0, false
	return true
}

// NextContacts makes those of the remaining contacts that have the best q the targets of the next
// Relay. It returns false if none are left.
func (r *Request) NextContacts() bool {
	if r.loadedAt >= r.nLoaded {
		return false
	}
	first := &r.contacts[r.loadedAt]
	r.setTarget(first)
	r.pickURI, r.fresh, r.nMore = false, true, 0
	r.loadedAt++
	for ; r.loadedAt < r.nLoaded && r.nMore < len(r.more); r.loadedAt++ {
		if r.contacts[r.loadedAt].q != first.q {
			break
		}
		r.more[r.nMore] = r.contacts[r.loadedAt]
		r.nMore++
	}
	return true
}

// fork sends the request to each of its targets (§16.6). A target that cannot be sent to counts as
// one that answered 503 (§16.9). It returns false if nothing was sent.
//
// The share of Max-Breadth of such a target goes to the others. Without a branch route these
// targets are known before the first branch leaves. What a branch route or a full arena keeps back
// is known only when it happens, so that only the targets behind it get its share.
func (r *Request) fork(shares breadth) bool {
	c, sent := r.core, 0
	main, pickURI, why := r.mainTarget(), r.pickURI, NoCause
	if !r.resumed && !r.based {
		r.base.set(&r.course, &r.changes)
		r.base.uri, r.base.dst = main.uri, main.dst
	}
	r.forking = true
	first, nowhere := 0, 0 // a bit for each target that cannot be sent to
	if !r.fresh {
		first = 1
	}
	at := func(i int) {
		t := &main
		if i > 0 {
			t = &r.more[i-1]
		}
		r.setTarget(t)
		// An address that a set wrote into the Request-URI no longer holds when a branch route
		// writes another one.
		r.pickURI = t.addr.Family != 0 && t.dst == nil
	}
	shared := r.armed.branch == 0 || c.cfg.Script == nil
	leave, rr := r.leave, r.rr
	c.shared.set(&r.edits)
	if shared {
		for i := first; i <= r.nMore; i++ {
			at(i)
			uid := r.target
			if !r.reach(&r.to) {
				why = max(why, r.unsent)
				r.targetFailed(r.lastCause)
				if r.unsent != Blocklisted {
					c.note(r.Tx, 503, r.lastCause)
				}
				nowhere |= 1 << i
				shares.dealt(0)
			} else if r.target != uid {
				r.keepTarget(i, &main)
			}
		}
	}
	picks := r.picks
	for i := first; i <= r.nMore; i++ {
		if nowhere>>i&1 != 0 {
			continue
		}
		at(i)
		share := shares.next(c.tx.BranchesLeft(r.Tx))
		if !shared {
			r.leave, r.rr = leave, rr // a branch route's choice is for its branch alone
			r.edits.set(&c.shared)
		}
		if r.try(share) {
			sent++
		} else {
			share = 0
			why = max(why, r.unsent)
		}
		shares.dealt(share)
	}
	r.forking = false
	r.leave, r.rr = leave, rr
	r.edits.set(&c.shared)
	r.setTarget(&main)
	r.picks, r.pickURI, r.nMore, r.fresh = picks, pickURI, 0, false
	r.armed.lost = 0 // used up
	if r.armed.branch != 0 {
		r.armed.branch = 0 // used up: a route that relays again has to arm it again
		if r.armed.failure == 0 {
			// Failover would send what this branch sent. But what a branch route did to it, or
			// whether it would let it leave, is for that destination alone.
			*picksOf(r.Tx) = balance.Picks{}
		}
	}
	if s := c.saved(r.Tx); s != nil {
		s.branch, s.flags = 0, r.Flags // what branch routes set holds for the later routes too
	}
	if sent > 0 {
		r.relayed = true
		return true
	}
	r.unsent = why
	if r.nothingSent() {
		return true
	}
	if r.lastCause == NoCause {
		r.lastCause = NoTarget // the branch routes dropped every branch
	}
	if !r.resumed {
		c.tx.DropBest(r.Tx) // the routing program answers, or nobody
	}
	return false
}

// keepTarget notes that another destination took the place of target i.
func (r *Request) keepTarget(i int, main *target) {
	t := main
	if i > 0 {
		t = &r.more[i-1]
	}
	q := t.q
	*t = r.mainTarget()
	t.q = q
}

// try makes one branch for the target that the Request-URI is now.
func (r *Request) try(share int) bool {
	reply := 0
	r.unsent = NoCause
	if r.armed.branch != 0 && r.core.cfg.Script != nil {
		var o BranchOutcome
		r.share = share
		if reply, o = r.branchRoute(); o != BranchSent {
			return o == BranchHeld
		}
	}
	return r.tryBranch(share, reply)
}

// tryBranch does the part of try that follows the branch route. reply is the reply route of this
// branch alone, 0 if it has none.
func (r *Request) tryBranch(share, reply int) bool {
	c := r.core
	if !r.where(&r.to) {
		if r.unresolved && c.cfg.Names != nil {
			// A branch route chose another name: this branch is lost, and the next call finds the
			// answer.
			c.cfg.Names.Prefetch(&r.query)
		}
		r.targetFailed(r.lastCause)
		// A destination on the blocklist has not responded (Kamailio's dst_blocklist).
		if r.unsent != Blocklisted {
			c.note(r.Tx, 503, r.lastCause)
		}
		return false
	}
	r.to.Breadth = uint16(share)
	br := c.tx.NewBranch(r.Tx, r.to)
	if br == nil {
		return r.lost(NoRoom)
	}
	if reply != 0 && r.Tx.Saved() == 0 && !(r.writeSaved(false, nil) && r.keepVars()) {
		c.tx.Discard(br)
		return r.lost(NoRoom) // a branch without its reply route is not what was asked for
	}
	br.SetReplyRoute(reply)
	br.SetLostRoute(int(r.armed.lost))
	if r.BranchFlags != 0 && !c.SetBranchFlags(r.Tx, br, r.BranchFlags) {
		c.tx.Discard(br)
		return r.lost(NoRoom)
	}
	if cause := r.launch(br); cause != NoCause {
		return r.lost(cause)
	}
	return true
}

// lost notes that the target at hand could not be sent to, which counts as a 503 (§16.9).
func (r *Request) lost(cause Cause) bool {
	r.targetFailed(cause)
	r.core.note(r.Tx, 503, cause)
	return r.fail(cause)
}

// branchRoute runs the armed branch route on the branch about to be made. reply is the reply route
// that it armed for this branch alone, or 0. Timers that it set are the whole transaction's: the
// branches already sent follow them too, as in Kamailio 5.6. An outbound URI that it sets is
// followed; one that it removes is followed all the same, as there, unless the route has waited.
func (r *Request) branchRoute() (reply int, o BranchOutcome) {
	timers, retr, restores := r.timers, r.retr, r.restores
	dst := r.core.keep(r.dst) // the route may write another one in its place first
	r.replyBefore, r.branching = r.armed.reply, true
	o = r.core.cfg.Script.Branch(r, int(r.armed.branch))
	r.branching, r.core.branching = false, 0
	reply = r.replyArmed()
	if len(r.dst) == 0 && len(dst) > 0 && o == BranchSent {
		r.SetDstURI(dst)
	}
	if r.timers != timers || r.retr != retr || r.restores != restores {
		r.branchTimed(timers, retr)
	}
	return reply, o
}

// replyArmed returns the reply route that a branch route has armed for its branch, 0 if it has
// armed none, and gives the request back the one it had.
func (r *Request) replyArmed() (reply int) {
	if r.armed.reply != r.replyBefore {
		reply = int(r.armed.reply)
		r.armed.reply = r.replyBefore
	}
	return reply
}

// launch writes the request of br and sends it. It returns NoCause, or why the request was not
// sent.
func (r *Request) launch(br *txn.Branch) Cause {
	c, p, w := r.core, &r.core.plan, &r.ways
	r.plan(p, br, br.Listener(), br.Breadth())
	to := br.Addr()
	mtu := r.mtu()
	if by := c.tooLong(r.M.Method, mtu, br.Listener(), &to); by >= 0 {
		// §18.1.1: by TCP, and as a datagram after all if that is refused.
		w.n = min(w.n, len(w.list)-1)
		copy(w.list[1:], w.list[:w.n])
		w.list[0] = to
		w.n++
		to.Proto = mtu
		br.Redirect(to, by)
		r.plan(p, br, by, br.Breadth())
		c.count[CountToStream]++
	}
	if cause := p.verdict(); cause != NoCause {
		c.tx.Discard(br)
		return cause
	}
	room := c.tx.Room(br, p.Bytes())
	if room == nil {
		c.tx.Discard(br)
		return NoRoom
	}
	p.WriteTo(room)
	if !r.letsOut(&to, br.Listener()) {
		c.tx.Discard(br)
		return HeldBack
	}
	if r.switches&NoSpares != 0 {
		w.n = 0
	}
	if w.n > 0 || to.Proto.Secure() && len(w.domain) > 0 {
		c.tx.KeepSpares(r.Tx, br.Index(), w.list[:w.n], w.domain) // no room: no other address
	}
	br.SetMarks(r.leave.marks())
	c.setStreamOptions(to.Proto, w.domain, r.leave.options)
	c.tx.Send(r.Tx, br)
	if c.tracing {
		c.traceBranch(br, "a branch sent", "uri", string(r.RequestURI()))
	}
	c.count[CountForwarded]++
	return NoCause
}

// The proxy's own flags of a transaction, in Tx.UserFlags.
const (
	pickedURI     = 1 << iota // failover rewrites the Request-URI too
	recordedRoute             // our Record-Route stands behind our Via
	bestLocal                 // the best response so far was made here
	bestHeard                 // the branch of the best response had a provisional before it
	anyTimeout                // a branch timed out
	anyReplied                // a branch had a response before the one at hand
	noMoreTargets             // a 6xx came (§16.7 step 5)
	bestEarlier               // the best response came before the last relay
)

// keepPicks notes in the transaction what failover needs.
func (r *Request) keepPicks() {
	r.Tx.UserFlags &^= pickedURI | recordedRoute
	if r.rr.kind == recordOwn {
		r.Tx.UserFlags |= recordedRoute
	}
	if r.picks.N == 0 {
		if r.Tx.Total() > 0 {
			*picksOf(r.Tx) = balance.Picks{}
		}
		return
	}
	*picksOf(r.Tx) = r.picks
	if r.pickURI {
		r.Tx.UserFlags |= pickedURI
	}
}
