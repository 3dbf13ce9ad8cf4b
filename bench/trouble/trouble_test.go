package trouble

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"viaduct/bench/traffic"
)

// peer is a server that answers every message on its connections with 483, as the tests have it.
type peer struct {
	listener net.Listener
	done     sync.WaitGroup
	lock     sync.Mutex
	conns    []net.Conn
}

// newPeer serves each connection with serve, which gets its number, from 1.
func newPeer(t *testing.T, serve func(n int, c net.Conn)) *peer {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{listener: l}
	p.done.Add(1)
	go func() {
		defer p.done.Done()
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.lock.Lock()
			p.conns = append(p.conns, c)
			p.lock.Unlock()
			p.done.Add(1)
			go func() {
				defer p.done.Done()
				serve(n, c)
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		p.lock.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.lock.Unlock()
		p.done.Wait()
	})
	return p
}

func (p *peer) addr() netip.AddrPort { return p.listener.Addr().(*net.TCPAddr).AddrPort() }

func answer(c net.Conn) {
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) {
			_, _ = c.Write([]byte("SIP/2.0 483 Too Many Hops\r\nContent-Length: 0\r\n\r\n"))
		}
	}
}

func sockets(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range list {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func TestIdle(t *testing.T) {
	never := make(chan struct{})
	// watch looks until the count is as wanted: what the peer does reaches us when it does.
	watch := func(d *Idle, want IdleCounts) {
		t.Helper()
		want.Asked = d.Counts.Asked
		for end := time.Now().Add(20 * time.Second); ; d.Watch() {
			got := d.Counts
			got.Seconds, got.Stopped = 0, ""
			if got == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%+v, want %+v", d.Counts, want)
			}
		}
	}
	open := func(at netip.AddrPort, count int, stop <-chan struct{}) *Idle {
		t.Helper()
		d, err := NewIdle(at, count)
		if err != nil {
			t.Fatal(err)
		}
		d.Open(stop)
		return d
	}
	before := sockets(t)
	p := newPeer(t, func(_ int, c net.Conn) { answer(c) })
	d := open(p.addr(), 300, never)
	watch(d, IdleCounts{Open: 300})
	p.lock.Lock()
	for _, c := range p.conns[:100] {
		c.Close()
	}
	p.lock.Unlock()
	watch(d, IdleCounts{Open: 200, Closed: 100})
	d.Close()

	p = newPeer(t, func(n int, c net.Conn) {
		if n%3 == 0 {
			c.Close()
			return
		}
		answer(c)
	})
	d = open(p.addr(), 90, never)
	watch(d, IdleCounts{Open: 60, Closed: 30})
	d.Close()

	// One that takes connections and says nothing; stopped, since waiting them out takes long.
	p = newPeer(t, func(int, net.Conn) {})
	stop := make(chan struct{})
	time.AfterFunc(300*time.Millisecond, func() { close(stop) })
	d = open(p.addr(), 20, stop)
	watch(d, IdleCounts{Unanswered: 20})
	d.Close()

	p.listener.Close()
	d = open(p.addr(), 10, never)
	watch(d, IdleCounts{Refused: 10})
	d.Close()
	if n := sockets(t); n > before+600 {
		t.Errorf("%d sockets open, %d before", n, before)
	}
}

func TestIdleIsBounded(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:5060")
	for _, n := range []int{0, -1, MaxConnections + 1} {
		if _, err := NewIdle(at, n); err == nil {
			t.Errorf("%d connections were accepted", n)
		}
	}
	if _, err := NewIdle(netip.MustParseAddrPort("192.0.2.1:5060"), 1); err == nil {
		t.Error("an address that is not loopback was accepted")
	}
}

func TestSourcesAreManyAndOnLoopback(t *testing.T) {
	of := map[[4]byte]int{}
	for n := range MaxConnections {
		of[source(n)]++
	}
	for a, n := range of {
		if a[0] != 127 || n > perSource {
			t.Errorf("%v: %d connections", a, n)
		}
	}
	if len(of) < MaxConnections/perSource {
		t.Errorf("only %d sources", len(of))
	}
}

// What the deaf peers leave in the way stays there: nothing but the kernel's buffers moves.
func TestDeafNeverReads(t *testing.T) {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	server := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	l, err := net.Listen("tcp4", server.String())
	if err != nil {
		t.Skipf("TCP %s is taken: %v", server, err)
	}
	defer l.Close()
	answered := make(chan int, 1)
	go func() { // answers the deaf caller until it takes nothing more
		c, err := l.Accept()
		if err != nil {
			answered <- 0
			return
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetWriteBuffer(4096)
		sent := 0
		for {
			_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			n, err := c.Write(bytes.Repeat([]byte("x"), 1000))
			sent += n
			if err != nil {
				answered <- sent
				return
			}
		}
	}()
	d, err := NewDeaf(server, netip.MustParseAddrPort("127.0.0.1:0"), 2000)
	if err != nil {
		t.Fatal(err)
	}
	stop, counts := make(chan struct{}), make(chan DeafCounts)
	go func() { counts <- d.Run(stop) }()
	if n := <-answered; n == 0 || n > 4<<20 {
		t.Errorf("the deaf caller's connection took %d bytes", n)
	}
	b := make([]byte, 2048)
	n, err := udp.Read(b)
	first, _, _ := bytes.Cut(b[:n], []byte("\r\n"))
	if err != nil || string(first) != "OPTIONS sip:deaf@"+d.listener.Addr().String()+";transport=tcp SIP/2.0" {
		t.Errorf("%q, %v", first, err)
	}
	close(stop)
	if c := <-counts; c.ToForward == 0 || c.ToAnswer == 0 {
		t.Errorf("%+v", c)
	}
}

func TestStorm(t *testing.T) {
	certificate, err := traffic.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	resumed := make(chan bool, 1000)
	p := newPeer(t, func(n int, c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}})
		if n%4 == 0 {
			c.Close()
		} else if s.Handshake() == nil {
			resumed <- s.ConnectionState().DidResume
		}
	})
	stop := make(chan struct{})
	counts := make(chan StormCounts, 1)
	go func() {
		n, err := Storm(p.addr(), 500, stop)
		if err != nil {
			t.Error(err)
		}
		counts <- n
	}()
	for range 20 {
		if <-resumed {
			t.Error("a session was resumed")
		}
	}
	close(stop)
	if n := <-counts; n.Done < 20 || n.Failed == 0 {
		t.Errorf("%+v", n)
	}
	for _, rate := range []float64{0, -1, MaxRate + 1} {
		if _, err := Storm(p.addr(), rate, stop); err == nil {
			t.Errorf("rate %g was accepted", rate)
		}
	}
}
