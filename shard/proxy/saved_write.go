package proxy

import (
	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// save keeps the request if something will need it: a route that runs later, or the transaction's
// own timers. It returns false if the arena has no room.
func (r *Request) save() bool {
	if !r.kept() && r.Tx.Saved() == 0 {
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
	s.T1Ms, s.T2Ms = r.retr.t1, r.retr.t2
	s.bits |= uint32(r.restores)<<savedRestoresAt | uint32(r.switches&keptSwitches)<<savedSwitches
	return true
}

// kept reports whether something will need the request later.
func (r *Request) kept() bool {
	return r.ours() || r.armed.failure|r.armed.reply != 0 || r.armed.lost != 0 ||
		r.core.cfg.OnsendRequests || r.core.cfg.keepsFor(r.Flags) ||
		r.timers != (finalTimers{}) || r.retr != (retransmits{}) || r.restores != 0 ||
		r.switches&keptSwitches != 0 || r.leave.reply != nil
}

// writeSaved writes the slot anew: if waits, with the target set of the relay, which waits for a
// name; if held is not nil, with that run. It returns false if the arena has no room.
func (r *Request) writeSaved(waits bool, held *HeldRun) bool {
	c := r.core
	anew := !r.resumed && !r.forking && !r.based
	if anew {
		r.base.set(&r.course, &r.changes)
	}
	raw := r.M.Raw[:end(r.M)]
	w := stateWriter{c.saving[:0]}
	w.number(uint64(len(raw)))
	w.addr(&r.Src)
	w.number(uint64(r.Listener))
	front := len(w.b)
	w.kept(r, waits)
	mid := len(w.b)
	n := len(w.b) + len(raw)
	if held != nil {
		w.number(held.Question)
		kind := uint8(held.Kind)
		if held.suspended {
			kind |= heldSuspended
		}
		w.b = r.appendState(append(w.b, kind), anew)
		n = len(w.b) + len(raw) + len(held.Run)
	}
	if cap(w.b) <= maxSavingBytes {
		c.saving = w.b
	}
	var unsent uint8
	var flags []byte
	if before := c.saved(r.Tx); before != nil {
		unsent, flags = before.unsent, c.branchFlags(r.Tx, before)
	}
	n += len(flags)
	off := c.tx.NewSaved(r.Tx, savedBytes+n)
	if off == 0 {
		return false
	}
	s := shm.Ptr[Saved](c.cfg.Arena, off)
	h := s.Saved.Header
	*s = Saved{textLen: uint32(n), flags: r.Flags, failure: r.armed.failure, branch: r.armed.branch,
		reply:  r.armed.reply,
		unsent: unsent, nBranchFlags: uint8(len(flags) / branchFlagBytes)}
	s.Saved.Header = h
	s.Program = r.Program
	s.FrMs, s.FrInvMs = r.timers.fr, r.timers.frInv
	s.T1Ms, s.T2Ms = r.retr.t1, r.retr.t2
	for i, set := range [...]bool{waits, waits && r.fresh, r.symmetric, r.sips, held != nil,
		held != nil && r.startedEarlier, r.own} {
		if set {
			s.bits |= 1 << i
		}
	}
	s.bits |= uint32(r.restores) << savedRestoresAt
	s.bits |= uint32(r.switches&keptSwitches) << savedSwitches
	if r.alone {
		s.bits |= savedAlone
	}
	b := append(shm.Tail[Saved](c.cfg.Arena, off, n)[:0], flags...)
	b = append(append(append(b, w.b[:front]...), raw...), w.b[front:mid]...)
	if held != nil {
		s.heldLen = uint32(len(w.b) - mid + len(held.Run))
		_ = append(append(b, w.b[mid:]...), held.Run...)
		c.tx.HoldUntil(r.Tx, off, held.Due)
		return true
	}
	c.tx.SetSaved(r.Tx, off)
	return true
}

// kept writes what is kept of r behind its bytes: if waits, with the target set of its relay.
func (w *stateWriter) kept(r *Request, waits bool) {
	w.signed(r.maxBreadth)
	w.number(uint64(r.lastTarget))
	w.b = append(w.b, uint8(r.replyOptions), uint8(r.waits), 0)
	if waits {
		w.b[len(w.b)-1] = r.armed.lost // else the branches have it
	}
	w.decisions(&r.base.course, &r.base.changes)
	loaded := r.contacts[r.loadedAt:r.nLoaded]
	w.number(uint64(len(loaded)))
	for i := range loaded {
		w.target(&loaded[i])
	}
	switch {
	case !waits:
		w.number(0)
	case r.fresh:
		main := r.mainTarget()
		w.number(uint64(r.nMore) + 1)
		w.target(&main)
	default:
		w.number(uint64(r.nMore))
	}
	if waits {
		for i := range r.more[:r.nMore] {
			w.target(&r.more[i])
		}
	}
	if r.own {
		w.text(r.note)
	}
}

// resume makes the request that tx keeps the request under way, as it was when request_route
// relayed it. It is parsed into the Core's own message, since the shard's holds the response at
// hand. The target set of a relay that waits is left in c.waiting, valid for the batch. It returns
// false if tx keeps none.
func (c *Core) resume(tx *txn.Tx) bool {
	return c.resumeInto(&c.Request, &c.resumed, &c.waiting, tx)
}

// resumeInto is resume into r, with m as its message and waiting as its target set.
func (c *Core) resumeInto(r *Request, m *parser.Message, waiting *waitingRelay, tx *txn.Tx) bool {
	s := c.saved(tx)
	if s == nil {
		return false
	}
	text := shm.Tail[Saved](c.cfg.Arena, tx.Saved(), int(s.textLen))
	k := stateReader{b: text[int(s.nBranchFlags)*branchFlagBytes : len(text)-int(s.heldLen)]}
	rawLen, src, listener := k.number(), k.addr(), int(k.number())
	if raw := k.take(rawLen); k.bad || m.Parse(raw) != parser.OK || !r.Begin(m, &src, listener) {
		return false
	}
	r.Tx, r.Program, r.resumed, r.fresh = tx, s.Program, true, false
	r.picks = *picksOf(tx)
	r.Flags, r.timers = s.flags, finalTimers{s.FrMs, s.FrInvMs}
	r.retr = retransmits{s.T1Ms, s.T2Ms}
	if c.serves(s) {
		r.armed = armed{failure: s.failure, branch: s.branch, reply: s.reply}
	}
	r.sips = s.bits&savedSips != 0
	r.restores = s.restores()
	r.switches = Switches(s.bits >> savedSwitches)
	if s.bits&savedSymmetric != 0 && !r.symmetric {
		r.symmetric, r.writeReceived, r.replyTo = true, true, r.Src
	}
	r.maxBreadth, r.lastTarget = k.signed(), uint16(k.number())
	if n := k.take(3); n != nil {
		r.replyOptions, waiting.tries = txn.StreamOptions(n[0]), int(n[1])
		if c.serves(s) {
			r.armed.lost = n[2]
			if lost := s.bits >> savedLostAt; lost != 0 {
				r.armed.lost = uint8(lost)
			}
		}
	}
	k.decisions(&r.course, &r.changes, m)
	r.base.set(&r.course, &r.changes)
	r.loadedAt, r.nLoaded = 0, uint8(k.count(len(r.contacts)))
	for i := range r.contacts[:r.nLoaded] {
		r.contacts[i] = k.target()
	}
	waiting.n = k.count(len(waiting.list))
	for i := range waiting.list[:waiting.n] {
		waiting.list[i] = k.target()
	}
	if r.own = s.bits&savedOwn != 0; r.own {
		r.note = k.text()
	}
	return !k.bad
}
