package htable

import (
	"viaduct/shard/route"
	"viaduct/shm/table"
)

// htable is a table of the file and the one in the arena.
type htable struct {
	spec
	t       *table.Table
	number  uint16 // of the module's tables
	held    bool   // the file has sht_lock() for it
	expired *route.Event
	locks   *tableLocks
	full    fullness
}

// ends is when an entry ends that is put now.
func (t *htable) terms(now int64) table.Terms {
	if t.lives == 0 {
		return table.Terms{}
	}
	return table.Terms{Ends: now + t.lives.Milliseconds(), Keep: t.keepEnds}
}

// get is the value under key, copied into the run's room: another shard may change it.
func (t *htable) get(c *route.Ctx, key []byte) route.Value {
	room := c.Room()
	v, verdict := t.t.Get(key, c.NowMs(), room[:min(cap(room), table.MaxValue)])
	switch {
	case verdict == table.Short:
		return c.Built(append(room[:cap(room)], 0)) // Slow path: no room, and the run will say so
	case verdict == table.Done && v.Kind == table.Int:
		return route.IntValue(v.Int)
	case verdict == table.Done:
		return c.Built(v.Text)
	case t.hasInit:
		return route.IntValue(t.initial)
	}
	return route.Null
}

// valueOf is v for the table.
func valueOf(v route.Value) table.Value {
	if v.IsInt() {
		return table.Number(v.N)
	}
	return table.String(v.S)
}

// put keeps v under key; $null takes the entry out.
func (h *module) put(c *route.Ctx, t *htable, key []byte, v route.Value) route.SetResult {
	if !h.enter(c, t, key) {
		return route.SetRefused
	}
	defer h.leave(c, t, key)
	now := c.NowMs()
	if v.IsNull() {
		t.t.Delete(key, now)
		return route.SetDone
	}
	return h.set(c, t, t.t.Put(key, valueOf(v), t.terms(now), now))
}

// set is what a put came to.
func (h *module) set(c *route.Ctx, t *htable, verdict table.Verdict) route.SetResult {
	if verdict != table.Done {
		h.refused(c, t, verdict)
		return route.SetRefused
	}
	return route.SetDone
}

// add adds to the number under key: that is the value then. It is null where there is none and the
// table has no initval, and where there is a text.
func (h *module) add(c *route.Ctx, t *htable, key []byte, delta int64) (sum int64, ok bool) {
	if !h.enter(c, t, key) {
		return 0, false
	}
	defer h.leave(c, t, key)
	now := c.NowMs()
	var verdict table.Verdict
	if t.hasInit {
		sum, verdict = t.t.Create(key, t.initial, delta, t.terms(now), now)
	} else {
		sum, verdict = t.t.Add(key, delta, t.terms(now), now)
	}
	if verdict == table.Full || verdict == table.TooLong {
		h.refused(c, t, verdict)
	}
	return sum, verdict == table.Done
}

// left is how many seconds an entry has, 0 for one that does not end, and for none.
func (t *htable) left(key []byte, now int64) int64 {
	v, verdict := t.t.Get(key, now, nil)
	if verdict == table.Absent || v.Ends == 0 || t.lives == 0 {
		return 0
	}
	return (v.Ends - now + 999) / 1000
}

// setLeft lets an entry that is there end so many seconds from now; never if that is none. In a
// table without autoexpire entries do not end, as in Kamailio.
func (h *module) setLeft(c *route.Ctx, t *htable, key []byte, seconds int64) route.SetResult {
	if !h.enter(c, t, key) {
		return route.SetRefused
	}
	defer h.leave(c, t, key)
	t.endIn(key, seconds, c.NowMs())
	return route.SetDone
}

func (t *htable) endIn(key []byte, seconds, now int64) table.Verdict {
	ends := int64(0)
	if t.lives == 0 {
		_, verdict := t.t.Get(key, now, nil)
		return verdict
	}
	if seconds > 0 {
		ends = now + 1000*min(seconds, route.MaxSeconds)
	}
	return t.t.SetDeadline(key, ends, now)
}

// termsFor is terms with a lifetime of its own; none is the table's.
func (t *htable) termsFor(seconds, now int64) table.Terms {
	if t.lives == 0 || seconds <= 0 {
		c := t.terms(now)
		c.Keep = false
		return c
	}
	return table.Terms{Ends: now + 1000*min(seconds, route.MaxSeconds)}
}
