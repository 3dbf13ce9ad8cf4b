package shard

import (
	"errors"
	"log/slog"
	"slices"

	"viaduct/shard/balance"
)

// What operators may do with destinations: see [route.Destinations].

// SetTargets replaces the destination sets; each shard takes them with its next batch. If it
// returns an error the old sets stay.
func (s *Server) SetTargets(t *balance.Table) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	return s.setTargets(t)
}

// setTargets is SetTargets with the lock held.
func (s *Server) setTargets(t *balance.Table) error {
	if err := s.cfg.reachable(t); err != nil {
		return err
	}
	s.shared.tables.Store(t)
	s.shared.tablesVersion.Add(1)
	s.shared.ringAll()
	return nil
}

// EditTargets replaces the destination sets by what edit makes of them, as SetTargets does.
func (s *Server) EditTargets(edit func(*balance.Table) (*balance.Table, error)) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	now := s.shared.tables.Load()
	if now == nil {
		return errors.New("there is no list of destinations")
	}
	next, err := edit(now)
	if err != nil || next == now {
		return err
	}
	for _, w := range next.Warnings {
		if !slices.Contains(now.Warnings, w) {
			s.shared.queue(logLine{level: slog.LevelWarn, text: w})
		}
	}
	return s.setTargets(next)
}

// Targets returns the destination sets in use, nil if there are none.
func (s *Server) Targets() *balance.Table { return s.shared.tables.Load() }

// Order puts t into a state by an operator's order. As in Kamailio no event route runs.
func (s *Server) Order(t *balance.Target, to balance.State) {
	was := t.State()
	t.SetState(to, monotonic()/1e6)
	s.shared.lookAtTargets()
	s.shared.queue(logLine{slog.LevelWarn, "the state of a destination was ordered",
		[]any{"set", t.SetID, "uri", t.URI, "was", was.String(), "is", t.State().String()}})
}

// Pinging tells whether destinations are probed.
func (s *Server) Pinging() bool { return !s.shared.pingsOff.Load() }

// SetPinging switches all probes on or off. It outlives a reload.
func (s *Server) SetPinging(on bool) {
	if s.shared.pingsOff.Swap(!on) != on {
		return
	}
	s.shared.lookAtTargets()
	s.shared.queue(logLine{slog.LevelWarn, "probes of destinations were switched",
		[]any{"on", on}})
}
