package stream

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// rig is an engine with its shards' ports in the hands of the test.
type rig struct {
	t     testing.TB
	e     *Engine
	rings []atomic.Int64
}

// settings change the configuration of a rig before it starts.
type settings func(*Config)

func newRig(t testing.TB, shards int, change ...settings) *rig {
	t.Helper()
	r := &rig{t: t, rings: make([]atomic.Int64, shards)}
	fds, routines := openFiles(t), runtime.NumGoroutine()
	cfg := Config{
		Base:      100,
		Listeners: []Listen{{Proto: netio.TCP, Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
		Shards:    shards,
		Loops:     2,
		Owner:     func(m []byte) int { return int(ownerByte(m)) % shards },
		Ring:      func(s int) { r.rings[s].Add(1) },
		Fatal:     func(err error) { panic(err) },
		Limits:    NewLimits(),
		Logger:    slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}
	for _, f := range change {
		f(&cfg)
	}
	e, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.e = e
	t.Cleanup(func() {
		e.Close()
		for _, p := range e.ports {
			p.Recv(1 << 20)
			p.Release()
		}
		if s := e.Stats(); s.CurrentOpened != 0 || s.CurrentWriteQueued != 0 || s.CurrentInflight != 0 ||
			s.CurrentInbound != 0 || s.Established != 0 || s.CurrentOpenedTLS != 0 {
			t.Errorf("left in the books after Close: %+v", s)
		}
		r.wait("descriptors to close", func() bool { return openFiles(t) <= fds })
		r.wait("goroutines to end", func() bool { return runtime.NumGoroutine() <= routines+poolGoroutines })
	})
	return r
}

// poolGoroutines are those that gnet's worker pool keeps for a while once it was used.
const poolGoroutines = 4

// ownerByte is the digit behind "shard=" in a message.
func ownerByte(m []byte) byte {
	if _, after, ok := strings.Cut(string(m), "shard="); ok && after != "" {
		return after[0] - '0'
	}
	return 0
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	if testing.Verbose() {
		fmt.Fprintf(os.Stderr, "%s: %s", w.t.Name(), b)
	}
	return len(b), nil
}

func openFiles(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// wait polls until cond holds.
func (r *rig) wait(what string, cond func() bool) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); {
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain for %s; stats %+v", what, r.e.Stats())
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *rig) addr(i int) string { return r.e.Listeners()[i].Addr.String() }

// dial opens a connection to listener i from outside.
func (r *rig) dial(i int) *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr(i))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c.(*net.TCPConn)
}

// turnedAway opens a connection that is closed at once; the reset may come before connect has
// returned.
func (r *rig) turnedAway(i int) {
	r.t.Helper()
	if c, err := net.Dial("tcp", r.addr(i)); err == nil {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		ended(r.t, c)
	}
}

func (r *rig) write(c net.Conn, s string) {
	r.t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		r.t.Fatal(err)
	}
}

type got struct {
	data     string
	src      netio.Addr
	listener uint16
	fault    Fault
}

// recv takes n messages of a shard.
func (r *rig) recv(shard, n int) []got {
	r.t.Helper()
	var all []got
	p := r.e.Port(shard)
	r.wait(fmt.Sprintf("%d messages", n), func() bool {
		for i, m := range p.Recv(n - len(all)) {
			all = append(all, got{string(m.Data), m.Src, m.Listener, p.Fault(i)})
		}
		p.Release()
		return len(all) >= n
	})
	return all
}

// send sends one message and flushes.
func (r *rig) send(shard, listener int, dst netio.Addr, token uint64, message string) Reason {
	p := r.e.Port(shard)
	p.Begin(listener, &dst, token)
	p.Append([]byte(message[:len(message)/2]))
	p.Append([]byte(message[len(message)/2:]))
	p.End()
	p.Flush()
	return p.Last()
}

// failure waits for one failure of a shard.
func (r *rig) failure(shard int) Failure {
	r.t.Helper()
	var f []Failure
	r.wait("a failure", func() bool { f = r.e.Port(shard).Failures(); return len(f) > 0 })
	if len(f) != 1 {
		r.t.Fatalf("got %d failures, want one: %+v", len(f), f)
	}
	return f[0]
}

// message is a SIP request with a body of n bytes.
func message(id string, n int) string {
	return fmt.Sprintf("OPTIONS sip:a@b SIP/2.0\r\nCall-ID: %s\r\nContent-Length: %d\r\n\r\n%s", id, n,
		strings.Repeat("x", n))
}

func read(t testing.TB, c net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	for at := 0; at < n; {
		k, err := c.Read(b[at:])
		if err != nil {
			t.Fatalf("read %d of %d bytes: %v", at, n, err)
		}
		at += k
	}
	return string(b)
}

// ended waits for the other side to close.
func ended(t testing.TB, c net.Conn) {
	t.Helper()
	b := make([]byte, 64<<10)
	for {
		_, err := c.Read(b)
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Fatal("the connection is still open")
		}
		if err != nil {
			return
		}
	}
}

// smallBuffer makes a socket take little that nobody reads.
func smallBuffer(_, _ string, rc syscall.RawConn) (err error) {
	_ = rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 2304) })
	return err
}

func netipAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
