package stream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/netio/stream/wslayer"
)

// A message without Content-Length has no body where Limits says so, and the connection goes on.
func TestAcceptNoCL(t *testing.T) {
	const bare = "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: bare\r\n\r\n"
	r := newRig(t, 1, func(c *Config) { c.Limits.AcceptNoCL.Store(true) })
	c := r.dial(0)
	r.write(c, bare+message("x", 3)+bare)
	for i, m := range r.recv(0, 3) {
		if want := []string{bare, message("x", 3), bare}[i]; m.data != want || m.fault != Whole {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	r.e.Limits().AcceptNoCL.Store(false) // for what comes from now on
	r.write(c, bare)
	if m := r.recv(0, 1)[0]; m.fault != NoLength {
		t.Errorf("%+v", m)
	}
}

func TestCRLFPing(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	r.write(c, "\r\n\r\n")
	if s := read(t, c, 2); s != "\r\n" {
		t.Fatalf("%q", s)
	}
	r.e.Limits().CRLFPing.Store(false)
	r.write(c, "\r\n\r\n"+message("x", 0))
	src := r.recv(0, 1)[0].src
	r.send(0, 100, src, 0, "ok")
	if s := read(t, c, 2); s != "ok" {
		t.Fatalf("the ping was answered with %q", s)
	}
}

// from dials addr from a port of our own choice.
func from(local, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(local)),
		Control: func(_, _ string, rc syscall.RawConn) (err error) {
			_ = rc.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			})
			return err
		}}
	return d.Dial("tcp", addr)
}

func TestAcceptUnique(t *testing.T) {
	r := newRig(t, 1, func(c *Config) {
		c.Listeners = append(c.Listeners, Listen{Proto: netio.TCP, Addr: netipAddrPort("127.0.0.1:0")})
	})
	c, err := from("127.0.0.1:0", r.addr(0))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r.write(c, message("x", 0))
	r.recv(0, 1)
	again := func() net.Conn {
		t.Helper()
		n, err := from(c.LocalAddr().String(), r.addr(1))
		if err != nil {
			t.Fatal(err)
		}
		_ = n.SetDeadline(time.Now().Add(30 * time.Second))
		return n
	}
	n := again()
	r.write(n, message("y", 0))
	r.recv(0, 1)
	_ = n.(*net.TCPConn).SetLinger(0)
	n.Close()
	r.wait("the second connection to end", func() bool { return r.e.Stats().CurrentOpened == 1 })
	r.e.Limits().AcceptUnique.Store(true)
	// else the reset was faster than connect
	if n, err := from(c.LocalAddr().String(), r.addr(1)); err == nil {
		defer n.Close()
		_ = n.SetDeadline(time.Now().Add(30 * time.Second))
		ended(t, n)
	}
	r.wait("the refusal", func() bool { return r.e.Stats().Rejected[NotUnique] == 1 })
	if s := r.e.Stats(); s.Rejected[NotUnique] != 1 || s.CurrentOpened != 1 {
		t.Errorf("%+v", s)
	}
	r.write(r.dial(1), message("z", 0)) // another port is another peer
	r.recv(0, 1)
}

// Nothing is dialled, and the failure is there at once.
func TestNoConnectAtAll(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Limits.NoConnect.Store(true) })
	l, dst := peer(t)
	if why := r.send(0, 100, dst, 7, "x"); why != NoConnection {
		t.Fatal(why)
	}
	if f := r.failure(0); f.Token != 7 || f.Reason != NoConnection {
		t.Fatalf("%+v", f)
	}
	if s := r.e.Stats(); s.CurrentOpened != 0 || s.ConnectFailed != 0 {
		t.Errorf("%+v", s)
	}
	c := r.dial(0) // what the peer opened serves
	r.write(c, message("x", 0))
	if why := r.send(0, 100, r.recv(0, 1)[0].src, 0, "ok"); why != OK || read(t, c, 2) != "ok" {
		t.Error(why)
	}
	r.e.Limits().NoConnect.Store(false)
	r.send(0, 100, dst, 0, "x")
	out, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
}

// Connections come from where they are told to, and from the listener's port until that is taken.
func TestSource(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.SourceIPv4 = netip.MustParseAddr("127.0.0.9") })
	l, dst := peer(t)
	r.send(0, 100, dst, 0, "x")
	out, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if a := out.RemoteAddr().(*net.TCPAddr); a.IP.String() != "127.0.0.9" {
		t.Errorf("connected from %s", a)
	}

	r = newRig(t, 1, func(c *Config) { c.ListenPort = true })
	r.send(0, 100, dst, 0, "x")
	out, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if a := out.RemoteAddr().String(); a != r.addr(0) {
		t.Errorf("connected from %s, listening on %s", a, r.addr(0))
	}
	// We close first: our side is in TIME_WAIT, so the next one has another port, or the same if
	// the kernel can tell them apart.
	r.e.CloseConn(r.e.List(1)[0].ID)
	ended(t, out)
	out.Close()
	r.wait("it to be gone", func() bool { return r.e.Stats().CurrentOpened == 0 })
	r.send(0, 100, dst, 0, "x")
	if out, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	read(t, out, 1)
	for _, why := range []func(*Config){
		func(c *Config) { c.SourceIPv4 = netip.MustParseAddr("::1") },
		func(c *Config) { c.SourceIPv6 = netip.MustParseAddr("127.0.0.1") },
		func(c *Config) { c.WS.Data = strings.Repeat("x", 126) },
	} {
		cfg := Config{Shards: 1, Owner: func([]byte) int { return 0 }, Ring: func(int) {}}
		why(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("taken: %+v", cfg)
		}
	}
}

// Two connections to one peer cannot both have the listener's port: the second takes another.
func TestListenPortTaken(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.ListenPort = true; c.Limits.ConnsPerDestination.Store(1) })
	l, dst := peer(t)
	port := func(domain string) string {
		t.Helper()
		p := r.e.Port(0)
		p.Options(SendOptions{Domain: domain})
		r.send(0, 100, dst, 0, "x")
		out, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { out.Close() })
		read(t, out, 1)
		return out.RemoteAddr().String()
	}
	if a := port(""); a != r.addr(0) {
		t.Fatal(a)
	}
	id := r.e.List(1)[0].ID
	c := r.e.registry.get(id)
	r.e.table.drop(c.k, c) // as if there were two slots
	r.e.Port(0).out.cache = map[key]*conn{}
	if a := port(""); a == r.addr(0) {
		t.Fatal("two connections with the same addresses and ports")
	}
}

// The kernel's probes as ss shows them, which is how an operator looks.
func TestKeepAliveIsSeen(t *testing.T) {
	ss, err := exec.LookPath("ss")
	if err != nil {
		t.Skip("ss is not installed")
	}
	r := newRig(t, 1, func(c *Config) { c.KeepAlive = 77 * time.Second })
	c := r.dial(0)
	r.write(c, message("x", 0))
	r.recv(0, 1)
	show := func() string {
		out, err := exec.Command(ss, "-tnoH", "src", r.addr(0), "dst", c.LocalAddr().String()).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	r.wait("the probe's timer", func() bool { return strings.Contains(show(), "timer:(keepalive,1min1") })
	r = newRig(t, 1, func(c *Config) { c.KeepAlive = -1 })
	c = r.dial(0)
	r.write(c, message("x", 0))
	r.recv(0, 1)
	if s := show(); strings.Contains(s, "keepalive") || !strings.Contains(s, "ESTAB") {
		t.Error(s)
	}
}

// A deferred accept is none until bytes come.
func TestDeferAccept(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.DeferAccept = 50 * time.Second })
	c, other := r.dial(0), r.dial(0)
	r.write(other, message("x", 0))
	r.recv(0, 1)
	if s := r.e.Stats(); s.PassiveOpen != 1 {
		t.Fatalf("%d connections accepted", s.PassiveOpen)
	}
	r.write(c, message("x", 0))
	r.recv(0, 1)
}

// The PROXY header has a time of its own, short of the handshake's.
func TestProxyTimeout(t *testing.T) {
	r := newRig(t, 1, fromLoopback, func(c *Config) {
		c.Limits.ProxyTimeout.Store(100 * time.Millisecond)
		c.Limits.AdmitTimeout.Store(time.Hour)
	})
	ended(t, r.dial(0))
	if s := r.e.Stats(); s.ProxyErrors != 1 {
		t.Errorf("%+v", s)
	}
}

// A TLS connection that nothing came on has its own lifetime; the first message ends that.
func TestTLSUnused(t *testing.T) {
	certs := newCerts(t)
	r := newRig(t, 1, allTransports(certs), func(c *Config) {
		c.Limits.TLSUnused.Store(200 * time.Millisecond)
		c.Limits.Lifetime.Store(time.Hour)
	})
	dial := func() *tls.Conn { return tls.Client(r.dial(onTLS-100), certs.Client(0, "proxy.example", netio.Addr{})) }
	silent, talker := dial(), dial()
	if err := silent.Handshake(); err != nil {
		t.Fatal(err)
	}
	r.write(talker, message("x", 0))
	src := r.recv(0, 1)[0].src
	ended(t, silent)
	r.wait("one connection", func() bool { return r.e.Stats().CurrentOpened == 1 })
	if s := r.e.Stats(); s.Ended[Idle] != 1 {
		t.Fatalf("%+v", s)
	}
	r.send(0, onTLS, src, 0, "ok")
	if s := read(t, talker, 2); s != "ok" {
		t.Fatal(s)
	}
	if i := r.e.List(1)[0]; i.Lifetime != time.Hour {
		t.Errorf("lifetime %v", i.Lifetime)
	}
	r.e.Limits().TLSUnused.Store(time.Hour)
	r.e.Limits().Lifetime.Store(200 * time.Millisecond)
	patient := dial()
	if err := patient.Handshake(); err != nil {
		t.Fatal(err)
	}
	talker.Close() // the shorter lifetime would be seen when its time in the wheel comes
	// A connection is counted from its handshake on, and listed once it has a loop.
	r.wait("the patient one alone", func() bool {
		i := r.e.List(2)
		return r.e.Stats().CurrentOpened == 1 && len(i) == 1 && i[0].Lifetime == time.Hour
	})
	r.write(patient, message("x", 0))
	r.recv(0, 1)
	ended(t, patient)
}

// counted counts what is read.
type counted struct {
	net.Conn
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n += n
	return n, err
}

// close_notify is said or not. TLS 1.2, since nothing else comes behind its handshake.
func TestCloseNotify(t *testing.T) {
	for _, silent := range []bool{false, true} {
		certs := newCerts(t)
		r := newRig(t, 1, allTransports(certs), func(c *Config) { c.NoCloseNotify = silent })
		raw, cfg := &counted{Conn: r.dial(onTLS - 100)}, certs.Client(0, "proxy.example", netio.Addr{})
		cfg.MaxVersion = tls.VersionTLS12
		c := tls.Client(raw, cfg)
		r.write(c, message("x", 0))
		r.recv(0, 1)
		before := raw.n
		r.e.CloseConn(r.e.List(1)[0].ID)
		_, err := c.Read(make([]byte, 1))
		if (raw.n == before) != silent || !errors.Is(err, io.EOF) {
			t.Errorf("silent %v: %d bytes, %v", silent, raw.n-before, err)
		}
	}
}

// browser upgrades a connection to a WebSocket listener.
func browser(t *testing.T, r *rig, i int) net.Conn {
	t.Helper()
	d := ws.Dialer{Protocols: []string{"sip"}}
	nc, _, _, err := d.Dial(t.Context(), "ws://"+r.addr(i)+"/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	return nc
}

func keepingAlive(every time.Duration, pong bool) settings {
	return func(c *Config) {
		c.Listeners = []Listen{{Proto: netio.WS, Addr: netipAddrPort("127.0.0.1:0")}}
		c.WS = WebSocket{Frames: Pings, KeepAlive: every, Data: "still there?", CORS: wslayer.CORSAny}
		if pong {
			c.WS.Frames = Pongs
		}
		c.Limits.Lifetime.Store(time.Second)
	}
}

// As long as the peer answers the connection lives, far beyond its lifetime; then it is closed.
func TestWebSocketPings(t *testing.T) {
	r := newRig(t, 1, keepingAlive(200*time.Millisecond, false))
	c := browser(t, r, 0)
	for begin := time.Now(); time.Since(begin) < 2*time.Second; {
		f, err := ws.ReadFrame(c)
		if err != nil {
			t.Fatal(err)
		}
		if f.Header.OpCode != ws.OpPing || string(f.Payload) != "still there?" {
			t.Fatalf("%v %q", f.Header, f.Payload)
		}
		if err := ws.WriteFrame(c, ws.MaskFrame(ws.NewPongFrame(f.Payload))); err != nil {
			t.Fatal(err)
		}
	}
	ended(t, c)
	s := r.e.Stats()
	if s.Ended[Unanswered] != 1 || s.KeepAlives < 2 {
		t.Errorf("%+v", s)
	}
}

// Pongs are not answered, and keep the connection all the same.
func TestWebSocketPongs(t *testing.T) {
	r := newRig(t, 1, keepingAlive(200*time.Millisecond, true))
	c := browser(t, r, 0)
	for begin := time.Now(); time.Since(begin) < 2*time.Second; {
		if f, err := ws.ReadFrame(c); err != nil || f.Header.OpCode != ws.OpPong {
			t.Fatalf("%v %v", f.Header, err)
		}
	}
	if s := r.e.Stats(); s.CurrentOpened != 1 {
		t.Errorf("%+v", s)
	}
}

// Without keep-alives, and before the upgrade, the lifetime ends it.
func TestWebSocketIdle(t *testing.T) {
	r := newRig(t, 1, keepingAlive(0, false), func(c *Config) { c.Limits.Lifetime.Store(200 * time.Millisecond) })
	ended(t, browser(t, r, 0))
	ended(t, r.dial(0))
	if s := r.e.Stats(); s.Ended[Idle] != 2 || s.KeepAlives != 0 {
		t.Errorf("%+v", s)
	}
}
