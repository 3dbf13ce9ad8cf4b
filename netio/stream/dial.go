package stream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// dialer runs the connects, a bounded number at once.
type dialer struct {
	mu      sync.Mutex
	running int
	queue   []*conn
	stopped bool
}

// dial makes a connection to k, or gives the one that another shard makes just now. Messages wait
// in it until it is established.
func (e *Engine) dial(k key, l *listener, o *SendOptions) (*conn, Reason) {
	switch {
	case l.proto == netio.WS || l.proto == netio.WSS:
		return nil, NoConnection // browsers do not listen (RFC 7118 §5.2)
	case k.addr.Family != l.Addr.Family || k.addr.Port == 0:
		return nil, NoListener
	case e.limits.NoConnect.Load():
		return nil, NoConnection
	case e.stopping.Load():
		return nil, Stopping
	}
	c := &conn{
		e: e, id: e.lastID.Add(1), k: k, peer: k.addr, proto: l.proto, outgoing: true, fd: -1,
		blocked: true, born: e.now(),
	}
	if l.proto.Secure() {
		c.domain = o.Domain
	}
	timeout := o.ConnectTimeout
	if timeout <= 0 {
		timeout = e.limits.ConnectTimeout.Load()
	}
	c.deadline = c.born + int64(timeout)
	if why := e.book(c); why != OK {
		e.stats.rejected(why)
		return nil, why
	}
	if old := e.table.getOrPut(k, c); old != c {
		e.unbook(c)
		return old, OK
	}
	e.registry.put(c)
	if k.slot != 0 || k.domain != 0 {
		// Answers look for it by address alone.
		plain := k
		plain.slot, plain.domain = 0, 0
		if e.table.getOrPut(plain, c) == c {
			c.mu.Lock()
			c.aliases = append(c.aliases, plain)
			c.mu.Unlock()
		}
	}
	if !e.dials.start(e, c) {
		c.condemn(DialBusy, 0)
		c.release()
		return nil, DialBusy
	}
	return c, OK
}

// start runs the dial of c, now or when another has ended. It returns false if too many wait.
func (d *dialer) start(e *Engine, c *conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.stopped:
		return false
	case d.running < dialsAtOnce:
		d.running++
		e.pending.Add(1)
		go d.run(e, c)
		return true
	case len(d.queue) < dialsWaiting:
		d.queue = append(d.queue, c)
		return true
	}
	return false
}

// run dials c, and then what waits.
func (d *dialer) run(e *Engine, c *conn) {
	defer e.pending.Done()
	for {
		e.dialNow(c)
		d.mu.Lock()
		if len(d.queue) == 0 {
			d.running--
			d.mu.Unlock()
			return
		}
		c = d.queue[0]
		d.queue[0] = nil
		d.queue = d.queue[1:]
		d.mu.Unlock()
	}
}

// stop lets no dial begin any more; those that wait fail by their context.
func (d *dialer) stop() {
	d.mu.Lock()
	d.stopped = true
	d.mu.Unlock()
}

func (e *Engine) dialNow(c *conn) {
	ctx, cancel := context.WithDeadline(e.ctx, e.began.Add(time.Duration(c.deadline)))
	defer cancel()
	c.mu.Lock()
	c.cancel = cancel
	if c.st == dead {
		cancel()
	}
	c.mu.Unlock()
	nc, why, errno := e.connect(ctx, c)
	c.mu.Lock()
	c.cancel = nil
	c.mu.Unlock()
	if nc != nil && !c.alive() {
		// A limit was reached while it was connecting.
		_ = nc.Close()
		nc = nil
	}
	if nc == nil {
		c.condemn(why, errno)
		c.release()
		return
	}
	e.tune(nc)
	e.enroll(c, nc)
}

// source is where connections of a listener come from.
func (e *Engine) source(l *listener) netip.AddrPort {
	from := l.Addr.AddrPort()
	addr, port := from.Addr(), from.Port()
	switch s4, s6 := e.cfg.SourceIPv4, e.cfg.SourceIPv6; {
	case addr.Is4() && s4.IsValid():
		addr = s4
	case addr.Is6() && s6.IsValid():
		addr = s6
	}
	if !e.cfg.ListenPort {
		port = 0
	}
	return netip.AddrPortFrom(addr, port)
}

// dialFrom opens a TCP connection. From a port of the caller's choice it may fail where any other
// port would do: then it is tried from one of those.
func (e *Engine) dialFrom(ctx context.Context, from netip.AddrPort, to string) (net.Conn, error) {
	d := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(from),
		KeepAlive: -1,
		Control: func(network, _ string, rc syscall.RawConn) error {
			return rc.Control(func(fd uintptr) {
				_ = netio.SetTOS(int(fd), network == "tcp6", e.cfg.TOS)
				if from.Port() != 0 {
					_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
				}
				// The port is chosen at connect, by the whole 4-tuple: else an address has as many
				// connections as ports (ip(7), since Linux 4.2). Older kernels do without.
				_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
				if e.cfg.SynCount > 0 {
					_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_SYNCNT,
						e.cfg.SynCount)
				}
			})
		},
	}
	nc, err := d.DialContext(ctx, "tcp", to)
	if from.Port() != 0 && (errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL) ||
		errors.Is(err, unix.EACCES)) {
		// The pair of addresses and ports is in use or in TIME_WAIT; or we have changed our user
		// since the listener was bound.
		return e.dialFrom(ctx, netip.AddrPortFrom(from.Addr(), 0), to)
	}
	return nc, err
}

// connect opens the connection, TLS included.
func (e *Engine) connect(ctx context.Context, c *conn) (nc *net.TCPConn, why Reason,
	errno unix.Errno) {
	conn, err := e.dialFrom(ctx, e.source(e.listener(int(c.k.listener))),
		c.k.addr.AddrPort().String())
	if err != nil {
		why, errno = connectError(err)
		if e.stopping.Load() {
			why = Stopping
		}
		return nil, why, errno
	}
	nc = conn.(*net.TCPConn)
	c.local = netio.AddrFrom(nc.LocalAddr().(*net.TCPAddr).AddrPort())
	if c.proto.Secure() {
		if err := e.secure(ctx, c, nc, false); err != nil {
			_ = nc.Close()
			if ctx.Err() != nil {
				return nil, ConnectTimeout, 0
			}
			c.mu.Lock()
			c.detail = err.Error()
			c.mu.Unlock()
			return nil, HandshakeFailed, 0
		}
	}
	return nc, OK, 0
}

func connectError(err error) (Reason, unix.Errno) {
	var errno syscall.Errno
	if errors.As(err, &errno) && errno != unix.ETIMEDOUT {
		if errno == unix.EMFILE || errno == unix.ENFILE {
			return NoDescriptor, errno
		}
		return ConnectFailed, errno
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errno == unix.ETIMEDOUT {
		return ConnectTimeout, unix.ETIMEDOUT
	}
	return ConnectFailed, errno
}

// tune sets the options of a socket; one that cannot be set is left as it is.
func (e *Engine) tune(nc *net.TCPConn) {
	rc, err := nc.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) {
		s := int(fd)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if e.cfg.QuickAck {
			_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
		}
		if e.cfg.KeepAlive >= 0 {
			_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		}
		for _, o := range []struct{ name, value int }{
			{unix.TCP_KEEPIDLE, int(e.cfg.KeepAlive / time.Second)},
			{unix.TCP_KEEPINTVL, int(e.cfg.KeepAliveInterval / time.Second)},
			{unix.TCP_KEEPCNT, e.cfg.KeepAliveCount},
			{unix.TCP_LINGER2, int(e.cfg.FinWait / time.Second)},
		} {
			if o.value > 0 {
				_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, o.name, o.value)
			}
		}
	})
}
