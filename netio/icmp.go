package netio

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// icmpBatchBuffers is what reading an error queue needs. Most Ports never see an error, so it is
// built at the first one.
type icmpBatchBuffers struct {
	hdrs     [icmpBatch]mmsghdr
	iovs     [icmpBatch]unix.Iovec
	names    [icmpBatch]unix.RawSockaddrInet6
	controls [icmpBatch]icmpControl
	payloads [icmpBatch][icmpPayloadBytes]byte
	errors   [icmpBatch]ICMPError
}

// icmpControl receives the one control message that IP_RECVERR and IPV6_RECVERR produce.
//
//	 0           16                        32                     60
//	+-----------+-------------------------+----------------------+
//	| cmsghdr   | struct sock_extended_err| offender's sockaddr  |
//	+-----------+-------------------------+----------------------+
type icmpControl struct {
	hdr      unix.Cmsghdr
	err      extendedErr
	offender unix.RawSockaddrInet6
	_        [4]byte // CMSG_SPACE rounds up to 8
}

// extendedErr is struct sock_extended_err (linux/errqueue.h).
type extendedErr struct {
	Errno                   uint32
	Origin, Type, Code, Pad uint8
	Info                    uint32 // path MTU for EMSGSIZE
	Data                    uint32
}

func newICMPBatch() *icmpBatchBuffers {
	q := &icmpBatchBuffers{}
	for i := range q.hdrs {
		q.iovs[i] = unix.Iovec{Base: &q.payloads[i][0], Len: icmpPayloadBytes}
		h := &q.hdrs[i].Msghdr
		h.Name = (*byte)(unsafe.Pointer(&q.names[i]))
		h.Iov = &q.iovs[i]
		h.Iovlen = 1
		h.Control = (*byte)(unsafe.Pointer(&q.controls[i]))
	}
	return q
}

// Errors takes up to 16 entries from a listener's error queue: our datagrams that the network
// refused. The result is valid until the next Errors of the same Port. A listener in Events.Errored
// must be read, else Wait reports it again at once.
func (p *Port) Errors(listener int) []ICMPError {
	if p.icmp == nil {
		p.icmp = newICMPBatch()
	}
	q := p.icmp
	fd := p.fds[listener]
	for i := range q.hdrs {
		q.hdrs[i].Namelen = unix.SizeofSockaddrInet6
		q.hdrs[i].SetControllen(int(unsafe.Sizeof(q.controls[i])))
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&q.hdrs[0])), icmpBatch, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 || n == 0 {
		// An error for which the receive buffer had no room is pending without an entry, and epoll
		// would report it for ever. SO_ERROR takes it away.
		unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		return nil
	}
	found, now := q.errors[:0], time.Now().UnixNano()
	for i := range int(n) {
		if e, ok := q.parse(i); ok {
			found = append(found, e)
			p.alone.add(&e.Dst, now)
		}
	}
	p.stats.ICMPErrors += uint64(len(found))
	return found
}

func (q *icmpBatchBuffers) parse(i int) (e ICMPError, ok bool) {
	h, c := &q.hdrs[i], &q.controls[i]
	isError := c.hdr.Level == unix.IPPROTO_IP && c.hdr.Type == unix.IP_RECVERR ||
		c.hdr.Level == unix.IPPROTO_IPV6 && c.hdr.Type == unix.IPV6_RECVERR
	need := unsafe.Offsetof(c.offender) + unix.SizeofSockaddrInet4
	if !isError || uintptr(h.Controllen) < need {
		return e, false
	}
	readSockaddr(&q.names[i], &e.Dst)
	// The kernel leaves the offender's family 0 if it refused the datagram itself.
	if f := c.offender.Family; f == unix.AF_INET || f == unix.AF_INET6 {
		readSockaddr(&c.offender, &e.From)
	}
	e.Errno = unix.Errno(c.err.Errno)
	e.Origin, e.Type, e.Code = c.err.Origin, c.err.Type, c.err.Code
	if e.Errno == unix.EMSGSIZE {
		e.MTUBytes = c.err.Info
	}
	length := min(int(h.Len), icmpPayloadBytes)
	e.Payload = q.payloads[i][:length:length]
	return e, true
}
