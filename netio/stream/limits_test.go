package stream

import (
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// stuck is a peer that never reads: a connection whose receive buffer is as small as it gets.
func (r *rig) stuck(i int) (*net.TCPConn, netio.Addr) {
	r.t.Helper()
	d := net.Dialer{Control: smallBuffer}
	c, err := d.Dial("tcp", r.addr(i))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	src := netio.AddrFrom(c.LocalAddr().(*net.TCPAddr).AddrPort())
	r.wait("the connection", func() bool {
		for _, i := range r.e.List(1000) {
			if i.Src == src && i.State == "CONN_OK" {
				return true
			}
		}
		return false
	})
	return c.(*net.TCPConn), src
}

// fill sends until bytes are left that the peer does not take, and returns those sent.
func (r *rig) fill(dst netio.Addr, m string) int {
	r.t.Helper()
	for sent := 0; ; sent += len(m) {
		if s := r.e.Stats(); s.CurrentWriteQueued > 0 {
			return sent
		}
		if sent > 64<<20 {
			r.t.Fatal("the peer takes everything")
		}
		if why := r.send(0, 100, dst, 0, m); why != OK {
			r.t.Fatal(why)
		}
		r.wait("the loop to try", func() bool { return r.e.Stats().CurrentInflight == 0 })
	}
}

func smallSendBuffer(r *rig) {
	for _, c := range r.e.registry.some(10) {
		c.smallSendBuffer()
	}
}

func (c *conn) smallSendBuffer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4608)
}

func TestConnWqMax(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Limits.SendTimeout.Store(time.Hour) })
	_, dst := r.stuck(0)
	smallSendBuffer(r)
	healthy := r.dial(0)
	r.write(healthy, message("healthy", 0))
	src := r.recv(0, 1)[0].src
	m := message("stuck", 1000)
	r.fill(dst, m)
	queued := r.e.Stats().CurrentWriteQueued
	// Exactly the limit is accepted, one byte more is not.
	r.e.limits.ConnWqMax.Store(queued + int64(2*len(m)))
	for range 2 {
		if why := r.send(0, 100, dst, 0, m); why != OK {
			t.Fatal(why)
		}
	}
	r.wait("the bytes", func() bool { return r.e.Stats().CurrentWriteQueued == queued+int64(2*len(m)) })
	if why := r.send(0, 100, dst, 9, "x"); why != QueueFull {
		t.Fatal(why)
	}
	if f := r.failure(0); f.Token != 9 || f.Reason != QueueFull {
		t.Fatalf("%+v", f)
	}
	r.wait("the end", func() bool { return r.e.Stats().CurrentOpened == 1 })
	if s := r.e.Stats(); s.CurrentWriteQueued != 0 || s.SendqFull != 1 {
		t.Fatalf("%+v", s)
	}
	if why := r.send(0, 100, src, 0, m); why != OK {
		t.Fatal(why)
	}
	if s := read(t, healthy, len(m)); s != m {
		t.Fatal("the healthy one was hurt")
	}
}

// What one batch brings at once is held against the limits only as far as the kernel does not take
// it.
func TestConnWqMaxOfABatch(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	r.write(c, message("x", 0))
	src := r.recv(0, 1)[0].src
	p := r.e.Port(0)
	m := message("batch", 2000)
	n := 100
	for range n { // 200 KB and more, ConnWqMax is 32 KiB
		p.Queue(100, &src, 1, []byte(m))
		if p.Last() != OK {
			t.Fatal(p.Last())
		}
	}
	p.Flush()
	if s := read(t, c, n*len(m)); s != strings.Repeat(m, n) {
		t.Fatal("messages differ")
	}

	// The kernel leaves more than the limit: the connection goes, and every message not written is
	// told of.
	_, dst := r.stuck(0)
	for _, k := range r.e.registry.some(10) {
		if k.k.addr == dst {
			k.smallSendBuffer()
		}
	}
	for i := range 100 {
		p.Options(SendOptions{NoConnect: true})
		p.Queue(100, &dst, uint64(i+1), []byte(m))
	}
	p.Flush()
	told := 0
	r.wait("failures", func() bool {
		for _, f := range p.Failures() {
			if f.Reason != QueueFull && f.Reason != ClosedAfterSend && f.Reason != NoConnection {
				t.Fatalf("%+v", f)
			}
			told++
		}
		return told == 100
	})
}

func TestWqMax(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Limits.SendTimeout.Store(time.Hour) })
	r.e.limits.ConnWqMax.Store(32 << 10)
	r.e.limits.WqMax.Store(48 << 10)
	m := message("stuck", 1000)
	end := func(dst netio.Addr) Reason {
		t.Helper()
		p := r.e.Port(0)
		for {
			p.Options(SendOptions{NoConnect: true})
			why := r.send(0, 100, dst, 0, m)
			if why != OK {
				return why
			}
			r.wait("the loop to try", func() bool { return r.e.Stats().CurrentInflight == 0 })
			if r.e.queuedOf(dst) > 31<<10 {
				return OK
			}
		}
	}
	_, first := r.stuck(0)
	if why := end(first); why != OK {
		t.Fatal(why)
	}
	one := r.e.Stats().CurrentWriteQueued
	_, second := r.stuck(0)
	if why := end(second); why != QueueFull && why != NoConnection {
		t.Fatal(why, r.e.Stats())
	}
	r.wait("the end of the second", func() bool { return r.e.Stats().CurrentOpened == 1 })
	if s := r.e.Stats(); s.CurrentWriteQueued != one || s.SendqFull != 1 {
		t.Fatalf("%+v, the first has %d", s, one)
	}
}

// queuedOf is what waits for one peer.
func (e *Engine) queuedOf(dst netio.Addr) int {
	for _, c := range e.registry.some(1000) {
		if c.k.addr == dst {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.queued
		}
	}
	return 0
}

func TestSendTimeout(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Limits.SendTimeout.Store(300 * time.Millisecond) })
	_, dst := r.stuck(0)
	m := message("stuck", 1000)
	r.fill(dst, m)
	if why := r.send(0, 100, dst, 4, m); why != OK {
		t.Fatal(why)
	}
	if f := r.failure(0); f.Token != 4 || f.Reason != SendTimeout || !f.Established {
		t.Fatalf("%+v", f)
	}
	r.wait("the end", func() bool { return r.e.Stats().CurrentOpened == 0 })
	if s := r.e.Stats(); s.CurrentWriteQueued != 0 || s.SendTimeout != 1 {
		t.Fatalf("%+v", s)
	}
}

// The kernel's own time-out of a blocked connection (TCP_USER_TIMEOUT) has the same name as ours;
// keep-alive probes that nobody answers have not.
func TestClosedBy(t *testing.T) {
	f := func(blocked bool, idle time.Duration, errno unix.Errno, want Reason) {
		t.Helper()
		c := &conn{blocked: blocked}
		c.sendTimeout.Store(int64(3 * time.Second))
		c.seen.Store(int64(time.Hour))
		if got := c.closedBy(errno, int64(time.Hour+idle)); got != want {
			t.Errorf("blocked %v, idle for %v, %v: %v, want %v", blocked, idle, errno, got, want)
		}
	}
	f(true, time.Minute, unix.ETIMEDOUT, SendTimeout)
	f(false, 3*time.Second, unix.ETIMEDOUT, SendTimeout) // of what the kernel had taken
	f(false, time.Minute, unix.ETIMEDOUT, Reset)
	f(true, 0, unix.ECONNRESET, Reset)
	f(true, 0, 0, Closed)
}

// TestSendTimeoutInTheKernel: what the kernel took, and the peer does not, has the same time as
// what the kernel does not take; a time-out of the message's own too, on a connection that is there
// already.
func TestSendTimeoutInTheKernel(t *testing.T) {
	f := func(limit time.Duration, o SendOptions) {
		t.Helper()
		r := newRig(t, 1, func(c *Config) { c.Limits.SendTimeout.Store(limit) })
		_, dst := r.stuck(0)
		m := message("stuck", 1000)
		for range 64 { // far beyond its window, and far below what the kernel takes
			r.send(0, 100, dst, 0, m)
		}
		r.wait("the loop to try", func() bool { return r.e.Stats().CurrentInflight == 0 })
		began := time.Now()
		r.e.Port(0).Options(o)
		if why := r.send(0, 100, dst, 4, m); why != OK {
			t.Fatal(why)
		}
		if got := r.failure(0); got.Token != 4 || got.Errno != unix.ETIMEDOUT || !got.Stuck {
			t.Fatalf("%+v", got)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("limit %v: it took %v", limit, took)
		}
		r.wait("the end", func() bool { return r.e.Stats().CurrentOpened == 0 })
		if s := r.e.Stats(); s.SendTimeout != 1 {
			t.Fatalf("%+v", s)
		}
	}
	f(time.Second, SendOptions{})
	f(time.Hour, SendOptions{SendTimeout: time.Second})
}

// A peer that reads slowly is no dead one: whenever bytes leave the time starts again, and every
// byte arrives.
func TestDripReader(t *testing.T) {
	const timeout = time.Second
	r := newRig(t, 1, func(c *Config) { c.Limits.SendTimeout.Store(timeout); c.Limits.ConnWqMax.Store(1 << 20) })
	c, dst := r.stuck(0)
	smallSendBuffer(r)
	m := message("slow", 1000)
	sent := r.fill(dst, m)
	for range 100 {
		if why := r.send(0, 100, dst, 1, m); why != OK {
			t.Fatal(why)
		}
		sent += len(m)
	}
	began := time.Now()
	for got := 0; got < sent; {
		k := min(8<<10, sent-got)
		read(t, c, k)
		got += k
		time.Sleep(min(timeout/10, 3*timeout/time.Duration(sent/(8<<10)+1)))
	}
	r.wait("the queue to empty", func() bool { return r.e.Stats().CurrentWriteQueued == 0 })
	if s := r.e.Stats(); s.SendTimeout != 0 || s.CurrentOpened != 1 {
		t.Fatalf("after %v: %+v", time.Since(began), s)
	}
}

// blackhole is an address whose listen queue is full: the kernel drops further SYNs.
func blackhole(t testing.TB) netio.Addr {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	in := sa.(*unix.SockaddrInet4)
	addr := netio.Addr{Family: 4, Port: uint16(in.Port)}
	copy(addr.IP[:], in.Addr[:])
	for range 3 {
		c, err := net.DialTimeout("tcp", addr.String(), 200*time.Millisecond)
		if err != nil {
			break
		}
		t.Cleanup(func() { c.Close() })
	}
	return addr
}

func TestConnectTimeout(t *testing.T) {
	dst := blackhole(t)
	r := newRig(t, 1, func(c *Config) { c.Limits.ConnectTimeout.Store(400 * time.Millisecond) })
	big := message("first", 40000) // over ConnWqMax: the first is not held against it
	if why := r.send(0, 100, dst, 1, big); why != OK {
		t.Fatal(why)
	}
	if i := r.e.List(9); len(i) != 1 || i[0].State != "CONN_CONNECT" || i[0].Queued != len(big) {
		t.Fatalf("%+v", i)
	}
	f := r.failure(0)
	if f.Token != 1 || f.Reason != ConnectTimeout || f.Established || f.Dst != dst {
		t.Fatalf("%+v", f)
	}
	r.wait("the end", func() bool { return r.e.Stats().CurrentOpened == 0 })
	if s := r.e.Stats(); s.CurrentWriteQueued != 0 || s.ConnectFailed != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestConnWqMaxWhileConnecting(t *testing.T) {
	dst := blackhole(t)
	r := newRig(t, 1)
	m := message("x", 10000)
	var why Reason
	n := 0
	for ; why == OK; n++ {
		why = r.send(0, 100, dst, uint64(n+1), m)
	}
	if why != QueueFull || n != 4 {
		t.Fatalf("%v at message %d", why, n)
	}
	var failures []Failure
	r.wait("failures", func() bool {
		failures = append(failures, r.e.Port(0).Failures()...)
		return len(failures) >= n
	})
	if s := r.e.Stats(); s.CurrentWriteQueued != 0 || len(failures) != n {
		t.Fatalf("%+v %+v", failures, s)
	}
}
