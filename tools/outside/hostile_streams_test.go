package outside

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Streams of mischief, over TCP and TLS and WebSocket upon both. Behind each case a clean request
// is served on a new connection; at the end, the memory is bounded, no panic was contained, and as
// many descriptors are open as before.
func TestHostileStreams(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{overTCP, overTLS, overWS, overWSS} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			h := newHostileStreams(t, transport)
			h.lengths()
			h.endless()
			h.floods()
			h.endings()
			h.crowds()
		})
	}
}

// hostileStreams is a proxy, and whoever torments it.
type hostileStreams struct {
	t         *testing.T
	transport string
	srv       *streamServer
	bob       *peer
	files     int
	n         int
	sentBy    string // the port its Vias name, where nobody listens
}

func newHostileStreams(t *testing.T, transport string) *hostileStreams {
	h := &hostileStreams{t: t, transport: transport, bob: newPeer(t, "bob"), sentBy: deafPort(t)}
	h.srv = startStreams(t, streamSetup{setup: setup{targets: to(h.bob), program: byRoute(t)}, ws: true})
	h.clean("nothing")
	h.files = h.descriptors()
	t.Cleanup(func() {
		if n := sum(h.srv.stats(t), "panics"); n > 0 {
			t.Errorf("%d panics were contained:\n%s", n, h.srv.text())
		}
		if b := h.srv.residentBytes(t); b > 512<<20 {
			t.Errorf("%d MiB are resident", b>>20)
		}
	})
	return h
}

// deafPort is a TCP port of the loopback address that refuses connections until the test ends. The
// answer to a request whose connection is gone goes there (RFC 3261 §18.2.2): at a port that
// somebody else may serve it would leave a connection behind, which is no leak of ours.
func deafPort(t *testing.T) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(at.(*unix.SockaddrInet4).Port)
}

// descriptors counts those the proxy has open.
func (h *hostileStreams) descriptors() int {
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.srv.cmd.Process.Pid))
	if err != nil {
		h.t.Fatal(err)
	}
	return len(all)
}

// settled wants as many descriptors as at the start: nothing of a case stays.
func (h *hostileStreams) settled(name string) {
	h.t.Helper()
	eventually(h.t, name+": the descriptors to be closed", func() bool { return h.descriptors() <= h.files })
}

// clean wants a request on a new connection to be served.
func (h *hostileStreams) clean(name string) {
	h.t.Helper()
	p := h.srv.caller(h.t, "the clean caller", h.transport)
	d := p.call(h.srv.at(h.transport))
	p.connection().send(d.text("OPTIONS", d.branch))
	h.serve(name, p, d.id)
	p.connection().close()
}

// serve takes a request at bob's, and the answer at p's.
func (h *hostileStreams) serve(name string, p *peer, id string) {
	h.t.Helper()
	for m := h.bob.next(patience); ; m = h.bob.next(patience) {
		if m == nil {
			h.t.Fatalf("%s: the request behind it is not forwarded\n%s", name, h.srv.tail())
		}
		h.bob.reply(m, 200, "OK", "bob")
		if m.get("Call-ID") == id {
			break
		}
	}
	for m := p.next(patience); ; m = p.next(patience) {
		if m == nil {
			h.t.Fatalf("%s: the request behind it is not answered\n%s", name, h.srv.tail())
		}
		if m.status() == 200 && m.get("Call-ID") == id {
			return
		}
	}
}

// text is hostileBase for a stream.
func (h *hostileStreams) text(length string) string {
	h.n++
	return strings.NewReplacer("{n}", fmt.Sprint(h.n), "{port}", h.sentBy, "SIP/2.0/UDP", "SIP/2.0/"+h.transport,
		"Content-Length: 4", "Content-Length: "+length).Replace(hostileBase)
}

// ends sends bytes and wants the proxy to end the connection, behind an answer of want or, for 0,
// none.
func (h *hostileStreams) ends(name, text string, want int) {
	h.t.Helper()
	p := h.srv.caller(h.t, name, h.transport)
	s := p.connection()
	_ = s.write([]byte(text)) // the end may come first
	select {
	case <-s.gone:
	case <-time.After(patience):
		h.t.Errorf("%s: the connection does not end", name)
	}
	got := 0
	for m := p.next(0); m != nil; m = p.next(0) {
		got = m.status()
	}
	if got != want {
		h.t.Errorf("%s: answered %d, want %d", name, got, want)
	}
	h.clean(name)
}

// lengths are lies about Content-Length. A WebSocket message has its own length, and Content-Length
// need not be there (RFC 7118 §4.2), hence they are only of TCP and TLS.
func (h *hostileStreams) lengths() {
	if h.transport == overWS || h.transport == overWSS {
		return
	}
	for _, n := range []string{"-1", "+4", "0x4", "4 4", "4,4", "1e1", "\x00", "", "\xd9\xa1"} {
		h.ends("Content-Length "+n, h.text(n), 400)
	}
	for _, n := range []string{"65536", "2147483647", "2147483648", "4294967296", "4294967300", "9223372036854775808",
		"18446744073709551620", strings.Repeat("9", 500)} {
		h.ends("Content-Length "+n[:min(len(n), 30)], h.text(n), 513)
	}
	h.ends("two of Content-Length", h.text("4\r\nl: 5"), 400)
	h.ends("garbage behind a request", h.text("4")+"\x00\x01\x02\r\n\r\n", 0)
}

// endless are headers that do not end.
func (h *hostileStreams) endless() {
	if h.transport == overWS || h.transport == overWSS {
		return
	}
	h.ends("a line without end", strings.Repeat("A", 200_000), 0)
	head, _, _ := strings.Cut(h.text("4"), "\r\n\r\n")
	h.ends("headers without end", head+"\r\n"+strings.Repeat("X: y\r\n", 40_000), 0)
}

// floods are line ends without a message.
func (h *hostileStreams) floods() {
	p := h.srv.caller(h.t, "the flood", h.transport)
	s := p.connection()
	for range 64 {
		if s.write(bytes.Repeat([]byte("\r\n"), 8192)) != nil {
			break // it may be cut off
		}
	}
	h.clean("a flood of CRLF")
	s.close()
	h.settled("a flood of CRLF")
}

// endings are connections that end early.
func (h *hostileStreams) endings() {
	for range 50 {
		p := h.srv.caller(h.t, "who leaves", h.transport)
		s := p.connection()
		text := h.text("4")
		_ = s.write([]byte(text[:rand.IntN(len(text))]))
		s.reset()
	}
	h.clean("RST within a request")
	h.settled("RST within a request")
}

// crowds are connections without a byte.
func (h *hostileStreams) crowds() {
	var all []net.Conn
	for range 500 {
		conn, err := net.DialTimeout("tcp", h.srv.at(h.transport).String(), patience)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, conn)
	}
	h.clean("500 connections without a byte")
	for _, conn := range all {
		conn.Close()
	}
	h.settled("500 connections without a byte")
}

// TLS records are cut anywhere, and within the handshake.
func TestHostileRecords(t *testing.T) {
	t.Parallel()
	h := newHostileStreams(t, overTLS)
	for _, size := range []int{1, 2, 3, 5, 7, 100} {
		conn, err := net.Dial("tcp", h.srv.tls.String())
		if err != nil {
			t.Fatal(err)
		}
		p := newStreamPeer(t, "who cuts records", overTLS)
		c := tls.Client(cut{conn, size}, h.srv.ca.client())
		p.attach(c, c)
		p.addr = netip.MustParseAddrPort(conn.LocalAddr().String())
		d := p.call(h.srv.tls)
		p.connection().send(d.text("OPTIONS", d.branch))
		h.serve(fmt.Sprintf("records in pieces of %d bytes", size), p, d.id)
		p.connection().close()
	}
	h.settled("records in pieces")
}

// cut writes in pieces.
type cut struct {
	net.Conn
	size int
}

func (c cut) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = c.Conn.Write(b[n:min(len(b), n+c.size)])
		n += m
	}
	return n, err
}
