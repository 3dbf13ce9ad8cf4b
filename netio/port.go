package netio

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Port is one shard's sockets, one per listener, and the epoll instance that watches them. It
// belongs to the shard's goroutine: no method may be called from another one, and nothing in it is
// atomic.
type Port struct {
	shard     int
	epfd      int
	fds       []int // by listener
	doorbells []int // watched so far

	hasPwait2  bool
	noSegment  bool          // each message leaves by itself
	writeQueue *atomic.Int64 // bytes that may wait for one socket: Options.WriteQueue
	queueBytes int           // the same at start, for which there is memory
	timeout    unix.Timespec // here and not on the stack: the kernel reads it through a pointer
	epollEvent []unix.EpollEvent
	ready      []uint16
	errored    []uint16

	rx    recvBatch
	tx    []*sendBatch // by listener
	void  *sendBatch   // messages without a listener: they only fail
	open  *sendBatch   // between Begin and End, else nil
	flow  uint32       // of the messages begun now
	dirty []*sendBatch // with messages in it, in order of their first
	alone aloneList

	failures      []SendFailure
	failuresTaken bool // Failures was called: the next failure starts a new list

	icmp     *icmpBatchBuffers // built at the first error
	drops    []dropCount       // by listener
	perFrame []int             // by listener: how many datagrams a frame held of late
	quiet    []bool            // by listener: it only sends yet, see Take, nil if none does
	stats    PortStats
}

const doorbellToken = -1

func newPort(shard, listeners int, hasPwait2 bool) (*Port, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		if err == unix.EMFILE {
			return nil, fmt.Errorf("cannot create an epoll instance: too many open files, raise "+
				"`ulimit -n`: %w", err)
		}
		return nil, fmt.Errorf("cannot create an epoll instance: %w", err)
	}
	void, err := newSendBatch(-1, -1, new(aloneList))
	if err != nil {
		unix.Close(epfd)
		return nil, err
	}
	p := &Port{
		shard: shard, epfd: epfd, hasPwait2: hasPwait2,
		epollEvent: make([]unix.EpollEvent, listeners+1),
		ready:      make([]uint16, 0, listeners),
		errored:    make([]uint16, 0, listeners),
		dirty:      make([]*sendBatch, 0, listeners+1),
		failures:   make([]SendFailure, 0, SendBatch),
		void:       void,
	}
	if err := p.rx.init(); err != nil {
		unix.Close(epfd)
		void.free()
		return nil, err
	}
	return p, nil
}

// add takes over the shard's socket on the next listener.
func (p *Port) add(fd int) error {
	index := len(p.fds)
	batch, err := newSendBatch(index, fd, &p.alone)
	if err != nil {
		return err
	}
	// Level-triggered: a batch that leaves datagrams behind is reported again.
	if err := unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd,
		&unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(index)}); err != nil {
		batch.free()
		return fmt.Errorf("cannot watch a socket: %w", err)
	}
	batch.segment.off = batch.segment.off || p.noSegment
	if err := batch.backlog.init(p.queueBytes); err != nil {
		batch.free()
		return err
	}
	p.fds = append(p.fds, fd)
	p.tx = append(p.tx, batch)
	p.drops = append(p.drops, dropCount{})
	p.perFrame = append(p.perFrame, 1)
	return nil
}

func (p *Port) close() error {
	errs := []error{unix.Close(p.epfd), p.rx.free(), p.void.free()}
	for i, fd := range p.fds {
		if fd < 0 {
			continue // a number of another transport, or dropped
		}
		errs = append(errs, unix.Close(fd), p.tx[i].free())
	}
	p.fds, p.tx = nil, nil
	return errors.Join(errs...)
}

// Shard returns the number of the shard that owns p.
func (p *Port) Shard() int { return p.shard }

// Stats returns the totals since Listen, to be read by the Port's goroutine only. The pointer stays
// the same.
func (p *Port) Stats() *PortStats { return &p.stats }

// Wait sleeps until a socket has something, a doorbell rings, or timeoutNs nanoseconds are over: 0
// only looks, less than 0 waits for ever. It may return early with nothing, and only looks while
// datagrams are Waiting. Doorbells are eventfds, watched from the first Wait that names them until
// the Port is closed, so they must stay open. They need not be read: each ring is seen once
// (edge-triggered).
//
// A look does not tell the Go scheduler, which would cost more than the call; a sleep does, so that
// other goroutines may have the processor. epoll_pwait2 (Linux 5.11) sleeps to the nanosecond;
// without it sleeps are rounded up to milliseconds.
func (p *Port) Wait(timeoutNs int64, doorbellFDs ...int) Events {
	for _, fd := range doorbellFDs {
		if !p.watches(fd) {
			if errno := p.watch(fd); errno != 0 {
				return Events{Errno: errno}
			}
		}
	}
	if p.rx.waiting() {
		timeoutNs = 0
	}
	n, errno := p.epollWait(timeoutNs)
	p.ready, p.errored = p.ready[:0], p.errored[:0]
	ev := Events{}
	if errno != 0 {
		if errno != unix.EINTR {
			ev.Errno = errno
		}
		n = 0
	}
	for i := range p.epollEvent[:n] {
		e := &p.epollEvent[i]
		if e.Fd == doorbellToken {
			ev.Doorbell = true
			continue
		}
		if e.Events&unix.EPOLLIN != 0 {
			p.ready = append(p.ready, uint16(e.Fd))
		}
		if e.Events&unix.EPOLLOUT != 0 {
			if b := p.tx[e.Fd]; b != nil {
				p.drain(b)
			}
		}
		if e.Events&unix.EPOLLERR != 0 {
			p.errored = append(p.errored, uint16(e.Fd))
		}
	}
	if p.rx.waiting() && !slices.Contains(p.ready, p.rx.from[p.rx.next]) {
		p.ready = append(p.ready, p.rx.from[p.rx.next])
	}
	ev.Ready, ev.Errored = p.ready, p.errored
	return ev
}

func (p *Port) watches(fd int) bool {
	for _, known := range p.doorbells {
		if known == fd {
			return true
		}
	}
	return false
}

// Slow path: once per doorbell.
func (p *Port) watch(fd int) unix.Errno {
	err := unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd,
		&unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: doorbellToken})
	if err != nil {
		errno, _ := err.(unix.Errno)
		return errno
	}
	p.doorbells = append(p.doorbells, fd)
	p.epollEvent = append(p.epollEvent, unix.EpollEvent{})
	return 0
}

// epollWait hands the kernel p.epollEvent and p.timeout: both are reachable from p for the whole
// call, and the Go heap does not move.
func (p *Port) epollWait(timeoutNs int64) (n int, errno unix.Errno) {
	var r uintptr
	events, room := unsafe.Pointer(&p.epollEvent[0]), uintptr(len(p.epollEvent))
	switch {
	case timeoutNs == 0:
		r, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd), uintptr(events), room,
			0, 0, 0)
	case timeoutNs < 0:
		forever := -1
		r, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd), uintptr(events), room,
			uintptr(forever), 0, 0)
	case p.hasPwait2:
		p.timeout = unix.NsecToTimespec(timeoutNs)
		r, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.epfd), uintptr(events), room,
			uintptr(unsafe.Pointer(&p.timeout)), 0, 0)
	default:
		// Rounded up: rounded down, the last millisecond before a timer would be spent polling.
		timeoutMs := min((timeoutNs+999_999)/1_000_000, 1<<31-1)
		r, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd), uintptr(events), room,
			uintptr(timeoutMs), 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// probeEpollPwait2 asks with a wrong descriptor: EBADF means the call exists; ENOSYS is an old
// kernel, EPERM an old container filter.
func probeEpollPwait2() bool {
	var event unix.EpollEvent
	var zero unix.Timespec
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, ^uintptr(0),
		uintptr(unsafe.Pointer(&event)), 1, uintptr(unsafe.Pointer(&zero)), 0, 0)
	return errno == unix.EBADF
}
