package shard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/balance"
	"viaduct/shard/blocklist"
	"viaduct/shard/place"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// shared is what the shards of a server have in common. After Start the fields are read-only,
// except for the atomic ones, which the control plane writes.
type shared struct {
	listeners []*netio.Listener // as at the start
	egress    proxy.Egress      // as at the start
	resolver  proxy.Resolver
	list      *blocklist.Table // the destination blocklist; nil means there is none
	logger    *slog.Logger
	logLevel  atomic.Int64
	lines     chan queuedLine
	linesLost atomic.Uint64
	uac       uacs // requests of Send's
	random    func() uint64
	life      uint32                  // stands for this process in our Via branches
	markKey   [2]uint64               // key of the marks in our Via branches
	routeKey  []byte                  // key of the marks in Record-Route
	unsteer   func(listener int) bool // see netio.Group; nil in tests without sockets

	stopping      atomic.Bool
	draining      atomic.Uint32              // serving, drainSilent, drainRefuses
	gen           atomic.Pointer[generation] // nil in tests without a server
	tables        atomic.Pointer[balance.Table]
	tablesVersion atomic.Uint64

	// targetsChanged says that the state of a destination changed, so that there may be others to
	// probe. All shards set it; the one that probes takes it.
	targetsChanged atomic.Bool
	pingsOff       atomic.Bool               // dispatcher.ping_active
	bells          []*shm.Doorbell           // by shard
	figures        *figures                  // nil in tests without a server
	workers        atomic.Pointer[[]*worker] // nil until all are there
	probing        atomic.Pointer[worker]    // the probing shard; it runs the events of destinations
	activity       chan struct{}             // to Placement: a shard has had something to do lately
}

// ringAll wakes the shards to see what the control plane has changed.
func (s *shared) ringAll() {
	for _, b := range s.bells {
		b.Ring()
	}
}

// Server is the shards, running.
type Server struct {
	cfg        Config
	arena      *shm.Arena
	group      *netio.Group
	streams    atomic.Pointer[stream.Engine] // nil until a listener is a stream's
	loops      atomic.Int64                  // of it
	writeQueue *atomic.Int64                 // netio.Options.WriteQueue
	shared     *shared
	workers    []*worker
	done       sync.WaitGroup
	logDone    chan struct{}
	stopped    chan struct{} // closed when the stop begins
	stop       sync.Once

	drainingSince time.Time // Drain's
	// For dropTables: what runs beside the shards for programs before the newest, and the commands
	// that look at what programs have.
	besides     []*atomic.Int64 // goroutines of each program, the newest last; guarded by reloading
	commanding  sync.RWMutex
	keptWatched bool                            // guarded by reloading
	due         map[route.TimerID]*atomic.Int64 // when timers are due, in ns; guarded by reloading
	quitBeside  chan struct{}                   // closed to end what runs beside the shards

	reloading sync.Mutex   // one change of program or destination sets at a time
	listens   served       // guarded by it
	state     *route.State // what stays from one program to the next

	traceBytes atomic.Int64 // size of the rings of traced messages, 0 if there are none
}

// Layout returns the hash of the records that this build keeps in the arena.
func Layout() uint64 {
	return shm.LayoutOf(txn.Tx{}, txn.Branch{}, txn.Spares{}, txn.Held{}, proxy.Held{},
		balance.Picks{}, proxy.Saved{},
		proxy.SavedFormat{},
		blocklist.Root{}, blocklist.Bucket{}, blocklist.Node{}, blocklist.Network{})
}

// Start binds the addresses and starts the shards; datagrams are served when it returns. Its errors
// say what to change.
func Start(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Arena.Shards, cfg.Arena.Layout = cfg.Shards, Layout()
	arena, err := shm.Create(cfg.Arena)
	if err != nil {
		return nil, err
	}
	cfg.Logger.Info("arena ready", "arena", arena.Describe())
	// Before an older process is asked to go: if something fails here, that one still runs.
	state := &route.State{Shards: cfg.Shards, Arena: arena, Logger: cfg.Logger,
		Commands: cfg.Commands}
	state.Records, _ = cfg.Resolver.(route.Records)
	if err := cfg.Program.Open(state); err != nil {
		return nil, errors.Join(err, arena.Close())
	}
	if cfg.BeforeBind != nil {
		if err := cfg.BeforeBind(); err != nil {
			return nil, errors.Join(err, arena.Close())
		}
	}
	writeQueue := new(atomic.Int64)
	writeQueue.Store(int64(cfg.Settings.Core.UDPWQMaxBytes))
	group, err := netio.Listen(cfg.Listens, cfg.Shards, netio.Options{
		Steer: cfg.Steer, NoSegment: cfg.NoSegment, MHomed: cfg.Settings.Core.MHomed,
		WriteQueue: writeQueue, Logger: cfg.Logger,
	})
	if err != nil {
		arena.Close()
		return nil, err
	}
	s := &Server{cfg: cfg, arena: arena, state: state, group: group, writeQueue: writeQueue,
		logDone: make(chan struct{}), stopped: make(chan struct{}), shared: &shared{
			listeners: group.Listeners(), resolver: cfg.Resolver, logger: cfg.Logger,
			lines: make(chan queuedLine, 1024), random: newRandom(), unsteer: group.Unsteer,
			activity: make(chan struct{}, 1),
		}}
	s.shared.logLevel.Store(int64(cfg.Settings.Core.Debug))
	s.shared.life = uint32(s.shared.random())
	key := hostKey("via-branch")
	s.shared.markKey = [2]uint64{binary.LittleEndian.Uint64(key[:]),
		binary.LittleEndian.Uint64(key[8:])}
	s.shared.figures = &figures{arena, cfg.Shards, s.Streams}
	for i := range cfg.Shards {
		s.shared.bells = append(s.shared.bells, arena.Doorbell(i))
	}
	if cfg.Blocklist != nil {
		if s.shared.list, err = blocklist.New(arena, *cfg.Blocklist); err != nil {
			return nil, errors.Join(err, group.Close(), arena.Close())
		}
	}
	if err := s.startStreams(); err != nil {
		return nil, errors.Join(err, group.Close(), arena.Close())
	}
	if engine := s.Streams(); engine != nil {
		s.shared.listeners = append(slices.Clip(s.shared.listeners), engine.Listeners()...)
	}
	first := &egress{group: group, listeners: s.shared.listeners, mhomed: cfg.Settings.Core.MHomed}
	s.shared.egress, s.listens = first, served{listeners: s.shared.listeners, free: map[int]bool{}}
	s.shared.gen.Store(&generation{
		serial: 1, program: cfg.Program, settings: cfg.Settings, listeners: s.shared.listeners,
		egress: first, streams: s.Streams(),
	})
	s.shared.tables.Store(cfg.Targets)
	s.shared.tablesVersion.Store(1)
	state.Destinations = s
	for i := range cfg.Shards {
		w, err := s.newWorker(i)
		if err != nil {
			s.closeStreams()
			return nil, errors.Join(err, s.closeTables(), group.Close(), arena.Close())
		}
		s.workers = append(s.workers, w)
	}
	for _, w := range s.workers {
		w.connect(s.workers)
	}
	s.shared.workers.Store(&s.workers)
	go s.log()
	if s.shared.list != nil {
		s.done.Add(1)
		go s.collect()
	}
	cpus := cfg.CPUs
	if len(cpus) == 0 {
		cpus = place.Allowed()
	}
	if len(cpus) > 1 {
		var threads []*atomic.Int32
		for _, w := range s.workers {
			threads = append(threads, &w.thread)
		}
		placement := place.NewPlacement(cpus, threads, cfg.Logger)
		s.done.Go(func() { placement.Run(s.stopped, s.shared.activity) })
	}
	s.workers[0].started()
	s.quitBeside = make(chan struct{})
	s.runBeside(cfg.Program, s.quitBeside)
	for _, w := range s.workers {
		s.done.Add(1)
		go func() {
			defer s.done.Done()
			w.run(cpus)
		}()
	}
	return s, nil
}

// Listeners returns the addresses served, as bound.
func (s *Server) Listeners() (all []*netio.Listener) {
	for _, l := range s.shared.gen.Load().listeners {
		if !l.Leaving && !l.Gone {
			all = append(all, l)
		}
	}
	return all
}

// Steering returns in words how datagrams find their owner, by the kernel or by hand-off, and why.
func (s *Server) Steering() string { return s.group.Steering() }

// What becomes of new calls: they are served, left without an answer where they
// came by UDP, or refused.
const (
	serving = iota
	drainSilent
	drainRefuses
)

// Drain turns new calls away, and waits at most timeout until every transaction under way has its
// final response and drainLinger has passed since, for the ACKs. It returns how many transactions,
// or shards that linger, are left. New calls are refused with 503 from refuseAfter after the first
// call of Drain on, see turnAway. One goroutine may call it, again and again.
func (s *Server) Drain(timeout time.Duration) (left int) {
	if s.drainingSince.IsZero() {
		s.drainingSince = time.Now()
		s.shared.draining.Store(drainSilent)
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		if time.Since(s.drainingSince) >= refuseAfter {
			s.shared.draining.Store(drainRefuses)
		}
		left = 0
		for i, w := range s.workers {
			left += int(atomic.LoadUint64(&s.arena.Counters(i)[GaugeUnanswered]))
			if last := w.lastFinal.Load(); last != 0 && w.clock.now()-last < int64(drainLinger) {
				left++
			}
		}
		if left == 0 || !time.Now().Before(deadline) {
			return left
		}
	}
}

// Stop ends the shards and closes sockets and arena. It may be called twice.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.shared.stopping.Store(true)
		close(s.stopped)
		s.shared.ringAll()
		s.done.Wait()
		s.closeStreams()
		close(s.shared.lines)
		<-s.logDone
		s.state.Close()
		err := errors.Join(s.closeTables(), s.group.Close(), s.arena.Close())
		if err != nil {
			s.shared.logger.Warn("closing", "error", err)
		}
	})
}

// closeTables frees the transaction tables' indexes, once no shard runs any more.
func (s *Server) closeTables() (err error) {
	for _, w := range s.workers {
		err = errors.Join(err, w.tx.Close())
	}
	return err
}

// collect frees what has expired in the blocklist, now and then. A panic in it ends it, not the
// calls: expired entries are then removed when a look-up finds them.
func (s *Server) collect() {
	defer s.done.Done()
	defer func() {
		if v := recover(); v != nil {
			s.shared.queue(logLine{slog.LevelError,
				"contained a panic in the blacklist's collector, please report",
				[]any{"panic", fmt.Sprint(v)}})
		}
	}()
	clock := newClock()
	s.shared.list.Collect(s.stopped, func() int64 { return clock.now() / 1e6 })
}

// WriteQueue returns udp_wq_max, the bytes that may wait for one socket of one shard whose send
// buffer is full. It may be lowered, and raised again.
func (s *Server) WriteQueue() *atomic.Int64 { return s.writeQueue }

// Blocklist returns the destination blocklist, nil if there is none. Its times are those of NowMs.
func (s *Server) Blocklist() *blocklist.Table { return s.shared.list }

// NowMs returns the time of the blocklist: CLOCK_MONOTONIC in milliseconds.
func (s *Server) NowMs() int64 {
	return monotonic() / 1e6
}

// StreamLoops returns how many event loops the stream engine has.
func (s *Server) StreamLoops() int { return int(s.loops.Load()) }

// Streams returns the stream engine, nil if no listener is a stream's.
func (s *Server) Streams() *stream.Engine { return s.streams.Load() }

// closeStreams writes what is queued, within closeStreamsWithin, and ends the connections.
func (s *Server) closeStreams() {
	engine := s.Streams()
	if engine == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeStreamsWithin)
	defer cancel()
	if err := engine.Drain(ctx); err != nil {
		s.shared.logger.Warn("closing streams", "error", err)
	}
}
