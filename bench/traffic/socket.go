package traffic

import (
	"fmt"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel is handed pointers to headers, iovecs and frames. They are ours: parts of a receiver
// or a socket, which the Engine keeps until after its last system call. They are in bounds: the
// counts passed are those of the arrays, and an iovec's length is set from a slice of its frame.
// They are valid for the length of the call, which is all the kernel uses them for; Go's heap does
// not move.

// mmsghdr is struct mmsghdr of recvmmsg(2), which x/sys does not export.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// receiver is the one set of receive buffers: a batch is worked off before the next is read, so all
// sockets share it.
type receiver struct {
	headers [batchDatagrams]mmsghdr
	iovecs  [batchDatagrams]unix.Iovec
	frames  []byte
}

func newReceiver() *receiver {
	r := &receiver{frames: make([]byte, batchDatagrams*frameBytes)}
	for i := range r.headers {
		r.iovecs[i].Base = &r.frames[i*frameBytes]
		r.iovecs[i].SetLen(frameBytes)
		r.headers[i].hdr.Iov = &r.iovecs[i]
		r.headers[i].hdr.SetIovlen(1)
	}
	return r
}

// datagram gives the i-th datagram of the last batch; ok is false if the kernel cut it. Valid until
// the next receive.
func (r *receiver) datagram(i int) (b []byte, ok bool) {
	n := int(r.headers[i].len)
	from := i * frameBytes
	return r.frames[from : from+n : from+n], r.headers[i].hdr.Flags&unix.MSG_TRUNC == 0
}

// socket is one UDP port of a caller or an answerer, connected to the server: the kernel then looks
// up no route per datagram and gives us nothing from anybody else. With a stream it is one
// connection, or the port that takes an answerer's connections.
type socket struct {
	fd       int
	local    netip.AddrPort
	answerer bool
	index    int     // among the ports of its side
	stream   *stream // nil means UDP
	poll     *poller
	place    int // in poll, and in Engine.sockets

	// Datagrams queued stand in frames in the order they came and in lanes in the order they will
	// leave.
	frames []byte
	queued int
	lanes  [laneCount]lane
	// segment lets the kernel cut one send into datagrams of one size (UDP_SEGMENT, Linux 4.18).
	segment  bool
	headers  [batchDatagrams]mmsghdr
	controls [batchDatagrams]segmentControl
	iovecs   [batchDatagrams]unix.Iovec
	errors   *SocketErrors
}

// The control message and the lanes exist for speed: alone, both ends on one core of a 2.5 GHz
// Xeon, Linux 6.18, November 2026, the generator spends 8 µs per call with UDP_SEGMENT and 13 µs
// without (load -path direct, with and without -segment, three alternating runs of 2 s).

// lane groups what a socket sends by size, so that it leaves in few sends if the socket may
// segment. Lanes leave in order: an answerer's 180 before its 200. Without segmentation there is
// only the first.
type lane struct {
	frame [batchDatagrams]uint8
	len   [batchDatagrams]uint16
	count int
}

const (
	laneFirst  = iota // ACK and BYE, which have one size; 180
	laneAnswer        // 200 with SDP
	laneLast          // INVITE; answers to BYE
	laneCount
)

// segmentControl is the ancillary message that carries UDP_SEGMENT.
type segmentControl struct {
	header unix.Cmsghdr
	size   uint16
	_      [6]byte
}

// SocketErrors counts what the kernel did not take or give.
type SocketErrors struct {
	// Refused counts ICMP port unreachable, reported on a later call: nobody listened at the
	// server's address.
	Refused uint64 `json:"refused"`
	// Unsent counts datagrams the kernel would not take.
	Unsent uint64 `json:"unsent"`
	// Overflowed counts datagrams that found a receive buffer of ours full (SK_MEMINFO_DROPS): the
	// generator was too slow.
	Overflowed uint64 `json:"overflowed"`
	// Truncated counts datagrams larger than frameBytes.
	Truncated uint64 `json:"truncated"`
	// Closed counts connections that ended, failed or could not be taken before the run was over.
	Closed uint64 `json:"closed"`
}

func sockaddr(a netip.AddrPort) (unix.Sockaddr, int) {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}, unix.AF_INET6
}

// openSocket binds local.
func openSocket(local netip.AddrPort, segment bool, errors *SocketErrors) (*socket, error) {
	at, family := sockaddr(local)
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open a UDP socket: %w", err)
	}
	// Only the size asked for differs when the privilege is missing; losses that follow are counted
	// as Overflowed.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBufferBytes) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBufferBytes)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, socketBufferBytes) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBufferBytes)
	}
	if err := unix.Bind(fd, at); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot bind UDP %s: %w", local, err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot read back the port of %s: %w", local, err)
	}
	switch b := bound.(type) {
	case *unix.SockaddrInet4:
		local = netip.AddrPortFrom(local.Addr(), uint16(b.Port))
	case *unix.SockaddrInet6:
		local = netip.AddrPortFrom(local.Addr(), uint16(b.Port))
	}
	s := &socket{
		fd: fd, local: local, segment: segment, frames: make([]byte, batchDatagrams*frameBytes),
		errors: errors,
	}
	for i := range s.controls {
		h := &s.controls[i].header
		h.SetLen(unix.CmsgLen(2))
		h.Level, h.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	}
	return s, nil
}

func (s *socket) connect(peer netip.AddrPort) error {
	to, _ := sockaddr(peer)
	if err := unix.Connect(s.fd, to); err != nil {
		return fmt.Errorf("cannot connect UDP %s to %s: %w", s.local, peer, err)
	}
	return nil
}

// receive reads one batch without waiting and returns how many datagrams came.
func (s *socket) receive(r *receiver) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd),
		uintptr(unsafe.Pointer(&r.headers[0])), batchDatagrams, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		if errno == unix.ECONNREFUSED {
			s.errors.Refused++
		}
		return 0
	}
	return int(n)
}

// frame gives the empty buffer of the next datagram to send, sending the queue first if it is full.
// Fill it and call queue.
func (s *socket) frame() []byte {
	if s.stream != nil {
		return s.stream.frame(s)
	}
	if s.queued == batchDatagrams {
		s.flush()
	}
	from := s.queued * frameBytes
	return s.frames[from : from : from+frameBytes]
}

// queue takes b, which must be what frame gave, filled.
func (s *socket) queue(b []byte, l int) {
	if s.stream != nil {
		s.stream.queue(s, b)
		return
	}
	if len(b) > frameBytes || &b[0] != &s.frames[s.queued*frameBytes] {
		panic(fmt.Sprintf("BUG: datagram of %d bytes was not built in the frame of queue place %d",
			len(b), s.queued))
	}
	if !s.segment {
		l = laneFirst
	}
	q := &s.lanes[l]
	q.frame[q.count] = uint8(s.queued)
	q.len[q.count] = uint16(len(b))
	q.count++
	s.queued++
}

// arrange fills headers from the lanes and returns how many sends that makes: one per datagram or,
// where the kernel segments, one per run of equal size.
func (s *socket) arrange() int {
	sends, parts := 0, 0
	for l := range s.lanes {
		q := &s.lanes[l]
		for i := 0; i < q.count; {
			first := parts
			size := int(q.len[i])
			for i < q.count && int(q.len[i]) == size && (parts == first ||
				s.segment && (parts-first+1)*size <= maxSegmentedBytes) {
				s.iovecs[parts].Base = &s.frames[int(q.frame[i])*frameBytes]
				s.iovecs[parts].SetLen(size)
				parts++
				i++
			}
			h := &s.headers[sends].hdr
			h.Iov = &s.iovecs[first]
			h.SetIovlen(parts - first)
			h.Control = nil
			h.SetControllen(0)
			if parts-first > 1 {
				c := &s.controls[sends]
				c.size = uint16(size)
				h.Control = (*byte)(unsafe.Pointer(c))
				h.SetControllen(int(unsafe.Sizeof(*c)))
			}
			sends++
		}
		q.count = 0
	}
	return sends
}

// flush sends what is queued. A datagram the kernel refuses is dropped and counted; timers will
// send it again.
func (s *socket) flush() {
	if s.stream != nil {
		s.stream.flush(s)
		return
	}
	sends := s.arrange()
	sent, attempts := 0, 0
	for sent < sends {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd),
			uintptr(unsafe.Pointer(&s.headers[sent])), uintptr(sends-sent), unix.MSG_DONTWAIT, 0, 0)
		if errno == 0 {
			sent += int(n)
			continue
		}
		if errno == unix.ECONNREFUSED {
			s.errors.Refused++ // an earlier datagram's fate: this one was not tried yet
		}
		if attempts++; attempts == sendAttempts {
			for _, h := range s.headers[sent:sends] {
				s.errors.Unsent += uint64(h.hdr.Iovlen)
			}
			break
		}
	}
	s.queued = 0
}

// overflowed is how many datagrams found the receive buffer full since the socket was opened
// (SK_MEMINFO_DROPS, Linux 4.12).
func (s *socket) overflowed() uint64 {
	if s.stream != nil {
		return 0 // TCP loses nothing
	}
	const skMeminfoDrops = 8
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET,
		unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return uint64(info[skMeminfoDrops])
}

func (s *socket) close() {
	if s.stream != nil {
		if s.stream.closed {
			return
		}
		s.stream.closed = true
	}
	unix.Close(s.fd) // which takes it out of the epoll set
}

// poller is one epoll set over all sockets.
type poller struct {
	fd     int
	events [maxSockets]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create epoll: %w", err)
	}
	return &poller{fd: fd}, nil
}

// add watches s, whose place in the list of sockets the events will give.
func (p *poller) add(s *socket, place int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(place)} // Fd is ours to choose
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, s.fd, &event); err != nil {
		return fmt.Errorf("cannot watch the socket of %s: %w", s.local, err)
	}
	s.poll, s.place = p, place
	return nil
}

// watch has the events tell also, or no longer, that s takes more to send.
func (p *poller) watch(s *socket, writing bool) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.place)}
	if writing {
		event.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, s.fd, &event)
}

// wait returns how many entries of events are ready. Without a time to wait it keeps the processor
// from the Go scheduler, as it returns at once; otherwise it waits properly (epoll_pwait2, Linux
// 5.11).
func (p *poller) wait(nanoseconds int64) int {
	events, count := uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events))
	var n uintptr
	var errno syscall.Errno
	if nanoseconds == 0 {
		n, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), events, count, 0, 0, 0)
	} else {
		timeout := unix.NsecToTimespec(nanoseconds)
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), events, count,
			uintptr(unsafe.Pointer(&timeout)), 0, 0)
	}
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (p *poller) close() { unix.Close(p.fd) }
