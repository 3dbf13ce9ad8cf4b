package trouble

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Idle is many connections over which nothing is said but one OPTIONS each: its answer shows that
// the server has taken the connection and that all its buffers for it have been used once. It
// belongs to one goroutine.
type Idle struct {
	server  netip.AddrPort
	count   int
	poll    int
	conns   []idleConn
	waiting []int32 // places in conns of those on their way, oldest first
	onWay   int
	events  [256]unix.EpollEvent

	Counts IdleCounts
}

// IdleCounts is what became of the connections. Asked = Open + Refused + Unanswered + Closed once
// opening is over.
type IdleCounts struct {
	Asked int `json:"asked"`
	// Open counts those that were answered and are open.
	Open int `json:"open"`
	// Refused could not be connected. Unanswered are connected and wait for the server. Closed were
	// closed by the server.
	Refused    int `json:"refused"`
	Unanswered int `json:"unanswered"`
	Closed     int `json:"closed"`
	// Stopped says why fewer were tried than asked for.
	Stopped string `json:"stopped,omitempty"`
	// Seconds is how long opening took.
	Seconds float64 `json:"seconds"`
}

type idleState uint8

const (
	idleConnecting idleState = iota
	idleAsked                // OPTIONS sent
	idleLate                 // not answered in time, and still waited for
	idleOpen
	idleOver
)

type idleConn struct {
	fd    int32
	state idleState
	since time.Time
}

// NewIdle prepares count connections to server.
func NewIdle(server netip.AddrPort, count int) (*Idle, error) {
	if count < 1 || count > MaxConnections {
		return nil, fmt.Errorf("%d connections: want 1 to %d", count, MaxConnections)
	}
	if !server.Addr().Is4() || !server.Addr().IsLoopback() {
		return nil, fmt.Errorf("server %s: want an IPv4 loopback address", server)
	}
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create epoll: %w", err)
	}
	return &Idle{
		server: server, count: count, poll: poll, conns: make([]idleConn, 0, count),
		Counts: IdleCounts{Asked: count},
	}, nil
}

// Close closes every connection.
func (d *Idle) Close() {
	for i := range d.conns {
		d.end(&d.conns[i])
	}
	unix.Close(d.poll)
}

// Open opens the connections, each waiting for its answer in bounded time, and returns when all
// have had theirs or were given up, or stop is closed.
func (d *Idle) Open(stop <-chan struct{}) {
	began := time.Now()
	for !isClosed(stop) {
		for d.onWay < together && len(d.conns) < d.count && d.Counts.Stopped == "" {
			d.start(source(len(d.conns)))
		}
		if d.onWay == 0 {
			break
		}
		d.wait()
		d.giveUp(answerTimeout)
	}
	d.giveUp(0)
	d.Counts.Seconds = time.Since(began).Seconds()
}

// Watch notes for one moment what the server does to the connections.
func (d *Idle) Watch() { d.wait() }

// start begins one connection from the given source address.
func (d *Idle) start(from [4]byte) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		// EMFILE: what is open is all there will be
		d.Counts.Stopped = fmt.Sprintf("cannot open a socket: %v", err)
		return
	}
	d.conns = append(d.conns, idleConn{fd: int32(fd), since: time.Now()})
	place := int32(len(d.conns) - 1)
	c := &d.conns[place]
	// The port is chosen at connect(2), by the whole four-tuple (IP_BIND_ADDRESS_NO_PORT, Linux
	// 4.2).
	err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err == nil {
		// no TIME-WAIT of so many
		err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: from})
	}
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(d.server.Port()),
			Addr: d.server.Addr().As4()})
	}
	if err == nil || err == unix.EINPROGRESS {
		err = unix.EpollCtl(d.poll, unix.EPOLL_CTL_ADD, fd,
			&unix.EpollEvent{Events: unix.EPOLLOUT, Fd: place})
	}
	if err != nil {
		d.end(c)
		d.Counts.Refused++
		return
	}
	d.onWay++
	d.waiting = append(d.waiting, place)
}

func (d *Idle) end(c *idleConn) {
	if c.state != idleOver {
		unix.Close(int(c.fd))
		c.state = idleOver
	}
}

// wait handles the events of one wait.
func (d *Idle) wait() {
	n, err := unix.EpollWait(d.poll, d.events[:], int(longestWait.Milliseconds()))
	if err != nil {
		return // EINTR
	}
	for _, e := range d.events[:n] {
		c := &d.conns[e.Fd]
		switch c.state {
		case idleConnecting:
			d.connected(c, e.Fd)
		case idleAsked, idleLate, idleOpen:
			d.heard(c)
		}
	}
}

// connected asks the server over a connection that connect(2) has ended for.
func (d *Idle) connected(c *idleConn, place int32) {
	code, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code == 0 {
		_, err = unix.Write(int(c.fd), options(d.server, "TCP", fmt.Sprintf("idle%d", place), 0))
	}
	if err == nil && code == 0 {
		err = unix.EpollCtl(d.poll, unix.EPOLL_CTL_MOD, int(c.fd),
			&unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: place})
	}
	if err != nil || code != 0 {
		d.onWay--
		d.Counts.Refused++
		d.end(c)
		return
	}
	c.state = idleAsked
}

// heard reads what the server says: the answer, keep-alives, or its end.
func (d *Idle) heard(c *idleConn) {
	var b [2048]byte
	n, err := unix.Read(int(c.fd), b[:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	over := err != nil || n == 0
	switch c.state {
	case idleAsked:
		d.onWay--
	case idleLate:
		d.Counts.Unanswered--
	case idleOpen:
		if !over {
			return
		}
		d.Counts.Open--
	}
	if over {
		d.Counts.Closed++
		d.end(c)
		return
	}
	c.state = idleOpen
	d.Counts.Open++
}

// giveUp goes on without those that have waited for longest. If they are connected they stay open.
func (d *Idle) giveUp(longest time.Duration) {
	for len(d.waiting) > 0 {
		c := &d.conns[d.waiting[0]]
		if c.state == idleConnecting || c.state == idleAsked {
			if time.Since(c.since) < longest {
				return
			}
			d.onWay--
			if c.state == idleConnecting {
				d.Counts.Refused++
				d.end(c)
			} else {
				d.Counts.Unanswered++
				c.state = idleLate
			}
		}
		d.waiting = d.waiting[1:]
	}
}

// source is the address that the n-th connection comes from.
func source(n int) [4]byte {
	n /= perSource
	return [4]byte{127, 0, byte(1 + n/sourcesPerNet), byte(1 + n%sourcesPerNet)}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
