package proxy

import (
	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// A run of the routing program that waits for an answer is held in the arena, like a relay that
// waits for a name. Its transaction is made, and the caller has its 100. Behind the saved request
// stand the request's state in the middle of the program, and what the run itself needs, which only
// package route reads:
//
//	Saved | request | … | held: question, kind, state of the request, run
//
//	Hold ─→ … an answer, or its deadline ─→ TakeHeld ─→ the program goes on ─→ EndHeld
//
// The slot stays as it is until the run has ended, waits again, or relays; a relay writes a new
// slot before anything leaves. So a process that takes over the arena of one that was killed
// meanwhile makes the run ask again (HeldAgain): a question is asked at least once.

// HeldRun is a run that waits.
type HeldRun struct {
	Kind RouteKind // kind of the route it began with
	// Question is the number of the question that the run asked; 0 means none, and the run waits
	// for Due.
	Question uint64
	Due      int64  // deadline, in ns of the shard's clock
	Run      []byte // what package route needs

	suspended bool // see suspend.go
}

// savedHeldBits are the bits of Saved.bits that say that something waits.
const savedHeldBits = savedWaits | savedHeld

// Hold suspends the program's run on the request. It makes the transaction if there is none. It
// returns false if the arena has no room.
func (r *Request) Hold(h *HeldRun) bool {
	c := r.core
	if r.branching {
		return r.holdBranch(h)
	}
	alone := r.Tx == nil || r.alone
	if !r.NewTransaction() {
		return false
	}
	if r.alone = alone; r.own {
		c.tx.Uncount(r.Tx)
	}
	if r.M.Method == parser.INVITE && r.Tx.Status() == 0 && !r.resumed {
		r.Trying()
	}
	r.keepPicks()
	if !r.writeSaved(false, h) {
		return false
	}
	c.running = nil
	if c.tracing {
		r.trace("the routing program waits for an answer")
	}
	c.count[CountHeld]++
	return true
}

// Unhold undoes Hold, for a question that could not be asked. The run goes on at once.
func (r *Request) Unhold() {
	if r.branching {
		r.unholdBranch()
		return
	}
	r.core.stopWaiting(r.Tx)
}

// NotHeld ends a request whose run could not be held for want of room: the caller gets 503. It
// returns false if its transaction has branches, with which it goes on.
func (r *Request) NotHeld() bool {
	if r.branching {
		return false
	}
	if r.Tx == nil {
		r.Refuse(NoRoom, "", "")
		return true
	}
	if r.Tx.Total() > 0 || r.resumed {
		return false
	}
	return r.noRoom()
}

// HasTransaction reports whether the request has a transaction, other than one that exists only
// because its run was held: a script knows nothing of that.
func (r *Request) HasTransaction() bool { return r.Tx != nil && !r.alone }

// EndAlone ends the transaction of a request about which nothing was decided, and that has one only
// because its run was held. Nobody hears of it, as if the run had not waited: an INVITE had its
// 100, and nothing follows. It returns false if there is more to the transaction.
func (r *Request) EndAlone() bool {
	if !r.alone || r.lastCause != NoCause || r.Tx.Canceled() {
		return false
	}
	r.core.tx.Terminate(r.Tx)
	return true
}

// WaitingFor returns the Waiting by which tx is found again.
func (c *Core) WaitingFor(tx *txn.Tx) Waiting {
	return Waiting{uint64(c.tx.OffOf(tx)), tx.Key()}
}

// heldBy returns what tx saved if it holds a run of its program that has not gone on yet, else nil.
func (c *Core) heldBy(tx *txn.Tx) *Saved {
	if s := c.saved(tx); s != nil && s.bits&savedHeld != 0 && c.running != tx {
		return s
	}
	return nil
}

// Waited implements txn.User: the deadline of what tx waits for has passed.
func (c *Core) Waited(tx *txn.Tx) {
	if s := c.heldBy(tx); s != nil && c.cfg.Held != nil {
		c.cfg.Held(c.WaitingFor(tx), c.question(tx, s), false)
	}
}

// heldAgain makes a run that a killed process held go on. If it asked a question it asks again. If
// its time was over it has nothing more to wait for. The time of any other run goes on.
func (c *Core) heldAgain(tx *txn.Tx) {
	s := c.heldBy(tx)
	if s == nil || c.cfg.Held == nil {
		return
	}
	if question := c.question(tx, s); question != 0 || s.DueAt == 0 {
		c.cfg.Held(c.WaitingFor(tx), question, true)
	}
}

// TakeHeld makes the request of a held run the request under way, as it was when the run stopped,
// and returns the run, which is valid for the batch. question tells the run from another of the
// same transaction. ok is false if the run is gone: a CANCEL or its deadline ended it. EndHeld must
// follow.
func (c *Core) TakeHeld(w Waiting, question uint64) (r *Request, h HeldRun, ok bool) {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil {
		return nil, h, false
	}
	s := c.heldBy(tx)
	if s == nil || c.question(tx, s) != question {
		return nil, h, false
	}
	s.DueAt = 0
	if tx.Answered() || tx.Canceled() {
		c.stopWaiting(tx)
		if !tx.Answered() && !c.undecided(tx) {
			c.sendBest(tx, nil) // the CANCEL left it unfinished
		}
		return nil, h, false
	}
	held := c.heldBytes(tx, s)
	held.number() // the question
	kind := RouteKind(held.byte() &^ heldSuspended)
	c.running = tx
	if !c.resume(tx) || !c.Request.readState(&held) {
		c.stopWaiting(tx)
		if !c.undecided(tx) {
			c.sendBest(tx, nil)
		}
		return nil, h, false
	}
	c.running = tx
	r = &c.Request
	r.resumed = kind == FailureRoute
	r.startedEarlier = s.bits&savedEarlier != 0
	r.own, r.alone = s.bits&savedOwn != 0, s.bits&savedAlone != 0
	r.wasHeld = true
	return r, HeldRun{Kind: kind, Question: question, Run: held.b}, true
}

// heldBytes returns a reader of the run that s holds.
func (c *Core) heldBytes(tx *txn.Tx, s *Saved) stateReader {
	text := shm.Tail[Saved](c.cfg.Arena, tx.Saved(), int(s.textLen))
	return stateReader{b: text[len(text)-int(s.heldLen):]}
}

// question returns the number of the question that the run in s has asked.
func (c *Core) question(tx *txn.Tx, s *Saved) uint64 {
	held := c.heldBytes(tx, s)
	return held.number()
}

// EndHeld does what follows when a held run of tx has ended, or waits again. A failure route that
// made nothing of the transaction leaves it with its best response.
func (c *Core) EndHeld(tx *txn.Tx, kind RouteKind) {
	again := c.running != tx && c.waits(tx)
	c.running = nil
	if tx.State() == txn.Terminated || again {
		return
	}
	s := c.saved(tx)
	before := uint8(0)
	if c.Request.startedEarlier {
		before = bestEarlier
	}
	if s != nil {
		s.bits &^= savedHeld
		if kind == RequestRoute && c.needless(tx, s) {
			c.tx.DropSaved(tx)
		}
	}
	if kind == FailureRoute && !tx.Answered() && !c.failureEnded(tx, before) && c.concluding != tx {
		c.conclude(tx, nil)
	}
}

// needless tells whether nothing will ask any more for what is kept of the request under way, whose
// run was held and has ended: it is relayed and would not have been kept without the wait, or it is
// answered and nothing of it is under way.
func (c *Core) needless(tx *txn.Tx, s *Saved) bool {
	r := &c.Request
	if r.Tx != tx || r.ours() || s.bits&savedWaits != 0 || c.tx.FirstHeld(tx) != 0 ||
		c.concluding == tx {
		return false
	}
	if tx.Live() == 0 {
		return tx.Answered()
	}
	return !r.kept() && !c.mayLose(tx)
}
