package shard

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/place"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// Listeners come and go with reloads. The records of calls name a listener by its number, so a
// listener keeps its number, and one that was taken out stays in the list:
//
//	       reload without it                    nobody needs it
//	open ────────────────────▶ leaving ────────────────────────▶ gone
//	  ▲                           │
//	  └──── reload with it ───────┘ (datagrams only)
//
// Leaving: nothing new leaves by it. A listener of datagrams receives and sends until no
// transaction is left, or lingers is over, and turns new calls away. A listener of streams is
// closed at once, and its connections are served on.
//
// Gone: what would leave by it leaves by another listener. A further address of its family may then
// be given its number, and is that other listener for calls that still name it.
//
// A shard may be handed a datagram by another one, so all of them know a listener, and can send by
// it, before the first reads from it.

// served is what the Server knows of its listeners.
type served struct {
	listeners []*netio.Listener // by number
	sockets   []*netio.Sockets  // of listeners opened after the start
	left      map[int]time.Time // since when a listener of datagrams is leaving
	free      map[int]bool      // listeners of datagrams that are gone, with no shard's socket left
	watching  bool              // whether retire runs
}

// at returns the number of the listener of an address that is open, or may be opened again. It
// returns -1 if there is none.
func (s *served) at(proto netio.Proto, addr netio.Addr) int {
	addr.Proto = 0
	for i, l := range s.listeners {
		own := l.Addr
		if own.Proto = 0; l.Proto == proto && own == addr && !l.Gone &&
			(!l.Leaving || proto == netio.UDP) {
			return i
		}
	}
	return -1
}

// number returns the number for a further listener of datagrams.
func (s *served) number(family uint8) int {
	for i := range s.free {
		if s.listeners[i].Addr.Family == family {
			delete(s.free, i)
			return i
		}
	}
	return len(s.listeners)
}

// change replaces a listener by a copy that f has changed.
func (s *served) change(number int, f func(l *netio.Listener)) {
	l := *s.listeners[number]
	f(&l)
	l.SentBy = netio.SentBy(&l)
	s.listeners[number] = &l
}

// listen opens the listeners that n asks for and g does not have, and completes g. If it returns an
// error, nothing is left open that was not open before.
func (s *Server) listen(g *generation, n *Next) (next served, err error) {
	next = s.listens
	next.listeners, next.sockets, next.left, next.free = slices.Clone(next.listeners),
		slices.Clone(next.sockets), map[int]time.Time{}, maps.Clone(next.free)
	stays := make([]bool, len(next.listeners))
	keep := func(proto netio.Proto, addr netio.Addr, name, host string, port uint16) bool {
		i := next.at(proto, addr)
		if i < 0 {
			return false
		}
		stays[i] = true
		next.change(i, func(l *netio.Listener) {
			l.Name, l.AdvertiseHost, l.AdvertisePort, l.Leaving = name, host, port, false
		})
		return true
	}
	var datagrams []netio.ListenConfig
	for _, l := range n.Listens {
		if !keep(netio.UDP, netio.AddrFrom(l.Addr), l.Name, l.AdvertiseHost, l.AdvertisePort) {
			datagrams = append(datagrams, l)
		}
	}
	var streams []stream.Listen
	for _, l := range n.Streams {
		if !keep(l.Proto, netio.AddrFrom(l.Addr), l.Name, l.AdvertiseHost, l.AdvertisePort) {
			streams = append(streams, l)
		}
	}
	for i := range stays {
		l := next.listeners[i]
		if stays[i] || l.Gone {
			continue
		}
		next.change(i, func(l *netio.Listener) { l.Leaving = true })
		if l.Proto == netio.UDP {
			next.left[i] = time.Now()
			if since, before := s.listens.left[i]; before {
				next.left[i] = since
			}
		}
	}
	if len(datagrams)+len(streams) > 0 {
		err := s.open(&next, datagrams, streams, n.Engine)
		if err == nil {
			if err = s.announce(g, &next); err != nil {
				s.useUp(&next)
			}
		}
		if err != nil {
			return next, err
		}
	}
	g.listeners, g.sockets, g.streams = next.listeners, next.sockets, s.Streams()
	g.egress = &egress{group: s.group, listeners: next.listeners, mhomed: g.egress.mhomed}
	return next, nil
}

// open opens sockets, numbered after the existing ones.
func (s *Server) open(next *served, datagrams []netio.ListenConfig, streams []stream.Listen,
	config stream.Config) (err error) {
	var opened []*netio.Sockets
	defer func() {
		if err == nil {
			return
		}
		for _, o := range opened {
			s.group.Forget(o.Listener.Index)
			if err := o.Close(); err != nil {
				s.shared.logger.Warn("closing", "error", err)
			}
		}
	}()
	for i := range datagrams {
		number := next.number(netio.AddrFrom(datagrams[i].Addr).Family)
		o, err := s.group.Open(number, &datagrams[i])
		if err != nil {
			return err
		}
		if number == len(next.listeners) {
			next.listeners = append(next.listeners, nil)
		}
		next.listeners[number] = o.Listener
		opened, next.sockets = append(opened, o), append(next.sockets, o)
	}
	if len(streams) == 0 {
		return nil
	}
	first := len(next.listeners)
	for i := range streams { // the WebSocket listener that its connections may change to
		if l := &streams[i]; l.AllowWS {
			twin := map[netio.Proto]netio.Proto{netio.TCP: netio.WS, netio.TLS: netio.WSS}[l.Proto]
			l.WSListener = first + slices.IndexFunc(streams,
				func(o stream.Listen) bool { return o.Proto == twin && o.Addr == l.Addr })
		}
	}
	engine := s.Streams()
	if engine == nil {
		if engine, err = s.newStreams(config); err != nil {
			return err
		}
	} else if config.TLS != nil {
		engine.SetTLS(config.TLS)
	}
	list, err := engine.Open(first, streams)
	if err != nil {
		if s.Streams() == nil {
			engine.Close()
		}
		return err
	}
	s.streams.Store(engine)
	next.listeners = append(next.listeners, list...)
	return nil
}

// useUp gives up what a failed reload has opened and shards already know of: they close what they
// took.
func (s *Server) useUp(next *served) {
	g := *s.shared.gen.Load()
	g.serial++
	g.listeners = slices.Clone(g.listeners)
	for i := range next.listeners {
		before := i < len(s.listens.listeners) && !s.listens.listeners[i].Gone
		if before || next.listeners[i].Gone {
			continue
		}
		if next.listeners[i].Proto != netio.UDP {
			s.Streams().Shut(i)
		}
		s.group.Forget(i)
		gone := *g.listeners[i]
		gone.Gone = true
		g.listeners[i] = &gone
		delete(s.listens.free, i)
	}
	s.listens.listeners = g.listeners
	g.egress = &egress{group: s.group, listeners: g.listeners, mhomed: g.egress.mhomed}
	s.publish(&g)
}

// announce tells all shards of the new listeners. They take the sockets, and none reads from one
// before all have them: what one shard receives another may have to answer.
func (s *Server) announce(g *generation, next *served) error {
	now := *s.shared.gen.Load()
	now.serial++
	known := slices.Clone(now.listeners)
	for i, l := range next.listeners {
		quiet := *l
		quiet.Leaving = true
		switch {
		case i >= len(known):
			known = append(known, &quiet)
		case known[i].Gone && !l.Gone:
			known[i] = &quiet
		}
	}
	now.listeners, now.sockets, now.streams = known, next.sockets, s.Streams()
	now.egress = &egress{group: s.group, listeners: known, mhomed: now.egress.mhomed}
	g.serial = now.serial + 1
	s.publish(&now)
	if !s.awaitTaken(now.serial, takeWithin) {
		return fmt.Errorf("a shard did not come to the end of its batch within %s: try again",
			takeWithin)
	}
	return nil
}

// settle finishes a reload after the shards have taken their listeners.
func (s *Server) settle(next served, g *generation) {
	next.watching = s.listens.watching
	s.listens = next
	s.group.Choose(g.listeners)
	if engine := s.Streams(); engine != nil {
		engine.Accept()
		for i, l := range g.listeners {
			if l.Leaving && l.Proto != netio.UDP {
				s.Streams().Shut(i)
			}
		}
	}
	if len(next.left) > 0 && !next.watching {
		s.listens.watching = true
		s.done.Go(s.retire)
	}
}

// retire closes listeners of datagrams that were taken out, when nothing needs them any more.
func (s *Server) retire() {
	for {
		select {
		case <-s.stopped:
			return
		case <-time.After(lingerLook):
		}
		if !s.retireSome() {
			return
		}
	}
}

// retireSome closes those that nothing needs now. It returns false if none is left to wait for.
func (s *Server) retireSome() (more bool) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	var over []int
	for i, since := range s.listens.left {
		if past := time.Since(since); past >= lingers || past >= lingerLook && s.idle() {
			over = append(over, i)
		}
	}
	if len(over) > 0 {
		g := *s.shared.gen.Load()
		g.serial++
		s.listens.listeners = slices.Clone(s.listens.listeners)
		for _, i := range over {
			s.listens.change(i, func(l *netio.Listener) { l.Gone = true })
			delete(s.listens.left, i)
			s.group.Forget(i)
		}
		s.listens.sockets = slices.DeleteFunc(slices.Clone(s.listens.sockets),
			func(o *netio.Sockets) bool { return slices.Contains(over, o.Listener.Index) })
		g.listeners, g.sockets = s.listens.listeners, s.listens.sockets
		g.egress = &egress{group: s.group, listeners: g.listeners, mhomed: g.egress.mhomed}
		s.publish(&g)
		if s.awaitTaken(g.serial, takeWithin) {
			for _, i := range over {
				s.listens.free[i] = true
			}
		}
	}
	s.listens.watching = len(s.listens.left) > 0
	return s.listens.watching
}

// idle reports whether there are no transactions.
func (s *Server) idle() bool {
	for i := range s.workers {
		if atomic.LoadUint64(&s.arena.Counters(i)[GaugeTransactions]) > 0 {
			return false
		}
	}
	return true
}

// takeListeners opens and closes the listeners in which a generation differs from the shard's. It
// returns false if nothing about listeners has changed.
func (w *worker) takeListeners(g *generation) (moved bool) {
	if g.egress == nil || proxy.Egress(g.egress) == w.egress { // nil in tests without a server
		return false
	}
	w.served, w.egress = g.listeners, g.egress
	if w.streams == nil && g.streams != nil {
		w.connectStreams(g.streams)
		w.outlet.streams, w.ctx.Shard.Conns = w.streams, w.conns
	}
	for _, s := range g.sockets {
		n, err := s.Listener.Index, error(nil)
		if g.listeners[n].Gone {
			continue // given up: the sockets may be closed
		}
		if !w.port.Has(n) {
			err = w.port.Take(s)
		}
		if err == nil && !g.listeners[n].Leaving {
			err = w.port.Listen(n)
		}
		if err != nil {
			w.shared.queue(logLine{slog.LevelError, "a shard cannot listen on a further address",
				[]any{"shard", w.number, "listen", string(s.Listener.SentBy), "error", err}})
		}
	}
	for i, l := range g.listeners {
		if l.Gone && l.Proto == netio.UDP && w.port.Has(i) {
			_ = w.port.Drop(i)
		}
	}
	w.watchListeners()
	w.outlet.by, w.outlet.egress = g.listeners, g.egress
	w.ctx.Shard.Listeners = route.Listeners(g.listeners)
	return true
}

// watchListeners makes room for what is known of each listener of datagrams.
func (w *worker) watchListeners() {
	w.listeners = w.listeners[:0]
	for i := range w.served {
		if w.port.Listens(i) {
			w.listeners = append(w.listeners, uint16(i))
		}
	}
	for len(w.dropsOf) < len(w.served) {
		w.dropsOf, w.arrivals = append(w.dropsOf, 0), append(w.arrivals, place.Arrivals{})
	}
	w.long = slices.Grow(w.long[:0], len(w.listeners))
}
