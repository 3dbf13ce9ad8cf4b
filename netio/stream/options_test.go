package stream

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
)

func TestSocketOptions(t *testing.T) {
	r := newRig(t, 1, func(c *Config) {
		c.KeepAlive, c.KeepAliveInterval, c.KeepAliveCount = 33*time.Second, 7*time.Second, 4
		c.FinWait, c.SynCount, c.QuickAck, c.Backlog, c.ReusePort = 9*time.Second, 3, true, 17, true
		c.TOS = 0xb8
		c.Limits.SendTimeout.Store(5 * time.Second)
	})
	c := r.dial(0)
	r.write(c, message("x", 0))
	src := r.recv(0, 1)[0].src
	l, dst := peer(t)
	r.send(0, 100, dst, 0, "x")
	out, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	read(t, out, 1)
	checked := 0
	for _, c := range r.e.registry.some(10) {
		c.mu.Lock()
		fd := c.fd
		c.mu.Unlock()
		f := func(level, name, want int) {
			t.Helper()
			if got, err := unix.GetsockoptInt(fd, level, name); err != nil || got != want {
				t.Errorf("option %d of %v is %d, want %d (%v)", name, c.k.addr, got, want, err)
			}
		}
		f(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		f(unix.IPPROTO_IP, unix.IP_TOS, 0xb8)
		f(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 33)
		f(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 7)
		f(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4)
		f(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		f(unix.IPPROTO_TCP, unix.TCP_LINGER2, 9)
		f(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 5200)
		if c.outgoing {
			f(unix.IPPROTO_TCP, unix.TCP_SYNCNT, 3)
		}
		checked++
	}
	if checked != 2 {
		t.Fatalf("%d connections", checked)
	}
	for _, i := range r.e.List(10) {
		if i.State != "CONN_OK" || i.Outgoing != (i.Src == dst) || !i.Outgoing && i.Src != src || i.Timeout <= 0 ||
			i.Timeout > i.Lifetime || i.Dst.Family != 4 || i.Listener != 100 {
			t.Errorf("%+v", i)
		}
	}
	if len(r.e.List(1)) != 1 || r.e.CloseConn(1<<40) {
		t.Error("the list has no limit, or a connection that there is not was closed")
	}
}

func TestIPv6(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 on this machine")
	} else {
		l.Close()
	}
	r := newRig(t, 1, func(c *Config) { c.Listeners[0].Addr = netipAddrPort("[::1]:0") })
	c := r.dial(0)
	m := message("six", 0)
	r.write(c, m)
	src := r.recv(0, 1)[0].src
	if src.String() != c.LocalAddr().String() {
		t.Fatal(src)
	}
	r.send(0, 100, src, 0, m)
	if s := read(t, c, len(m)); s != m {
		t.Fatal(s)
	}
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r.send(0, 100, netio.AddrFrom(l.Addr().(*net.TCPAddr).AddrPort()), 0, m)
	out, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if s := read(t, out, len(m)); s != m {
		t.Fatal(s)
	}
}

// A message may ask for a shorter time to connect than others.
func TestConnectTimeoutOfAMessage(t *testing.T) {
	dst := blackhole(t)
	r := newRig(t, 1, func(c *Config) { c.Limits.ConnectTimeout.Store(time.Hour) })
	r.e.Port(0).Options(SendOptions{ConnectTimeout: 200 * time.Millisecond})
	r.send(0, 100, dst, 8, message("x", 0))
	if f := r.failure(0); f.Reason != ConnectTimeout || f.Token != 8 {
		t.Fatalf("%+v", f)
	}
}

// Behind a proxy the client counts against the limit of a source, not the proxy.
func TestAcceptLimitBehindProxy(t *testing.T) {
	r := newRig(t, 1, fromLoopback, func(c *Config) { c.Limits.AcceptIPLimit.Store(1) })
	for _, header := range []string{"PROXY TCP4 192.0.2.1 198.51.100.1 1 5060\r\n",
		"PROXY TCP4 192.0.2.2 198.51.100.1 1 5060\r\n"} {
		c := r.dial(0)
		r.write(c, header+message("x", 0))
		r.recv(0, 1)
	}
	c := r.dial(0)
	r.write(c, "PROXY TCP4 192.0.2.1 198.51.100.1 2 5060\r\n")
	ended(t, c)
	if s := r.e.Stats(); s.Rejected[TooManyFromSource] != 1 {
		t.Fatalf("%+v", s)
	}
}
