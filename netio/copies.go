package netio

import (
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// Copies sends datagrams that nobody waits for, such as copies of messages for who watches them.
// They leave by a socket of their own, so that they take no room in the queue of a listener, and
// a send never blocks: what the kernel has no room for is lost. It is safe for concurrent use.
type Copies struct{ fd int }

// CopyTo is where copies go, in the form that the kernel takes.
type CopyTo struct {
	Addr netip.AddrPort
	to   unix.Sockaddr
}

// NewCopyTo returns addr in that form. Sending then allocates nothing.
func NewCopyTo(addr netip.AddrPort) *CopyTo {
	ip := addr.Addr().Unmap()
	c := &CopyTo{Addr: netip.AddrPortFrom(ip, addr.Port())}
	if ip.Is4() {
		c.to = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}
	} else {
		c.to = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: ip.As16()}
	}
	return c
}

var copies struct {
	sync.Mutex
	by map[netip.AddrPort]*Copies
}

// OpenCopies returns the socket of that local address: 0.0.0.0:0 or [::]:0 if any will do. There is
// one of each for the life of the process, so that a reload opens none.
func OpenCopies(from netip.AddrPort) (*Copies, error) {
	copies.Lock()
	defer copies.Unlock()
	if c := copies.by[from]; c != nil {
		return c, nil
	}
	family := unix.AF_INET6
	var local unix.Sockaddr = &unix.SockaddrInet6{Port: int(from.Port()), Addr: from.Addr().As16()}
	if from.Addr().Is4() {
		family = unix.AF_INET
		local = &unix.SockaddrInet4{Port: int(from.Port()), Addr: from.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open a socket for copies: %w", err)
	}
	if err := unix.Bind(fd, local); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot bind %s for copies: %w", from, err)
	}
	if copies.by == nil {
		copies.by = map[netip.AddrPort]*Copies{}
	}
	c := &Copies{fd}
	copies.by[from] = c
	return c, nil
}

// Send sends b. It returns false if the datagram is lost.
func (c *Copies) Send(to *CopyTo, b []byte) bool {
	return unix.Sendto(c.fd, b, unix.MSG_DONTWAIT, to.to) == nil
}
