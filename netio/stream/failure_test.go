package stream

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
)

func TestPanicCostsOneConnection(t *testing.T) {
	r := newRig(t, 1, func(c *Config) {
		c.Owner = func(m []byte) int {
			if strings.Contains(string(m), "boom") {
				panic("boom")
			}
			return 0
		}
	})
	other := r.dial(0)
	r.write(other, message("fine", 0))
	src := r.recv(0, 1)[0].src
	bad := r.dial(0)
	r.write(bad, message("boom", 0))
	ended(t, bad)
	m := message("still", 0)
	r.write(other, m)
	r.recv(0, 1)
	r.send(0, 100, src, 0, m)
	if s := read(t, other, len(m)); s != m {
		t.Fatal(s)
	}
	if s := r.e.Stats(); s.Panics != 1 || s.Ended[Panicked] != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestClosedAfterSend(t *testing.T) {
	r := newRig(t, 1)
	l, dst := peer(t)
	m := message("request", 0)
	for i := range 100 { // more than are remembered
		r.send(0, 100, dst, uint64(i+1), m)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	read(t, c, 100*len(m))
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
	told := make(map[uint64]bool)
	r.wait("failures", func() bool {
		for _, f := range r.e.Port(0).Failures() {
			if f.Reason != ClosedAfterSend || told[f.Token] || !f.Established || f.Dst != dst {
				t.Fatalf("%+v", f)
			}
			told[f.Token] = true
		}
		return len(told) == sentRemembered
	})
	for i := range sentRemembered {
		if !told[uint64(100-i)] {
			t.Fatalf("not told of %d", 100-i)
		}
	}
	if s := r.e.Stats(); s.ConReset != 1 {
		t.Fatalf("%+v", s)
	}
	p := r.e.Port(0)
	p.Options(SendOptions{NoConnect: true})
	if why := r.send(0, 100, dst, 0, m); why != NoConnection {
		t.Fatal(why)
	}
}

// TestGivenBack: a message whose connection ends before the kernel has it comes back whole, under
// TLS as it was before it was sealed; one that was written does not.
func TestGivenBack(t *testing.T) {
	r := newRig(t, 1)
	m, p := message("response", 0), r.e.Port(0)
	queue := func(c *net.TCPConn) netio.Addr {
		r.write(c, message("request", 0))
		src := r.recv(0, 1)[0].src
		p.Options(SendOptions{NoConnect: true, GiveBack: true})
		p.Queue(100, &src, 0, []byte(m))
		if p.Last() != OK {
			t.Fatal(p.Last())
		}
		return src
	}
	c := r.dial(0)
	queue(c)
	p.Flush()
	read(t, c, len(m))
	c.Close()
	r.wait("the end", func() bool { return r.e.Stats().CurrentOpened == 0 })

	c = r.dial(0)
	src := queue(c) // and not flushed
	_ = c.SetLinger(0)
	c.Close()
	f := r.failure(0)
	if string(f.Message) != m || f.Token != 0 || f.Reason != Reset && f.Reason != Closed || f.Dst != src ||
		!f.Established || f.Stuck {
		t.Fatalf("%+v", f)
	}
	p.Flush()
	if more := p.Failures(); len(more) != 0 {
		t.Fatalf("%+v", more)
	}
	out := newOutMsg()
	out.data, out.back = append(out.data, m...), true
	out.raw, out.data = out.data, []byte("sealed")
	if b := out.giveBack(); string(b) != m {
		t.Fatalf("%q", b)
	}
}

func TestAlias(t *testing.T) {
	r := newRig(t, 2)
	c := r.dial(0)
	r.write(c, message("x", 0))
	src := r.recv(0, 1)[0].src
	p := r.e.Port(0)
	for range 2 { // the second is the same one
		if !p.Alias(100, &src, 5070) {
			t.Fatal("no alias")
		}
	}
	alias := src
	alias.Port = 5070
	m := message("by alias", 0)
	r.e.Port(1).Options(SendOptions{NoConnect: true})
	if why := r.send(1, 100, alias, 0, m); why != OK {
		t.Fatal(why)
	}
	if s := read(t, c, len(m)); s != m {
		t.Fatal(s)
	}
	n := 1
	for p.Alias(100, &src, uint16(6000+n)) {
		n++
	}
	if n > maxAliases+2 {
		t.Fatal(n, "aliases")
	}
	c.Close()
	r.wait("the end", func() bool { return r.e.Stats().CurrentOpened == 0 })
	if p.Connected(100, &alias) || p.Alias(100, &src, 1) {
		t.Fatal("the alias outlives its connection")
	}
}

func TestConnsPerDestination(t *testing.T) {
	r := newRig(t, 4, func(c *Config) { c.Limits.ConnsPerDestination.Store(4) })
	l, dst := peer(t)
	m := message("x", 0)
	for round := range 3 {
		for shard := range 4 {
			if why := r.send(shard, 100, dst, 0, m); why != OK {
				t.Fatal(round, why)
			}
		}
	}
	for range 4 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		read(t, c, 3*len(m))
		r.write(c, message("answer", 0))
		// An answer to what came on any of them has a connection to go by.
		src := r.recv(0, 1)[0].src
		r.e.Port(2).Options(SendOptions{NoConnect: true})
		if why := r.send(2, 100, src, 0, m); why != OK {
			t.Fatal(why)
		}
	}
	if s := r.e.Stats(); s.ConnectSuccess != 4 || s.CurrentOpened != 4 {
		t.Fatalf("%+v", s)
	}
}

func TestCloseAfter(t *testing.T) {
	r := newRig(t, 1)
	c := r.dial(0)
	r.write(c, message("x", 0))
	src := r.recv(0, 1)[0].src
	m := message("last", 5000)
	r.e.Port(0).Options(SendOptions{CloseAfter: true})
	r.send(0, 100, src, 0, m)
	if s := read(t, c, len(m)); s != m {
		t.Fatal(s)
	}
	ended(t, c)
}

// Without descriptors the acceptor waits, peers hear it, and established connections go on. In a
// process of its own, for the limit is the process's.
func TestNoDescriptors(t *testing.T) {
	if os.Getenv("STREAM_NO_DESCRIPTORS") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNoDescriptors$", "-test.v")
		cmd.Env = append(os.Environ(), "STREAM_NO_DESCRIPTORS=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	r := newRig(t, 1)
	c := r.dial(0)
	r.write(c, message("before", 0))
	src := r.recv(0, 1)[0].src
	// A socket to connect with is made before the limit falls.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	next, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd,
		&unix.SockaddrInet4{Port: int(r.e.Listeners()[0].Addr.Port), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	// Most often accept fails; it may catch a descriptor that was just closed, and then the event
	// loop cannot have its own.
	r.wait("accept to fail", func() bool { s := r.e.Stats(); return s.AcceptFailed > 0 || s.Ended[NoDescriptor] > 0 })
	r.wait("the peer to be told", func() bool {
		n, err := unix.Read(fd, make([]byte, 1))
		return err == unix.ECONNRESET || err == nil && n == 0
	})
	m := message("during", 0)
	r.write(c, m)
	r.recv(0, 1)
	r.send(0, 100, src, 0, m)
	read(t, c, len(m))
	// A dial fails for the same reason, if it does not catch the reserve while the acceptor uses
	// it: then nobody listens there.
	dst := netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 9, Family: 4}
	r.send(0, 100, dst, 3, m)
	if f := r.failure(0); f.Reason != NoDescriptor && f.Reason != ConnectFailed || f.Token != 3 {
		t.Fatalf("%+v", f)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	again := r.dial(0)
	r.write(again, m)
	r.recv(0, 1)
	if s := r.e.Stats(); s.Rejected[NoDescriptor]+s.Ended[NoDescriptor] == 0 {
		t.Fatalf("%+v", s)
	}
}

func TestHandshakeStorm(t *testing.T) {
	pki := newCerts(t)
	r := newRig(t, 1, allTransports(pki), func(c *Config) {
		c.Limits.MaxAdmitting.Store(50)
		c.Limits.AdmitTimeout.Store(time.Second)
	})
	before := r.dialTLS(onTLS, pki)
	for range 150 {
		if c, err := net.Dial("tcp", r.addr(1)); err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	r.wait("refusals", func() bool { return r.e.Stats().AdmitsRefused >= 100 })
	m := message("established", 0)
	r.write(before, m)
	src := r.recv(0, 1)[0].src
	r.send(0, onTLS, src, 0, m)
	if s := read(t, before, len(m)); s != m {
		t.Fatal(s)
	}
	r.wait("those that say nothing to be closed", func() bool { return r.e.Stats().CurrentOpened == 1 })
	r.write(r.dialTLS(onTLS, pki), m)
	r.recv(0, 1)
}
