package stream

import (
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// loop is one event loop of gnet with what is ours in it. Except for the words named as others', it
// belongs to that loop's goroutine.
//
// Others reach it through a connection of its own, one end of a socket pair: a byte there is an
// event like any other, costs no allocation and, with rung, one write per burst.
type loop struct {
	e     *Engine
	index int
	el    gnet.EventLoop
	bell  int // our end of the pair; -1 before the start and after the end

	rung    atomic.Bool          // others': a byte is on its way
	waiting atomic.Pointer[conn] // others': connections that have something for us, newest first
	resume  atomic.Bool          // others': a shard has room again
	ticked  atomic.Bool          // others': look at the timers
	touched []bool               // others', one per shard: see Port.wake

	now     int64
	wheel   wheel
	timer   *time.Timer // rings for the wheel, by tick
	belling sync.Mutex  // between tick and the end
	armed   int64       // the tick it is set to; never: it is not
	parked  map[*conn]struct{}
	iov     [writeSegments]unix.Iovec
	pushed  uint64 // messages handed over in this callback
	ringing []int  // shards that got something in this callback
	hasRung []bool // the same, by shard
	cur     *conn  // whose bytes are being fed
	scratch []byte // see layers.wrap
	// What the layers call, for cur: made once.
	emitPlain, emitMessage, replyFrame func([]byte)
}

// control is the context of a loop's own connection.
type control struct{ l *loop }

// wake puts c on the list of those that have something for the loop; any goroutine. ring makes the
// loop look.
func (l *loop) wake(c *conn) {
	if c.waiting.Swap(true) {
		return
	}
	for {
		head := l.waiting.Load()
		c.next = head
		if l.waiting.CompareAndSwap(head, c) {
			return
		}
	}
}

// ring makes the loop look at its list; any goroutine.
func (l *loop) ring() {
	if l.rung.Load() || l.rung.Swap(true) {
		return
	}
	one := [1]byte{1}
	for {
		if _, err := unix.Write(l.bell, one[:]); err != unix.EINTR {
			return
		}
	}
}

// tick makes the loop look at its timers; the timer's goroutine.
func (l *loop) tick() {
	l.belling.Lock() // the descriptor may be somebody else's after closeBell
	defer l.belling.Unlock()
	if l.bell >= 0 {
		l.ticked.Store(true)
		l.ring()
	}
}

// closeBell is for the end, when no loop runs and nobody but the timer rings.
func (l *loop) closeBell() {
	l.belling.Lock()
	defer l.belling.Unlock()
	l.timer.Stop()
	if l.bell >= 0 {
		_ = unix.Close(l.bell)
		l.bell = -1
	}
}

// arm sets the timer for the first tick with something in it: the end of each callback. A loop
// whose connections have nothing due sleeps.
func (l *loop) arm() {
	next := l.wheel.next
	if len(l.parked) > 0 {
		next = min(next, l.now/int64(tickEvery)+1) // to resume them
	}
	if next < l.armed {
		l.armed = next
		l.timer.Reset(time.Duration(next*int64(tickEvery) - l.now))
	}
}

// handler is the callbacks of gnet. A panic in one of them costs its connection.
type handler struct{ e *Engine }

func (h handler) OnBoot(gnet.Engine) gnet.Action       { return gnet.None }
func (h handler) OnShutdown(gnet.Engine)               {}
func (h handler) OnTick() (time.Duration, gnet.Action) { return time.Hour, gnet.None }
func (h handler) OnOpen(g gnet.Conn) ([]byte, gnet.Action) {
	switch c := g.Context().(type) {
	case *control:
		c.l.el = g.EventLoop()
		return nil, gnet.None
	case *conn:
		return nil, h.e.loopOf(g.EventLoop()).open(c, g)
	}
	return nil, gnet.Close
}

func (h handler) OnTraffic(g gnet.Conn) (action gnet.Action) {
	switch c := g.Context().(type) {
	case *control:
		_, _ = g.Discard(-1)
		defer h.contain()
		c.l.serve()
		return gnet.None
	case *conn:
		return c.lp.traffic(c)
	}
	return gnet.Close
}

func (h handler) OnClose(g gnet.Conn, err error) (action gnet.Action) {
	defer h.contain()
	switch c := g.Context().(type) {
	case *control:
		if !h.e.stopping.Load() {
			h.e.fatal("an event loop ended")
		}
	case *conn:
		if c.lp != nil {
			c.lp.closed(c, err)
		}
	}
	return gnet.None
}

// contain is the last net: a panic outside of any connection's turn.
func (h handler) contain() {
	if r := recover(); r != nil {
		h.e.stats.panics.Add(1)
		h.e.log.report(logPanic, "a panic in an event loop", "panic", r, "stack",
			string(debug.Stack()))
	}
}

// contain is deferred where bytes of a peer are handled: whatever is wrong costs that connection.
func (l *loop) contain(c *conn, action *gnet.Action) {
	if r := recover(); r != nil {
		l.e.stats.panics.Add(1)
		l.e.log.report(logPanic, "a panic closed a connection", "panic", r, "connection", c.id,
			"stack", string(debug.Stack()))
		c.condemn(Panicked, 0)
		*action = gnet.Close
	}
}

// open takes a connection into the loop: a new one, or one that was parked.
func (l *loop) open(c *conn, g gnet.Conn) (action gnet.Action) {
	l.now = l.e.now()
	defer l.settle()
	defer l.contain(c, &action)
	c.mu.Lock()
	again := c.lp != nil
	parkedFD := c.fd
	c.lp = l
	c.opens.Add(1)
	c.g, c.fd = g, g.Fd()
	c.plain = c.layers.none() && !c.undecided
	isDead := c.st == dead
	if c.st == connecting {
		c.st = open
		c.deadline = l.now + c.sendTimeoutNs() // for what waited for this
		l.e.stats.opened(c)
	}
	c.mu.Unlock()
	if again {
		delete(l.parked, c)
		c.isParked, c.resuming = false, false
		l.unwatch(c, parkedFD)
		_ = unix.Close(parkedFD)
	}
	if isDead {
		return gnet.Close
	}
	if !again {
		c.seen.Store(l.now)
		c.unused.Store(c.proto.Secure())
	}
	l.beImpatient(c)
	l.schedule(c)
	if !again {
		c.layers.begin(l, c)
	}
	if !l.flush(c) {
		return gnet.Close
	}
	if len(c.stalled) > 0 {
		return l.park(c)
	}
	return gnet.None
}

// traffic is everything that arrives on one connection.
func (l *loop) traffic(c *conn) (action gnet.Action) {
	l.now = l.e.now()
	defer l.settle()
	defer l.contain(c, &action)
	in, _ := c.g.Next(-1)
	if !c.alive() {
		return gnet.Close
	}
	c.seen.Store(l.now)
	c.pinged = false
	l.e.stats.bytesIn.Add(uint64(len(in)))
	if c.lingering {
		return gnet.None
	}
	l.feed(c, in)
	if !l.flush(c) {
		return gnet.Close
	}
	if len(c.stalled) > 0 {
		return l.park(c)
	}
	return gnet.None
}

// feed gives bytes from the wire to the layers, and what they make of them to the framing.
func (l *loop) feed(c *conn, in []byte) {
	c.layers.feed(l, c, in)
}

// closed is the end of a connection in gnet: of the connection, or of its time in the loop only if
// it parks.
func (l *loop) closed(c *conn, err error) {
	l.now = l.e.now()
	defer l.settle()
	if c.parking {
		c.parking = false
		c.g = nil
		c.isParked = true
		l.parked[c] = struct{}{}
		return
	}
	c.g = nil
	l.end(c, err)
}

// end is the last thing that happens to a connection that has been in a loop.
func (l *loop) end(c *conn, err error) {
	var errno syscall.Errno
	errors.As(err, &errno)
	c.condemn(c.closedBy(errno, l.now), errno)
	delete(l.parked, c)
	c.isParked = false
	l.wheel.remove(c)
	c.mu.Lock()
	why := c.why
	errno = c.errno
	c.mu.Unlock()
	if why == Requested || why == Idle || why == Stopping {
		c.layers.farewell(c)
	}
	if f := l.e.cfg.Closed; f != nil && c.layers.ws != nil && c.layers.ws.Request() != nil {
		f(Ended{c.id, int(c.k.listener), c.k.addr})
	}
	l.closeWriting(c, why, errno)
	for _, m := range c.stalled {
		l.e.stats.stalledLost.Add(1)
		m.free()
	}
	c.stalled = nil
	c.partial = nil
	c.layers.end()
	c.release()
}

// closedBy gives the reason of an end that the peer, or the kernel, has brought.
func (c *conn) closedBy(errno syscall.Errno, now int64) Reason {
	switch errno {
	case 0:
		return Closed
	case unix.ETIMEDOUT:
		c.mu.Lock()
		late := c.blocked
		c.mu.Unlock()
		if late || now-c.seen.Load() <= c.sendTimeoutNs()+int64(userTimeoutSlack) {
			return SendTimeout // by TCP_USER_TIMEOUT: the kernel had taken what the peer did not
		}
	}
	return Reset
}

// serve is what others asked for: connections with something to write or to end, room in a shard,
// timers.
func (l *loop) serve() {
	l.now = l.e.now()
	l.rung.Store(false) // before the lists are read: who comes later rings again
	head := l.waiting.Swap(nil)
	var first *conn
	for head != nil { // the oldest first
		head, head.next, first = head.next, first, head
	}
	for first != nil {
		c := first
		first = c.next
		c.next = nil
		c.waiting.Store(false) // before its outbox is read
		l.service(c)
	}
	if l.ticked.Swap(false) {
		l.armed = never
		l.wheel.expire(l.now, l.lookAt)
		l.resume.Store(true)
	}
	if l.resume.Swap(false) && len(l.parked) > 0 {
		l.resumeParked()
	}
	l.settle()
}

// service writes what a connection has, or closes a dead one.
func (l *loop) service(c *conn) {
	var action gnet.Action
	func() {
		defer l.contain(c, &action)
		if c.released {
			return
		}
		l.perform(c)
		l.beImpatient(c)
		if !c.alive() || !l.flush(c) {
			action = gnet.Close
			return
		}
		if len(c.stalled) > 0 && c.g != nil && !c.parking {
			action = l.park(c)
			return
		}
		l.schedule(c)
	}()
	if action == gnet.Close {
		l.shut(c)
	}
}

// shut closes a dead connection, wherever it is.
func (l *loop) shut(c *conn) {
	switch {
	case c.released:
	case c.g != nil:
		_ = l.el.Close(c.g) // calls closed
	case c.resuming && !c.resumeFailed.Load():
		// On its way back: open finds it dead.
	default:
		l.unwatch(c, c.fd)
		fd := c.fd
		l.end(c, nil)
		_ = unix.Close(fd)
	}
}

// schedule puts the connection into the wheel for the first thing that can become due.
func (l *loop) schedule(c *conn) {
	at := c.seen.Load() + c.lifetimeNs()
	if k := l.keepAlive(c); k > 0 {
		at = min(at, c.seen.Load()+k)
	}
	if c.messageBy != 0 {
		at = min(at, c.messageBy)
	}
	if c.lingerBy != 0 {
		at = min(at, c.lingerBy)
	}
	c.mu.Lock()
	if c.blocked && c.deadline != 0 {
		at = min(at, c.deadline)
	}
	c.mu.Unlock()
	l.wheel.before(c, at)
}

func (c *conn) lifetimeNs() int64 {
	if d := c.lifetime.Load(); d > 0 {
		return d
	}
	if d := c.e.limits.TLSUnused.Load(); d > 0 && c.unused.Load() {
		return int64(d)
	}
	return int64(c.e.limits.Lifetime.Load())
}

func (c *conn) sendTimeoutNs() int64 {
	if d := c.sendTimeout.Load(); d > 0 {
		return d
	}
	return int64(c.e.limits.SendTimeout.Load())
}

// beImpatient has the kernel give up on bytes that it took and the peer does not, when we would on
// bytes that it does not take (RFC 5482, tcp(7)): a message is as stuck in its buffer as in ours.
func (l *loop) beImpatient(c *conn) {
	d := c.sendTimeoutNs()
	if d == c.userTimeoutNs || c.g == nil {
		return
	}
	c.userTimeoutNs = d
	_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT,
		int((time.Duration(d)+userTimeoutSpare)/time.Millisecond))
}

func (l *loop) lookAt(c *conn) {
	var action gnet.Action
	// the next connections of the tick have their turn; this one is woken by condemn, and closed
	// then
	defer l.contain(c, &action)
	l.due(c)
}

// due looks at a connection whose time in the wheel has come.
func (l *loop) due(c *conn) {
	c.mu.Lock()
	lateWrite := c.blocked && c.queued > 0 && l.now > c.deadline
	c.mu.Unlock()
	why := OK
	switch {
	case lateWrite:
		why = SendTimeout
	case c.messageBy != 0 && l.now > c.messageBy && !c.isParked:
		why = SlowMessage
	case c.lingerBy != 0 && l.now > c.lingerBy:
		why = c.lingerWhy
	case l.now > c.seen.Load()+c.lifetimeNs() && !c.isParked:
		why = Idle
	default:
		why = l.keepUp(c)
	}
	if why == OK {
		l.schedule(c)
		return
	}
	c.condemn(why, 0)
	l.shut(c)
}

// settle is the end of a callback: it wakes the shards that got something, and sets the loop's
// timer.
func (l *loop) settle() {
	if l.pushed > 0 {
		l.e.stats.messagesIn.Add(l.pushed)
		l.pushed = 0
	}
	for _, s := range l.ringing {
		l.hasRung[s] = false
		l.e.cfg.Ring(s)
	}
	l.ringing = l.ringing[:0]
	l.arm()
}
