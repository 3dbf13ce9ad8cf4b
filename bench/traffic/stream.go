package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stream is what a socket of TCP or TLS has beyond one of UDP. Messages queued stand one after
// another in the socket's frames and leave in one write; what arrives is cut into messages by
// Content-Length (RFC 3261 §18.3).
//
// A listening socket has no connection of its own: it leads to the latest one it accepted.
type stream struct {
	listening bool
	latest    *socket
	closed    bool
	// rest is the beginning of a message whose end has not come. Its array is the stream's, at most
	// frameBytes.
	rest []byte
	// queued is how much of the socket's frames is taken.
	queued int
	// pending is what the kernel has not taken yet, encrypted if it is to be; waiting says that
	// epoll tells when it will take more.
	pending []byte
	waiting bool
	secure  *secure // nil means TCP
	account *account
}

// openStream opens a socket of TCP bound to local.
func openStream(local netip.AddrPort) (int, error) {
	at, family := sockaddr(local)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open a TCP socket: %w", err)
	}
	// The port of an earlier run may still have connections in TIME-WAIT.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot set up a TCP socket: %w", err)
	}
	if err := unix.Bind(fd, at); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot bind TCP %s: %w", local, err)
	}
	return fd, nil
}

// boundTo reads back the address of fd.
func boundTo(fd int) (netip.AddrPort, error) {
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("cannot read back the address of a socket: %w", err)
	}
	switch b := bound.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(b.Addr), uint16(b.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(b.Addr), uint16(b.Port)), nil
	}
	return netip.AddrPort{}, fmt.Errorf("socket of an unexpected kind %T", bound)
}

// listen opens the port of an answerer.
func (e *Engine) listen(local netip.AddrPort) (*socket, error) {
	fd, err := openStream(local)
	if err != nil {
		return nil, err
	}
	s := &socket{
		fd: fd, stream: &stream{listening: true, account: &e.account}, errors: &e.account.sockets,
	}
	if s.local, err = boundTo(fd); err == nil {
		err = errors.Join(unix.Listen(fd, listenBacklog), unix.SetNonblock(fd, true))
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot listen on TCP %s: %w", local, err)
	}
	return s, nil
}

// dial connects a caller.
func (e *Engine) dial(local, peer netip.AddrPort) (*socket, error) {
	fd, err := openStream(local)
	if err != nil {
		return nil, err
	}
	// SO_SNDTIMEO bounds connect(2), too: a full backlog drops SYNs in silence.
	limit := unix.NsecToTimeval(int64(connectTime))
	// without it the kernel's own limit holds, which is minutes
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	to, _ := sockaddr(peer)
	if err := unix.Connect(fd, to); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot connect TCP %s to %s: %w", local, peer, err)
	}
	s, err := e.connection(fd)
	if err != nil {
		return nil, fmt.Errorf("TCP %s to %s: %w", local, peer, err)
	}
	return s, nil
}

// connection makes the socket of an established connection, and owns fd from then on, also if it
// fails.
func (e *Engine) connection(fd int) (*socket, error) {
	local, err := boundTo(fd)
	if err == nil {
		// A closed connection must leave no TIME-WAIT behind, which would take the port from the
		// next run.
		err = errors.Join(unix.SetNonblock(fd, true),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
			unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot set up a connection: %w", err)
	}
	return &socket{fd: fd, local: local,
		stream: &stream{rest: make([]byte, 0, frameBytes), account: &e.account},
		frames: make([]byte, batchDatagrams*frameBytes),
		errors: &e.account.sockets}, nil
}

// accept takes the connections that wait at s.
func (e *Engine) accept(s *socket) {
	for {
		fd, _, err := unix.Accept4(s.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		if len(e.sockets) >= maxSockets {
			unix.Close(fd)
			e.account.sockets.Closed++
			continue
		}
		c, err := e.connection(fd)
		if err != nil {
			e.account.sockets.Closed++
			continue
		}
		c.answerer, c.index = true, s.index
		if e.cfg.Transport == TLS {
			e.handshake(c, s)
			continue
		}
		e.adopt(c, s)
	}
}

// adopt takes a connection that is ready into the loop; at is the port that accepted it.
func (e *Engine) adopt(c, at *socket) {
	if err := e.poll.add(c, len(e.sockets)); err != nil {
		c.close()
		e.account.sockets.Closed++
		return
	}
	e.sockets = append(e.sockets, c)
	at.stream.latest = c
}

// outlet is where answerer i sends what no arriving message causes; nil if no connection is open.
func (e *Engine) outlet(i int) *socket {
	s := e.answerers[i]
	if s.stream == nil {
		return s
	}
	if c := s.stream.latest; c != nil && !c.stream.closed {
		return c
	}
	return nil
}

// drainStream takes what has arrived on s, works off the whole messages and sends what they cause
// in one write.
func (e *Engine) drainStream(s *socket, events uint32) {
	t := s.stream
	switch {
	case t.closed:
		return // by an earlier event of this batch
	case t.listening:
		e.accept(s)
		return
	}
	if events&unix.EPOLLOUT != 0 {
		e.push(s)
	}
	for more := true; more && !t.closed; {
		buffer := e.rx.frames
		n := copy(buffer, t.rest)
		t.rest = t.rest[:0]
		var k int
		k, more = e.read(s, buffer[n:])
		e.clock()
		e.cut(s, buffer[:n+k])
	}
	s.flush()
}

// read fills b from s; more says that there may be more than fitted. A connection at its end is
// closed.
func (e *Engine) read(s *socket, b []byte) (n int, more bool) {
	if s.stream.secure != nil {
		return e.readSecure(s, b)
	}
	return e.readPlain(s, b)
}

func (e *Engine) readPlain(s *socket, b []byte) (n int, more bool) {
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd),
		uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, false
	case errno != 0 || r == 0:
		e.lose(s)
		return 0, false
	}
	return int(r), int(r) == len(b)
}

// cut works off the messages of b and keeps what is left for the next read.
func (e *Engine) cut(s *socket, b []byte) {
	for len(b) > 0 {
		for len(b) > 1 && b[0] == '\r' && b[1] == '\n' {
			b = b[2:] // RFC 3261 §7.5, and the keep-alive of RFC 5626
		}
		window := b[:min(len(b), frameBytes)]
		if !bytes.Contains(window, endOfHeaders) {
			if len(window) == frameBytes {
				e.unframed(s)
				return
			}
			break
		}
		if !e.m.scan(window) || e.m.length < 0 {
			e.unframed(s)
			return
		}
		whole := int(e.m.body.from) + e.m.length
		if whole > frameBytes {
			e.unframed(s)
			return
		}
		if whole > len(b) {
			break
		}
		e.m.body.to = uint16(whole)
		e.arrived(s, b[:whole:whole])
		b = b[whole:]
		if s.stream.closed {
			return
		}
	}
	s.stream.rest = append(s.stream.rest, b...)
}

var endOfHeaders = []byte("\r\n\r\n")

// unframed gives up a connection on which the beginning of the next message cannot be told.
func (e *Engine) unframed(s *socket) {
	e.account.faults[faultMalformed]++
	e.lose(s)
}

// lose closes a connection that has ended or failed. It is not opened again: its calls are
// abandoned and counted as such.
func (e *Engine) lose(s *socket) {
	if s.stream.closed {
		return
	}
	s.close()
	if !e.stopping {
		e.account.sockets.Closed++
	}
}

// push writes what is pending.
func (e *Engine) push(s *socket) {
	if !s.stream.send(s, nil) {
		e.lose(s)
	}
}

// flush encrypts what is queued if need be, and writes as much as the kernel takes.
func (t *stream) flush(s *socket) {
	queued := s.frames[:t.queued]
	t.queued, s.queued = 0, 0
	if t.closed || len(queued)+len(t.pending) == 0 {
		return
	}
	ok := true
	if t.secure != nil && len(queued) > 0 {
		ok = t.secure.encrypt(queued)
		queued = nil
	}
	if !ok || !t.send(s, queued) {
		t.account.sockets.Closed++
		s.close()
	}
}

// send writes what is pending and then b. What the kernel does not take stays pending. It returns
// false if the connection is no more, or takes nothing.
func (t *stream) send(s *socket, b []byte) bool {
	if len(t.pending) > 0 {
		n, ok := write(s.fd, t.pending)
		if !ok {
			return false
		}
		t.pending = t.pending[:copy(t.pending, t.pending[n:])]
	}
	if len(t.pending) == 0 && len(b) > 0 {
		n, ok := write(s.fd, b)
		if !ok {
			return false
		}
		b = b[n:]
	}
	t.pending = append(t.pending, b...)
	if len(t.pending) > maxPendingBytes {
		return false
	}
	if waiting := len(t.pending) > 0; waiting != t.waiting && s.poll != nil {
		t.waiting = waiting
		return s.poll.watch(s, waiting) == nil
	}
	return true
}

// write writes without waiting; n is less than len(b) when the kernel has no room.
func write(fd int, b []byte) (n int, ok bool) {
	for n < len(b) {
		w, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(&b[n])), uintptr(len(b)-n), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL,
			0, 0)
		switch errno {
		case 0:
			n += int(w)
		case unix.EAGAIN:
			return n, true
		case unix.EINTR:
		default:
			return n, false
		}
	}
	return n, true
}

// frame and queue are those of the socket.
func (t *stream) frame(s *socket) []byte {
	if t.queued+frameBytes > len(s.frames) {
		t.flush(s)
	}
	return s.frames[t.queued : t.queued : t.queued+frameBytes]
}

func (t *stream) queue(s *socket, b []byte) {
	if len(b) > frameBytes || &b[0] != &s.frames[t.queued] {
		panic(fmt.Sprintf("BUG: message of %d bytes was not built in the frame at %d", len(b),
			t.queued))
	}
	if t.closed {
		t.account.sockets.Unsent++
		return
	}
	t.queued += len(b)
	s.queued++
}
