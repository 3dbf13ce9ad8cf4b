package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/netio/stream/wslayer"
)

// Open opens listeners, whose numbers begin with first, as Config.Base says it of those of the
// start. Either all are open afterwards or none. Nobody accepts their connections yet, see Accept.
func (e *Engine) Open(first int, cfgs []Listen) (_ []*netio.Listener, err error) {
	c := e.cfg
	c.Base, c.Listeners, c.TLS = first, cfgs, *e.tls.Load()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	e.opening.Lock()
	defer e.opening.Unlock()
	list := make([]listener, len(cfgs))
	defer func() {
		if err != nil {
			for i := range list {
				if s := list[i].socket; s != nil {
					_ = s.Close()
				}
			}
		}
	}()
	for i := range cfgs {
		cfg := &cfgs[i]
		l := &list[i]
		l.proto, l.twin, l.from = cfg.Proto, -1, cfg.ProxyFrom
		l.ws = wslayer.Config{
			MessageBytes: int(e.limits.MaxMessage.Load()), Origins: cfg.Origins,
			CORS: e.cfg.WS.CORS,
		}
		l.Listener = netio.Listener{
			Index: first + i, Proto: cfg.Proto, AdvertiseHost: cfg.AdvertiseHost,
			AdvertisePort: cfg.AdvertisePort, Name: cfg.Name,
		}
		if cfg.AllowWS {
			l.twin = cfg.WSListener
		}
		if c.twinOf(i) < 0 {
			s, err := e.open(cfg)
			if err != nil {
				return nil, fmt.Errorf("cannot listen on %s %s: %w", cfg.Proto, cfg.Addr, err)
			}
			l.socket = s
			l.Addr = netio.AddrFrom(s.Addr().(*net.TCPAddr).AddrPort())
		}
	}
	all := slices.Clone(*e.listeners.Load())
	for len(all) < first {
		all = append(all, nil)
	}
	var public []*netio.Listener
	for i := range list {
		l := &list[i]
		if t := c.twinOf(i); t >= 0 {
			l.Addr = list[t].Addr
		}
		l.SentBy = netio.SentBy(&l.Listener)
		all, public = append(all, l), append(public, &l.Listener)
	}
	e.listeners.Store(&all)
	return public, nil
}

// Accept accepts the connections of all listeners that are open.
func (e *Engine) Accept() {
	e.opening.Lock()
	defer e.opening.Unlock()
	for _, l := range *e.listeners.Load() {
		if l != nil && l.socket != nil && !l.accepting && !e.draining.Load() {
			l.accepting = true
			e.accept.Add(1)
			go e.acceptAll(l)
		}
	}
}

// Shut closes a listener. Its number is not given again, and its connections stay.
func (e *Engine) Shut(number int) {
	e.opening.Lock()
	defer e.opening.Unlock()
	if l := e.listener(number); l != nil && l.socket != nil {
		_ = l.socket.Close()
	}
}

func (e *Engine) open(cfg *Listen) (*net.TCPListener, error) {
	lc := net.ListenConfig{KeepAlive: -1,
		Control: func(network, _ string, rc syscall.RawConn) (err error) {
			cerr := rc.Control(func(fd uintptr) {
				// What is accepted inherits it.
				_ = netio.SetTOS(int(fd), network == "tcp6", e.cfg.TOS)
				if e.cfg.ReusePort || e.cfg.ListenPort {
					err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
				}
				if s := int((e.cfg.DeferAccept + time.Second - 1) / time.Second); s > 0 &&
					err == nil {
					err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, s)
				}
			})
			return errors.Join(err, cerr)
		}}
	// Go sets SO_REUSEADDR, and listens with net.core.somaxconn.
	nl, err := lc.Listen(context.Background(), "tcp", cfg.Addr.String())
	if err != nil {
		return nil, err
	}
	s := nl.(*net.TCPListener)
	if e.cfg.Backlog > 0 {
		rc, err := s.SyscallConn()
		if err == nil {
			cerr := rc.Control(func(fd uintptr) { err = unix.Listen(int(fd), e.cfg.Backlog) })
			err = errors.Join(err, cerr)
		}
		if err != nil {
			_ = s.Close()
			return nil, fmt.Errorf("cannot set the backlog: %w", err)
		}
	}
	return s, nil
}

// acceptAll is the life of an acceptor. Without descriptors it waits and tries again: established
// connections go on meanwhile.
func (e *Engine) acceptAll(l *listener) {
	defer e.accept.Done()
	backoff := acceptBackoffMin
	for {
		nc, err := l.socket.AcceptTCP()
		if err == nil {
			backoff = acceptBackoffMin
			e.accepted(l, nc)
			continue
		}
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EPROTO),
			errors.Is(err, unix.EPERM):
			continue // the peer has gone again, or a firewall said no
		}
		// EMFILE, ENFILE, ENOBUFS, ENOMEM, and what may come.
		e.stats.acceptFailed.Add(1)
		e.log.report(logAccept, "cannot accept a connection: raise `ulimit -n` or lower "+
			"tcp_max_connections if files are short", "listener", l.Addr.String(), "error", err)
		if e.reserve.hangUp(l.socket) {
			e.stats.rejected(NoDescriptor)
		}
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, acceptBackoffMax)
	}
}

// reserve is a descriptor to give up when there is no other: the connection that waits is accepted
// with it and closed, so that its peer hears at once.
type reserve struct {
	mu sync.Mutex
	f  *os.File
}

func (r *reserve) open() (err error) {
	r.f, err = os.Open(os.DevNull)
	return err
}

func (r *reserve) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f != nil {
		_ = r.f.Close()
		r.f = nil
	}
}

// hangUp accepts one connection and closes it.
func (r *reserve) hangUp(s *net.TCPListener) (did bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f != nil {
		_ = r.f.Close()
		r.f = nil
		// another acceptor may have been faster
		_ = s.SetDeadline(time.Now().Add(10 * time.Millisecond))
		nc, err := s.AcceptTCP()
		_ = s.SetDeadline(time.Time{})
		if err == nil {
			_ = nc.SetLinger(0)
			_ = nc.Close()
			did = true
		}
	}
	r.f, _ = os.Open(os.DevNull)
	return did
}

// prefixes are allowed peers.
type prefixes []netip.Prefix

func (p prefixes) has(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for i := range p {
		if p[i].Contains(a) {
			return true
		}
	}
	return false
}

// accepted takes in a new connection, or refuses it.
func (e *Engine) accepted(l *listener, nc *net.TCPConn) {
	peer := netio.AddrFrom(nc.RemoteAddr().(*net.TCPAddr).AddrPort())
	local := netio.AddrFrom(nc.LocalAddr().(*net.TCPAddr).AddrPort())
	c := &conn{
		e: e, k: key{addr: peer, listener: uint16(l.Index)}, peer: peer, local: local,
		proto: l.proto, fd: -1, blocked: true,
	}
	why := OK
	if e.limits.AcceptUnique.Load() && e.hasPeer(peer) {
		why = NotUnique
	} else {
		why = e.book(c)
	}
	if why != OK {
		e.stats.rejected(why)
		_ = nc.SetLinger(0) // a reset, not a FIN: no TIME_WAIT is kept for what was refused
		_ = nc.Close()
		return
	}
	proxied := l.from.has(peer.AddrPort().Addr())
	if !proxied && !e.bookSource(c, peer) { // else the client behind it counts, not the proxy
		e.unbook(c)
		_ = nc.SetLinger(0)
		_ = nc.Close()
		return
	}
	e.stats.accepted.Add(1)
	if !l.proto.Secure() && !proxied {
		e.enter(c, nc)
		return
	}
	if e.admitting.Add(1) > e.limits.MaxAdmitting.Load() {
		e.admitting.Add(-1)
		e.stats.admitsRefused.Add(1)
		e.stats.rejected(TooManyHandshakes)
		e.unbook(c)
		_ = nc.SetLinger(0)
		_ = nc.Close()
		return
	}
	e.pending.Add(1)
	go e.admitConn(l, c, nc)
}

// hasPeer tells whether peer has a connection with any listener. One that has said nothing yet to a
// listener with AllowWS is not seen.
func (e *Engine) hasPeer(peer netio.Addr) bool {
	for i, l := range *e.listeners.Load() {
		if l == nil {
			continue
		}
		if c := e.table.get(key{addr: peer, listener: uint16(i)}); c != nil && c.peer == peer &&
			c.alive() {
			return true
		}
	}
	return false
}

// enter puts an accepted or dialled connection into the table and a loop. Its loop releases it from
// then on.
func (e *Engine) enter(c *conn, nc *net.TCPConn) {
	e.tune(nc)
	c.id = e.lastID.Add(1)
	c.born = e.now()
	c.deadline = c.born + int64(e.limits.ConnectTimeout.Load())
	e.registry.put(c)
	l := e.listener(int(c.k.listener))
	if l.proto == netio.WS || l.proto == netio.WSS {
		c.layers.ws = wslayer.New(&l.ws)
	}
	if c.undecided = l.twin >= 0; !c.undecided {
		e.table.put(c.k, c)
	}
	e.enroll(c, nc)
}

// enroll gives the connection to a loop; nc is gnet's from then on.
func (e *Engine) enroll(c *conn, nc *net.TCPConn) {
	_, err := e.client.EnrollContext(nc, c)
	if err == nil && c.opens.Load() == 0 {
		err = errNotOpened
	}
	if err == nil {
		return
	}
	e.log.report(logAccept, "cannot give a connection to an event loop: raise `ulimit -n` if "+
		"files are short", "error", err)
	c.condemn(NoDescriptor, 0)
	c.release()
}

// book counts a connection, if the limits allow it.
func (e *Engine) book(c *conn) Reason {
	if e.opened.Add(1) > e.limits.MaxConnections.Load() {
		e.opened.Add(-1)
		return TooMany
	}
	if c.proto.Secure() && e.openedTLS.Add(1) > e.limits.TLSMaxConnections.Load() {
		e.openedTLS.Add(-1)
		e.opened.Add(-1)
		return TooMany
	}
	return OK
}

func (e *Engine) unbook(c *conn) {
	if c.ipBooked.Family != 0 {
		e.sources.leave(c.ipBooked)
	}
	if c.proto.Secure() {
		e.openedTLS.Add(-1)
	}
	e.opened.Add(-1)
}

// bookSource counts the connection for its source.
func (e *Engine) bookSource(c *conn, a netio.Addr) bool {
	if !e.sources.enter(a, e.limits, e.now()) {
		e.stats.rejected(TooManyFromSource)
		return false
	}
	c.ipBooked = a
	return true
}

// sources counts accepted connections by address.
type sources struct {
	mu   sync.Mutex
	open map[netio.Addr]int32
	rate map[netio.Addr]int32
	sec  int64
}

// enter counts one. It returns false if it is one too many.
func (s *sources) enter(a netio.Addr, limits *Limits, now int64) bool {
	a.Port = 0
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit := limits.AcceptRate.Load(); limit > 0 {
		if sec := now / int64(time.Second); sec != s.sec || s.rate == nil ||
			len(s.rate) >= maxSources {
			s.sec, s.rate = sec, make(map[netio.Addr]int32)
		}
		if int64(s.rate[a]) >= limit {
			return false
		}
		s.rate[a]++
	}
	if limit := limits.AcceptIPLimit.Load(); limit > 0 && int64(s.open[a]) >= limit {
		return false
	}
	if s.open == nil {
		s.open = make(map[netio.Addr]int32)
	}
	s.open[a]++
	return true
}

func (s *sources) leave(a netio.Addr) {
	a.Port = 0
	s.mu.Lock()
	if s.open[a]--; s.open[a] <= 0 {
		delete(s.open, a)
	}
	s.mu.Unlock()
}
