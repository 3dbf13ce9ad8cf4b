package htable

import (
	"encoding/binary"
	"slices"

	"viaduct/shard/route"
	"viaduct/shm/table"
)

// events declares them, and the timers behind them.
func (h *module) events(m *route.Module) {
	init := m.Event("htable:mod-init",
		"The server has started, and the tables exist: the place to set first values.")
	m.Started(func(c *route.Ctx) { init.Raise(c, nil) })
	h.expired = m.Event("htable:expired:NAME",
		"An entry of table NAME has ended; $shtrecord(key) and $shtrecord(value) have its key and "+
			"value.")
	m.Beside(h.timer, h.takeOut)
	m.Every(&h.tellEvery, route.OneShard, h.tell)
	m.Held(route.HeldState{Append: h.keepRecord, Restore: h.restoreRecord})
	m.Var(route.Var{Name: "shtrecord", Inner: "key or value",
		Doc: "The entry that has ended, in event_route[htable:expired:NAME].",
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
		if t.expired = h.expired.Named(t.name); t.expired.HasRoute() {
			h.heard, h.tellEvery = append(h.heard, t), tellEvery
		}
	}
}

// takeOut takes out what has ended of the tables that have no event route. It runs beside the
// shards.
func (h *module) takeOut(now int64) {
	for _, t := range h.tables {
		h.lookFull(t)
		for done := t.expired.HasRoute(); !done; {
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

// A record in a held run: a byte with the kind of the value, the length of the key in two, the key,
// and the value.

// keepRecord writes the record that the event route at work is about.
func (h *module) keepRecord(c *route.Ctx, b []byte) []byte {
	e := h.scratch.Of(c).expired
	if e == nil {
		return b
	}
	b = binary.LittleEndian.AppendUint16(append(b, byte(e.Kind)), uint16(len(e.Key)))
	b = append(b, e.Key...)
	if e.Kind == table.Int {
		return binary.LittleEndian.AppendUint64(b, uint64(e.Int))
	}
	return append(b, e.Text...)
}

// restoreRecord makes it the record again until the run ends, or waits once more.
func (h *module) restoreRecord(c *route.Ctx, b []byte) bool {
	if len(b) < 3 {
		return false
	}
	kind, n := table.Kind(b[0]), int(binary.LittleEndian.Uint16(b[1:]))
	if b = b[3:]; n > len(b) || kind == table.Int && len(b) != n+8 {
		return false
	}
	s := h.scratch.Of(c)
	s.again.room = append(s.again.room[:0], b...)
	key, value := s.again.room[:n:n], s.again.room[n:]
	s.again.entry = table.Entry{Key: key, Value: table.String(value)}
	if kind == table.Int {
		s.again.entry.Value = table.Number(int64(binary.LittleEndian.Uint64(value)))
	}
	s.expired = &s.again.entry
	c.AtEnd(func(c *route.Ctx) { h.scratch.Of(c).expired = nil })
	return true
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
