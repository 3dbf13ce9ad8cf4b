package proxy

import (
	"slices"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/txn"
)

// What keeps a target from being sent to is one kind of failure, whatever its cause: the causes
// from Blocklisted to NameQueriesFull. It leads where a
// time-out leads: to the next address of the name, to the next destination of the set, or with a
// failure route armed to that failure route. What is wrong with the request itself (a Request-URI
// that cannot be read, too many hops, no room for its transaction) is none of them: no other target
// would help.

// cannot notes why the target at hand cannot be sent to.
func (r *Request) cannot(why Cause) bool {
	r.unsent = why
	return r.fail(why)
}

// passOver is overtake, unless a failure or branch route decides about that, as after a time-out.
func (r *Request) passOver() bool {
	return r.armed.failure|r.armed.branch == 0 && r.overtake()
}

// overtake puts the next destination of the set in the place of the one that cannot be sent to. It
// returns false if there is none.
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

// reach is where, but for destinations of a set that cannot be sent to: those are passed over.
func (r *Request) reach(to *txn.Destination) bool {
	for !r.where(to) {
		if !r.passOver() {
			return false
		}
	}
	return true
}

// nothingSent is the end of a relay that could send to none of its targets. With a failure route
// armed that is what it is for: it runs when the route at work is over. The best response so far is
// a 503, as if one had been sent to in vain (§16.9).
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

// answerUnsent answers tx, of which nothing was ever sent, with what says why.
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

// listed tells whether the blacklist names a destination of a set. What a name leads to is not
// known yet; and an ACK to a 2xx goes where the call is.
func (r *Request) listed(t *balance.Target) bool {
	b := r.core.cfg.Blocked
	return b != nil && t.Addr.Family != 0 && r.M.Method != parser.ACK &&
		b.Holds(&t.Addr, r.M.Method)
}

// passing is the listed destinations of a set that another one is chosen instead of.
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

// passed counts each of them once. What is refused after all is counted where it is.
func (r *Request) passed(p *passing) {
	for _, t := range p.list[:p.n] {
		r.core.blocks(&t.Addr, r.M.Method)
	}
}

// passListed is the first destination behind t, which is listed, that is not; t again if all are.
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

// drawAgain draws for a call whose first choice is listed: the whole list, in case it was cut
// before one came that is not. Round robin gives the turn of a listed one to whoever has the next
// turn, so that the others share alike. It returns nil if nothing is left.
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
