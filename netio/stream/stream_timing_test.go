package stream

import (
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
)

// raw is a blocking connection without Go's poller, so that a test's own side allocates nothing.
func (r *rig) raw(i int) int {
	r.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd,
		&unix.SockaddrInet4{Port: int(r.e.Listeners()[i].Addr.Port), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		r.t.Fatal(err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20})
	return fd
}

// echo sends burst messages and has each answered by the shard.
func (r *rig) echo(fd int, in, answer, back []byte, burst int) {
	if n, err := unix.Write(fd, in); n != len(in) {
		r.t.Fatal(n, err)
	}
	p := r.e.Port(0)
	for got := 0; got < burst; {
		packets := p.Recv(64)
		for i := range packets {
			p.Begin(int(packets[i].Listener), &packets[i].Src, 1)
			p.Append(answer[:20])
			p.Append(answer[20:])
			p.End()
		}
		got += len(packets)
		p.Release()
		p.Flush()
		if len(packets) == 0 {
			time.Sleep(0)
		}
	}
	for got := 0; got < burst*len(answer); {
		n, err := unix.Read(fd, back)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			r.t.Fatal(n, err)
		}
		got += n
	}
}

// The whole path of a message, in by a connection and out again, on loop and shard.
func TestNoAllocationPerMessage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r := newRig(t, 1, func(c *Config) { c.Owner = func([]byte) int { return 0 }; c.Ring = func(int) {} })
	fd := r.raw(0)
	const burst = 32
	m := message("alloc", 300)
	in, answer, back := []byte(strings.Repeat(m, burst)), []byte(m), make([]byte, 1<<16)
	for range 100 {
		r.echo(fd, in, answer, back, burst)
	}
	if n := testing.AllocsPerRun(200, func() { r.echo(fd, in, answer, back, burst) }); n > 1 {
		t.Errorf("%v allocations for %d messages", n, burst)
	}
}

func BenchmarkEcho(b *testing.B) {
	for _, burst := range []int{1, 32} {
		b.Run(map[int]string{1: "single", 32: "burst"}[burst], func(b *testing.B) {
			r := newRig(b, 1, func(c *Config) { c.Owner = func([]byte) int { return 0 }; c.Ring = func(int) {} })
			fd := r.raw(0)
			m := message("bench", 300)
			in, answer, back := []byte(strings.Repeat(m, burst)), []byte(m), make([]byte, 1<<16)
			b.ReportAllocs()
			for b.Loop() {
				r.echo(fd, in, answer, back, burst)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst), "ns/message")
		})
	}
}

// BenchmarkFrame is the framing alone, per message of 600 bytes.
func BenchmarkFrame(b *testing.B) {
	m := []byte("INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK776asdhds\r\n" +
		"Max-Forwards: 70\r\nTo: Bob <sip:bob@example.com>\r\nFrom: Alice <sip:alice@example.com>;tag=1928301774\r\n" +
		"Call-ID: a84b4c76e66710@pc33.example.com\r\nCSeq: 314159 INVITE\r\nContact: <sip:alice@pc33.example.com>\r\n" +
		"Content-Type: application/sdp\r\nContent-Length: 200\r\n\r\n" + strings.Repeat("v", 200))
	f := framer{}
	f.reset()
	b.SetBytes(int64(len(m)))
	for b.Loop() {
		if kind, n, _ := f.next(m, 65535); kind != frameMessage || n != len(m) {
			b.Fatal(kind, n)
		}
		f.reset()
	}
}

// BenchmarkSend is what a shard pays for one message to an open connection, the loop's part apart.
func BenchmarkSend(b *testing.B) {
	r := newRig(b, 1)
	l, dst := peer(b)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 1<<20)
		for {
			if _, err := c.(*net.TCPConn).Read(buf); err != nil {
				return
			}
		}
	}()
	p := r.e.Port(0)
	m := []byte(message("send", 300))
	send := func(dst *netio.Addr) {
		p.Begin(100, dst, 1)
		p.Append(m)
		p.End()
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		send(&dst)
		if i++; i%32 == 0 {
			p.Flush()
			for r.e.inflight.Load() > 256<<10 {
				time.Sleep(10 * time.Microsecond)
			}
		}
	}
	p.Flush()
}
