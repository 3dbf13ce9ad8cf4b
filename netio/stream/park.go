package stream

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// park takes a connection out of the loop while its shard has no room for what it brought: nothing
// is read from it any more, its peer's window closes. gnet has no way to stop reading, so the
// connection is closed there, and lives on as a duplicate of its descriptor.
//
// SO_RCVLOWAT would not do. The kernel caps it at half of tcp_rmem's maximum and raises the receive
// buffer to hold it: with 32 MiB there a socket was readable again after 16 MiB, all in kernel
// memory (Linux 6.18, 2026-11-26); and it is readable whatever the mark when its window is nearly
// full (tcp_epollin_ready, net/ipv4/tcp.c).
func (l *loop) park(c *conn) gnet.Action {
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		c.condemn(NoDescriptor, 0)
		return gnet.Close
	}
	watched := c.watched
	l.unwatch(c, c.fd)
	c.mu.Lock()
	c.fd = fd
	c.mu.Unlock()
	if watched {
		l.watch(c)
	}
	c.parking = true
	l.e.stats.parked.Add(1)
	return gnet.Close
}

// resumeParked brings back those whose messages find room now.
func (l *loop) resumeParked() {
	for c := range l.parked {
		if c.resuming {
			continue
		}
		var action gnet.Action
		func() {
			defer l.contain(c, &action)
			l.unstall(c)
			if !l.flush(c) {
				action = gnet.Close
			}
		}()
		switch {
		case action == gnet.Close:
			l.shut(c)
		case len(c.stalled) == 0:
			select {
			case l.e.resumes <- struct{}{}:
				c.resuming = true
				go l.e.enrollAgain(l, c, c.fd)
			default: // at the next tick
			}
		}
	}
}

// enrollAgain gives a parked connection back to its loop; a goroutine of its own, since gnet's
// answer comes from the loop.
func (e *Engine) enrollAgain(l *loop, c *conn, fd int) {
	defer func() { <-e.resumes }()
	if err := enrollFD(l, c, fd); err != nil {
		e.log.report(logResume, "cannot go on reading from a connection", "error", err)
		c.resumeFailed.Store(true)
		c.condemn(NoDescriptor, 0)
		l.wake(c) // condemned before or not
		l.ring()
	}
}

func enrollFD(l *loop, c *conn, fd int) error {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(dup), "")
	nc, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return err
	}
	opens := c.opens.Load()
	done, err := l.el.Enroll(gnet.NewContext(context.Background(), c), nc)
	if err != nil {
		_ = nc.Close()
		return err
	}
	select {
	case r, ok := <-done:
		if ok && r.Err != nil {
			return r.Err
		}
		if c.opens.Load() == opens {
			return errNotOpened
		}
		return nil
	case <-l.e.stopped:
		return nil
	}
}

// errNotOpened: gnet says nothing when epoll_ctl fails (eventloop_unix.go, register0, v2.10.0), but
// has closed the descriptor.
var errNotOpened = errors.New("the event loop did not take the connection")
