package shard

import (
	"crypto/rand"
	mrand "math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/shard/place"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// newWorker makes shard i, not yet running.
func (s *Server) newWorker(i int) (*worker, error) {
	port := s.group.Port(i)
	w := &worker{
		number: i, shards: s.cfg.Shards, port: port, arena: s.arena, shared: s.shared,
		program: s.cfg.Program, gen: s.shared.gen.Load(), doorbell: s.arena.Doorbell(i),
	}
	w.clock = newClock()
	w.batchAt = w.clock.now()
	if engine := s.Streams(); engine != nil {
		w.connectStreams(engine)
	}
	w.outlet = &outlet{datagrams: port, streams: w.streams, by: s.shared.listeners,
		egress: s.shared.egress}
	w.outlet.timeouts = func(token uint64) proxy.StreamTimeouts {
		return w.core.StreamTimeouts(token)
	}
	if err := w.assemble(w.outlet, s.shared.egress, s.cfg.Settings, newRandom()); err != nil {
		return nil, err
	}
	w.watchListeners()
	w.overload = place.NewOverload(s.cfg.NoShed, w.batchAt)
	if i == probingShard {
		w.prober = newProber(s.cfg.Settings.Dispatcher.Probes, s.cfg.Shards)
	}
	return w, nil
}

// assemble joins transaction table, proxy core and routing context. The caller has set what these
// need: number, arena, batchAt, shared.
func (w *worker) assemble(out txn.Sender, egress proxy.Egress, set *route.Settings,
	random func() uint64) error {
	w.out, w.egress, w.settings, w.served = out, egress, set, w.shared.listeners
	if w.shared.routeKey == nil { // once: it is read from files, which a chroot hides
		key := hostKey("record-route")
		w.shared.routeKey = key[:]
	}
	w.forwards = w.program.UsesForward()
	w.arm(w.program)
	w.setTap()
	if w.number == probingShard {
		w.shared.probing.Store(w)
	}
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
	w.takeTables(w.shared.tablesVersion.Load())
	w.obey(set)
	w.ctx = route.NewCtx(&route.Shard{Number: w.number, Shards: w.shards, On: w.on,
		Later: func(f func(*route.Ctx)) { w.later(f) }, Core: w.core,
		Listeners: route.Listeners(w.shared.listeners), Conns: w.conns, Log: w.shared,
		Blocked: w.shared.list, Statistic: w.shared.statistic})
	w.asks.init(w)
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

// newRandom returns a generator for branches, seeded by the kernel: one per shard, not safe for use
// by several goroutines. ChaCha8's output cannot be guessed from earlier output.
func newRandom() func() uint64 {
	var seed [32]byte
	rand.Read(seed[:]) // never fails (crypto/rand)
	return mrand.NewChaCha8(seed).Uint64
}

// newClock returns a clock that aligns Go's monotonic clock with the kernel's, once.
func newClock() clock {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	return clock{time.Now(), ts.Nano()}
}
