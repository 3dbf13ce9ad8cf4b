package proxy

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// A run of an onreply_route that waits is held with its response. The client machine has had the
// response by then: its timers are set, and a failure was acknowledged (§17.1.1.3). Only passing it
// upstream is put off. Whatever else comes for the transaction meanwhile waits behind it, in order,
// and has its own routes run when its turn comes:
//
//	held: Held | source, listener, edits | response | request it answers | run
//	                                                                       none: it has not begun
//
//	upstream ─→ queued ─→ passes ─→ Hold ─→ … an answer, or its deadline ─→ TakeReply
//	                                  ↑                                        ↓
//	            goOnReplies ──────────┴───────── EndReply ←── the program goes on
//
// A final response that waits keeps its transaction from being concluded without it. A repetition
// of a response that waits is absorbed. One that t_suspend holds (suspend.go) holds up no other.
// The slot stays as it is until the response has gone up, so that a process that takes over the
// arena of one that was killed makes the run ask again.

// Held is a held run of a reply route or a branch route, beside that of the request, and what it
// needs.
type Held struct {
	txn.Held
	question uint64 // see HeldRun
	textLen  uint32 // of all that follows
	runLen   uint32 // of the run, which is last; 0 means that its route has not begun
	status   uint16 // of the response
	kind     RouteKind
	// suspended says that t_suspend holds the response, see suspend.go
	suspended suspension
	_         [4]uint8
}

// heldBytes is the size of a Held.
const heldBytes = 64 // TestSavedLayout

// HeldReply is the response of a held run that goes on.
type HeldReply struct {
	Tx     *txn.Tx
	Branch *txn.Branch
	Run    []byte
}

func (c *Core) held(off shm.Off) *Held { return shm.Ptr[Held](c.cfg.Arena, off) }

// firstReply returns the oldest response that tx holds and that others wait behind, 0 if there is
// none.
func (c *Core) firstReply(tx *txn.Tx) shm.Off {
	off := c.tx.FirstHeld(tx)
	for off != 0 && !c.held(off).inTurn() {
		off = c.tx.NextHeld(off)
	}
	return off
}

// inTurn reports whether h is a response that others wait behind.
func (h *Held) inTurn() bool { return h.kind == ReplyRoute && h.suspended == 0 }

// replyOf returns the response of tx whose run has asked that question, 0 if none has.
func (c *Core) replyOf(tx *txn.Tx, question uint64) shm.Off {
	for off := c.tx.FirstHeld(tx); off != 0; off = c.tx.NextHeld(off) {
		h := c.held(off)
		if h.kind == ReplyRoute && h.runLen != 0 && h.question == question {
			return off
		}
	}
	return 0
}

// holds reports whether tx holds something that may bring a final response: a final response that
// waits to go up, or a branch that waits to be sent. The one whose run goes on at the moment does
// not count.
func (c *Core) holds(tx *txn.Tx) bool {
	for off := c.tx.FirstHeld(tx); off != 0; off = c.tx.NextHeld(off) {
		if h := c.held(off); off != c.replying && off != c.branching &&
			(h.kind == BranchRoute || h.status >= 200) {
			return true
		}
	}
	return false
}

// queued puts a response behind the one of its transaction that waits. It returns false if none
// waits. It also returns false for a final response that must not be lost and for which the arena
// has no room: that goes on at once, and cannot wait.
func (c *Core) queued(tx *txn.Tx, br *txn.Branch, m *parser.Message) bool {
	if c.replying != 0 || c.tx.FirstHeld(tx) == 0 {
		return false
	}
	// Slow path.
	status, n := int(m.Status), 0
	raw := m.Raw[:end(m)]
	for off := c.tx.FirstHeld(tx); off != 0; off = c.tx.NextHeld(off) {
		h := c.held(off)
		if h.kind != ReplyRoute {
			continue
		}
		if h.suspended == 0 {
			n++
		}
		if c.tx.BranchOf(off) == br && int(h.status) == status && bytes.Equal(c.responseAt(off), raw) {
			c.count[txn.CountAbsorbed]++
			return true
		}
	}
	if n == 0 {
		return false
	}
	lost := status < 200 || status < 300 && tx.Invite() // as on the network: it is repeated
	if n <= maxQueuedReplies || !lost {
		if off := c.writeReply(tx, br, &HeldRun{}); off != 0 {
			c.tx.AddHeld(tx, off)
			if c.tracing {
				c.traceBranch(br, "a response waits behind another one", "status", status)
			}
			return true
		}
		if !lost {
			return false
		}
	}
	c.count[CountQueueFull]++
	return true
}

// Hold suspends the reply route's run on the response. It returns false if the arena has no room,
// or if another response of the transaction waits already.
func (p *Reply) Hold(tx *txn.Tx, br *txn.Branch, h *HeldRun) bool {
	c := p.core
	if first := c.firstReply(tx); tx.State() == txn.Terminated || first != 0 && first != c.replying {
		return false
	}
	off := c.writeReply(tx, br, h)
	if off == 0 {
		return false
	}
	if c.replying == 0 {
		c.tx.AddHeld(tx, off)
	} else {
		c.tx.ReplaceHeld(tx, c.replying, off)
	}
	p.wasHeld, c.replying = c.replying != 0, off
	if c.tracing {
		c.traceBranch(br, "the reply route waits for an answer")
	}
	c.count[CountHeld]++
	return true
}

// Unhold undoes Hold, for a question that could not be asked. The run goes on at once.
func (p *Reply) Unhold(tx *txn.Tx) {
	c := p.core
	if p.wasHeld {
		c.held(c.replying).DueAt = 0
		return
	}
	c.tx.DropHeld(tx, c.replying)
	c.replying = 0
}

// writeReply writes the response under way and its run into the arena. It returns 0 if there is no
// room.
func (c *Core) writeReply(tx *txn.Tx, br *txn.Branch, run *HeldRun) shm.Off {
	p := &c.Reply
	raw := p.M.Raw[:end(p.M)]
	var sent []byte
	if p.M.Status >= 300 && c.tx.Spares(tx, br.Index()) {
		sent = c.tx.Answered() // for the next address
	}
	w := stateWriter{c.saving[:0]}
	w.addr(&p.Src)
	w.number(uint64(p.Listener))
	w.signed(p.listener)
	w.b = append(w.b, uint8(p.options))
	w.edits(&p.edits)
	w.number(uint64(len(raw)))
	w.number(uint64(len(sent)))
	if cap(w.b) <= maxSavingBytes {
		c.saving = w.b
	}
	n := len(w.b) + len(raw) + len(sent) + len(run.Run)
	off := c.tx.NewHeld(tx, br, heldBytes+n)
	if off == 0 {
		return 0
	}
	h := c.held(off)
	h.DueAt, h.question, h.textLen, h.runLen = run.Due, run.Question, uint32(n), uint32(len(run.Run))
	h.status, h.kind = p.M.Status, ReplyRoute
	if h.suspended = 0; run.suspended {
		h.suspended = isSuspended
	}
	b := append(shm.Tail[Held](c.cfg.Arena, off, n)[:0], w.b...)
	_ = append(append(append(b, raw...), sent...), run.Run...)
	return off
}

// replyAt reads what writeReply wrote at off into p.
func (c *Core) replyAt(off shm.Off, p *Reply) (raw, sent, run []byte) {
	h := c.held(off)
	text := shm.Tail[Held](c.cfg.Arena, off, int(h.textLen))
	run = text[len(text)-int(h.runLen):]
	k := stateReader{b: text[:len(text)-len(run)]}
	p.Src, p.Listener, p.listener = k.addr(), int(k.number()), k.signed()
	p.options = txn.StreamOptions(k.byte())
	k.edits(&p.edits)
	n, m := k.number(), k.number()
	if raw, sent = k.take(n), k.take(m); k.bad {
		return nil, nil, nil
	}
	return raw, sent, run
}

// responseAt returns the bytes of the response at off.
func (c *Core) responseAt(off shm.Off) []byte {
	h := c.held(off)
	k := stateReader{b: shm.Tail[Held](c.cfg.Arena, off, int(h.textLen))[:h.textLen-h.runLen]}
	k.addr()
	k.number()
	k.signed()
	k.byte()
	for n := k.count(maxScriptEdits); n > 0; n-- {
		k.span()
		k.text()
	}
	n := k.number()
	k.number()
	return k.take(n)
}

// TakeReply makes the response of a held run the response under way, parsed into m, as it was when
// the run stopped. The run that it returns is valid for the batch. ok is false if no response with
// that question is held any more, since its transaction has ended. EndReply must follow.
func (c *Core) TakeReply(w Waiting, question uint64, m *parser.Message) (h HeldReply, ok bool) {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil {
		return h, false
	}
	off := c.replyOf(tx, question)
	if off == 0 {
		return h, false
	}
	c.held(off).DueAt = 0
	if h, ok = c.takeUp(tx, off, m); !ok {
		c.loseReply(tx)
		c.goOnReplies(tx, m)
	}
	return h, ok
}

// takeUp makes the response at off the one under way. It returns false if its branch has ended
// without it.
func (c *Core) takeUp(tx *txn.Tx, off shm.Off, m *parser.Message) (h HeldReply, ok bool) {
	c.replying = off
	h = HeldReply{Tx: tx, Branch: c.tx.BranchOf(off)}
	p := &c.Reply
	raw, sent, run := c.replyAt(off, p)
	if h.Branch == nil || raw == nil || m.Parse(raw) != parser.OK {
		return h, false
	}
	p.M, h.Run = m, run
	p.edits.about(m)
	if len(sent) == 0 {
		sent = nil
	}
	c.tx.TakeUp(h.Branch, sent)
	return h, true
}

// EndReply does what follows when a held run has ended, or waits again (ReplyHeld). The response of
// a run that ended goes up, unless it is a provisional that the route dropped, and the responses
// behind it go on.
func (c *Core) EndReply(h *HeldReply, m *parser.Message, o ReplyOutcome) {
	if o == ReplyHeld {
		c.replying = 0
		return
	}
	if o == ReplyPassed || m.Status >= 200 {
		via, _ := m.TopVia()
		c.tx.Linger(h.Branch)
		c.passed(h.Tx, h.Branch, m, via)
	}
	c.leaveReply(h.Tx)
	c.goOnReplies(h.Tx, m)
}

// leaveReply frees the response that was under way.
func (c *Core) leaveReply(tx *txn.Tx) {
	off := c.replying
	c.replying = 0
	c.tx.DropHeld(tx, off)
}

// loseReply frees a response whose branch was ended without it. Slow path.
func (c *Core) loseReply(tx *txn.Tx) {
	final := c.held(c.replying).status >= 200
	c.leaveReply(tx)
	if final && tx.State() != txn.Terminated && !tx.Answered() && !c.undecided(tx) {
		c.conclude(tx, nil)
	}
}

// GoOnReplies runs the routes of the queued responses that nothing holds up any more, each parsed
// into m.
func (c *Core) GoOnReplies(w Waiting, m *parser.Message) {
	if tx := c.tx.ByKey(shm.Off(w.Tx), w.Key); tx != nil {
		c.goOnReplies(tx, m)
	}
}

func (c *Core) goOnReplies(tx *txn.Tx, m *parser.Message) {
	for tx.State() != txn.Terminated {
		off := c.firstReply(tx)
		if off == 0 || c.held(off).runLen != 0 {
			return
		}
		h, ok := c.takeUp(tx, off, m)
		if !ok {
			c.loseReply(tx)
			continue
		}
		if m.Status >= 200 || !tx.Answered() {
			via, _ := m.TopVia()
			c.tx.Linger(h.Branch)
			c.upstream(tx, h.Branch, m, via)
			if c.replying == 0 {
				return // it waits in its turn
			}
		}
		c.leaveReply(tx)
	}
}

// AbortReply ends a response whose run was held and then panicked: the response is lost. Those
// behind it go on by themselves.
func (c *Core) AbortReply() {
	off := c.replying
	if c.replying = 0; off == 0 {
		return
	}
	tx := c.tx.OfHeld(off)
	if tx == nil {
		return
	}
	c.tx.DropHeld(tx, off)
	if next := c.firstReply(tx); next != 0 && c.held(next).runLen == 0 {
		c.tx.DueHeld(tx, next, c.now)
	}
}

// WaitedFor implements txn.User: what tx holds at off is due.
func (c *Core) WaitedFor(tx *txn.Tx, off shm.Off) {
	h := c.held(off)
	switch {
	case c.cfg.HeldReply == nil || c.cfg.HeldBranch == nil:
	case h.kind == BranchRoute:
		c.cfg.HeldBranch(c.WaitingFor(tx), h.question, false)
	default:
		c.cfg.HeldReply(c.WaitingFor(tx), h.question, h.runLen != 0, false)
	}
}

// repliesAgain makes the runs of responses that a killed process held ask again.
func (c *Core) repliesAgain(tx *txn.Tx) {
	c.suspendedAgain(tx)
	off := c.firstReply(tx)
	if off == 0 || c.cfg.HeldReply == nil {
		return
	}
	if h := c.held(off); h.DueAt == 0 || h.question != 0 {
		c.cfg.HeldReply(c.WaitingFor(tx), h.question, h.runLen != 0, true)
	}
}
