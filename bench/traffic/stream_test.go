package traffic

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStreamsUndisturbed(t *testing.T) {
	f := func(name string, cfg Config, started int) {
		t.Helper()
		if r := throughStreams(t, cfg, nil, nil); !r.Clean() || r.Started != uint64(started) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	f("closed loop", Config{Path: Raw, Concurrent: 16, Calls: 500}, 500)
	f("direct", Config{Path: Direct, Concurrent: 64, Calls: 3000}, 3000)
	f("open loop", Config{Path: Raw, Rate: 2000, Calls: 400}, 400)
	f("options", Config{Path: Direct, Mode: Options, Concurrent: 8, Calls: 300}, 300)
	f("hold, cancel", Config{Path: Raw, Mode: Hold, Concurrent: 50, Calls: 200, Duration: time.Millisecond}, 200)
	f("hold, final", Config{Path: Direct, Mode: Hold, Concurrent: 50, Calls: 200, Duration: time.Millisecond,
		Release: ReleaseFinal}, 200)
	f("TLS", Config{Path: Direct, Transport: TLS, Concurrent: 64, Calls: 3000}, 3000)
	f("TLS, open loop", Config{Path: Direct, Transport: TLS, Rate: 2000, Calls: 300}, 300)
}

// Wherever the stream is cut, the same messages come of it.
func TestStreamInPieces(t *testing.T) {
	f := func(name string, pieces func() int) {
		t.Helper()
		if r := throughStreams(t, Config{Path: Raw, Concurrent: 16, Calls: 150}, nil, pieces); !r.Clean() ||
			r.Started != 150 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	rng := rand.New(rand.NewPCG(3, 3))
	f("single bytes at times", func() int { return 1 + rng.IntN(3)*rng.IntN(200) })
	f("around the size of a message", func() int { return 300 + rng.IntN(700) })
}

// What the relay takes away or adds must be found again, message by message: nothing repeats a 180,
// and no caller repeats anything.
func TestStreamLossIsExact(t *testing.T) {
	n := 0
	r := throughStreams(t, Config{Path: Raw, Concurrent: 16, Calls: 200}, func(b []byte) [][]byte {
		if what(b) == "180 INVITE" {
			switch n++; n % 10 {
			case 0:
				return nil
			case 5:
				return [][]byte{b, b}
			}
		}
		return [][]byte{b}
	}, nil)
	if r.Completed != 200 || r.Lost != 20 || r.Messages["180"].Lost != 20 || r.Duplicated != 20 ||
		r.Retransmitted != 0 || r.Faulty != 0 {
		t.Errorf("%+v", r)
	}
	r = throughStreams(t, Config{Path: Raw, Rate: 500, Calls: 40, GiveUp: 300 * time.Millisecond},
		func(b []byte) [][]byte {
			if what(b) == "INVITE" {
				if n++; n%4 == 0 {
					return nil
				}
			}
			return [][]byte{b}
		}, nil)
	if r.Completed != 30 || r.Abandoned != 10 || r.Lost != 10 || r.Messages["INVITE"].Lost != 10 ||
		r.Retransmitted != 0 {
		t.Errorf("%+v", r)
	}
}

func TestStreamFaultsAreNamed(t *testing.T) {
	f := func(message, old, new, want string) {
		t.Helper()
		spoiled := 0
		r := throughStreams(t, Config{Path: Raw, Concurrent: 1, Calls: 20, GiveUp: 2 * time.Second},
			func(b []byte) [][]byte {
				if what(b) == message && spoiled < 3 {
					if c := bytes.Replace(b, []byte(old), []byte(new), 1); !bytes.Equal(c, b) {
						spoiled++
						return [][]byte{c}
					}
				}
				return [][]byte{b}
			}, nil)
		if got := fmt.Sprint(r.Faults); spoiled != 3 || got != "map["+want+"]" || r.Started != 20 {
			t.Errorf("%q for %q in %s: spoiled %d, faults %v, want %s", new, old, message, spoiled, got, want)
		}
	}
	f("180 INVITE", "branch=z9hG4bKi", "branch=z9hG4bKb", "wrong_branch:3")
	f("INVITE", "t=0 0", "t=0 1", "wrong_body:3")
	// 200, and ACK and BYE sent there
	f("200 INVITE", "Contact: <sip:bob", "Contact: <sip:rob", "wrong_uri:9")
	f("INVITE", ";transport=tcp SIP", ";transport=udp SIP", "wrong_uri:3")
	f("BYE", "Max-Forwards: 70", "Max-Forwards: 69", "wrong_max_forwards:3")
}

// Where a message ends cannot be told without Content-Length: the connection is given up, its calls
// are abandoned, and all of it is counted.
func TestUnframedConnectionIsGivenUp(t *testing.T) {
	f := func(name, old, new string) {
		t.Helper()
		spoiled := false
		r := throughStreams(t, Config{Path: Raw, Concurrent: 4, Calls: 60, GiveUp: 200 * time.Millisecond},
			func(b []byte) [][]byte {
				if what(b) == "180 INVITE" && !spoiled {
					spoiled = true
					return [][]byte{bytes.Replace(b, []byte(old), []byte(new), 1)}
				}
				return [][]byte{b}
			}, nil)
		if r.Faults["malformed"] != 1 || r.Sockets.Closed == 0 || r.Abandoned == 0 || r.Completed == 0 ||
			r.Completed+r.Abandoned != r.Started || r.Unfinished != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	f("no length", "Content-Length: 0\r\n", "")
	f("not a number", "Content-Length: 0\r\n", "Content-Length: x\r\n")
	f("more than a message may be", "Content-Length: 0\r\n", "Content-Length: 999999\r\n")
	f("no end", "Contact: ", "X: "+strings.Repeat("x", 2*frameBytes)+"\r\nContact: ")
	f("rubbish", "SIP/2.0 180", "SIP/2.0 1x0")
}

// The plain stream allocates nothing per message, as UDP does not.
func TestStreamsAllocateNothing(t *testing.T) {
	var before, after runtime.MemStats
	cfg := Config{Path: Direct, Concurrent: 32, Warmup: 100 * time.Millisecond, Duration: 300 * time.Millisecond}
	cfg.OnWindow = func(open bool) {
		if open {
			runtime.ReadMemStats(&before)
		} else {
			runtime.ReadMemStats(&after)
		}
	}
	r := throughStreams(t, cfg, nil, nil)
	if r.WindowCompleted < 50 {
		t.Fatalf("%+v", r)
	}
	if n := after.Mallocs - before.Mallocs; n > r.WindowCompleted/10+20 {
		t.Errorf("%d allocations in %d calls", n, r.WindowCompleted)
	}
}

func TestTLSIsReported(t *testing.T) {
	r := throughStreams(t, Config{Path: Direct, Transport: TLS, Concurrent: 2, Calls: 10}, nil, nil)
	if !strings.HasPrefix(r.TLS, "TLS 1.3 TLS_") || r.TLSOut != r.TLS {
		t.Errorf("%q, %q", r.TLS, r.TLSOut)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	cfg := Config{Transport: TCP, Server: at, Callers: []netip.AddrPort{netip.AddrPortFrom(loopback, 0)},
		Answerers:  []netip.AddrPort{netip.AddrPortFrom(loopback, 0)},
		Concurrent: 1, Calls: 1}
	before := openFiles(t)
	if e, err := New(cfg); err == nil {
		e.Close()
		t.Error("connected to nobody")
	}
	if n := openFiles(t); n != before {
		t.Errorf("%d files open, %d before", n, before)
	}
}

// A peer that answers TLS with something else, or hangs up, is an error of the start; nothing stays
// open.
func TestFailedHandshake(t *testing.T) {
	before := openFiles(t)
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("SIP/2.0 200 OK\r\n\r\n"))
			c.Close()
		}
	}()
	cfg := Config{Transport: TLS, Server: l.Addr().(*net.TCPAddr).AddrPort(), Concurrent: 1, Calls: 1}
	for range 3 {
		cfg.Callers = append(cfg.Callers, netip.AddrPortFrom(loopback, 0))
		cfg.Answerers = append(cfg.Answerers, netip.AddrPortFrom(loopback, 0))
	}
	if e, err := New(cfg); err == nil || !strings.Contains(err.Error(), "handshake") {
		t.Errorf("%v, %v", e, err)
	}
	l.Close()
	<-done
	if n := openFiles(t); n > before {
		t.Errorf("%d files open, %d before", n, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range list {
		// The runtime opens its own epoll set and event at the first use of the network.
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// A peer that does not read takes nothing from what was queued: all of it arrives, in order, once
// it reads again.
func TestPendingIsSentLater(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	if err := unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 8192); err != nil {
		t.Fatal(err)
	}
	e := &Engine{rx: newReceiver()}
	if e.poll, err = newPoller(); err != nil {
		t.Fatal(err)
	}
	defer e.poll.close()
	s := &socket{
		fd: pair[0], stream: &stream{account: &e.account}, frames: make([]byte, batchDatagrams*frameBytes),
		errors: &e.account.sockets,
	}
	defer s.close()
	if err := e.poll.add(s, 0); err != nil {
		t.Fatal(err)
	}
	var want, got []byte
	for i := range 500 {
		b := fmt.Appendf(s.frame(), "%0999d\n", i)
		want = append(want, b...)
		s.queue(b, laneLast)
	}
	s.flush()
	if len(s.stream.pending) == 0 || !s.stream.waiting {
		t.Fatal("the kernel took everything: the test does not test")
	}
	buffer := make([]byte, 5000)
	for len(got) < len(want) {
		n, err := unix.Read(pair[1], buffer)
		if err != nil {
			if e.poll.wait(int64(10*time.Second)) != 1 {
				t.Fatal("nothing to read, and the kernel takes nothing")
			}
			e.drainStream(s, e.poll.events[0].Events)
			continue
		}
		got = append(got, buffer[:n]...)
	}
	if !bytes.Equal(got, want) || s.stream.waiting || len(s.stream.pending) > 0 ||
		e.account.sockets != (SocketErrors{}) {
		t.Errorf("%d bytes of %d, pending %d, %+v", len(got), len(want), len(s.stream.pending), e.account.sockets)
	}
	// And one that never does is given up at the limit.
	for i := 0; i < 2*maxPendingBytes/1000 && !s.stream.closed; i++ {
		s.queue(fmt.Appendf(s.frame(), "%0999d\n", i), laneLast)
	}
	if !s.stream.closed || e.account.sockets.Closed != 1 {
		t.Errorf("still open with %d bytes pending, %+v", len(s.stream.pending), e.account.sockets)
	}
}
