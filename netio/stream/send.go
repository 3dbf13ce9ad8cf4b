package stream

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// SendOptions are what a message may ask for.
type SendOptions struct {
	// Domain is the name that a TLS peer has to prove (RFC 5922 §7), for SNI too; "" for none.
	// Without it any connection to the address will do.
	Domain string
	// NoConnect fails with NoConnection instead of opening a connection.
	NoConnect bool
	// GiveBack returns the message in its Failure if the connection ends before the kernel has all
	// of it, also without a token.
	GiveBack bool
	// CloseAfter closes the connection when the message, and all before it, are written.
	CloseAfter bool
	// ConnectTimeout is in place of Limits.ConnectTimeout if the message opens a connection; 0
	// leaves that.
	ConnectTimeout time.Duration
	// SendTimeout is the connection's from now on, in place of Limits.SendTimeout; 0 leaves it.
	SendTimeout time.Duration
	// Lifetime is the connection's from now on, in place of Limits.Lifetime; 0 leaves it.
	Lifetime time.Duration
}

// outbound is the sending half of a Port.
type outbound struct {
	cache   map[key]*conn
	m       *outMsg // between Begin and End
	to      key
	opts    SendOptions
	last    Reason
	touched []*loop // whose bells Flush rings
	written []*conn // to be written by Flush
	iov     [writeSegments]unix.Iovec

	mu       sync.Mutex // of those below
	failed   []Failure
	lost     uint64
	any      atomic.Bool // failed is not empty
	returned []Failure   // what Failures gave last; the shard's
}

// Options are for the next message begun, and no other.
func (p *Port) Options(o SendOptions) { p.out.opts = o }

// Begin starts a message to dst by a connection of listener, an existing one or a new one. token
// names it in Failures; 0 is for one whose sender does not want to hear. Messages to one
// destination leave in the order of their Begin.
func (p *Port) Begin(listener int, dst *netio.Addr, token uint64) {
	if p.out.m != nil {
		panic("BUG: Begin before the End of the message before")
	}
	m := newOutMsg()
	m.token = token
	m.shard = int32(p.shard)
	p.out.m = m
	p.out.to = key{addr: *dst, listener: uint16(listener)}
	if p.e.listener(listener) == nil {
		p.out.to.addr = netio.Addr{}
	}
}

// Append adds bytes to the message begun. They are copied.
func (p *Port) Append(b []byte) { p.out.m.data = append(p.out.m.data, b...) }

// End completes the message: it is queued, or has failed, which Last tells at once and Failures
// later if there is a token. Without one, GiveBack has Failures tell of all but NoConnection.
func (p *Port) End() {
	m := p.out.m
	p.out.m = nil
	if len(m.data) == 0 {
		m.free()
		p.out.last, p.out.opts = OK, SendOptions{}
		return
	}
	m.back = p.out.opts.GiveBack
	p.out.last = p.send(m)
	p.out.opts = SendOptions{}
	if why := p.out.last; why != OK {
		if m.token != 0 || m.back && why != NoConnection {
			to := &p.out.to
			p.report(Failure{
				Token: m.token, Listener: int(to.listener), Dst: to.addr,
				Proto: p.e.protoOf(int(to.listener)), Reason: why,
			})
		}
		m.free()
	}
}

// Last is what became of the last End: OK is queued.
func (p *Port) Last() Reason { return p.out.last }

// Queue is Begin, Append for each segment, and End.
func (p *Port) Queue(listener int, dst *netio.Addr, token uint64, segments ...[]byte) {
	p.Begin(listener, dst, token)
	for _, s := range segments {
		p.Append(s)
	}
	p.End()
}

// Abandon forgets the message begun, if there is one.
func (p *Port) Abandon() {
	if p.out.m != nil {
		p.out.m.free()
		p.out.m = nil
	}
	p.out.opts = SendOptions{}
}

// Forget is for a caller that panicked: what is queued is sent all the same, since it is copied.
func (p *Port) Forget() { p.Abandon() }

// Flush writes what was sent since the last Flush, or wakes the event loops that have to. Without
// it nothing leaves.
func (p *Port) Flush() {
	for i, c := range p.out.written {
		if l := p.direct(c); l != nil {
			p.wake(c, l)
		}
		p.out.written[i] = nil
	}
	p.out.written = p.out.written[:0]
	for _, l := range p.out.touched {
		l.touched[p.shard] = false
		l.ring()
	}
	p.out.touched = p.out.touched[:0]
}

// send finds a connection for m, or makes one, and queues m there.
func (p *Port) send(m *outMsg) Reason {
	o := &p.out
	if o.to.addr.Family == 0 {
		return NoListener
	}
	for range 4 {
		c, k, why := p.find()
		if c == nil {
			return why
		}
		if o.opts.Lifetime > 0 {
			c.lifetime.Store(int64(o.opts.Lifetime))
		}
		impatient := o.opts.SendTimeout > 0 &&
			c.sendTimeout.Swap(int64(o.opts.SendTimeout)) != int64(o.opts.SendTimeout)
		switch did, why, l := c.enqueue(m, o.opts.CloseAfter); did {
		case queuedOK:
			// without a loop: written when it opens
			if n := len(p.out.written); l != nil && (n == 0 || p.out.written[n-1] != c) {
				p.out.written = append(p.out.written, c)
			}
			if l != nil && (impatient || o.opts.Lifetime > 0) {
				p.wake(c, l) // it has a timer to set
			}
			return OK
		case refused:
			c.condemn(why, 0)
			return why
		}
		// Dead, and about to be dropped by whoever condemned it.
		delete(o.cache, k)
		p.e.table.drop(k, c)
	}
	return Closed
}

// wake notes that c has something for its loop l, which Flush rings.
func (p *Port) wake(c *conn, l *loop) {
	l.wake(c)
	if !l.touched[p.shard] {
		l.touched[p.shard] = true
		p.out.touched = append(p.out.touched, l)
	}
}

// find gives the connection for the message: this shard's own, one that exists, or a new one. It
// may be dead by then. k is what it was found by.
func (p *Port) find() (c *conn, k key, why Reason) {
	o := &p.out
	k = o.to
	l := p.e.listener(int(k.listener))
	if l.proto.Secure() && o.opts.Domain != "" {
		k.domain = p.e.table.domain(o.opts.Domain)
	}
	if n := p.e.limits.ConnsPerDestination.Load(); n > 1 {
		k.slot = uint16(p.shard % int(min(n, 1<<15)))
	}
	if c := o.cache[k]; c != nil {
		return c, k, OK
	}
	c = p.e.table.get(k)
	if c == nil && (k.slot != 0 || k.domain != 0) {
		// What the peer opened, or has an alias, is the one to use: it may be behind a NAT. Of ours
		// only one that proved the name.
		if a := p.e.table.get(o.to); a != nil &&
			(!a.outgoing || a.domain == o.opts.Domain && k.slot == 0) {
			c = a
		}
	}
	if c == nil || !c.alive() {
		if c != nil {
			p.e.table.drop(c.k, c)
			p.e.table.drop(k, c)
		}
		if o.opts.NoConnect {
			return nil, k, NoConnection
		}
		if c, why = p.e.dial(k, l, &o.opts); c == nil {
			return nil, k, why
		}
	}
	if len(o.cache) >= cacheConns {
		clear(o.cache)
	}
	o.cache[k] = c
	return c, k, OK
}

func (c *conn) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.st != dead
}

// Alias lets the connection with src also be the one to the same host's port (RFC 5923 §5,
// force_tcp_alias), until it ends. It returns false if there is none, or it has too many.
func (p *Port) Alias(listener int, src *netio.Addr, port uint16) bool {
	k := key{addr: *src, listener: uint16(listener)}
	c := p.e.table.get(k)
	if c == nil {
		return false
	}
	k.addr.Port = port
	return k == c.k || c.alias(k)
}

// Lifetime sets that of the connection with src (tcp_set_connection_lifetime). It returns false if
// there is none.
func (p *Port) Lifetime(listener int, src *netio.Addr, d time.Duration) bool {
	c := p.e.table.get(key{addr: *src, listener: uint16(listener)})
	if c == nil {
		return false
	}
	c.lifetime.Store(int64(d))
	c.mu.Lock()
	l := c.lp
	c.mu.Unlock()
	if l != nil {
		p.wake(c, l)
	}
	return true
}

// Connected tells whether there is a connection with dst.
func (p *Port) Connected(listener int, dst *netio.Addr) bool {
	c := p.e.table.get(key{addr: *dst, listener: uint16(listener)})
	return c != nil && c.alive()
}

// report gives a failure to the shard; any goroutine.
func (p *Port) report(f Failure) {
	o := &p.out
	o.mu.Lock()
	if len(o.failed) >= failuresKept {
		o.lost++
		o.mu.Unlock()
		return
	}
	o.failed = append(o.failed, f)
	o.any.Store(true)
	o.mu.Unlock()
	p.e.cfg.Ring(p.shard)
}

// Failures gives what failed since the last call. The result is valid until the next.
func (p *Port) Failures() []Failure {
	o := &p.out
	if !o.any.Load() {
		return nil
	}
	o.mu.Lock()
	o.failed, o.returned = o.returned[:0], o.failed
	o.any.Store(false)
	o.mu.Unlock()
	return o.returned
}
