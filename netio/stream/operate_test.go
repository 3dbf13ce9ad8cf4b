package stream

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// brought has a connection bring a message, and gives its number and what it came from.
func (r *rig) brought(c net.Conn) (id uint64, src netio.Addr) {
	r.t.Helper()
	r.write(c, message("a", 0))
	p := r.e.Port(0)
	r.wait("a message", func() bool {
		for i, m := range p.Recv(1) {
			id, src = p.Conn(i), m.Src
		}
		p.Release()
		return id != 0
	})
	return id, src
}

// option reads a socket option where the loop has the descriptor.
func (r *rig) option(id uint64, level, name int) (value int) {
	r.t.Helper()
	got := make(chan int, 1)
	if !r.e.registry.get(id).ask(func(_ *loop, c *conn) {
		v, err := unix.GetsockoptInt(c.fd, level, name)
		if err != nil {
			v = -1
		}
		got <- v
	}) {
		r.t.Fatal("the connection was not to be asked")
	}
	select {
	case value = <-got:
	case <-time.After(20 * time.Second):
		r.t.Fatal("the loop did not do what it was asked for")
	}
	return value
}

func TestOneConnection(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	id, src := r.brought(c)
	if s := r.e.State(id); s != ConnUp {
		t.Errorf("state %d", s)
	}
	if got := r.e.Find(100, &src); got != id {
		t.Errorf("found connection %d, want %d", got, id)
	}
	if !r.e.SetKeepAlive(id, 33*time.Second, 7, 11*time.Second) {
		t.Error("no keep-alive")
	}
	for _, o := range []struct{ level, name, want int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 33},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 7}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 11},
	} {
		if got := r.option(id, o.level, o.name); got != o.want {
			t.Errorf("option %d: %d, want %d", o.name, got, o.want)
		}
	}
	r.e.SetKeepAlive(id, 0, 0, 0)
	if got := r.option(id, unix.SOL_SOCKET, unix.SO_KEEPALIVE); got != 0 {
		t.Error("keep-alive is still on")
	}
	if !r.e.SetLifetime(id, 50*time.Millisecond) || r.e.SetLifetime(id, 0) {
		t.Error("the lifetime")
	}
	ended(t, c)
	r.wait("the end", func() bool { return r.e.State(id) == ConnGone })
	if n := r.e.Stats().ConTimeout; n != 1 {
		t.Errorf("%d connections ended idle", n)
	}
	for _, did := range []bool{r.e.SetLifetime(id, time.Second), r.e.SetKeepAlive(id, time.Second, 1, time.Second),
		r.e.CloseGracefully(id, 0, nil), r.e.AliasOf(id, 5070), r.e.Find(100, &src) != 0} {
		if did {
			t.Error("something was done to a connection that is gone")
		}
	}
}

// TestCloseWell: what was queued is read by the peer, then the end.
func TestCloseWell(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	id, src := r.brought(c)
	big := message("b", 200<<10)
	r.send(0, 100, src, 0, big)
	if !r.e.CloseGracefully(id, 1000, []byte("not for TCP")) {
		t.Fatal("not closed")
	}
	if got := read(t, c, len(big)); got != big {
		t.Error("the message did not arrive whole")
	}
	ended(t, c)
	r.wait("the end", func() bool { return r.e.State(id) == ConnGone })
	if n := r.e.Stats().Ended[Requested]; n != 1 {
		t.Errorf("ended: %v", r.e.Stats().Ended)
	}
}

// TestCloseWebSocket: the peer is told status and reason, before the connection ends (RFC 6455
// §7.1.1).
func TestCloseWebSocket(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Listeners[0].Proto = netio.WS })
	c := r.dial(0)
	r.write(c, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n"+
		"\r\n")
	head := ""
	for !strings.HasSuffix(head, "\r\n\r\n") {
		head += read(t, c, 1)
	}
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatal(head)
	}
	var id uint64
	r.wait("the connection", func() bool {
		for _, i := range r.e.List(1) {
			id = i.ID
		}
		return id != 0
	})
	if !r.e.CloseGracefully(id, 4001, []byte(strings.Repeat("enough ", 40))) {
		t.Fatal("not closed")
	}
	f, err := ws.ReadFrame(c)
	if err != nil || f.Header.OpCode != ws.OpClose {
		t.Fatalf("%+v, %v", f.Header, err)
	}
	if code, reason := ws.ParseCloseFrameData(f.Payload); code != 4001 || !strings.HasPrefix(reason, "enough enough") ||
		len(reason) != closeReasonBytes {
		t.Errorf("told %d %q", code, reason)
	}
	ended(t, c)
}

// TestAliasOf: requests to the alias go by the connection; who has a connection of its own keeps
// it.
func TestAliasOf(t *testing.T) {
	r := newRig(t, 1)
	first, second := r.dial(0), r.dial(0)
	one, src := r.brought(first)
	two, other := r.brought(second)
	for range 2 { // the second is the same one
		if !r.e.AliasOf(one, 5099) {
			t.Error("no alias")
		}
	}
	if r.e.AliasOf(two, 5099) || r.e.AliasOf(one, other.Port) || !r.e.AliasOf(one, src.Port) || r.e.AliasOf(one, 0) {
		t.Error("aliases are not as they should be")
	}
	dst := src
	dst.Port = 5099
	if why := r.send(0, 100, dst, 0, "x"); why != OK || read(t, first, 1) != "x" {
		t.Error(why)
	}
	for port := uint16(6001); port < 6001+maxAliases-1; port++ {
		if !r.e.AliasOf(one, port) {
			t.Errorf("alias %d was refused", port)
		}
	}
	if r.e.AliasOf(one, 7000) {
		t.Error("more than maxAliases")
	}
	_ = first.Close()
	r.wait("the end", func() bool { return r.e.State(one) == ConnGone })
	if !r.e.AliasOf(two, 5099) {
		t.Error("the alias of a connection that ended is not free")
	}
}

// TestTasksAreBounded: a loop that does not come to its tasks is asked for no more.
func TestTasksAreBounded(t *testing.T) {
	r := newRig(t, 1)
	id, _ := r.brought(r.dial(0))
	c := r.e.registry.get(id)
	held, enter := make(chan struct{}), make(chan struct{})
	c.ask(func(*loop, *conn) { close(enter); <-held })
	<-enter
	for i := range tasksPerConn {
		if !c.ask(func(*loop, *conn) {}) {
			t.Fatalf("task %d was refused", i)
		}
	}
	if c.ask(func(*loop, *conn) {}) {
		t.Error("one more than tasksPerConn")
	}
	close(held)
	r.wait("the tasks", func() bool { return c.tasks.Load() == nil })
	// One that panics costs its connection, and none else.
	c.ask(func(*loop, *conn) { panic("a task of the test's") })
	r.wait("the end", func() bool { return r.e.State(id) == ConnGone })
	r.brought(r.dial(0))
}

// named is a TLS whose certificates are chosen by name, as tlsdomains has it.
type named struct{ *certs }

func (n named) Server(l int, a netio.Addr) *tls.Config {
	cfg := n.certs.Server(l, a)
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello.ServerName != "proxy.example" {
			return nil, errors.New("not here")
		}
		return cfg, nil
	}}
}

// TestOwnCertificate: a connection knows which certificate of ours its peer saw.
func TestOwnCertificate(t *testing.T) {
	pki := newCerts(t)
	for _, tls := range []TLS{pki, named{pki}} {
		r := newRig(t, 1, allTransports(pki), func(c *Config) { c.TLS = tls })
		id, _ := r.brought(r.dialTLS(onTLS, pki))
		info := r.e.TLSInfo(id)
		if info == nil || info.Own == nil || info.Own.Subject.CommonName != "proxy.example" || info.Peer != nil ||
			info.ServerName != "proxy.example" {
			t.Errorf("%T: %+v", tls, info)
		}
	}
	if leaf := ownCertificate(&tls.Config{}, ""); leaf != nil {
		t.Error("a certificate out of nowhere")
	}
}
