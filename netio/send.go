package netio

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendBatch collects the messages of one listener until Flush. It is built once; slots and gather
// memory are used from the start on, so small batches stay warm.
//
// A message of one segment is sent from where it is. More segments are copied together: the kernel
// takes 45 to 65 ns for each further one, copying 50 to 200 ns once for 450 to 1,400 bytes. So two
// and three segments cost the same either way, five gain 70 to 130 ns and eight 200 to 270 (medians
// of 500 batches of 64 in random order over loopback, Xeon 6/207 guest, Linux 6.18.44, 2026-11-21;
// BenchmarkSegments shows what is left).
type sendBatch struct {
	fd        int
	listener  int16
	n         int // messages complete
	dirty     bool
	gathering bool   // the open message is in gather, from used on
	used      int    // bytes of gather that complete messages occupy
	gather    []byte // mmap of gatherBytes
	hdrs      [SendBatch]mmsghdr
	iovs      [SendBatch]unix.Iovec
	names     [SendBatch]unix.RawSockaddrInet6
	tokens    [SendBatch]uint64
	flows     [SendBatch]uint32
	segment   segmenter
	backlog   backlog
	late      mmsghdr // of the one that leaves the backlog
	lateIov   unix.Iovec
	// nil but in tests, which have no other way to fill a socket's buffer: loopback takes a
	// datagram off it at once
	injected func(n int) (int, unix.Errno)
}

func newSendBatch(listener, fd int, alone *aloneList) (*sendBatch, error) {
	gather, err := unix.Mmap(-1, 0, gatherBytes, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("cannot map %d bytes for sending: %w", gatherBytes, err)
	}
	b := &sendBatch{fd: fd, listener: int16(listener), gather: gather}
	for i := range b.hdrs {
		h := &b.hdrs[i].Msghdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.iovs[i]
		h.Iovlen = 1
	}
	b.segment.off, b.segment.alone = true, alone
	if fd >= 0 {
		b.segment.init(fd)
	}
	return b, nil
}

func (b *sendBatch) free() error { return errors.Join(unix.Munmap(b.gather), b.backlog.free()) }

// Begin starts a message to dst from the listener's address; Append adds its bytes and End
// completes it. token names it in Failures. A listener of -1 (what Egress says when there is none)
// makes the message fail with EAFNOSUPPORT. Messages of one listener and one flow to one
// destination leave in the order of their Begin. If the listener's batch is full it is sent first,
// so Begin may be a system call.
func (p *Port) Begin(listener int, dst *Addr, token uint64) {
	if p.open != nil {
		panic("BUG: Begin before the End of the message before")
	}
	b := p.void
	if listener >= 0 && listener < len(p.tx) && p.tx[listener] != nil { // else it was dropped
		b = p.tx[listener]
	}
	if b.n == SendBatch || b.used+oversizeBytes > gatherBytes {
		p.send(b)
	}
	if !b.dirty {
		b.dirty = true
		p.dirty = append(p.dirty, b)
	}
	b.hdrs[b.n].Namelen = writeSockaddr(dst, &b.names[b.n])
	b.iovs[b.n] = unix.Iovec{}
	b.tokens[b.n] = token
	b.flows[b.n] = p.flow
	p.open = b
}

// Flow names what the messages begun from now on belong to: a call, by a hash of its Call-ID.
// Messages of different flows may overtake one another, which lets more of them leave together
// (segment.go). 0 is no flow: such a message keeps its place among all others to its destination.
func (p *Port) Flow(flow uint32) { p.flow = flow }

// Append adds a segment to the message begun; any number is possible. The bytes may be referenced
// and must stay as they are until Flush.
func (p *Port) Append(segment []byte) {
	if len(segment) == 0 {
		return
	}
	b := p.open
	v := &b.iovs[b.n]
	if v.Len == 0 {
		v.Base, v.Len = &segment[0], uint64(len(segment))
		return
	}
	// Begin made sure of this much room, and Flush will have the kernel refuse a message that fills
	// it.
	room := b.gather[b.used : b.used+oversizeBytes]
	if !b.gathering {
		b.gathering = true
		// The first segment, made from a slice of this length, whose owner keeps it until Flush.
		v.Len = uint64(copy(room, unsafe.Slice(v.Base, v.Len)))
		v.Base = &room[0]
	}
	v.Len += uint64(copy(room[v.Len:], segment))
}

// End completes the message begun.
func (p *Port) End() {
	b := p.open
	if b.gathering {
		b.gathering = false
		b.used += (int(b.iovs[b.n].Len) + 63) &^ 63 // whole cache lines
	}
	b.n++
	p.open = nil
}

// Abandon forgets the message begun, if there is one: for a caller that cannot complete it.
func (p *Port) Abandon() {
	if p.open != nil {
		p.open.gathering = false
		p.open = nil
	}
}

// Forget drops everything that is queued, and the failures: for a caller whose Flush panicked,
// before the segments' memory is another's.
func (p *Port) Forget() {
	p.Abandon()
	for _, b := range p.dirty {
		b.n, b.used, b.dirty, b.gathering = 0, 0, false, false
	}
	p.dirty = p.dirty[:0]
	p.failuresTaken = true
}

// Queue is Begin, Append for each segment, and End.
func (p *Port) Queue(listener int, dst *Addr, token uint64, segments ...[]byte) {
	p.Begin(listener, dst, token)
	for _, s := range segments {
		p.Append(s)
	}
	p.End()
}

// Flush sends everything queued, listener by listener in order of their first message. Afterwards
// the segments belong to their owners again. What did not leave is in Failures.
func (p *Port) Flush() {
	if p.open != nil {
		panic("BUG: Flush before the End of a message")
	}
	for _, b := range p.dirty {
		p.send(b)
		b.dirty = false
	}
	p.dirty = p.dirty[:0]
}

// Failures returns the messages that did not leave since the last call. The result is valid until
// the next Begin, Queue or Flush.
func (p *Port) Failures() []SendFailure {
	if p.failuresTaken {
		return nil
	}
	p.failuresTaken = true
	return p.failures
}

// send empties one batch, in groups where messages can leave together (segment.go). Else they leave
// strictly in order: one that fails is reported and skipped, never put behind a later one.
//
//   - The kernel stops at the first message that fails and reports how many left before it; only a
//     failure of the first one is visible as an errno.
//   - An ICMP error that an earlier datagram caused is returned by the next send instead of its own
//     result (IP_RECVERR in ip(7)), once. So each failing message is tried once more, and only its
//     second failure is its own.
//   - A full send buffer (EAGAIN) puts the rest of the batch into the socket's backlog, and what
//     comes behind it too. What the backlog does not take fails.
func (p *Port) send(b *sendBatch) {
	if b.backlog.count > 0 && !p.drain(b) {
		p.keep(b, 0)
		b.n, b.used = 0, 0
		return
	}
	if b.n > 1 && !b.segment.off && b.segment.plan(b) {
		p.sendGrouped(b)
		return
	}
	tried := -1
	for i := 0; i < b.n; {
		sent, errno := b.sendmmsg(i)
		switch {
		case errno == 0:
			p.stats.SendBatches++
			p.stats.SentDatagrams += uint64(sent)
			for ; sent > 0; sent-- {
				p.stats.SentBytes += uint64(b.hdrs[i].Len)
				i++
			}
		case errno == unix.EAGAIN:
			p.keep(b, i)
			i = b.n
		case tried < i && b.fd >= 0:
			tried = i
			p.stats.SendRetried++
		default:
			p.fail(b, i, errno)
			i++
		}
	}
	b.n, b.used = 0, 0
}

// sendmmsg tries the messages from first on. The kernel reads hdrs, names, iovs and gather, which
// live as long as b, and the segments, which Append's callers keep.
func (b *sendBatch) sendmmsg(first int) (sent int, errno unix.Errno) {
	if b.fd < 0 {
		return 0, unix.EAFNOSUPPORT
	}
	return b.kernel(&b.hdrs[first], b.n-first)
}

// kernel gives it n messages from h on.
func (b *sendBatch) kernel(h *mmsghdr, n int) (sent int, errno unix.Errno) {
	if b.injected != nil {
		if n, errno = b.injected(n); errno != 0 {
			return 0, errno
		}
	}
	r, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(h)),
		uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// Slow path: fail records one message that did not leave.
func (p *Port) fail(b *sendBatch, i int, errno unix.Errno) {
	p.failed(b.tokens[i], b.listener, errno, &b.names[i])
}

func (p *Port) failed(token uint64, listener int16, errno unix.Errno, name *unix.RawSockaddrInet6) {
	if p.failuresTaken {
		p.failures = p.failures[:0]
		p.failuresTaken = false
	}
	p.stats.SendFailed++
	f := SendFailure{Token: token, Listener: listener, Errno: errno}
	if name.Family != unix.AF_MAX {
		readSockaddr(name, &f.Dst)
	}
	p.failures = append(p.failures, f)
}
