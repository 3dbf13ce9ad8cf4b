package stream

import (
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// What a queued piece has been through already.
type level uint8

const (
	levelMessage level = iota // a SIP message
	levelFramed               // nothing more to do for WebSocket
	levelWire                 // as it goes to the kernel
)

// outMsg is one message on its way to a connection. It belongs to the Port until End, then to the
// connection's outbox (mu), then to its loop.
type outMsg struct {
	data  []byte
	off   int // bytes of data that the kernel has
	token uint64
	shard int32
	level level
	back  bool   // SendOptions.GiveBack
	raw   []byte // what data was before a layer changed it, kept for back
	// an HTTP response, of which a connection has one at a time: ConnWqMax is not for it
	answer bool
	next   *outMsg
}

var outMsgs = sync.Pool{New: func() any { return new(outMsg) }}

func newOutMsg() *outMsg {
	m := outMsgs.Get().(*outMsg)
	m.data = m.data[:0]
	m.raw = m.raw[:0]
	m.off, m.token, m.shard, m.level = 0, 0, 0, levelMessage
	m.back, m.answer, m.next = false, false, nil
	return m
}

func (m *outMsg) free() {
	if cap(m.data) > pooledBytes {
		m.data = nil
	}
	if cap(m.raw) > pooledBytes {
		m.raw = nil
	}
	m.next = nil
	outMsgs.Put(m)
}

// giveBack takes the message, as it was sent, out of m for its sender. It returns nil if the sender
// did not ask for it.
func (m *outMsg) giveBack() (message []byte) {
	switch {
	case !m.back:
		return nil
	case len(m.raw) > 0:
		message, m.raw = m.raw, nil
	default:
		message, m.data = m.data, nil
	}
	return message
}

// shrink gives back what the message does not use, before it waits for a peer: the limits count its
// bytes, and should bound the memory.
func (m *outMsg) shrink() {
	if cap(m.data) > 2*len(m.data)+spareBytes {
		m.data = append(make([]byte, 0, len(m.data)), m.data...)
	}
}

// What enqueue did.
type enqueued uint8

const (
	queuedOK enqueued = iota
	gone              // the connection is dead: look for another
	refused           // a limit: the connection has to go
)

// enqueue puts m behind what the connection has to write, or says why not; m stays the caller's
// then. Any goroutine.
//
// The limits are for bytes that the peer refuses to take: a connection whose last write went
// through takes a whole batch, and block applies them to what the kernel leaves of it. lp is the
// loop to wake, nil while there is none. The first message of a connection that is not established
// yet is not held against ConnWqMax.
func (c *conn) enqueue(m *outMsg, closeAfter bool) (did enqueued, why Reason, lp *loop) {
	e := c.e
	n := len(m.data)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.st == dead:
		return gone, Closed, nil
	case !c.blocked:
		if c.inflight+n > inflightConnBytes || e.inflight.Load()+int64(n) > inflightBytes {
			return refused, QueueFull, nil
		}
		c.inflight += n
		e.inflight.Add(int64(n))
	default:
		if c.queued > 0 && e.now() > c.deadline {
			if c.st == connecting {
				return refused, ConnectTimeout, nil
			}
			return refused, SendTimeout, nil
		}
		first := c.st == connecting && c.queued == 0 || m.answer
		if !e.admit(c.queued, n, first) {
			return refused, QueueFull, nil
		}
		c.queued += n
		m.shrink()
	}
	if c.tail == nil {
		c.head = m
	} else {
		c.tail.next = m
	}
	c.tail = m
	if closeAfter {
		c.closeAfter = true
	}
	return queuedOK, OK, c.lp
}

// admit books n bytes more on a blocked connection that has queued, if the limits allow it.
func (e *Engine) admit(queued, n int, first bool) bool {
	if !first && int64(queued+n) > e.limits.ConnWqMax.Load() {
		return false
	}
	if e.queued.Add(int64(n)) > e.limits.WqMax.Load() {
		e.queued.Add(-int64(n))
		return false
	}
	return true
}

// flush writes what the connection has to write, as far as the kernel takes it. It returns false if
// the connection is condemned. The loop's.
func (l *loop) flush(c *conn) bool {
	for {
		if !l.take(c) {
			return false
		}
		if c.writing == nil {
			return l.drained(c)
		}
		n, errno := write(c.fd, c.writing, &l.iov)
		if n > 0 {
			l.wrote(c, n)
		}
		switch errno {
		case 0:
		case unix.EINTR:
		case unix.EAGAIN:
			return l.block(c)
		default:
			c.condemn(Closed, errno)
			return false
		}
	}
}

// take moves what is in the outbox behind what is being written, in the form of the wire.
func (l *loop) take(c *conn) bool {
	c.mu.Lock()
	if c.st == dead {
		c.mu.Unlock()
		return false
	}
	head, tail := c.head, c.tail
	c.head, c.tail = nil, nil
	c.busy = c.busy || head != nil
	c.mu.Unlock()
	if head == nil {
		return true
	}
	if c.layers.none() {
		c.appendWriting(head, tail)
		return true
	}
	grown := 0
	var err error
	for m := head; m != nil; {
		next := m.next
		m.next = nil
		before := len(m.data)
		if err == nil {
			err = c.layers.wrap(l, m)
		}
		grown += len(m.data) - before
		c.appendWriting(m, m) // on an error too: it is freed and reported with the rest
		m = next
	}
	c.mu.Lock()
	c.uncount(-grown)
	c.mu.Unlock()
	if err != nil {
		c.condemn(BadRecord, 0)
		return false
	}
	return true
}

func (c *conn) appendWriting(head, tail *outMsg) {
	if c.writing == nil {
		c.writing = head
	} else {
		c.writeTail.next = head
	}
	c.writeTail = tail
}

// write gives the kernel the list m, up to writeSegments messages of it at once. The caller owns
// the list and keeps fd open; iov is its own, for the call.
func write(fd int, m *outMsg, iov *[writeSegments]unix.Iovec) (n int, errno unix.Errno) {
	if m.next == nil {
		return result(unix.RawSyscall(unix.SYS_WRITE, uintptr(fd),
			uintptr(unsafe.Pointer(&m.data[m.off])), uintptr(len(m.data)-m.off)))
	}
	iovs := 0
	for ; m != nil && iovs < writeSegments; m = m.next {
		// The kernel reads the messages' memory during the call only; the list keeps them, and
		// m.off < len(m.data).
		iov[iovs].Base = &m.data[m.off]
		iov[iovs].SetLen(len(m.data) - m.off)
		iovs++
	}
	n, errno = result(unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd),
		uintptr(unsafe.Pointer(&iov[0])), uintptr(iovs)))
	clear(iov[:iovs])
	return n, errno
}

// The socket is non-blocking (Go's net made it so), hence RawSyscall: netio sends so too.
func result(r, _ uintptr, errno unix.Errno) (int, unix.Errno) {
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// wrote takes n bytes off what is being written.
func (l *loop) wrote(c *conn, n int) {
	now := l.now
	c.seen.Store(now)
	if c.unused.Load() {
		l.used(c)
	}
	l.e.stats.bytesOut.Add(uint64(n))
	left := n
	messages := uint64(0)
	c.mu.Lock()
	for m := c.writing; m != nil; m = c.writing {
		rest := len(m.data) - m.off
		if left < rest {
			m.off += left
			break
		}
		left -= rest
		c.writing = m.next
		if m.token != 0 {
			c.remember(m.token, m.shard, now)
		}
		if m.level == levelMessage {
			messages++
			c.answered = c.lingering
		}
		if m.answer {
			c.answered = c.lingering
		}
		m.free()
	}
	l.e.stats.messagesOut.Add(messages)
	c.uncount(n)
	if c.blocked {
		// Renewed whenever bytes leave: a slow reader is not a dead one.
		c.deadline = now + c.sendTimeoutNs()
	}
	c.mu.Unlock()
}

// drained is the end of a flush that wrote everything. It returns false if the connection was to go
// then.
func (l *loop) drained(c *conn) bool {
	c.mu.Lock()
	if c.head != nil {
		// Somebody put more there meanwhile, and has woken us for it.
		c.mu.Unlock()
		return true
	}
	c.busy = false
	left := 0
	if c.blocked {
		c.blocked = false
		c.deadline = 0
		left = c.queued
	}
	over, why := c.closeAfter, c.closeWhy
	c.mu.Unlock()
	if left != 0 {
		panic(fmt.Sprintf("BUG: %d bytes in the books of connection %d, which has written all",
			left, c.id))
	}
	if over {
		if why == OK {
			why = Requested
		}
		c.condemn(why, 0)
		return false
	}
	if c.answered && !c.shut {
		c.shut = true
		_ = unix.Shutdown(c.fd, unix.SHUT_WR) // the peer closes, or lingerBy comes
	}
	return true
}

// block notes that the kernel takes no more. What it left must fit the limits, message by message,
// as if it had been sent while the connection was blocked.
func (l *loop) block(c *conn) bool {
	e := l.e
	c.mu.Lock()
	if c.st == dead {
		c.mu.Unlock()
		return false
	}
	if !c.blocked {
		total := c.inflight
		c.inflight = 0
		e.inflight.Add(-int64(total))
		c.blocked = true
		c.deadline = l.now + c.sendTimeoutNs()
		fits := true
		for m := c.writing; m != nil && fits; m = m.next {
			if fits = e.admit(c.queued, len(m.data)-m.off, m.answer); fits {
				c.queued += len(m.data) - m.off
				m.shrink()
			}
		}
		for m := c.head; m != nil && fits; m = m.next {
			if fits = e.admit(c.queued, len(m.data)-m.off, m.answer); fits {
				c.queued += len(m.data) - m.off
				m.shrink()
			}
		}
		if !fits {
			// What is over the limit is dropped with the rest, and has to be in the books for that.
			e.queued.Add(int64(total - c.queued))
			c.queued = total
			c.mu.Unlock()
			c.condemn(QueueFull, 0)
			return false
		}
	}
	deadline := c.deadline
	c.mu.Unlock()
	l.wheel.before(c, deadline)
	return l.watch(c)
}

// closeWriting drops what was on its way, and tells those whose messages were written a moment ago.
// The loop's, when the connection ends.
func (l *loop) closeWriting(c *conn, why Reason, errno unix.Errno) {
	bytes := 0
	for m := c.writing; m != nil; m = m.next {
		bytes += len(m.data) - m.off
	}
	c.mu.Lock()
	c.uncount(bytes)
	c.mu.Unlock()
	head := c.writing
	c.writing, c.writeTail = nil, nil
	c.failAll(head, failureReason(why), errno, true)
	c.mu.Lock()
	sent := c.sent
	c.sent = nil
	c.mu.Unlock()
	if why == Requested || why == Idle {
		return // ours to end: nobody waits for an answer on an idle connection
	}
	for _, t := range sent {
		if l.now-t.at <= int64(sentRememberFor) {
			l.e.ports[t.shard].report(Failure{
				Token: t.token, Listener: int(c.k.listener), Dst: c.k.addr, Proto: c.proto,
				Reason: ClosedAfterSend, Errno: errno, Established: true, Outgoing: c.outgoing,
				Stuck: stuck(why),
			})
		}
	}
}

// stuck tells whether a connection ended because its peer took nothing: another one would fare no
// better.
func stuck(why Reason) bool { return why == SendTimeout || why == QueueFull }

// Failure tells that one message was not delivered, or perhaps not.
type Failure struct {
	Token       uint64
	Listener    int
	Dst         netio.Addr
	Proto       netio.Proto
	Reason      Reason
	Errno       unix.Errno // what the kernel said, 0 if it did not
	Established bool       // the connection had been
	Outgoing    bool       // it was opened by us
	Stuck       bool       // it ended because the peer took nothing
	// Message is the message, if it was sent with SendOptions.GiveBack and not written whole. It
	// belongs to whoever takes the failure.
	Message []byte
	Detail  string // of a handshake: what was wrong
}

// Text says in words why.
func (f *Failure) Text() string {
	switch {
	case f.Detail != "":
		return f.Detail
	case f.Errno != 0:
		return f.Reason.String() + ": " + f.Errno.Error()
	}
	return f.Reason.String()
}
