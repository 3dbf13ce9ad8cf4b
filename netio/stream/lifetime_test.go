package stream

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMaxConnections(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Limits.MaxConnections.Store(3) })
	for i := range 3 {
		c := r.dial(0)
		r.write(c, message(fmt.Sprint(i), 0))
		r.recv(0, 1)
	}
	r.turnedAway(0)
	_, dst := peer(t)
	if why := r.send(0, 100, dst, 0, "x"); why != TooMany {
		t.Fatal(why)
	}
	r.wait("the books", func() bool { return r.e.Stats().LocalReject == 2 })
}

func TestAcceptLimitsOfASource(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Limits.AcceptIPLimit.Store(2) })
	first := r.dial(0)
	r.dial(0)
	r.turnedAway(0)
	if s := r.e.Stats(); s.Rejected[TooManyFromSource] != 1 {
		t.Fatalf("%+v", s)
	}
	r.wait("two", func() bool { return r.e.Stats().Established == 2 })
	first.Close()
	r.wait("one", func() bool { return r.e.Stats().CurrentOpened == 1 })
	c := r.dial(0)
	r.write(c, message("x", 0))
	r.recv(0, 1)

	r.e.limits.AcceptIPLimit.Store(0)
	r.e.limits.AcceptRate.Store(1)
	r.wait("a refusal for the rate", func() bool {
		if c, err := net.Dial("tcp", r.addr(0)); err == nil {
			c.Close()
		}
		return r.e.Stats().Rejected[TooManyFromSource] > 1
	})
}

func TestIdleLifetime(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Limits.Lifetime.Store(200 * time.Millisecond) })
	c := r.dial(0)
	r.write(c, message("x", 0))
	src := r.recv(0, 1)[0].src
	keep := r.dial(0)
	r.write(keep, message("y", 0))
	kept := r.recv(0, 1)[0].src
	if !r.e.Port(0).Lifetime(100, &kept, time.Hour) || src == kept {
		t.Fatal("no connection")
	}
	ended(t, c)
	if s := r.e.Stats(); s.ConTimeout != 1 || s.CurrentOpened != 1 {
		t.Fatalf("%+v", s)
	}
	if r.e.Port(0).Lifetime(100, &src, time.Second) {
		t.Fatal("the dead one has a lifetime")
	}
}

func TestSlowMessage(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Limits.MessageTimeout.Store(200 * time.Millisecond) })
	c := r.dial(0)
	r.write(c, "\r\n")
	m := message("x", 30)
	for i := 0; r.e.Stats().Ended[SlowMessage] == 0 && i < len(m)-1; i++ {
		if _, err := c.Write([]byte(m[i : i+1])); err != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	ended(t, c)
	if s := r.e.Stats(); s.Ended[SlowMessage] != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestFaultsAreAnsweredThenClosed(t *testing.T) {
	r := newRig(t, 1)
	f := func(fault Fault, m string) {
		t.Helper()
		c := r.dial(0)
		r.write(c, m+"more and more")
		g := r.recv(0, 1)[0]
		if g.fault != fault || !strings.HasPrefix(m, g.data) || !strings.HasSuffix(g.data, "\r\n\r\n") {
			t.Fatalf("%+v", g)
		}
		answer := message("answer", 0)
		if why := r.send(0, 100, g.src, 0, answer); why != OK {
			t.Fatal(why)
		}
		if s := read(t, c, len(answer)); s != answer {
			t.Fatal(s)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatal("more than the answer")
		}
		c.Close()
		r.wait("the end", func() bool { return r.e.Stats().CurrentOpened == 0 })
	}
	f(NoLength, "INVITE a SIP/2.0\r\nTo: x\r\n\r\n")
	f(BadLength, "INVITE a SIP/2.0\r\nl: x\r\n\r\n")
	f(TooLong, "INVITE a SIP/2.0\r\nl: 70000\r\n\r\n"+strings.Repeat("x", 70000))

	// One that is not answered.
	c := r.dial(0)
	r.write(c, "INVITE a SIP/2.0\r\n\r\n")
	r.recv(0, 1)
	ended(t, c)
	if s := r.e.Stats(); s.Faults != 4 || s.Ended[BadFraming] != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestJunk(t *testing.T) {
	r := newRig(t, 1)
	for _, junk := range []string{"GET / HTTP/1.1\r\n", "\x16\x03\x01\x02\x00", "no sip\n",
		strings.Repeat("x", 66000)} {
		c := r.dial(0)
		_, _ = c.Write([]byte(junk))
		ended(t, c)
	}
	if s := r.e.Stats(); s.Ended[Junk] != 3 || s.Ended[MessageTooLong] != 1 || s.MessagesIn != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestDrain(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.Limits.ConnWqMax.Store(1 << 20) })
	c, dst := r.stuck(0)
	smallSendBuffer(r)
	m := message("last", 1000)
	sent := r.fill(dst, m)
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		done <- r.e.Drain(ctx)
	}()
	r.wait("the listener to close", func() bool {
		c, err := net.Dial("tcp", r.addr(0))
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	read(t, c, sent)
	ended(t, c)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// What an idle connection costs on the heap: the test's own ends are bare descriptors, which cost
// none.
func TestIdleConnectionBytes(t *testing.T) {
	const n = 1000
	r := newRig(t, 1, func(c *Config) { c.Limits.MaxConnections.Store(n + 1); c.Limits.AcceptIPLimit.Store(0) })
	fds := make([]int, n)
	sa := &unix.SockaddrInet4{Port: int(r.e.Listeners()[0].Addr.Port), Addr: [4]byte{127, 0, 0, 1}}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
		if err := unix.Connect(fd, sa); err != nil {
			t.Fatal(err)
		}
	}
	r.wait("connections", func() bool { return r.e.Stats().Established == n })
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n
	t.Logf("%d bytes of heap for each idle connection, %d goroutines for %d of them", each, runtime.NumGoroutine(), n)
	if each > idleConnectionBytes {
		t.Errorf("an idle connection costs %d bytes of heap, %d are allowed", each, idleConnectionBytes)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	r.wait("the end", func() bool { return r.e.Stats().CurrentOpened == 0 })
}

// idleConnectionBytes is what the test above allows: 1.2 KiB were measured (Go 1.26, 2026-11-26).
const idleConnectionBytes = 3 << 10
