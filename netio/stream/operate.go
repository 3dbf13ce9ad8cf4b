package stream

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// What routing programs and operators do with single connections, by their numbers (Port.Conn,
// Engine.List). Any goroutine may ask; what touches the descriptor or the layers is done by the
// connection's loop, in the order it was asked for.

// ConnState is the state of a connection, in the numbers of Kamailio's tcp_conid_state().
type ConnState int8

// The states.
const (
	ConnUp         ConnState = 1  // messages come and go
	ConnAccepting  ConnState = 2  // accepted, not in its loop yet
	ConnConnecting ConnState = 3  // connect or handshake under way
	ConnGone       ConnState = -1 // closed, or never was
	ConnClosing    ConnState = -4 // it ends as soon as its loop, or what is queued, allows
)

// State tells that of a connection.
func (e *Engine) State(id uint64) ConnState {
	c := e.registry.get(id)
	if c == nil {
		return ConnGone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.st == dead || c.closeAfter:
		return ConnClosing
	case c.st == open:
		return ConnUp
	case c.outgoing:
		return ConnConnecting
	}
	return ConnAccepting
}

// Find gives the number of the connection of listener with peer, that its messages come from. It
// returns 0 if there is none.
func (e *Engine) Find(listener int, peer *netio.Addr) uint64 {
	k := key{addr: *peer, listener: uint16(listener)}
	k.addr.Proto = 0
	if c := e.table.get(k); c != nil && c.alive() {
		return c.id
	}
	return 0
}

// SetLifetime replaces Limits.Lifetime for one connection (tcp_set_connection_lifetime). It returns
// false if there is none of this number.
func (e *Engine) SetLifetime(id uint64, d time.Duration) bool {
	c := e.registry.get(id)
	if c == nil || d <= 0 {
		return false
	}
	c.lifetime.Store(int64(d))
	return c.ask(func(*loop, *conn) {}) // the loop puts it elsewhere in its wheel
}

// SetKeepAlive sets SO_KEEPALIVE and its options (tcp(7)) for one connection; idle 0 switches it
// off. Count or interval 0: the kernel's. It returns false if there is none of this number.
func (e *Engine) SetKeepAlive(id uint64, idle time.Duration, count int,
	interval time.Duration) bool {
	c := e.registry.get(id)
	return c != nil && c.ask(func(_ *loop, c *conn) {
		on := 0
		if idle > 0 {
			on = 1
		}
		_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, on)
		for _, o := range []struct{ name, value int }{
			{unix.TCP_KEEPIDLE, int(idle / time.Second)},
			{unix.TCP_KEEPCNT, count},
			{unix.TCP_KEEPINTVL, int(interval / time.Second)},
		} {
			if o.value > 0 {
				// out of the kernel's range: as it was
				_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, o.name, o.value)
			}
		}
	})
}

// CloseGracefully ends a connection when what is queued is written (tcp_close_connection,
// ws_close). A WebSocket's peer is told status and reason (RFC 6455 §7.4), at most closeReasonBytes
// of it; status 0 says that we are going away. It returns false if there is none of this number.
func (e *Engine) CloseGracefully(id uint64, status int, reason []byte) bool {
	c := e.registry.get(id)
	if c == nil {
		return false
	}
	text := string(reason[:min(len(reason), closeReasonBytes)])
	return c.ask(func(l *loop, c *conn) {
		if c.layers.ws != nil && status != 0 {
			if b := c.layers.ws.Close(nil, ws.StatusCode(status), text); len(b) > 0 {
				l.reply(c, levelFramed, b)
			}
		}
		c.mu.Lock()
		// by the flush that follows, or the one that writes the last byte
		c.closeAfter, c.closeWhy = true, Requested
		c.mu.Unlock()
	})
}

// AliasOf lets a connection be the one to its peer's port as well (RFC 5923, force_tcp_alias),
// until it ends. It returns false if there is none of this number, it has maxAliases, or another
// connection serves that port.
func (e *Engine) AliasOf(id uint64, port uint16) bool {
	c := e.registry.get(id)
	if c == nil || port == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.k
	k.addr.Port, k.slot, k.domain = port, 0, 0
	switch {
	case c.st == dead:
		return false
	case k == c.k:
		return true
	}
	for _, a := range c.aliases {
		if a == k {
			return true
		}
	}
	if len(c.aliases) >= maxAliases || e.table.getOrPut(k, c) != c {
		return false
	}
	c.aliases = append(c.aliases, k)
	return true
}

// task is something a connection's loop is to do; newest first.
type task struct {
	do    func(*loop, *conn)
	next  *task
	count int // of this and those behind it
}

// ask gives the connection's loop something to do. It returns false if the connection has no loop
// yet, is dead, or has tasksPerConn waiting.
func (c *conn) ask(do func(*loop, *conn)) bool {
	c.mu.Lock()
	l, isDead := c.lp, c.st == dead
	c.mu.Unlock()
	if l == nil || isDead {
		return false
	}
	t := &task{do: do}
	for {
		t.next, t.count = c.tasks.Load(), 1
		if t.next != nil {
			t.count = t.next.count + 1
		}
		if t.count > tasksPerConn {
			return false
		}
		if c.tasks.CompareAndSwap(t.next, t) {
			break
		}
	}
	l.wake(c)
	l.ring()
	return true
}

// perform does what the connection was asked to, oldest first. The loop's.
func (l *loop) perform(c *conn) {
	if c.tasks.Load() == nil {
		return
	}
	var first *task
	for t := c.tasks.Swap(nil); t != nil; { // the oldest first
		t, t.next, first = t.next, first, t
	}
	for ; first != nil; first = first.next {
		if c.alive() && c.fd >= 0 {
			first.do(l, c)
		}
	}
}

// ownCertificate is what we have to show with a configuration, if that is certain. It returns nil
// where it has several, or none. A server's configurations by name are asked with the name of this
// connection alone, as TLS says that they may be (Config.TLS).
func ownCertificate(cfg *tls.Config, serverName string) *x509.Certificate {
	if cfg.GetConfigForClient != nil {
		chosen, err := cfg.GetConfigForClient(&tls.ClientHelloInfo{ServerName: serverName})
		if err != nil {
			return nil
		}
		if chosen != nil {
			cfg = chosen
		}
	}
	if len(cfg.Certificates) != 1 || cfg.GetCertificate != nil || cfg.GetClientCertificate != nil {
		return nil
	}
	own := &cfg.Certificates[0]
	if own.Leaf != nil || len(own.Certificate) == 0 {
		return own.Leaf
	}
	// Slow path: tls.X509KeyPair fills in Leaf since Go 1.23
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}
