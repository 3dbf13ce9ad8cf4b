package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// A relay that needs a name which nobody has looked up yet waits in the arena: its transaction is
// made, the caller has its 100, and the saved request holds the target set. The resolver's answer
// comes as a mail that names the transaction, and the relay goes on. Nothing else waits with it.
//
//	Relay ─→ where: unresolved ─→ wait: save, Ask ─→ … ─→ Resolved: resume, relay
//
// A request without a transaction has nothing to wait in: a copy of it is parked as it was
// received, and the routing program runs again when the name is known.

// waitingRelay is the target set of a relay that goes on, and the number of times it has waited.
type waitingRelay struct {
	n, tries int
	list     [maxTargets + 1]target
}

// Waiting names a transaction that waits for a name or an answer, in the mail that ends the wait.
type Waiting struct {
	Tx  uint64 // offset of the transaction
	Key uint64 // tells the transaction from a later one in the same slot
}

// NameAsker is what the shard does for a relay that waits for a name.
type NameAsker interface {
	// AskName asks where q leads, and makes the shard call [Core.Resolved] with w on its own
	// goroutine when there is an answer. It returns false if too many questions are open.
	AskName(q *NameQuery, w Waiting) bool
	// Prefetch asks without anything waiting: the next request finds the answer.
	Prefetch(q *NameQuery)
	// Park keeps a copy of the message, and runs it again as if it had just arrived when q has an
	// answer. It returns false if there is no room.
	Park(q *NameQuery, m *parser.Message, src *netio.Addr, listener int) bool
}

// waits reports whether tx waits for a name, or a run of its program for an answer.
func (c *Core) waits(tx *txn.Tx) bool {
	s := c.saved(tx)
	return s != nil && (s.bits&savedWaits != 0 || s.bits&savedHeld != 0 && c.running != tx)
}

// waitsForName reports whether tx waits for a name.
func (c *Core) waitsForName(tx *txn.Tx) bool {
	s := c.saved(tx)
	return s != nil && s.bits&savedWaits != 0
}

// stopWaiting makes tx wait no more: the answer, when it comes, finds nothing to go on with.
func (c *Core) stopWaiting(tx *txn.Tx) {
	if s := c.saved(tx); s != nil {
		s.bits &^= savedHeldBits | savedContinued
		s.DueAt = 0
	}
}

// awaitsName reports whether the relay has to wait for the name of any of its targets. What a
// branch route will make of a target is not known yet.
func (r *Request) awaitsName() bool {
	if r.core.cfg.Resolver == nil {
		return false
	}
	r.looking = true
	defer func() { r.looking = false }()
	main, pickURI := r.mainTarget(), r.pickURI
	found := r.fresh && !r.where(&r.to) && r.unresolved
	for i := 0; i < r.nMore && !found; i++ {
		r.setTarget(&r.more[i])
		r.pickURI = false
		found = !r.where(&r.to) && r.unresolved
	}
	if !found {
		r.setTarget(&main)
		r.pickURI = pickURI
		return false
	}
	name := r.core.keep(r.query.Host)
	r.setTarget(&main)
	r.pickURI = pickURI
	r.query.Host = name
	return true
}

// wait puts the relay off until r.query has an answer.
func (r *Request) wait() bool {
	c := r.core
	if r.waits >= r.nMore+waitsBeyond ||
		r.Tx != nil && r.waits > 0 && c.tx.Left(r.Tx) < longestWait || c.cfg.Names == nil ||
		r.M.Method == parser.CANCEL {
		return r.cannot(NameUnresolved)
	}
	if !r.newTransaction() {
		r.unsent = NoCause
		return false
	}
	if r.M.Method == parser.INVITE && r.Tx.Status() == 0 && !r.no100 && !r.resumed {
		r.Trying()
	}
	r.keepPicks()
	r.waits++
	if !r.writeSaved(true, nil) || !r.keepVars() {
		return r.noRoom()
	}
	if !c.cfg.Names.AskName(&r.query, Waiting{uint64(c.tx.OffOf(r.Tx)), r.Tx.Key()}) {
		c.stopWaiting(r.Tx)
		return r.cannot(NameQueriesFull)
	}
	r.relayed = true
	if c.tracing {
		r.trace("waits for a name", "name", string(r.query.Host))
	}
	c.count[CountWaited]++
	return true
}

// park sets a request without a transaction aside.
func (r *Request) park() bool {
	c := r.core
	if r.asReceived != nil && c.cfg.Names != nil {
		r.M.Parse(r.asReceived) // the program will run again on the request as it came
		r.via, _ = r.M.TopVia()
	}
	if c.cfg.Names == nil || !c.cfg.Names.Park(&r.query, r.M, &r.Src, r.Listener) {
		return r.cannot(NameQueriesFull)
	}
	r.done = true
	if c.tracing {
		r.trace("set aside until a name is known", "name", string(r.query.Host))
	}
	c.count[CountParked]++
	return true
}

// Resolved goes on with the relay that waited. It does nothing if the relay was ended meanwhile, by
// a CANCEL or by its time.
func (c *Core) Resolved(w Waiting) {
	tx := c.tx.ByKey(shm.Off(w.Tx), w.Key)
	if tx == nil || tx.Answered() && !tx.Replicated() || tx.State() == txn.Terminated ||
		!c.waitsForName(tx) {
		return
	}
	s := c.saved(tx)
	fresh := s.bits&savedFresh != 0
	s.bits &^= savedWaits
	r := &c.Request
	if tx.Canceled() || !c.resume(tx) {
		if !c.undecided(tx) {
			c.sendBest(tx, nil)
		}
		return
	}
	r.waits = c.waiting.tries
	r.restoreTargets(c.waiting.list[:c.waiting.n], fresh)
	r.reserve()
	ok := r.relay()
	c.tx.Reserve(false)
	if !ok && !tx.Answered() && !c.undecided(tx) {
		if tx.Total() > 0 || tx.BestStatus() != 0 {
			c.conclude(tx, nil)
			return
		}
		r.ReplyError()
	}
}

// restoreTargets makes the saved target set that of the next Relay.
func (r *Request) restoreTargets(list []target, fresh bool) {
	r.nMore = 0
	r.fresh = fresh
	for i := range list {
		t := &list[i]
		if i == 0 && fresh {
			r.setTarget(t)
			r.pickURI = t.addr.Family != 0 && t.dst == nil
			continue
		}
		r.more[r.nMore] = *t
		r.nMore++
	}
}
