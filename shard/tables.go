package shard

import (
	"slices"
	"sync/atomic"
	"time"

	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// A table that no program declares any more gives its memory back when the last program that knew
// it is let go. Others may still look at the table then; each of them has ended before it is freed:
//
//	shards            have taken a generation without that program, and then another one: what was
//	                  left for them to do (worker.later) by it is done in between
//	beside            the goroutines of the program have ended (besides)
//	commands          are counted in commanding, and refused when their program has gone
//
// If one of them is late nothing is dropped, and the next reload looks again.

// keptLook is how often a process looks whether earlier programs are still needed, if one of them
// has tables that the newest one does not have. A table stays at most that much longer than it
// must.
const keptLook = 10 * time.Second

// programs returns the programs that run: that of new requests, and those kept.
func (s *Server) programs() []*route.Program {
	g := s.shared.gen.Load()
	return append([]*route.Program{g.program}, g.kept...)
}

// dropTables frees the tables that no program declares any more. The shards must have taken the
// current generation; the caller holds reloading.
func (s *Server) dropTables() {
	names := s.state.Unused(s.programs()...)
	if len(names) == 0 {
		return
	}
	last := len(s.besides) - 1
	run := func(n *atomic.Int64) bool { return n.Load() > 0 }
	end := time.Now().Add(takeWithin)
	for slices.ContainsFunc(s.besides[:last], run) {
		if time.Now().After(end) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	s.besides = slices.Delete(s.besides, 0, last)
	for range 2 {
		g := *s.shared.gen.Load()
		g.serial++
		if s.publish(&g); !s.awaitTaken(g.serial, takeWithin) {
			return
		}
	}
	for end := time.Now().Add(takeWithin); !s.commanding.TryLock(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return
		}
	}
	s.state.Drop(names)
	s.commanding.Unlock()
	s.shared.logger.Info("tables that no program declares any more are dropped", "tables", names)
}

// watchKept makes dropTables run when earlier programs that have tables of their own are not needed
// any more. The caller holds reloading.
func (s *Server) watchKept() {
	if s.keptWatched || len(s.state.Unused(s.shared.gen.Load().program)) == 0 {
		return
	}
	s.keptWatched = true
	s.done.Go(func() {
		for {
			select {
			case <-s.stopped:
				return
			case <-time.After(keptLook):
			}
			if !s.letGo() {
				return
			}
		}
	})
}

// letGo lets go of the programs that nothing needs, and of their tables. It returns false if no
// table is left that the newest program does not declare.
func (s *Server) letGo() (more bool) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	now := s.shared.gen.Load()
	if g, err := s.successor(now.program); err == nil && len(g.kept) < len(now.kept) {
		if s.publish(g); s.awaitTaken(g.serial, takeWithin) {
			s.dropTables()
		}
	}
	s.keptWatched = len(s.state.Unused(s.shared.gen.Load().program)) > 0
	return s.keptWatched
}

// Commands returns the commands of the program of new requests. A command that is called after that
// program has gone is refused: what it would look at is not there any more.
func (s *Server) Commands() (all []*command.Method) {
	p := s.Program()
	for _, m := range p.Commands() {
		guarded, call := *m, m.Call
		guarded.Call = func(a command.Args) (any, error) {
			s.commanding.RLock()
			defer s.commanding.RUnlock()
			if !slices.Contains(s.programs(), p) {
				return nil, command.Faultf(500, "another program was loaded meanwhile: try again")
			}
			return call(a)
		}
		all = append(all, &guarded)
	}
	return all
}
