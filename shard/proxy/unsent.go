package proxy

import (
	"slices"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/txn"
)

// What keeps a target from being sent to is one kind of failure, whatever its cause: the causes
// from Blocklisted to NameQueriesFull. Like a time-out, it leads to the next address of the name,
// then to the next destination of the set, or to the failure route if one is armed. What is wrong
// with the request itself (a Request-URI that cannot be read, too many hops, no room for its
// transaction) is not of this kind: no other target would help.

// cannot notes why the target at hand cannot be sent to. It returns false.
func (r *Request) cannot(why Cause) bool {
	r.unsent = why
	return r.fail(why)
}

// passOver is overtake, unless a failure or branch route decides what follows, as after a time-out.
func (r *Request) passOver() bool {
	return r.armed.failure|r.armed.branch == 0 && r.overtake()
}

// overtake replaces the destination that cannot be sent to by the next one of its set. It returns
// false if there is none.
func (r *Request) overtake() bool {
	if r.unsent == NoCause || r.target == 0 || r.core.table == nil || !r.picks.Has(r.target) {
		return false
	}
	// Slow path: the destination is listed, or its name leads nowhere.
	fresh, picks, why := r.fresh, r.picks, r.unsent
	if r.picks.NextTarget(r.core.table) == nil {
		return false
	}
	r.picks = picks
	r.targetFailed(why)
	ok := r.NextTarget(r.pickURI)
	r.fresh = fresh
	if !ok {
		return false
	}
	if r.Tx != nil {
		*picksOf(r.Tx) = r.picks
	}
	r.unsent, r.lastCause = NoCause, NoCause
	r.core.count[CountFailover]++
	return true
}

// reach is where, except that it passes over destinations of a set that cannot be sent to.
func (r *Request) reach(to *txn.Destination) bool {
	for !r.where(to) {
		if !r.passOver() {
			return false
		}
	}
	return true
}

// nothingSent ends a relay that could not send to any of its targets. If a failure route is armed
// it runs when the route at work is over, and nothingSent returns true. The best response so far is
// then a 503, as if a request had been sent in vain (§16.9).
func (r *Request) nothingSent() bool {
	c := r.core
	if r.unsent == NoCause || r.armed.failure == 0 || c.cfg.Script == nil ||
		r.Tx == nil && !r.newTransaction() || r.closed() {
		return false
	}
	why := r.unsent
	if r.M.Method == parser.INVITE && r.Tx.Status() == 0 && !r.no100 && !r.resumed {
		r.Trying()
	}
	r.keepPicks()
	if !r.save() {
		return r.noRoom()
	}
	c.saved(r.Tx).unsent = uint8(why)
	c.note(r.Tx, 503, why)
	c.concluding = r.Tx
	r.fresh, r.nMore, r.relayed = false, 0, true
	return true
}

// answerUnsent answers tx, of which nothing was ever sent, as the cause for that requires. It
// returns false if there is no such cause.
func (c *Core) answerUnsent(tx *txn.Tx) bool {
	s := c.saved(tx)
	if s == nil || s.unsent == 0 {
		return false
	}
	why := Cause(s.unsent)
	if !c.resume(tx) {
		return false
	}
	c.Request.lastCause = why
	c.Request.ReplyError()
	return true
}

// listed reports whether a destination of a set is on the blocklist. It is false for a name, whose
// addresses are not known yet, and for an ACK to a 2xx, which goes where the call is.
func (r *Request) listed(t *balance.Target) bool {
	b := r.core.cfg.Blocked
	return b != nil && t.Addr.Family != 0 && r.M.Method != parser.ACK &&
		b.Holds(&t.Addr, r.M.Method)
}

// passing is the destinations on the blocklist that another one of the set was chosen instead of.
type passing struct {
	n    int
	list [balance.MaxPicks + 1]*balance.Target
}

func (p *passing) add(t *balance.Target) {
	if p.n < len(p.list) && !slices.Contains(p.list[:p.n], t) {
		p.list[p.n] = t
		p.n++
	}
}

// passed counts each of them once. A destination that is refused after all is counted where that
// happens.
func (r *Request) passed(p *passing) {
	for _, t := range p.list[:p.n] {
		r.core.blocks(&t.Addr, r.M.Method)
	}
}

// passListed returns the first destination behind t that is not on the blocklist, as t is. It
// returns t if all of them are.
func (r *Request) passListed(t *balance.Target, over *passing) *balance.Target {
	picks := r.picks
	over.add(t)
	for {
		next := r.picks.NextTarget(r.core.table)
		if next == nil {
			r.picks = picks
			return t
		}
		if !r.listed(next) {
			r.passed(over)
			return next
		}
		over.add(next)
	}
}

// drawAgain draws for a call whose first choice is on the blocklist. It draws the whole list, since
// the first one may have been cut before a destination that is not. Round robin gives the turn of a
// listed destination to the one with the next turn, so that the others share alike. It returns nil
// if nothing is left.
func (r *Request) drawAgain(first *balance.Target, set int, algorithm balance.Algorithm,
	key balance.Key, limit int) (t *balance.Target) {
	var over passing
	over.add(first)
	tries := 1
	if algorithm == balance.RoundRobin {
		tries = balance.MaxPicks
	}
	for range tries {
		if !r.core.table.Select(set, algorithm, key, 0, &r.picks) {
			return nil
		}
		if t = r.picks.NextTarget(r.core.table); t == nil {
			break
		}
		if !r.listed(t) {
			r.passed(&over)
			break
		}
		if tries == 1 {
			t = r.passListed(t, &over)
		} else {
			over.add(t)
		}
	}
	r.picks.Cut(limit)
	return t
}
