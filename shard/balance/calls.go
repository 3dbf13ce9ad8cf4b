package balance

// CallLoad takes the usable target that has the fewest calls under way, of those that have fewer
// than their attribute maxload; the others follow in set order. The caller counts the calls, with
// AddLoad.
const CallLoad Algorithm = 10

// Load returns how many calls the target has under way.
func (t *Target) Load() int { return int(t.live.load.Load()) }

// AddLoad counts n more calls, or with a negative n fewer. The count does not go below 0.
func (t *Target) AddLoad(n int) {
	for {
		was := t.live.load.Load()
		if t.live.load.CompareAndSwap(was, max(was+int32(n), 0)) {
			return
		}
	}
}

// full reports whether the target takes no more calls.
func (t *Target) full() bool { return t.Attrs.MaxLoad > 0 && t.Load() >= t.Attrs.MaxLoad }

// leastLoaded is algorithm 10.
func (pl *plan) leastLoaded(tb *Table, limit int, p *Picks) {
	var best *Target
	for _, uid := range pl.usable {
		if t := tb.Target(uid); t != nil && !t.full() && (best == nil || t.Load() < best.Load()) {
			best = t
		}
	}
	if best == nil {
		return
	}
	p.add(best.UID)
	for _, uid := range pl.usable {
		if int(p.N) == limit {
			return
		}
		if uid != best.UID {
			p.add(uid)
		}
	}
}
