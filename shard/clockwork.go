package shard

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"viaduct/shard/route"
)

// What a shard does between messages for modules of the language: what other goroutines have left
// for it to do, and what is due by the clock. A program without timers causes no ticks.

// posted is what other goroutines have left for the shard to do.
type posted struct {
	some atomic.Bool // list is not empty
	mu   sync.Mutex
	list []func(c *route.Ctx)
}

// later makes the shard call f between messages. Any goroutine may call it. Beyond maxPosted f is
// lost, the log says so, and the result is false.
func (w *worker) later(f func(c *route.Ctx)) bool {
	p := &w.posted
	p.mu.Lock()
	full := len(p.list) == maxPosted
	if !full {
		p.list = append(p.list, f)
		p.some.Store(true)
	}
	p.mu.Unlock()
	if full {
		w.shared.Log(-1, []byte("an event was lost: too many wait for their shard"))
		return false
	}
	w.doorbell.Ring()
	return true
}

// on is later of another shard, or of this one.
func (w *worker) on(shard int, f func(c *route.Ctx)) bool {
	if shard == w.number {
		return w.later(f)
	}
	all := w.shared.workers.Load()
	return all != nil && shard < len(*all) && (*all)[shard].later(f)
}

// tick is a timer of a module on this shard.
type tick struct {
	at, every int64
	f         func(c *route.Ctx)
	id        route.TimerID
}

// arm takes over the timers of a program. One that the program before it had is due when it was.
func (w *worker) arm(p *route.Program) {
	before := w.ticks
	w.ticks, w.tickDue = nil, never
	for _, t := range p.Timers() {
		if *t.Every <= 0 || t.Where == route.OneShard && w.number != 0 {
			continue
		}
		k := tick{at: w.batchAt + int64(*t.Every), every: int64(*t.Every), f: t.F, id: t.ID()}
		if i := slices.IndexFunc(before, func(b tick) bool { return b.id == k.id }); i >= 0 {
			k.at = before[i].at
		}
		w.ticks = append(w.ticks, k)
		w.tickDue = min(w.tickDue, k.at)
	}
}

// clockwork does what others have left, and what is due. A panic in one thing does not keep the
// others from being done.
func (w *worker) clockwork() {
	if w.posted.some.Load() {
		w.doPosted()
	}
	if w.batchAt >= w.tickDue {
		w.fire()
	}
}

func (w *worker) doPosted() {
	p := &w.posted
	p.mu.Lock()
	list := p.list
	p.list = nil
	p.some.Store(false)
	p.mu.Unlock()
	for _, f := range list {
		w.apart(f)
	}
}

// fire calls the timers that are due. A timer that missed several ticks is called once.
func (w *worker) fire() {
	w.tickDue = never
	for i := range w.ticks {
		t := &w.ticks[i]
		if t.at <= w.batchAt {
			t.at = w.batchAt + t.every
			w.apart(t.f)
		}
		w.tickDue = min(w.tickDue, t.at)
	}
}

// apart runs f, which is about no message. A panic in it costs nothing else.
func (w *worker) apart(f func(c *route.Ctx)) {
	defer w.contain()
	w.step = stepRound
	w.tx.Begin()
	w.ctx.Between()
	f(w.ctx)
}

// started tells modules and script that the server has started, before any shard runs. Messages
// that they send leave with the first round.
func (w *worker) started() {
	w.startBatch()
	w.apart(w.program.Started)
	w.again = true
}

// runBeside starts what a program does beside the shards. It runs until quit is closed or the
// server stops. A timer that the program before it had too is due when that was.
func (s *Server) runBeside(p *route.Program, quit chan struct{}) {
	running := new(atomic.Int64)
	s.besides = append(s.besides, running)
	before := s.due
	s.due = map[route.TimerID]*atomic.Int64{}
	for _, t := range p.Beside() {
		if *t.Every <= 0 {
			continue
		}
		due := before[t.ID()]
		if due == nil {
			due = new(atomic.Int64)
			due.Store(monotonic() + int64(*t.Every))
		}
		s.due[t.ID()] = due
		running.Add(1)
		s.done.Go(func() {
			defer running.Add(-1)
			s.repeat(t, due, quit)
		})
	}
}

// monotonic returns the time of the shards' clocks, in ns.
func monotonic() int64 {
	c := newClock()
	return c.now()
}

// repeat calls a function beside the shards whenever it is due. If several calls were missed it is
// called once.
func (s *Server) repeat(t *route.BesideTimer, due *atomic.Int64, quit chan struct{}) {
	next := time.NewTimer(time.Duration(due.Load() - monotonic()))
	defer next.Stop()
	for {
		select {
		case <-next.C:
			// Before the call, since a reload may come while it goes on.
			due.Store(monotonic() + int64(*t.Every))
			s.beside(t)
			next.Reset(time.Duration(due.Load() - monotonic()))
		case <-quit:
			return
		case <-s.stopped:
			return
		}
	}
}

// beside calls a function of a program beside the shards. A panic costs one call.
func (s *Server) beside(t *route.BesideTimer) {
	defer func() {
		if v := recover(); v != nil {
			s.shared.logger.Error("panic beside the shards", "panic", v)
		}
	}()
	t.F(s.NowMs())
}
