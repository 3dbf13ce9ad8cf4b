package proxy

import (
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// armed are the routes a transaction will run, by their numbers in the routing
// program; 0: none.
type armed struct{ failure, branch, reply uint16 }

// finalTimers are a transaction's own Timers B and C in ms; 0: the settings'.
type finalTimers struct{ fr, frInv uint32 }

// Saved is what a transaction keeps of its request for the routes that run later:
// the request as received and the decisions taken about it, so that a failure
// route goes on from there and record_route() done once stays done. Each failure
// route of a transaction begins with what request_route had decided: what an
// earlier one did to Request-URI and outbound URI was for its own branches (as in
// Kamailio 5.6). Flags, routes armed, timers and contacts go on. It is one slot
// of the arena that belongs to the Tx, without pointers, so that it means the same
// to the next process:
//
//	+------------+---------+-----+-----+-------+-------+---------------------+
//	| Saved      | request | URI | dst | Route | extra | URI and dst of each |
//	| (fixed)    |         |     |     |       |       | contact left        |
//	+------------+---------+-----+-----+-------+-------+---------------------+
//	              rawLen    uriLen dstLen routeLen extraLen: host in our Via, Path, rows of replies, edits
//
// Behind all that stands a run that is held, if there is one: see hold.go.
//
// A Relay writes a new one and swaps. In place only single words are changed, each
// of which leaves a valid record: routes used up, flags, timers.
// The list for failover is not in it: it stands in the Tx for everybody.
type Saved struct {
	txn.Saved
	src         netio.Addr
	dstAddr     netio.Addr
	textLen     uint32 // of all that follows the fixed part
	rawLen      uint32
	flags       uint32 // message flags
	bits        uint32 // savedReceived…
	maxForwards int32
	maxBreadth  int32
	failure     uint16
	branch      uint16
	reply       uint16
	uriLen      uint16
	dstLen      uint16
	routeLen    uint16
	listener    uint16
	target      uint16
	nCuts       uint8
	nContacts   uint8
	lastTarget  uint16
	side        int16 // listener that a second Route of ours names, -1: none
	forced      int16 // listener that the program names, -1: none
	// of contacts, behind nContacts: the target set of a relay that waits for a name
	nWaiting     uint8
	tries        uint8 // how often it has waited
	options      uint8
	ignore       uint8
	hostLen      uint16 // shown in our Via
	port         uint16
	pathLen      uint16
	replyOptions uint8
	nEdits       uint8
	rowsLen      uint16 // of replies made here
	unsent       uint8  // a Cause: why no target could be sent to
	_            [1]uint8
	extraLen     uint32 // what follows routeLen: the texts of leaving, and the edits
	// branchFlags are those of branch n, at n modulo its length: of more branches than that in one
	// transaction only the last ones have theirs.
	branchFlags [32]uint32
	cuts        [8]parser.Span
	question    uint64 // of the run that is held, see hold.go
	heldLen     uint32 // its state and itself, at the end of all texts
	stateLen    uint16
	heldKind    uint8
	_           uint8
	contacts    [maxTargets + 1]savedContact
}

type savedContact struct {
	addr           netio.Addr
	uriLen, dstLen uint16
	uid            uint16
	q              int16
	flags          uint32
}

// Saved.bits.
const (
	savedHasMF = 1 << iota
	savedRecordRoute
	savedPickURI
	savedURI   // there is a new Request-URI
	savedDst   // there is an outbound URI
	savedRoute // a Route row is appended
	savedWaits // a relay waits for a name
	savedFresh // its first target is the Request-URI
	savedRPort // our Via asks for rport
	savedSymmetric
	savedSips    // it is for a sips URI
	savedHeld    // a run of the routing program waits
	savedEarlier // its failure route began with a best response of earlier branches
)

// savedBytes is the size of the fixed part.
const savedBytes = 848 // TestSavedLayout

// Arm arms a route for the transaction of the request; 0 disarms. false: the
// number is too high.
func (r *Request) Arm(kind RouteKind, route int) bool {
	if route < 0 || route > 1<<16-1 {
		return false
	}
	*r.armed.of(kind) = uint16(route)
	return r.relayedSave()
}

// relayedSave notes a decision in the transaction when the request has been
// relayed already; else the next Relay does.
func (r *Request) relayedSave() bool {
	return !r.relayed || r.branching || r.Tx == nil || r.Tx.State() == txn.Terminated || r.save()
}

// Armed is the number of the route armed, 0: none.
func (r *Request) Armed(kind RouteKind) int { return int(*r.armed.of(kind)) }

func (a *armed) of(kind RouteKind) *uint16 {
	switch kind {
	case FailureRoute:
		return &a.failure
	case BranchRoute:
		return &a.branch
	}
	return &a.reply
}

// SetFinalTimers sets how long the transaction waits: fr for a first response
// (Timers B and F), frInv for the final one of an INVITE that rings (Timer C). 0
// leaves one as it is (t_set_fr). false: the arena has no room.
//
// Branches under way follow, from now on. In a branch route that happens when it is
// over, see branchRoute.
func (r *Request) SetFinalTimers(frInv, fr time.Duration) bool {
	r.timers.set(frInv, fr)
	return r.relayedSave() && r.retime(fr > 0, frInv > 0)
}

// retime makes the branches under way follow the timers saved.
func (r *Request) retime(fr, frInv bool) bool {
	if r.relayed && !r.branching && r.Tx != nil && r.Tx.State() != txn.Terminated {
		r.core.tx.Retime(r.Tx, fr, frInv)
	}
	return true
}

func (f *finalTimers) set(frInv, fr time.Duration) {
	if frInv > 0 {
		f.frInv = uint32(min(max(frInv.Milliseconds(), 1), 1<<31-1))
	}
	if fr > 0 {
		f.fr = uint32(min(max(fr.Milliseconds(), 1), 1<<31-1))
	}
}

// ResetFinalTimers goes back to the settings' (t_reset_fr).
func (r *Request) ResetFinalTimers() {
	r.timers = finalTimers{}
	r.relayedSave()
	r.retime(true, true)
}

// save keeps the request if something will ask for it: a route that runs later, or
// the transaction's own timers. false: the arena has no room.
func (r *Request) save() bool {
	if r.armed.failure|r.armed.reply == 0 && !r.core.cfg.OnsendRequests && r.timers == (finalTimers{}) && r.leave.reply == nil && r.Tx.Saved() == 0 {
		return true
	}
	// Slow path: not for a request that is relayed and forgotten.
	if r.writeSaved(false, nil) {
		return r.keepVars()
	}
	if r.Tx.Saved() == 0 {
		return false
	}
	// What was kept before stays; the words about later routes can be changed where they are.
	s := r.core.saved(r.Tx)
	s.failure, s.branch, s.reply, s.flags = r.armed.failure, r.armed.branch, r.armed.reply, r.Flags
	s.FrMs, s.FrInvMs = r.timers.fr, r.timers.frInv
	return true
}

// writeSaved writes the slot anew. waits: with the target set of the relay, which
// waits for a name. held: with a run that waits. false: the arena has no room, or the slot none for
// all targets.
func (r *Request) writeSaved(waits bool, held *HeldRun) bool {
	c := r.core
	var main target
	nWaiting := 0
	if waits {
		main, nWaiting = r.mainTarget(), r.nMore
		if r.fresh {
			nWaiting++
		}
		if nWaiting+int(r.nLoaded-r.loadedAt) > maxTargets+1 {
			return false
		}
	}
	if !r.resumed && !r.forking {
		r.base.set(&r.course, &r.changes)
	}
	d := &r.base
	raw := r.M.Raw[:end(r.M)]
	n := savedBytes + len(raw) + len(d.uri) + len(d.dst) + len(d.appendRoute) + d.textLen()
	loaded := r.contacts[r.loadedAt:r.nLoaded]
	for i := range loaded {
		n += len(loaded[i].uri) + len(loaded[i].dst)
	}
	for i := range nWaiting {
		t := r.waitingTarget(i, &main)
		n += len(t.uri) + len(t.dst)
	}
	var state []byte
	if held != nil {
		state = r.AppendState(c.take(stateBytes))
		n += len(state) + len(held.Run)
	}
	var unsent uint8
	if before := c.saved(r.Tx); before != nil {
		unsent = before.unsent
	}
	flags := r.keptBranchFlags()
	off := c.tx.NewSaved(r.Tx, n)
	if off == 0 {
		return false
	}
	s := shm.Ptr[Saved](c.cfg.Arena, off)
	h := s.Saved.Header
	*s = Saved{src: r.Src, dstAddr: d.dstAddr, textLen: uint32(n - savedBytes), rawLen: uint32(len(raw)), flags: r.Flags,
		maxForwards: int32(d.maxForwards), maxBreadth: int32(r.maxBreadth),
		failure: r.armed.failure, branch: r.armed.branch, reply: r.armed.reply,
		uriLen: uint16(len(d.uri)), dstLen: uint16(len(d.dst)), routeLen: uint16(len(d.appendRoute)),
		listener: uint16(r.Listener), target: d.target, lastTarget: r.lastTarget, side: int16(d.side), forced: int16(d.leave.forced), options: uint8(d.leave.options), ignore: uint8(d.leave.ignore), replyOptions: uint8(r.replyOptions), nWaiting: uint8(nWaiting), tries: uint8(r.waits), unsent: unsent, nCuts: uint8(d.nCuts), nContacts: uint8(len(loaded)), cuts: d.cuts,
		branchFlags: flags}
	s.Saved.Header = h
	s.Program = r.Program
	s.FrMs, s.FrInvMs = r.timers.fr, r.timers.frInv
	bit := func(set bool, b uint32) {
		if set {
			s.bits |= b
		}
	}
	bit(d.hasMF, savedHasMF)
	bit(d.recordRoute, savedRecordRoute)
	bit(d.pickURI, savedPickURI)
	bit(d.uri != nil, savedURI)
	bit(d.dst != nil, savedDst)
	bit(d.appendRoute != nil, savedRoute)
	bit(d.leave.rport, savedRPort)
	bit(r.symmetric, savedSymmetric)
	bit(r.sips, savedSips)
	bit(waits, savedWaits)
	if held != nil {
		s.question, s.heldLen, s.stateLen, s.heldKind = held.Question, uint32(len(state)+len(held.Run)), uint16(len(state)), uint8(held.Kind)
		s.bits |= savedHeld
		bit(r.startedEarlier, savedEarlier)
	}
	bit(waits && r.fresh, savedFresh)
	b := shm.Tail[Saved](c.cfg.Arena, off, n-savedBytes)[:0]
	b = append(append(append(append(b, raw...), d.uri...), d.dst...), d.appendRoute...)
	b = d.saveTexts(s, b)
	for i := range loaded {
		t := &loaded[i]
		s.contacts[i] = savedContact{t.addr, uint16(len(t.uri)), uint16(len(t.dst)), t.uid, t.q, t.flags}
		b = append(append(b, t.uri...), t.dst...)
	}
	for i := range nWaiting {
		t := r.waitingTarget(i, &main)
		s.contacts[int(s.nContacts)+i] = savedContact{t.addr, uint16(len(t.uri)), uint16(len(t.dst)), t.uid, t.q, t.flags}
		b = append(append(b, t.uri...), t.dst...)
	}
	if held != nil {
		_ = append(append(b, state...), held.Run...)
		c.tx.HoldUntil(r.Tx, off, held.Due)
		return true
	}
	c.tx.SetSaved(r.Tx, off)
	return true
}

// waitingTarget is the i-th target of a relay that waits.
func (r *Request) waitingTarget(i int, main *target) *target {
	if r.fresh {
		if i == 0 {
			return main
		}
		i--
	}
	return &r.more[i]
}

// waiting is the target set of a relay that waits; its bytes are good for the batch.
func (c *Core) waiting(s *Saved, off shm.Off) []target {
	text := shm.Tail[Saved](c.cfg.Arena, off, int(s.textLen))
	text = text[int(s.rawLen)+int(s.uriLen)+int(s.dstLen)+int(s.routeLen)+int(s.extraLen):]
	list := c.targets[:0]
	for i := range s.contacts[:s.nContacts+s.nWaiting] {
		k := &s.contacts[i]
		uri, dst := text[:k.uriLen:k.uriLen], text[k.uriLen:k.uriLen+k.dstLen:k.uriLen+k.dstLen]
		text = text[k.uriLen+k.dstLen:]
		if i < int(s.nContacts) {
			continue
		}
		list = append(list, target{nilIfEmpty(uri), nilIfEmpty(dst), k.addr, k.uid, k.q, k.flags})
	}
	return list
}

func nilIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// saved is what tx keeps of its request, nil if nothing.
func (c *Core) saved(tx *txn.Tx) *Saved {
	if tx.Saved() == 0 {
		return nil
	}
	return shm.Ptr[Saved](c.cfg.Arena, tx.Saved())
}

// serves tells whether the routes that s names can be run. The numbers of a program that is
// gone, from before a restart, mean nothing.
func (c *Core) serves(s *Saved) bool { return c.cfg.Script != nil && c.cfg.Script.Serves(s.Program) }

// failureRoute is the failure route that tx will run, 0: none.
func (c *Core) failureRoute(tx *txn.Tx) int {
	if s := c.saved(tx); s != nil && s.failure != 0 && c.serves(s) {
		return int(s.failure)
	}
	return 0
}

// passes runs the reply route of br, if it has one, and reports whether m is
// passed on.
func (c *Core) passes(tx *txn.Tx, br *txn.Branch, m *parser.Message) bool {
	s, route := c.saved(tx), br.ReplyRoute()
	if route == 0 {
		route = int(s.reply)
	}
	return route == 0 || !c.serves(s) || c.cfg.Script.Reply(s.Program, tx, br, m, route) || m.Status >= 200
}

// resume makes the request that tx keeps the request under way, as it was when
// request_route relayed it. The message is the Core's own: the shard's holds the response
// at hand.
func (c *Core) resume(tx *txn.Tx) bool {
	s, r, m := c.saved(tx), &c.Request, &c.resumed
	if s == nil {
		return false
	}
	left := shm.Tail[Saved](c.cfg.Arena, tx.Saved(), int(s.textLen))
	text := func(n int, there bool) []byte {
		if !there {
			return nil
		}
		b := left[:n:n]
		left = left[n:]
		return b
	}
	if m.Parse(text(int(s.rawLen), true)) != parser.OK || !r.Begin(m, &s.src, int(s.listener)) {
		return false
	}
	r.Tx, r.Program, r.resumed, r.fresh = tx, s.Program, true, false
	r.maxForwards, r.maxBreadth, r.hasMF = int(s.maxForwards), int(s.maxBreadth), s.bits&savedHasMF != 0
	r.recordRoute, r.pickURI = s.bits&savedRecordRoute != 0, s.bits&savedPickURI != 0
	r.uri = text(int(s.uriLen), s.bits&savedURI != 0)
	r.dst = text(int(s.dstLen), s.bits&savedDst != 0)
	r.appendRoute = text(int(s.routeLen), s.bits&savedRoute != 0)
	r.dstAddr, r.target, r.picks = s.dstAddr, s.target, *picksOf(tx)
	r.cuts, r.nCuts = s.cuts, int(s.nCuts)
	r.Flags, r.timers = s.flags, finalTimers{s.FrMs, s.FrInvMs}
	if c.serves(s) {
		r.armed = armed{s.failure, s.branch, s.reply}
	}
	r.side = int(s.side)
	r.sips = s.bits&savedSips != 0
	r.leave.restore(s, text)
	r.replyOptions = txn.StreamOptions(s.replyOptions)
	if s.bits&savedSymmetric != 0 && !r.symmetric {
		r.symmetric, r.writeReceived, r.replyTo = true, true, r.Src
	}
	r.edits.restore(s, m, text)
	r.lastTarget = s.lastTarget
	r.base.set(&r.course, &r.changes)
	r.loadedAt, r.nLoaded = 0, s.nContacts
	for i := range s.contacts[:s.nContacts] {
		k := &s.contacts[i]
		uri := text(int(k.uriLen), k.uriLen > 0)
		r.contacts[i] = target{uri, text(int(k.dstLen), k.dstLen > 0), k.addr, k.uid, k.q, k.flags}
	}
	return true
}

// TxFlags are the message flags that tx keeps; SetTxFlags replaces them, if it
// keeps any.
func (c *Core) TxFlags(tx *txn.Tx) uint32 {
	if s := c.saved(tx); s != nil {
		return s.flags
	}
	return 0
}

// SetTxFlags replaces the message flags that tx keeps, if it keeps any.
func (c *Core) SetTxFlags(tx *txn.Tx, flags uint32) {
	if s := c.saved(tx); s != nil {
		s.flags = flags
	}
}

// BranchFlags are the branch flags that tx keeps of br; SetBranchFlags replaces them, if it keeps
// any. It does where a route is armed, and nobody else can ask.
func (c *Core) BranchFlags(tx *txn.Tx, br *txn.Branch) uint32 {
	if s := c.saved(tx); s != nil {
		return s.branchFlags[br.Index()%len(s.branchFlags)]
	}
	return 0
}

// SetBranchFlags replaces the branch flags that tx keeps of br.
func (c *Core) SetBranchFlags(tx *txn.Tx, br *txn.Branch, flags uint32) {
	if s := c.saved(tx); s != nil {
		s.branchFlags[br.Index()%len(s.branchFlags)] = flags
	}
}

// keptBranchFlags are those of all branches so far.
func (r *Request) keptBranchFlags() (flags [32]uint32) {
	if s := r.core.saved(r.Tx); s != nil {
		flags = s.branchFlags
	}
	return flags
}

// bestBranchFlags are the branch flags of the last branch that has the best status: what a failure
// route begins with.
func (c *Core) bestBranchFlags(tx *txn.Tx) (flags uint32) {
	best, found := tx.BestStatus(), false
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		if is := br.Status() == best; is || !found {
			flags, found = c.BranchFlags(tx, br), is
		}
		return true
	})
	return flags
}

// SetTxTimers is SetFinalTimers for a transaction under way. false: it keeps
// nothing of its request.
func (c *Core) SetTxTimers(tx *txn.Tx, frInv, fr time.Duration) bool {
	s := c.saved(tx)
	if s == nil {
		return false
	}
	f := finalTimers{s.FrMs, s.FrInvMs}
	f.set(frInv, fr)
	s.FrMs, s.FrInvMs = f.fr, f.frInv
	c.tx.Retime(tx, fr > 0, frInv > 0)
	return true
}
