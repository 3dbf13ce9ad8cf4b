package shard

import (
	"fmt"
	"slices"
	"time"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/balance"
	"viaduct/shard/route"
	"viaduct/shard/txn"
)

// A reload replaces what the operator wrote while calls go on. Everything is made aside, then one
// pointer is stored, and each shard takes it between two batches:
//
//	Server.Reload                         shard
//	tables, generation: stored
//	bells: rung                           startBatch: the pointer is another one
//	                                      take: program, settings, sets; taken: stored
//	waits for taken of all
//
// So a message runs through one program from its first step to its last, and two shards may run
// different ones for the length of a batch. A transaction stays with the program that began it:
// what it keeps of its request has that program's hash beside the numbers of its routes
// (txn.Saved.Program), and the shard keeps the program for as long as such a transaction lives.
//
// Each shard says which programs these are when it takes a generation (txn.Table.Programs). Apart
// from the program of new requests, their number can only go down. So a Reload asks first, by a
// generation that changes nothing, and lets go of the programs that no shard needs.

// generation is what a reload replaces at once. It is immutable.
type generation struct {
	serial   uint64
	program  *route.Program
	kept     []*route.Program // earlier programs, maxKept at most
	since    []time.Time      // when each of them was replaced
	settings *route.Settings
	// listeners by number. Those that were taken out keep theirs, since calls name it.
	listeners []*netio.Listener
	sockets   []*netio.Sockets // of datagram listeners opened after the start
	egress    *egress
	streams   *stream.Engine // nil until a listener is a stream's
}

// Next is what Reload puts in place.
type Next struct {
	Program  *route.Program
	Settings *route.Settings
	Targets  *balance.Table // nil means no destination sets
	// Listens and Streams are as in Config, the numbers of WebSocket listeners included. If both
	// are empty the listeners stay as they are.
	Listens []netio.ListenConfig
	Streams []stream.Listen
	// Engine is what the streams' engine is started with, if no listener was a stream's before; its
	// Listeners do not count. An engine that runs takes the TLS of it if Streams has another
	// listener.
	Engine stream.Config
	// Commit is called when nothing can fail any more, before the shards take the change and before
	// new listeners let anybody in; nil means nothing is called.
	Commit func()
}

// Reload replaces program, settings and destination sets. Each shard takes all of it with its next
// batch, and Reload returns when the last one has. Transactions under way keep the routes of the
// program that began them. If Reload returns an error nothing has changed.
func (s *Server) Reload(n Next) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	cfg, moves := s.cfg, len(n.Listens)+len(n.Streams) > 0
	cfg.Program, cfg.Settings, cfg.Targets = n.Program, n.Settings, n.Targets
	if moves {
		cfg.Listens, cfg.Streams.Listeners = n.Listens, n.Streams
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done { // nobody has seen what it opened
			s.state.Drop(s.state.Unused(s.programs()...))
		}
	}()
	if err := n.Program.Open(s.state); err != nil {
		return err
	}
	g, err := s.successor(n.Program)
	if err != nil {
		return err
	}
	g.settings = n.Settings
	listens := s.listens
	if moves {
		if listens, err = s.listen(g, &n); err != nil {
			return err
		}
	}
	done = true
	if n.Commit != nil {
		n.Commit()
	}
	s.shared.tables.Store(n.Targets) // first, so that shards that take the generation find them
	if engine := s.Streams(); engine != nil {
		engine.SetHTTP(n.Program.HasHTTPRoute())
	}
	s.publish(g)
	close(s.quitBeside)
	s.quitBeside = make(chan struct{})
	s.runBeside(n.Program, s.quitBeside)
	s.shared.tablesVersion.Add(1)
	if n.Settings.Core.Debug != s.cfg.Settings.Core.Debug {
		s.shared.logLevel.Store(int64(n.Settings.Core.Debug))
	}
	if !s.awaitTaken(g.serial, takeWithin) {
		// The shard will take it with its next batch; nothing else can happen.
		s.shared.logger.Warn("a shard is late in taking the new program")
	}
	s.cfg = cfg
	s.settle(listens, g)
	s.dropTables()
	s.watchKept()
	return nil
}

// successor returns a generation with another program, and with the earlier programs that are still
// needed.
func (s *Server) successor(p *route.Program) (*generation, error) {
	now := *s.shared.gen.Load()
	next := &generation{
		serial: now.serial + 2, program: p, settings: now.settings, listeners: now.listeners,
		sockets: now.sockets, egress: now.egress, streams: now.streams,
	}
	roll := now
	roll.serial++
	s.publish(&roll)
	if !s.awaitTaken(roll.serial, takeWithin) {
		return nil, fmt.Errorf("a shard did not come to the end of its batch within %s: try again",
			takeWithin)
	}
	needed := s.needed()
	keep := func(old *route.Program, since time.Time) {
		next.kept, next.since = append(next.kept, old), append(next.since, since)
	}
	for i, old := range now.kept {
		if old.Hash() != p.Hash() && slices.Contains(needed, old.Hash()) {
			keep(old, now.since[i])
		}
	}
	if now.program.Hash() != p.Hash() {
		// The same text is the same program. If it differs, requests may begin with the current
		// program until the shards have taken the next one.
		if len(next.kept) == maxKept {
			return nil, fmt.Errorf("%d earlier programs still serve transactions that they "+
				"began, the oldest one was replaced %s ago, and no more are kept: try again when "+
				"one of them has ended (wt_timer, fr_inv_timer and max_inv_lifetime say how long "+
				"transactions live)",
				maxKept, time.Since(next.since[0]).Round(time.Second))
		}
		keep(now.program, time.Now())
	}
	return next, nil
}

// publish lets the shards see a generation.
func (s *Server) publish(g *generation) {
	s.shared.gen.Store(g)
	s.shared.ringAll()
}

// needed returns the hashes of the programs that transactions need, as the shards said last.
func (s *Server) needed() (all []uint64) {
	for _, w := range s.workers {
		if list := w.needed.Load(); list != nil {
			all = append(all, *list...)
		}
	}
	return all
}

// awaitTaken waits until all shards have taken a generation. It returns false if one has not within
// that time.
func (s *Server) awaitTaken(serial uint64, within time.Duration) bool {
	late := func(w *worker) bool { return w.taken.Load() < serial }
	for end := time.Now().Add(within); slices.ContainsFunc(s.workers,
		late); time.Sleep(time.Millisecond / 2) {
		if s.shared.stopping.Load() || time.Now().After(end) {
			return false
		}
	}
	return true
}

// Programs returns the hashes of the programs that run, first that of new requests.
func (s *Server) Programs() []uint64 {
	g := s.shared.gen.Load()
	list := []uint64{g.program.Hash()}
	for _, p := range g.kept {
		list = append(list, p.Hash())
	}
	return list
}

// take makes the shard use a generation. It is called between two batches. Slow path.
func (w *worker) take(g *generation) {
	w.gen, w.kept = g, g.kept
	moved := w.takeListeners(g)
	if moved || w.program != g.program || w.settings != g.settings {
		w.program = g.program
		w.arm(g.program)
		w.setTap()
		w.forwards = w.forwards || g.program.UsesForward()
		w.configure(g.settings)
		w.takeTables(w.shared.tablesVersion.Load())
	}
	list := w.tx.Programs(g.program.Hash())
	w.needed.Store(&list)
	w.taken.Store(g.serial)
}

// takeTables makes the shard use the current destination sets, whose version is given.
func (w *worker) takeTables(version uint64) {
	w.seenTables = version
	w.core.SetTargets(w.shared.tables.Load())
}

// configure puts settings in force. Transactions keep what they have set themselves.
func (w *worker) configure(set *route.Settings) {
	before := w.settings
	w.settings = set
	w.core.Configure(proxyConfig(w, w.out, w.egress, set))
	c := txnConfig(w, w.out, w.core, set, nil)
	w.tx.Configure(&c)
	w.obey(set)
	if w.prober != nil && before.Dispatcher.Probes != set.Dispatcher.Probes {
		w.prober.configure(set.Dispatcher.Probes, w.shards)
	}
}

// obey takes over the settings that the shard itself reads.
func (w *worker) obey(set *route.Settings) {
	w.aliases = set.Stream.AcceptAliases && w.conns != nil
	w.acceptControl = set.Core.AcceptControl
	if w.outlet != nil {
		w.outlet.never = 0
		if set.Stream.NoConnect {
			w.outlet.never = txn.NoConnect
		}
	}
}
