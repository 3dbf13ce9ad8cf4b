package htable

import (
	"slices"

	"viaduct/shard/route"
	"viaduct/shm/table"
)

// events declares them, and the timers behind them.
func (h *module) events(m *route.Module) {
	init := m.Event("htable:mod-init",
		"The server has started, and the tables are there: for values to begin with.")
	m.Started(func(c *route.Ctx) { init.Raise(c, nil) })
	h.expired = m.Event("htable:expired:NAME",
		"An entry of table NAME has ended; $shtrecord(key) and $shtrecord(value) are what it was.")
	m.Beside(h.timer, h.takeOut)
	m.Every(&h.tellEvery, route.OneShard, h.tell)
	m.Var(route.Var{Name: "shtrecord", Inner: "key or value",
		Doc: "What the entry was that has ended, in event_route[htable:expired:NAME].",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			if !slices.Contains([]string{"key", "value"}, inner) {
				b.Errorf("write $shtrecord(key) or $shtrecord(value), not %s", route.Quote(inner))
			}
			return route.Place{Any: func(c *route.Ctx) route.Value {
				return h.scratch.Of(c).record(c, inner == "value")
			}}
		}})
}

// listen notes which tables have an event route: whose entries have to be told of.
func (h *module) listen() {
	for _, t := range h.tables {
		if t.expired = h.expired.Named(t.name); t.expired.Heard() {
			h.heard, h.tellEvery = append(h.heard, t), tellEvery
		}
	}
}

// takeOut takes out what has ended of the tables that have no event route. It runs beside the
// shards.
func (h *module) takeOut(now int64) {
	for _, t := range h.tables {
		for done := t.expired.Heard(); !done; {
			_, done = t.t.Expire(now, endedAtOnce, nil)
		}
	}
}

// tell goes on through the tables that have an event route, and runs it for each entry that has
// ended. It does so on the shard, so that an entry is taken out when its route runs: a reload loses
// none, and a kill the one at work.
func (h *module) tell(c *route.Ctx) {
	s, now := h.scratch.Of(c), c.NowMs()
	looks, told := tellLooks, 0
	for range h.heard {
		t := h.heard[h.telling]
		tell := func(e *table.Entry) {
			s.expired = e
			t.expired.Raise(c, nil)
			s.expired = nil
		}
		for done := false; !done; looks-- {
			if looks == 0 || told >= expiredAtOnce {
				return
			}
			var n int
			n, done = t.t.Expire(now, tellStep, tell)
			told += n
		}
		h.telling = (h.telling + 1) % len(h.heard)
	}
}

// record is $shtrecord, empty where nothing is told.
func (s *scratch) record(c *route.Ctx, value bool) route.Value {
	switch {
	case s.expired == nil:
		return route.TextValue(nil)
	case !value:
		return route.TextValue(s.expired.Key)
	case s.expired.Kind == table.Int:
		return route.IntValue(s.expired.Int)
	}
	return route.TextValue(s.expired.Text)
}
