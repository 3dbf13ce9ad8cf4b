package netio

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// routeWatch runs a goroutine that calls changed whenever the host's routing may have changed. It
// is no part of the data path.
type routeWatch struct {
	stopFD  int // eventfd
	stopped sync.WaitGroup
}

// routeFallbackMs is how often changed is called where there is no netlink: short enough for a
// failover, long enough to save the system calls.
const routeFallbackMs = 1000

// routeGroups are the multicast groups of rtnetlink(7) after which the kernel may choose another
// source address.
const routeGroups = 1<<(unix.RTNLGRP_LINK-1) |
	1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV4_ROUTE-1) |
	1<<(unix.RTNLGRP_IPV4_RULE-1) |
	1<<(unix.RTNLGRP_IPV6_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1) |
	1<<(unix.RTNLGRP_IPV6_RULE-1)

func watchRoutes(changed func()) (*routeWatch, error) {
	stopFD, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	w := &routeWatch{stopFD: stopFD}
	netlinkFD, err := openRouteNetlink()
	if err != nil {
		netlinkFD = -1
	}
	w.stopped.Go(func() { w.run(netlinkFD, changed) })
	return w, nil
}

func openRouteNetlink() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
		unix.NETLINK_ROUTE)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK,
		Groups: routeGroups}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (w *routeWatch) run(netlinkFD int, changed func()) {
	// poll(2) ignores -1
	fds := []unix.PollFd{{Fd: int32(w.stopFD), Events: unix.POLLIN},
		{Fd: int32(netlinkFD), Events: unix.POLLIN}}
	timeoutMs := -1
	if netlinkFD < 0 {
		timeoutMs = routeFallbackMs
	} else {
		defer unix.Close(netlinkFD)
	}
	buffer := make([]byte, 1<<16)
	for {
		_, err := unix.Poll(fds, timeoutMs)
		if err != nil && err != unix.EINTR {
			timeoutMs = routeFallbackMs // never seen; keeps answers from staying wrong
		}
		if fds[0].Revents != 0 {
			return
		}
		// Read everything first: a change after changed is then a new message. What the messages
		// say does not matter, nor that some were lost (ENOBUFS).
		for netlinkFD >= 0 {
			if _, _, err := unix.Recvfrom(netlinkFD, buffer, 0); err != nil && err != unix.ENOBUFS {
				break // EAGAIN
			}
		}
		changed()
	}
}

func (w *routeWatch) close() error {
	one := uint64(1)
	if _, err := unix.Write(w.stopFD, (*[8]byte)(unsafe.Pointer(&one))[:]); err != nil {
		return err
	}
	w.stopped.Wait()
	return unix.Close(w.stopFD)
}
