package shard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/balance"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// Config is what a Server is made of.
type Config struct {
	Shards   int                  // 1 to MaxShards
	Listens  []netio.ListenConfig // of datagrams
	Streams  stream.Config        // of connections, of which its Listeners count; at least one of either. The server fills in numbers, owner and bells
	Program  *route.Program
	Settings *route.Settings
	Targets  *balance.Table // nil: no destination sets
	Resolver proxy.Resolver // nil: names lead nowhere
	// Blocklist is what the destination blacklist is to do; nil: there is none, and it cannot be switched on.
	Blocklist *blocklist.Config
	Arena     shm.Config      // Bytes at least; Shards and Layout are filled in here
	Steer     netio.SteerMode // of datagrams to their owner by the kernel
	// NoSegment sends each datagram by itself even where several could leave together (UDP_SEGMENT), and receives each by itself (UDP_GRO).
	NoSegment bool
	// NoShed handles every new call, however long the queues of the sockets are; false: in overload some are refused, so that the others succeed.
	NoShed bool
	CPUs   []int        // shards are pinned to these in turn; empty: those this process may use
	Logger *slog.Logger // nil: slog.Default()
}

// Validate says which field is out of its range and what to change.
func (c *Config) Validate() error {
	switch {
	case c.Shards < 1 || c.Shards > MaxShards:
		return fmt.Errorf("%d shards: 1 to %d are possible, change -n or children", c.Shards, MaxShards)
	case len(c.Listens) == 0 && len(c.Streams.Listeners) == 0:
		return errors.New("no address to listen on: add listen=udp:ADDRESS:PORT or -l")
	case c.Program == nil || c.Settings == nil:
		return errors.New("no routing program")
	}
	return c.reachable(c.Targets)
}

// reachable refuses destinations that no listener of this build can reach, rather
// than sending them what they do not understand.
func (c *Config) reachable(targets *balance.Table) error {
	if targets == nil {
		return nil
	}
	served := map[string]bool{"UDP": len(c.Listens) > 0}
	for i := range c.Streams.Listeners {
		served[c.Streams.Listeners[i].Proto.String()] = true
	}
	for _, set := range targets.Sets() {
		for _, t := range set.Targets {
			if name := t.Transport.String(); !served[name] {
				return fmt.Errorf("dispatcher list, line %d: %s is reached by %s, and no listener serves that: add listen=%s:ADDRESS:PORT, or write another transport", t.Line, t.URI, name, strings.ToLower(name))
			}
		}
	}
	return nil
}

// shared is what the shards of a server have in common. After Start the fields
// are read-only, but for the atomic ones, which the control plane writes.
type shared struct {
	listeners []*netio.Listener
	egress    proxy.Egress
	resolver  proxy.Resolver
	list      *blocklist.Table // the destination blacklist, nil: there is none
	logger    *slog.Logger
	logLevel  int
	lines     chan logLine
	linesLost atomic.Uint64
	random    func() uint64
	unsteer   func(listener int) bool // see netio.Group; nil in tests without sockets

	stopping      atomic.Bool
	draining      atomic.Bool
	tables        atomic.Pointer[balance.Table]
	tablesVersion atomic.Uint64

	// targetsChanged: a destination's state did, so that there may be others to probe. Set by all shards, taken by the one that probes.
	targetsChanged atomic.Bool
	bells          []*shm.Doorbell // by shard
	stirred        chan struct{}   // to placement: a shard has had something to do lately
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
	streams    *stream.Engine // nil: no listener is a stream's
	writeQueue *atomic.Int64  // netio.Options.WriteQueue
	shared     *shared
	workers    []*worker
	done       sync.WaitGroup
	logDone    chan struct{}
	stopped    chan struct{} // closed when the stop begins
	stop       sync.Once
}

// Layout is the hash of the records this build keeps in the arena.
func Layout() uint64 {
	return shm.LayoutOf(txn.Tx{}, txn.Branch{}, txn.Spares{}, balance.Picks{}, proxy.Saved{},
		blocklist.Root{}, blocklist.Bucket{}, blocklist.Node{})
}

// Start binds the addresses and starts the shards; datagrams are served when it
// returns. Errors say what to change.
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
	writeQueue := new(atomic.Int64)
	writeQueue.Store(int64(cfg.Settings.Core.UDPWQMaxBytes))
	group, err := netio.Listen(cfg.Listens, cfg.Shards, netio.Options{Steer: cfg.Steer, NoSegment: cfg.NoSegment, MHomed: cfg.Settings.Core.MHomed, WriteQueue: writeQueue, Logger: cfg.Logger})
	if err != nil {
		arena.Close()
		return nil, err
	}
	s := &Server{cfg: cfg, arena: arena, group: group, writeQueue: writeQueue, logDone: make(chan struct{}), stopped: make(chan struct{}), shared: &shared{
		listeners: group.Listeners(), resolver: cfg.Resolver, logger: cfg.Logger, logLevel: cfg.Settings.Core.Debug,
		lines: make(chan logLine, 1024), random: newRandom(), unsteer: group.Unsteer, stirred: make(chan struct{}, 1),
	}}
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
	if s.streams != nil {
		s.shared.listeners = append(slices.Clip(s.shared.listeners), s.streams.Listeners()...)
	}
	s.shared.egress = &egress{group: group, listeners: s.shared.listeners, mhomed: cfg.Settings.Core.MHomed}
	s.shared.tables.Store(cfg.Targets)
	s.shared.tablesVersion.Store(1)
	for i := range cfg.Shards {
		w, err := s.newWorker(i)
		if err != nil {
			s.closeStreams()
			group.Close()
			arena.Close()
			return nil, err
		}
		s.workers = append(s.workers, w)
	}
	for _, w := range s.workers {
		w.connect(s.workers)
	}
	go s.log()
	if s.shared.list != nil {
		s.done.Add(1)
		go s.collect()
	}
	cpus := cfg.CPUs
	if len(cpus) == 0 {
		cpus = allowedCPUs()
	}
	if len(cpus) > 1 {
		s.done.Go(func() { newPlacement(cpus, s.workers, cfg.Logger).run(s.stopped, s.shared.stirred) })
	}
	for _, w := range s.workers {
		s.done.Add(1)
		go func() {
			defer s.done.Done()
			w.run(cpus)
		}()
	}
	return s, nil
}

// newWorker makes shard i, not yet running.
func (s *Server) newWorker(i int) (*worker, error) {
	port := s.group.Port(i)
	w := &worker{number: i, shards: s.cfg.Shards, port: port, arena: s.arena, shared: s.shared, program: s.cfg.Program, doorbell: s.arena.Doorbell(i)}
	w.clock = newClock()
	if s.streams != nil {
		w.streams, w.conns = &streamPort{p: s.streams.Port(i)}, s.streams
	}
	w.outlet = &outlet{datagrams: port, streams: w.streams, first: len(s.group.Listeners()), by: s.shared.listeners}
	if s.cfg.Settings.Stream.NoConnect {
		w.outlet.never = txn.NoConnect
	}
	w.outlet.patience = func(token uint64) proxy.Patience { return w.core.Patience(token) }
	if err := w.assemble(w.outlet, s.shared.egress, s.cfg.Settings, newRandom()); err != nil {
		return nil, err
	}
	for l := range s.group.Listeners() {
		w.listeners = append(w.listeners, uint16(l))
	}
	w.long, w.dropsOf = make([]longRead, 0, len(w.listeners)), make([]uint64, len(w.listeners))
	w.strays = make([]strays, len(w.listeners))
	w.overload.off, w.overload.shortAt = s.cfg.NoShed, w.clock.now()
	if i == probingShard {
		probes, err := probeConfig(&s.cfg.Settings.Dispatcher)
		if err != nil {
			return nil, err
		}
		w.prober = newProber(probes, s.cfg.Shards)
	}
	return w, nil
}

// assemble joins transaction table, proxy core and routing context. The caller
// has filled in what they need to exist: number, arena, clock, shared.
func (w *worker) assemble(out txn.Sender, egress proxy.Egress, set *route.Settings, random func() uint64) error {
	w.out = out
	w.mailbox = w.arena.Mailbox(w.number)
	w.names.w = w
	w.slab = w.arena.Slab(w.number)
	w.count = w.arena.Counters(w.number)
	w.core = proxy.New(proxyConfig(w, out, egress, set))
	tx, err := txn.New(txnConfig(w, out, w.core, set, random))
	if err != nil {
		return err
	}
	w.tx = tx
	w.core.SetTable(tx)
	w.core.SetTargets(w.shared.tables.Load())
	w.seenTables = w.shared.tablesVersion.Load()
	w.session.w, w.session.shown = w, showListeners(w.shared.listeners)
	w.aliases = set.Stream.AcceptAliases && w.conns != nil
	w.ctx = route.NewCtx(&w.session)
	return nil
}

// connect opens the rings to and from the other shards.
func (w *worker) connect(all []*worker) {
	h := &w.handover
	h.to, h.from = make([]*shm.Ring, len(all)), make([]*shm.Ring, len(all))
	h.bells, h.dirty = make([]*shm.Doorbell, len(all)), make([]bool, len(all))
	for i := range all {
		h.bells[i] = w.arena.Doorbell(i)
		if i != w.number {
			h.to[i], h.from[i] = w.arena.Ring(w.number, i), w.arena.Ring(i, w.number)
		}
	}
}

// proxyConfig reads the proxy's part of the settings.
func proxyConfig(w *worker, out txn.Sender, egress proxy.Egress, set *route.Settings) proxy.Config {
	c := proxy.Config{
		Listeners: w.shared.listeners, Egress: egress, Resolver: w.shared.resolver, Sender: out, Arena: w.arena, Counters: w.count,
		UseReceived: set.Path.UseReceived, FullLR: set.RR.EnableFullLR, AppendFromtag: set.RR.AppendFromtag, DoubleRR: set.RR.EnableDoubleRR != 0,
		LocalRPort: set.Core.LocalRPort, ForceRPort: set.Core.ForceRPort, Remap503: set.TM.Remap503, DropUnmatched: set.TM.UnmatchedCancel == 2,
		TimeoutStatus: set.TM.Reply408Code, StatelessReply: w.program.UsesForward(),
		OnTarget: w.shared.targetEvent, DefaultCode: set.TM.DefaultCode, DefaultReason: set.TM.DefaultReason,
		Disable6xxBlock: set.TM.Disable6xxBlock, AggregateChallenges: set.TM.AggregateChallenges,
		FailureReplies: proxy.ReplyMode(set.TM.FailureReplyMode), UDPMTU: set.Core.UDPMTU, MTUProto: netio.TCP,
		LocalReason: set.TM.LocalCancelReason, E2EReason: set.TM.E2ECancelReason,
		Script: script{&w.session}, Numbering: w.program.Numbering(),
	}
	if set.Core.UDPMTUTryProto == route.TLS {
		c.MTUProto = netio.TLS
	}
	if w.shared.resolver != nil {
		c.Names = &w.names
	}
	if w.shared.list != nil {
		c.Blocked = &blocked{w, w.shared.list}
	}
	if set.RR.SignRoutes {
		c.RouteKey = routeKey()
	}
	if set.TM.AutoInv100 {
		c.TryingReason = set.TM.AutoInv100Reason
	}
	if set.Core.ServerSignature {
		c.ServerHeader = "Server: Viaduct"
		if set.Core.ServerHeader != "" {
			c.ServerHeader = strings.TrimRight(set.Core.ServerHeader, "\r\n")
		}
	}
	if c.AdvertisedHost, c.AdvertisedPort = set.Core.AdvertisedAddress, int(set.Core.AdvertisedPort); strings.Contains(c.AdvertisedHost, ":") && c.AdvertisedHost[0] != '[' {
		c.AdvertisedHost = "[" + c.AdvertisedHost + "]" // an IPv6 address (RFC 3261 §25.1, IPv6reference)
	}
	for _, a := range set.Core.Alias {
		c.Aliases = append(c.Aliases, proxy.Alias{Host: strings.ToLower(a.Host), Port: int(a.Port)})
	}
	return c
}

// routeKey is the secret behind the marks in Record-Route: made of the host's
// identity (machine-id(5)), so that calls outlive the process. Where there is none
// it is random, and calls set up before a restart are not relayed after it.
func routeKey() []byte {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(id) < 16 {
		id = make([]byte, 32)
		rand.Read(id) // never fails (crypto/rand)
	}
	key := sha256.Sum256(append([]byte("viaduct record-route "), id...))
	return key[:]
}

// txnConfig reads the transaction layer's part of the settings.
func txnConfig(w *worker, out txn.Sender, user txn.User, set *route.Settings, random func() uint64) txn.Config {
	return txn.Config{Shard: w.number, Arena: w.arena, Timers: timers(&set.TM), Sender: out, User: user,
		Counters: w.count, Random: random, Now: w.clock.now(), MaxBranches: set.Core.MaxBranches,
		CancelBefore: cancelBefore(set.TM.CancelBMethod), KeepTimerC: !set.TM.FrInvRestart}
}

// timers reads tm's timers. Those it has no name for are the RFC's.
func timers(tm *route.TMSettings) txn.Timers {
	t := txn.DefaultTimers()
	t.T1, t.T2 = tm.T1, max(tm.T2, tm.T1) // a T2 below T1 would repeat without a pause
	t.B, t.C = tm.FrTimer, tm.FrInvTimer
	t.H, t.T4 = 64*tm.T1, tm.T4
	t.D, t.J, t.L, t.M = tm.WtTimer, tm.WtTimer, tm.WtTimer, tm.WtTimer
	t.MaxInvite, t.MaxNonInvite = tm.MaxInvLifetime, tm.MaxNonInvLifetime
	return t
}

// cancelBefore reads cancel_b_method.
func cancelBefore(method int) txn.CancelBefore {
	return [...]txn.CancelBefore{txn.CancelFakes, txn.CancelWaits, txn.CancelLeaves}[method]
}

// probeConfig reads the dispatcher's ping parameters.
func probeConfig(d *route.DispatcherSettings) (balance.ProbeConfig, error) {
	codes, err := balance.ParseReplyCodes(d.PingReplyCodes)
	if err != nil {
		return balance.ProbeConfig{}, fmt.Errorf("ds_ping_reply_codes: %w", err)
	}
	c := balance.ProbeConfig{Interval: d.PingInterval, Mode: balance.ProbeMode(d.ProbingMode), Method: d.PingMethod, From: d.PingFrom, ReplyCodes: codes,
		Recover: recoverEvery}
	return c, c.Validate()
}

// SetTargets replaces the destination sets; each shard picks them up with its
// next batch. With an error the old ones stay.
func (s *Server) SetTargets(t *balance.Table) error {
	if err := s.cfg.reachable(t); err != nil {
		return err
	}
	s.shared.tables.Store(t)
	s.shared.tablesVersion.Add(1)
	s.shared.ringAll()
	return nil
}

// Targets is the destination sets in use, nil if there are none.
func (s *Server) Targets() *balance.Table { return s.shared.tables.Load() }

// Listeners are the addresses served, as bound.
func (s *Server) Listeners() []*netio.Listener { return s.shared.listeners }

// Steering says how datagrams find their owner: by the kernel or by hand-off,
// and why.
func (s *Server) Steering() string { return s.group.Steering() }

// Drain refuses new calls with 503 and waits until every transaction under way
// has its final response and drainLinger has gone by since, for the ACKs, at most
// timeout. It reports how many transactions, or shards that linger, are left.
func (s *Server) Drain(timeout time.Duration) (left int) {
	s.shared.draining.Store(true)
	for deadline := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
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
		if err := errors.Join(s.group.Close(), s.arena.Close()); err != nil {
			s.shared.logger.Warn("closing", "error", err)
		}
	})
}

// collect gives back what ended in the blacklist, now and then. A panic in it ends it, not the calls: entries then end when they are met.
func (s *Server) collect() {
	defer s.done.Done()
	defer func() {
		if v := recover(); v != nil {
			s.shared.queue(logLine{slog.LevelError, "contained a panic in the blacklist's collector, please report", []any{"panic", fmt.Sprint(v)}})
		}
	}()
	clock := newClock()
	s.shared.list.Collect(s.stopped, func() int64 { return clock.now() / 1e6 })
}

// WriteQueue is udp_wq_max, the bytes that may wait for one socket of one shard whose send buffer is full: it may be lowered, and raised again.
func (s *Server) WriteQueue() *atomic.Int64 { return s.writeQueue }

// Blocklist is the destination blacklist, nil if there is none. Its times are those of Now.
func (s *Server) Blocklist() *blocklist.Table { return s.shared.list }

// NowMs is the clock of the blacklist, CLOCK_MONOTONIC in milliseconds.
func (s *Server) NowMs() int64 {
	c := newClock()
	return c.now() / 1e6
}

// StreamLoops is how many event loops it has.
func (s *Server) StreamLoops() int { return s.cfg.Streams.Loops }

// Streams is the stream engine, nil if no listener is a stream's.
func (s *Server) Streams() *stream.Engine { return s.streams }

// closeStreams writes what is queued, within closeStreamsWithin, and ends the connections.
func (s *Server) closeStreams() {
	if s.streams == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeStreamsWithin)
	defer cancel()
	if err := s.streams.Drain(ctx); err != nil {
		s.shared.logger.Warn("closing streams", "error", err)
	}
}

// newRandom is a generator seeded by the kernel, for branches: one per shard, not
// safe for more than one goroutine. ChaCha8's output cannot be guessed from
// earlier output.
func newRandom() func() uint64 {
	var seed [32]byte
	rand.Read(seed[:]) // never fails (crypto/rand)
	return mrand.NewChaCha8(seed).Uint64
}

// newClock aligns Go's monotonic clock with the kernel's once.
func newClock() clock {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	return clock{time.Now(), ts.Nano()}
}
