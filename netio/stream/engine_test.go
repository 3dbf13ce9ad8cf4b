package stream

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"viaduct/netio"
)

func TestReceiveAndAnswer(t *testing.T) {
	r := newRig(t, 2)
	c := r.dial(0)
	m := message("a shard=1", 10)
	r.write(c, m)
	g := r.recv(1, 1)[0]
	if g.data != m || g.fault != Whole || g.listener != 100 || g.src.String() != c.LocalAddr().String() {
		t.Fatalf("got %+v", g)
	}
	answer := message("answer", 0)
	if why := r.send(1, 100, g.src, 0, answer); why != OK {
		t.Fatal(why)
	}
	if s := read(t, c, len(answer)); s != answer {
		t.Fatalf("got %q", s)
	}
	if r.rings[1].Load() == 0 || r.rings[0].Load() != 0 {
		t.Fatal("the wrong bell rang")
	}
	if s := r.e.Stats(); s.PassiveOpen != 1 || s.Established != 1 || s.MessagesIn != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestHundredMessagesInOneWriteStayInOrder(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	var all strings.Builder
	for i := range 100 {
		all.WriteString(message(fmt.Sprint("m", i), i%7*300))
	}
	r.write(c, all.String())
	for i, g := range r.recv(0, 100) {
		if want := message(fmt.Sprint("m", i), i%7*300); g.data != want {
			t.Fatalf("message %d is %q, want %q", i, g.data, want)
		}
	}
}

func TestDripFeed(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	m := message("drip", 20)
	for i := range m {
		r.write(c, m[i:i+1])
	}
	r.write(c, m)
	for _, g := range r.recv(0, 2) {
		if g.data != m {
			t.Fatalf("got %q", g.data)
		}
	}
}

func TestKeepAlive(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	r.write(c, "\r\n")
	r.write(c, "\r\n\r\n"+"\r\n") // with the first one: two double ones
	if s := read(t, c, 4); s != "\r\n\r\n" {
		t.Fatalf("got %q", s)
	}
	m := message("after", 0)
	r.write(c, "\r\n"+m)
	if g := r.recv(0, 1)[0]; g.data != m {
		t.Fatalf("got %q", g.data)
	}
	if s := r.e.Stats(); s.Pings != 2 {
		t.Fatalf("%d pings", s.Pings)
	}
}

// peer is a listener outside of the engine.
func peer(t testing.TB) (*net.TCPListener, netio.Addr) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener), netio.AddrFrom(l.Addr().(*net.TCPAddr).AddrPort())
}

func TestConnect(t *testing.T) {
	r := newRig(t, 1)
	l, dst := peer(t)
	var want strings.Builder
	for i := range 20 {
		m := message(fmt.Sprint("out", i), 100)
		want.WriteString(m)
		if why := r.send(0, 100, dst, uint64(i+1), m); why != OK {
			t.Fatal(why)
		}
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s := read(t, c, want.Len()); s != want.String() {
		t.Fatal("messages differ")
	}
	if ip, _, _ := net.SplitHostPort(c.RemoteAddr().String()); ip != "127.0.0.1" {
		t.Fatal("connected from", ip)
	}
	// What comes back on it has the destination as its source, and the answer goes there.
	m := message("back", 5)
	r.write(c, m)
	g := r.recv(0, 1)[0]
	if g.src != dst || g.data != m {
		t.Fatalf("%+v", g)
	}
	r.send(0, 100, g.src, 0, m)
	if s := read(t, c, len(m)); s != m {
		t.Fatal(s)
	}
	if s := r.e.Stats(); s.ConnectSuccess != 1 || s.CurrentOpened != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestConnectRefused(t *testing.T) {
	r := newRig(t, 1)
	l, dst := peer(t)
	l.Close()
	if why := r.send(0, 100, dst, 7, message("x", 0)); why != OK {
		t.Fatal(why)
	}
	f := r.failure(0)
	if f.Token != 7 || f.Reason != ConnectFailed || f.Dst != dst || f.Listener != 100 || f.Established || f.Errno == 0 {
		t.Fatalf("%+v", f)
	}
	if r.rings[0].Load() == 0 {
		t.Fatal("the shard was not woken")
	}
}

func TestNoConnect(t *testing.T) {
	r := newRig(t, 1)
	_, dst := peer(t)
	p := r.e.Port(0)
	p.Options(SendOptions{NoConnect: true})
	if why := r.send(0, 100, dst, 3, message("x", 0)); why != NoConnection {
		t.Fatal(why)
	}
	if f := r.failure(0); f.Reason != NoConnection || f.Token != 3 {
		t.Fatalf("%+v", f)
	}
	v6 := netio.AddrFrom(netip.MustParseAddrPort("[::1]:5060"))
	if why := r.send(0, 100, v6, 0, message("x", 0)); why != NoListener {
		t.Fatal(why)
	}
	if why := r.send(0, 99, dst, 0, message("x", 0)); why != NoListener {
		t.Fatal(why)
	}
}
