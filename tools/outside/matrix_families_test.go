package outside

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// deaf is an IPv6 port where connections are neither taken nor refused: its queue is full
// (listen(2)), hence SYNs go unanswered.
func deaf(t *testing.T) uint16 {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs IPv6: %v", err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	addr := &syscall.SockaddrInet6{Port: freePort(t), Addr: [16]byte{15: 1}}
	if err := syscall.Bind(fd, addr); err != nil {
		t.Skipf("needs the address ::1: %v", err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	// A queue of 0 holds one or two.
	for range 4 {
		c, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(c) })
		if err := syscall.Connect(c, addr); err != nil && err != syscall.EINPROGRESS {
			t.Fatal(err)
		}
	}
	return uint16(addr.Port)
}

// Row 99, RFC 6157 §4, RFC 8305: a destination whose IPv6 address is dead, whether it refuses or is
// silent, is reached by its IPv4 address, and long before any timer of the call or of the
// connection has run out.
func TestRow99DeadFamily(t *testing.T) {
	needsIPv6(t)
	t.Parallel()
	for _, c := range []struct {
		name string
		port func(*testing.T) uint16
	}{{"refuses", func(t *testing.T) uint16 { return uint16(freePort(t)) }}, {"is silent", deaf}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			port := c.port(t)
			callee := listenerAt(t, "the callee", overTCP, netip.AddrPortFrom(loopback4, port))
			n := newNameserver(t, "dual.example.net 60 IN AAAA ::1", "dual.example.net 60 IN A 127.0.0.1")
			six := netip.AddrPortFrom(netip.IPv6Loopback(), uint16(freePort(t)))
			srv := startStreams(t, streamSetup{globals: append(locating(t, n.addr), "listen=tcp:"+six.String(),
				"tcp_connect_timeout=25")})
			caller := newPeer(t, "the caller")
			d := caller.call(srv.addr)
			d.uri = fmt.Sprintf("sip:callee@dual.example.net:%d;transport=tcp", port)
			// expect waits for less than half of the connection's own time-out, and of fr_timer: 30
			// s.
			d.establish(callee)
			d.hangsUp(callee)
		})
	}
}

// Row 19, RFC 5658, RFC 6157 §4: the same over TCP from IPv4 to IPv6.
func TestRow19StreamFamilies(t *testing.T) {
	needsIPv6(t)
	six := netip.AddrPortFrom(netip.IPv6Loopback(), uint16(freePort(t)))
	t.Parallel()
	srv := startStreams(t, streamSetup{globals: []string{"listen=tcp:" + six.String()}})
	caller, callee := srv.caller(t, "the caller", overTCP), listener(t, "the callee", overTCP, netip.IPv6Loopback())
	d := caller.call(srv.tcp)
	d.uri = callee.contact("callee")
	throughBoth(t, d, caller, callee, six)
}

func needsIPv6(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("needs IPv6 on the loopback interface: %v", err)
	}
	ln.Close()
}
