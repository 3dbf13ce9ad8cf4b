package netio

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func mustListen(t testing.TB, shards int, opt Options, addrs ...string) *Group {
	t.Helper()
	var cfgs []ListenConfig
	for _, a := range addrs {
		cfgs = append(cfgs, ListenConfig{Addr: netip.MustParseAddrPort(a), RecvBufferBytes: 4 << 20})
	}
	g, err := Listen(cfgs, shards, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// pair returns the Ports of two one-shard groups on loopback, and the address of the second.
func pair(t testing.TB, host string) (from, to *Port, dst *Addr) {
	t.Helper()
	a, b := mustListen(t, 1, Options{}, host), mustListen(t, 1, Options{}, host)
	return a.Port(0), b.Port(0), &b.Listeners()[0].Addr
}

// receiveAll takes what has arrived; on loopback that is everything sent. Packets are copied.
func receiveAll(p *Port, listener int) []Packet {
	var all []Packet
	for {
		packets := p.Recv(listener)
		if len(packets) == 0 {
			return all
		}
		for _, pk := range packets {
			pk.Data = bytes.Clone(pk.Data)
			all = append(all, pk)
		}
		p.Release()
	}
}

func noFailures(t testing.TB, p *Port) {
	t.Helper()
	if f := p.Failures(); len(f) != 0 {
		t.Fatalf("failures: %+v", f)
	}
}

func TestSendAndReceive(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(host, func(t *testing.T) {
			from, to, dst := pair(t, host)
			from.Queue(0, dst, 1, []byte("OPTIONS "), nil, []byte("sip:x "), []byte("SIP/2.0\r\n"))
			from.Flush()
			noFailures(t, from)
			if ev := to.Wait(int64(time.Second)); !slices.Equal(ev.Ready, []uint16{0}) || len(ev.Errored) != 0 ||
				ev.Doorbell {
				t.Fatalf("events: %+v", ev)
			}
			got := receiveAll(to, 0)
			if len(got) != 1 || string(got[0].Data) != "OPTIONS sip:x SIP/2.0\r\n" || got[0].Truncated ||
				got[0].Listener != 0 {
				t.Fatalf("got %+v, want the three segments", got)
			}
			to.Queue(0, &got[0].Src, 2, []byte("answer"))
			to.Flush()
			if back := receiveAll(from, 0); len(back) != 1 || string(back[0].Data) != "answer" || back[0].Src != *dst {
				t.Fatalf("the answer came as %+v", back)
			}
		})
	}
}

// TestOrderAndAutomaticFlush queues more than a batch holds, by messages and by segments; all leave
// in order, before Flush where the batch is full.
func TestOrderAndAutomaticFlush(t *testing.T) {
	for _, segments := range []int{1, 5, 100} {
		from, to, dst := pair(t, "127.0.0.1:0")
		const messages = 5 * SendBatch / 2
		var texts [messages]string
		for i := range texts {
			from.Begin(0, dst, uint64(i))
			for s := range segments {
				piece := fmt.Sprintf("%d.%d ", i, s)
				texts[i] += piece
				from.Append([]byte(piece))
			}
			from.End()
		}
		from.Flush()
		noFailures(t, from)
		got := receiveAll(to, 0)
		if len(got) != messages {
			t.Fatalf("%d segments: received %d of %d", segments, len(got), messages)
		}
		for i := range got {
			if string(got[i].Data) != texts[i] {
				t.Fatalf("%d segments: message %d is %q, want %q", segments, i, got[i].Data, texts[i])
			}
		}
		if s := from.Stats(); s.SentDatagrams != messages || s.SendFailed != 0 {
			t.Errorf("%d segments: stats %+v", segments, s)
		}
	}
}

// TestGathering mixes messages of all sizes and numbers of segments in one batch: none may run into
// another.
func TestGathering(t *testing.T) {
	from, to, dst := pair(t, "127.0.0.1:0")
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		var want [][]byte
		for range 1 + random.IntN(40) {
			var message []byte
			from.Begin(0, dst, 0)
			limit := []int{10, 100, 1000, 5000}[random.IntN(4)]
			for range random.IntN(10) {
				segment := make([]byte, random.IntN(limit))
				for i := range segment {
					segment[i] = byte(random.Uint32())
				}
				from.Append(segment)
				message = append(message, segment...)
			}
			from.End()
			want = append(want, message)
		}
		from.Flush()
		noFailures(t, from)
		got := receiveAll(to, 0)
		if len(got) != len(want) {
			t.Fatalf("round %d: %d of %d arrived", round, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i].Data, want[i]) {
				t.Fatalf("round %d: message %d of %d bytes arrived as %d other bytes", round, i, len(want[i]),
					len(got[i].Data))
			}
		}
	}
}

// TestLargeGatheredMessages fills the gather memory, also beyond what a datagram can be.
func TestLargeGatheredMessages(t *testing.T) {
	from, to, dst := pair(t, "127.0.0.1:0")
	half := bytes.Repeat([]byte("h"), 32000)
	for i := range 10 {
		from.Queue(0, dst, uint64(2*i), half, half, []byte("tail"))
		from.Queue(0, dst, uint64(2*i+1), half, half, half, half)
		from.Flush()
		if f := from.Failures(); len(f) != 1 || f[0].Token != uint64(2*i+1) || f[0].Errno != unix.EMSGSIZE {
			t.Fatalf("failures %+v, want the second one too large", f)
		}
		if got := receiveAll(to, 0); len(got) != 1 || len(got[0].Data) != 64004 ||
			string(got[0].Data[64000:]) != "tail" {
			t.Fatalf("%d messages arrived", len(got))
		}
	}
}

func TestLargestDatagrams(t *testing.T) {
	f := func(host string, payloadBytes int, wantErrno unix.Errno) {
		t.Helper()
		from, to, dst := pair(t, host)
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)[:payloadBytes]
		from.Queue(0, dst, 77, data)
		from.Flush()
		failures := from.Failures()
		if wantErrno != 0 {
			if len(failures) != 1 || failures[0] != (SendFailure{Token: 77, Dst: *dst, Listener: 0, Errno: wantErrno}) {
				t.Errorf("%s, %d bytes: failures %+v, want %v", host, payloadBytes, failures, wantErrno)
			}
			return
		}
		if got := receiveAll(to, 0); len(got) != 1 || !bytes.Equal(got[0].Data, data) || got[0].Truncated {
			t.Errorf("%s: %d bytes arrived otherwise", host, payloadBytes)
		}
	}
	f("127.0.0.1:0", 65507, 0) // 65,535 less 20 bytes of IPv4 and 8 of UDP
	f("127.0.0.1:0", 65508, unix.EMSGSIZE)
	f("[::1]:0", 65527, 0) // the IPv6 header is not part of the length
	f("[::1]:0", 65528, unix.EMSGSIZE)
}

func TestTruncationIsReported(t *testing.T) {
	from, to, dst := pair(t, "127.0.0.1:0")
	apart(to)
	to.rx.iovs[1].Len = 100 // no real datagram is longer than a frame
	for range 3 {
		from.Queue(0, dst, 0, make([]byte, 200))
	}
	from.Flush()
	packets := to.Recv(0)
	if len(packets) != 3 || packets[0].Truncated || !packets[1].Truncated || packets[2].Truncated {
		t.Fatalf("received %+v, want the second one truncated", packets)
	}
	if len(packets[0].Data) != 200 || len(packets[1].Data) != 100 || to.Stats().RecvTruncated != 1 {
		t.Errorf("lengths %d and %d, counted %d", len(packets[0].Data), len(packets[1].Data), to.Stats().RecvTruncated)
	}
}

// TestFramesAreLeased: a second Recv must not touch what the first one gave out.
func TestFramesAreLeased(t *testing.T) {
	g := mustListen(t, 1, Options{}, "127.0.0.1:0", "[::1]:0")
	p := g.Port(0)
	apart(p)
	send := func(listener, n int) {
		for i := range n {
			p.Queue(listener, &g.Listeners()[listener].Addr, 0, fmt.Appendf(nil, "%d/%d", listener, i))
		}
		p.Flush()
		noFailures(t, p)
	}
	send(0, 40)
	send(1, RecvBatch-24)
	first, second := p.Recv(0), p.Recv(1)
	if len(first) != 40 || len(second) != RecvBatch-40 || p.Recv(1) != nil {
		t.Fatalf("received %d and %d datagrams, want 40 and the %d frames left, then nothing", len(first), len(second),
			RecvBatch-40)
	}
	for i := range first {
		if want := fmt.Sprintf("0/%d", i); string(first[i].Data) != want || first[i].Src != g.Listeners()[0].Addr ||
			cap(first[i].Data) != len(want) {
			t.Fatalf("packet %d is %q from %v", i, first[i].Data, first[i].Src)
		}
	}
	for i := range second {
		if want := fmt.Sprintf("1/%d", i); string(second[i].Data) != want || second[i].Listener != 1 ||
			second[i].Src.Family != 6 {
			t.Fatalf("packet %d is %q from %v", i, second[i].Data, second[i].Src)
		}
	}
	p.Release()
	if rest := p.Recv(1); len(rest) != 16 || string(rest[0].Data) != fmt.Sprintf("1/%d", RecvBatch-40) {
		t.Fatalf("after Release: %d datagrams", len(rest))
	}
}

func TestWait(t *testing.T) {
	for _, hasPwait2 := range []bool{true, false} {
		t.Run(fmt.Sprintf("epoll_pwait2 %v", hasPwait2), func(t *testing.T) {
			g := mustListen(t, 1, Options{}, "127.0.0.1:0")
			p := g.Port(0)
			p.hasPwait2 = p.hasPwait2 && hasPwait2
			sleep := func(timeout, atLeast time.Duration) {
				t.Helper()
				start := time.Now()
				ev := p.Wait(int64(timeout))
				if took := time.Since(start); took < atLeast || len(ev.Ready) != 0 || ev.Errno != 0 {
					t.Errorf("Wait(%v) took %v and gave %+v", timeout, took, ev)
				}
			}
			sleep(0, 0)
			sleep(100*time.Microsecond, 100*time.Microsecond)
			sleep(1500*time.Microsecond, 1500*time.Microsecond)

			bell, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(bell)
			if ev := p.Wait(0, bell); ev.Doorbell {
				t.Error("the doorbell rang by itself")
			}
			one := [8]byte{1}
			rung := make(chan error)
			go func() {
				time.Sleep(time.Millisecond)
				_, err := unix.Write(bell, one[:])
				rung <- err
			}()
			if ev := p.Wait(-1, bell); !ev.Doorbell {
				t.Errorf("the doorbell was not heard: %+v", ev)
			}
			if err := <-rung; err != nil {
				t.Fatal(err)
			}
			if ev := p.Wait(0, bell); ev.Doorbell {
				t.Error("one ring was heard twice")
			}
			unix.Write(bell, one[:])
			if ev := p.Wait(0, bell); !ev.Doorbell {
				t.Error("the second ring, with the first unread, was not heard")
			}
			if ev := p.Wait(0, bell, 1<<20); ev.Errno != unix.EBADF {
				t.Errorf("a wrong doorbell gives %+v", ev)
			}
		})
	}
}

// TestSockaddrWords pins that both kinds of socket address fit the 28 bytes that Recv offers and
// have their port at the same place.
func TestSockaddrWords(t *testing.T) {
	var v4 unix.RawSockaddrInet4
	var v6 unix.RawSockaddrInet6
	if unsafe.Sizeof(v6) != 28 || unsafe.Sizeof(v4) != 16 || unsafe.Offsetof(v4.Port) != unsafe.Offsetof(v6.Port) {
		t.Error("socket addresses are not laid out as expected")
	}
}

func TestNoAllocation(t *testing.T) {
	g := mustListen(t, 1, Options{}, "127.0.0.1:0", "[::1]:0")
	echo := mustListen(t, 1, Options{MHomed: true}, "127.0.0.1:0", "[::1]:0")
	p, e := g.Port(0), echo.Port(0)
	head, via, rest := []byte("INVITE sip:b SIP/2.0\r\n"), []byte("Via: x\r\n"), bytes.Repeat([]byte("r"), 600)
	received := 0
	round := func() {
		for listener := range 2 {
			for i := range 70 {
				p.Queue(listener, &echo.Listeners()[listener].Addr, uint64(i), head, via, rest)
			}
		}
		p.Flush()
		for ev := e.Wait(0); len(ev.Ready) > 0; ev = e.Wait(0) {
			for _, l := range ev.Ready {
				for _, pk := range e.Recv(int(l)) {
					out := echo.Egress(&pk.Src, int(l))
					e.Begin(out, &pk.Src, 0)
					e.Append(pk.Data)
					e.Append(via)
					e.End()
				}
			}
			e.Flush()
			e.Release()
			if len(e.Failures()) != 0 {
				panic("BUG: a send failed")
			}
		}
		for listener := range 2 {
			for packets := p.Recv(listener); len(packets) > 0; packets = p.Recv(listener) {
				received += len(packets)
				p.Release()
			}
		}
		p.RecvQueue(0)
	}
	round()
	if received != 140 {
		t.Fatalf("%d of 140 datagrams came back", received)
	}
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Errorf("%v allocations per round of 140 datagrams there and back, want none", n)
	}
}

func TestMisuseIsABug(t *testing.T) {
	f := func(what string, misuse func(*Port, *Addr)) {
		t.Helper()
		p, _, dst := pair(t, "127.0.0.1:0")
		defer func() {
			t.Helper()
			if recover() == nil {
				t.Errorf("%s did not panic", what)
			}
		}()
		misuse(p, dst)
	}
	f("Begin twice", func(p *Port, dst *Addr) { p.Begin(0, dst, 0); p.Begin(0, dst, 0) })
	f("Flush before End", func(p *Port, dst *Addr) { p.Begin(0, dst, 0); p.Flush() })
}
