package stream

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"viaduct/netio"
)

// A shard that does not take its messages stops those who send them, and loses none. Others go on.
func TestFullShardParksConnections(t *testing.T) {
	r := newRig(t, 2)
	const conns, each = 3, 4000
	var wrote atomic.Int64
	for i := range conns {
		c := r.dial(0)
		go func() {
			for n := range each {
				if _, err := c.Write([]byte(message(fmt.Sprintf("%d %d shard=0", i, n), 1500))); err != nil {
					t.Error(err)
					return
				}
				wrote.Add(1)
			}
		}()
	}
	r.wait("parked connections", func() bool { return r.e.Stats().Parked >= conns })
	healthy := r.dial(0)
	r.write(healthy, message("healthy shard=1", 0))
	src := r.recv(1, 1)[0].src
	m := message("answer", 0)
	r.send(1, 100, src, 0, m)
	if s := read(t, healthy, len(m)); s != m {
		t.Fatal(s)
	}
	if s := r.e.Stats(); s.MessagesIn > queueMessages+1 || s.CurrentOpened != conns+1 {
		t.Fatalf("%+v", s)
	}
	var next [conns]int
	for range conns * each {
		var i, n int
		if _, err := fmt.Sscanf(callID(r.recv(0, 1)[0].data), "%d %d", &i, &n); err != nil {
			t.Fatal(err)
		}
		if next[i] != n {
			t.Fatalf("connection %d: message %d, want %d", i, n, next[i])
		}
		next[i]++
	}
	if s := r.e.Stats(); s.StalledLost != 0 || wrote.Load() != conns*each {
		t.Fatalf("%+v", s)
	}
}

func callID(m string) string {
	_, after, _ := strings.Cut(m, "Call-ID: ")
	id, _, _ := strings.Cut(after, "\r\n")
	return id
}

// A parked connection is still written to, and its end is found when it is read again.
func TestParkedConnectionIsWrittenTo(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	burst := strings.Repeat(message("x", 0), 100)
	go func() {
		for range 60 {
			if _, err := c.Write([]byte(burst)); err != nil {
				t.Error(err)
			}
		}
		_ = c.CloseWrite()
	}()
	r.wait("a parked connection", func() bool { return r.e.Stats().Parked > 0 })
	src := netio.AddrFrom(c.LocalAddr().(*net.TCPAddr).AddrPort())
	m := message("to the parked", 100)
	for range 20 {
		if why := r.send(0, 100, src, 0, m); why != OK {
			t.Fatal(why)
		}
	}
	if s := read(t, c, 20*len(m)); s != strings.Repeat(m, 20) {
		t.Fatal("messages differ")
	}
	r.recv(0, 6000)
	r.wait("the end", func() bool { return r.e.Stats().CurrentOpened == 0 })
}

func TestParkedConnectionsEndWithTheEngine(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	go func() {
		for {
			if _, err := c.Write([]byte(strings.Repeat(message("x", 0), 100))); err != nil {
				return
			}
		}
	}()
	r.wait("a parked connection", func() bool { return r.e.Stats().Parked > 0 })
	r.e.Close()
	ended(t, c)
}

// The same as for TCP, where what is left over has been decrypted, or has no length of its own.
func TestFullShardParksLayeredConnections(t *testing.T) {
	const each = 6000
	pki := newCerts(t)
	r := newRig(t, 1, allTransports(pki))
	tc := r.dialTLS(onTLS, pki)
	wc, _ := r.dialWS(onWSS, pki)
	_ = wc.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		for n := range each {
			if _, err := tc.Write([]byte(message(fmt.Sprintf("0 %d", n), 200))); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	go func() {
		for n := range each {
			if err := wsutil.WriteClientText(wc, []byte(message(fmt.Sprintf("1 %d", n), 200))); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	r.wait("parked connections", func() bool { return r.e.Stats().Parked >= 2 })
	var next [2]int
	var src [2]got
	for range 2 * each {
		g := r.recv(0, 1)[0]
		var i, n int
		if _, err := fmt.Sscanf(callID(g.data), "%d %d", &i, &n); err != nil {
			t.Fatal(err)
		}
		if next[i] != n {
			t.Fatalf("connection %d: message %d, want %d", i, n, next[i])
		}
		next[i]++
		src[i] = g
	}
	m := message("back", 10)
	for _, g := range src {
		if why := r.send(0, int(g.listener), g.src, 0, m); why != OK {
			t.Fatal(why)
		}
	}
	if s := read(t, tc, len(m)); s != m {
		t.Fatal(s)
	}
	if b, err := wsutil.ReadServerText(wc); err != nil || string(b) != m {
		t.Fatal(string(b), err)
	}
	if s := r.e.Stats(); s.StalledLost != 0 || s.Panics != 0 {
		t.Fatalf("%+v", s)
	}
}

// One peer that never reads, and many that do (the queue of a TCP main process was what took
// everything down elsewhere).
func TestStuckPeerHurtsNobody(t *testing.T) {
	const healthy, rounds = 200, 5
	r := newRig(t, 1, func(c *Config) { c.Limits.SendTimeout.Store(time.Hour); c.Limits.ConnWqMax.Store(1 << 20) })
	_, stuck := r.stuck(0)
	smallSendBuffer(r)
	m := message("healthy", 500)
	r.fill(stuck, m)
	conns := make([]*net.TCPConn, healthy)
	for i := range conns {
		conns[i] = r.dial(0)
	}
	for range rounds {
		for _, c := range conns {
			r.write(c, m)
		}
		for _, g := range r.recv(0, healthy) {
			r.send(0, 100, stuck, 0, m)
			if why := r.send(0, 100, g.src, 0, m); why != OK {
				t.Fatal(why)
			}
		}
		for _, c := range conns {
			if s := read(t, c, len(m)); s != m {
				t.Fatal("the answer differs")
			}
		}
	}
	// the kernel finds room for a little now and then
	if r.e.queuedOf(stuck) < healthy*rounds*len(m)/2 {
		t.Fatal("the stuck peer took it after all")
	}
}

// What waits for a peer takes about as much memory as it is counted for.
func TestWaitingMessagesAreShrunk(t *testing.T) {
	r := newRig(t, 1)
	dst := blackhole(t)
	p := r.e.Port(0)
	for range 50 {
		m := newOutMsg()
		m.data = make([]byte, 0, pooledBytes)
		m.free()
	}
	for range 50 {
		p.Queue(100, &dst, 0, []byte("a short one"))
	}
	c := p.e.table.get(key{addr: dst, listener: 100})
	c.mu.Lock()
	defer c.mu.Unlock()
	for m := c.head; m != nil; m = m.next {
		if cap(m.data) > 2*len(m.data)+spareBytes {
			t.Fatalf("%d bytes hold %d", cap(m.data), len(m.data))
		}
	}
}
