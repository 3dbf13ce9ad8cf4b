package htable

import (
	"bytes"
	"slices"
	"time"

	"viaduct/shard/route"
	"viaduct/shm/table"
)

// ended is an entry that has ended, on its way from the goroutine that takes entries out to the
// shard that runs the event route.
type ended struct {
	of  *route.Event
	key []byte
	v   table.Value
}

// events declares them, and the timers behind them.
func (h *module) events(m *route.Module) {
	init := m.Event("htable:mod-init",
		"The server has started, and the tables are there: for values to begin with.")
	m.Started(func(c *route.Ctx) { init.Raise(c, nil) })
	h.expired = m.Event("htable:expired:NAME",
		"An entry of table NAME has ended; $shtrecord(key) and $shtrecord(value) are what it was.")
	h.ended = make(chan ended, endedQueue)
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
			h.tellEvery = min(*h.timer, time.Second)
		}
	}
}

// takeOut takes out what has ended. It runs beside the shards. What has to be told of waits for the
// shard; while that has no time the entries stay where they are, which nobody finds any more.
func (h *module) takeOut(now int64) {
	for _, t := range h.tables {
		for done := false; !done; {
			if !t.expired.Heard() {
				_, done = t.t.Expire(now, endedAtOnce, nil)
				continue
			}
			if cap(h.ended)-len(h.ended) < endedAtOnce {
				return
			}
			_, done = t.t.Expire(now, endedAtOnce, func(e *table.Entry) {
				v := e.Value
				v.Text = bytes.Clone(v.Text)
				h.ended <- ended{t.expired, bytes.Clone(e.Key), v}
			})
		}
	}
}

// tell runs the event route for what has been taken out, expiredAtOnce entries at most.
func (h *module) tell(c *route.Ctx) {
	s := h.scratch.Of(c)
	for range expiredAtOnce {
		select {
		case s.expired = <-h.ended:
			s.expired.of.Raise(c, nil)
		default:
			return
		}
		s.expired = ended{}
	}
}

// record is $shtrecord, empty where nothing is told.
func (s *scratch) record(c *route.Ctx, value bool) route.Value {
	switch {
	case s.expired.of == nil:
		return route.TextValue(nil)
	case !value:
		return route.TextValue(s.expired.key)
	case s.expired.v.Kind == table.Int:
		return route.IntValue(s.expired.v.Int)
	}
	return route.TextValue(s.expired.v.Text)
}
