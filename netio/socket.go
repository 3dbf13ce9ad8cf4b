package netio

import (
	"fmt"
	"log/slog"
	"net/netip"

	"golang.org/x/sys/unix"
)

func sockaddr(ap netip.AddrPort) (family int, sa unix.Sockaddr) {
	a := AddrFrom(ap)
	if a.Family == 4 {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(a.Port), Addr: [4]byte(a.IP[:4])}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(a.Port), Addr: a.IP, ZoneId: a.Zone}
}

// probeFree binds addr without SO_REUSEPORT and lets go at once. SO_REUSEPORT would let a second
// process of the same user join our group and silently take its share of the datagrams; this makes
// it an error instead. Port 0 comes back as one that nobody has, where SO_REUSEPORT might have been
// given a port in use.
func probeFree(addr netip.AddrPort) (netip.AddrPort, error) {
	family, sa := sockaddr(addr)
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return addr, explainSocket(err)
	}
	defer unix.Close(fd)
	if family == unix.AF_INET6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return addr, err
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return addr, explainBind(err)
	}
	return boundAddr(fd)
}

func boundAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		a := Addr{IP: sa.Addr, Port: uint16(sa.Port), Family: 6, Zone: sa.ZoneId}
		return a.AddrPort(), nil
	}
	return netip.AddrPort{}, unix.EAFNOSUPPORT
}

// openSocket makes one shard's socket on addr, up to but without bind: the steering program must be
// attached in between, so that there is no moment in which datagrams arrive unsteered.
func openSocket(addr netip.AddrPort) (fd int, err error) {
	family, _ := sockaddr(addr)
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, explainSocket(err)
	}
	type option struct{ level, name, value int }
	options := []option{
		{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{unix.SOL_SOCKET, unix.SO_SNDBUF, sendBufferBytes / 2}, // the kernel doubles it
	}
	if family == unix.AF_INET {
		options = append(options,
			option{unix.IPPROTO_IP, unix.IP_RECVERR, 1},
			// Without DF a datagram above the path MTU is fragmented on the way instead of being
			// lost once per path while the kernel learns. RFC 3261 §18.1.1 leaves such sizes to
			// TCP; where UDP is all there is, fragments are what peers expect.
			option{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT})
	} else {
		options = append(options,
			option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1},
			// fragmented by us, not refused; as above
			option{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DONT},
			option{unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1})
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("cannot set socket option %d/%d to %d: %w", o.level, o.name,
				o.value, err)
		}
	}
	return fd, nil
}

// SetTOS sets the byte TOS of what a socket sends: the traffic class if it is one of IPv6.
func SetTOS(fd int, is6 bool, tos int) error {
	if is6 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, tos)
}

// raiseRecvBuffer raises the receive buffer up to capBytes and returns what the kernel then
// reports. The kernel doubles what it is given to pay for its own bookkeeping and reports the
// doubled value, which is what capBytes is compared with. A larger default is left alone. SO_RCVBUF
// never fails on Linux: it cuts silently at net.core.rmem_max, so one call reaches whatever many
// steps would; SO_RCVBUFFORCE gets past the cut with CAP_NET_ADMIN.
func raiseRecvBuffer(fd, capBytes int) (gotBytes int, err error) {
	if gotBytes, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil ||
		gotBytes >= capBytes/2*2 {
		return gotBytes, err
	}
	for _, option := range []int{unix.SO_RCVBUF, unix.SO_RCVBUFFORCE} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, capBytes/2); err != nil &&
			option == unix.SO_RCVBUF {
			return gotBytes, err
		}
		if gotBytes, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil ||
			gotBytes >= capBytes/2*2 {
			return gotBytes, err
		}
	}
	return gotBytes, nil
}

func warnClamped(log *slog.Logger, addr netip.AddrPort, wantBytes, gotBytes int) {
	log.Warn("the kernel limits the receive buffer: raise net.core.rmem_max to at least half of "+
		"what is wanted, or grant CAP_NET_ADMIN",
		"listen", addr.String(), "wanted_bytes", wantBytes, "got_bytes", gotBytes)
}

func explainSocket(err error) error {
	switch err {
	case unix.EMFILE:
		return fmt.Errorf("cannot open a socket: too many open files, raise `ulimit -n`: %w", err)
	case unix.EAFNOSUPPORT:
		return fmt.Errorf("cannot open a socket: this kernel has no support for the address "+
			"family: %w", err)
	}
	return fmt.Errorf("cannot open a socket: %w", err)
}

func explainBind(err error) error {
	switch err {
	case unix.EADDRINUSE:
		return fmt.Errorf("the address is taken, perhaps by another instance: stop it or choose "+
			"another port: %w", err)
	case unix.EADDRNOTAVAIL:
		return fmt.Errorf("no interface of this host has the address: %w", err)
	case unix.EACCES:
		return fmt.Errorf("ports below 1024 need CAP_NET_BIND_SERVICE: %w", err)
	}
	return err
}
