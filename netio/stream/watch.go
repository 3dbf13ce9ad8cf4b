package stream

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// watcher tells loops that a blocked connection can be written to again. gnet watches for that only
// while bytes are in its own buffer, which has no limit; so blocked connections are in an epoll set
// of ours, one-shot, and one goroutine waits on it. It has nothing to do as long as peers read.
type watcher struct {
	e    *Engine
	fd   int
	stop int           // eventfd
	done chan struct{} // closed when run has ended; nil until it was started
}

func newWatcher(e *Engine) (*watcher, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create an epoll instance: %w", err)
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot create an eventfd: %w", err)
	}
	w := &watcher{e: e, fd: fd, stop: stop}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, stop,
		&unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		w.close()
		return nil, fmt.Errorf("cannot watch an eventfd: %w", err)
	}
	return w, nil
}

// start runs the watcher in a goroutine.
func (w *watcher) start() {
	w.done = make(chan struct{})
	go w.run()
}

// close ends the goroutine, if there is one, and then closes the descriptors it waits on.
func (w *watcher) close() {
	if w.done != nil {
		_, _ = unix.Write(w.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		<-w.done
	}
	unix.Close(w.fd)
	unix.Close(w.stop)
}

func (w *watcher) run() {
	defer close(w.done)
	var events [128]unix.EpollEvent
	for {
		n, err := unix.EpollWait(w.fd, events[:], -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			w.e.fatal("cannot wait for writable connections: " + err.Error())
			return
		}
		for _, ev := range events[:n] {
			id := uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
			if id == 0 {
				return
			}
			if c := w.e.registry.get(id); c != nil {
				c.mu.Lock()
				l := c.lp
				c.mu.Unlock()
				l.wake(c)
				l.ring()
			}
		}
	}
}

// watch asks for one wake-up when c can be written to. The kernel forgets c when its last
// descriptor closes.
func (l *loop) watch(c *conn) bool {
	ev := unix.EpollEvent{
		Events: unix.EPOLLOUT | unix.EPOLLONESHOT, Fd: int32(uint32(c.id)),
		Pad: int32(uint32(c.id >> 32)),
	}
	op := unix.EPOLL_CTL_MOD
	if !c.watched {
		op = unix.EPOLL_CTL_ADD
	}
	if err := unix.EpollCtl(l.e.watcher.fd, op, c.fd, &ev); err != nil {
		errno, _ := err.(unix.Errno)
		c.condemn(NoDescriptor, errno) // out of memory, or of fs.epoll.max_user_watches
		return false
	}
	c.watched = true
	return true
}

// unwatch has to come before fd is closed where a duplicate lives on: the set keeps what it has
// under fd's number.
func (l *loop) unwatch(c *conn, fd int) {
	if c.watched {
		_ = unix.EpollCtl(l.e.watcher.fd, unix.EPOLL_CTL_DEL, fd, nil)
		c.watched = false
	}
}
