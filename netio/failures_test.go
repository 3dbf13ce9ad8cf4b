package netio

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// closedPort returns a loopback address on which nobody listens. The socket that had it before is
// of no SO_REUSEPORT group.
func closedPort(t testing.TB, host string) *Addr {
	t.Helper()
	ap, err := probeFree(netip.MustParseAddrPort(host))
	if err != nil {
		t.Fatal(err)
	}
	a := AddrFrom(ap)
	return &a
}

// TestFailuresNameTheirMessage mixes messages that cannot leave with good ones: each failure has
// its own token, the others leave in order.
func TestFailuresNameTheirMessage(t *testing.T) {
	t.Run("singly", func(t *testing.T) { failuresNameTheirMessage(t, true) })
	t.Run("grouped", func(t *testing.T) { failuresNameTheirMessage(t, false) })
}

func failuresNameTheirMessage(t *testing.T, singly bool) {
	from, to, dst := pair(t, "127.0.0.1:0")
	from.tx[0].segment.off = from.tx[0].segment.off || singly
	broadcast := AddrFrom(netip.MustParseAddrPort("127.255.255.255:5060"))
	other := AddrFrom(netip.MustParseAddrPort("[::1]:5060"))
	portless := *dst
	portless.Port = 0
	huge := make([]byte, 65508)
	want := []SendFailure{}
	for i := range 100 {
		token := uint64(i)
		switch i % 9 {
		case 2:
			from.Queue(0, &broadcast, token, []byte("x"))
			want = append(want, SendFailure{token, broadcast, 0, unix.EACCES})
		case 3:
			from.Queue(0, &other, token, []byte("x"))
			want = append(want, SendFailure{token, other, 0, unix.EAFNOSUPPORT})
		case 5:
			from.Queue(0, dst, token, huge)
			want = append(want, SendFailure{token, *dst, 0, unix.EMSGSIZE})
		case 6:
			from.Queue(0, &Addr{}, token, []byte("x"))
			want = append(want, SendFailure{token, Addr{}, 0, unix.EAFNOSUPPORT})
		case 7:
			from.Queue(0, &portless, token, []byte("x"))
			want = append(want, SendFailure{token, portless, 0, unix.EINVAL})
		default:
			from.Queue(0, dst, token, fmt.Append(nil, i))
		}
	}
	from.Flush()
	got := from.Failures()
	// Groups fail one after the other; singly, the messages fail in their order.
	if !singly {
		slices.SortFunc(got, func(a, b SendFailure) int { return cmp.Compare(a.Token, b.Token) })
	}
	if len(got) != len(want) {
		t.Fatalf("%d failures, want %d: %+v", len(got), len(want), got)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("failure %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if from.Failures() != nil {
		t.Error("failures are reported twice")
	}
	last := -1
	received := receiveAll(to, 0)
	for _, pk := range received {
		var n int
		fmt.Sscan(string(pk.Data), &n)
		if n <= last {
			t.Fatalf("%d arrived after %d", n, last)
		}
		last = n
	}
	if len(received)+len(want) != 100 {
		t.Errorf("%d arrived and %d failed of 100", len(received), len(want))
	}
	if s := from.Stats(); s.SendFailed != uint64(len(want)) || s.SentDatagrams != uint64(len(received)) ||
		s.SendAgain != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestNoListenerIsAFailure(t *testing.T) {
	p, _, dst := pair(t, "127.0.0.1:0")
	p.Queue(-1, dst, 5, []byte("x"))
	p.Flush()
	if f := p.Failures(); len(f) != 1 || f[0] != (SendFailure{5, *dst, -1, unix.EAFNOSUPPORT}) {
		t.Errorf("failures: %+v", f)
	}
	p.Queue(0, dst, 6, []byte("x"))
	p.Flush()
	noFailures(t, p)
}

// TestICMPErrors sends alternately to a closed port and to an open one. The error of the one must
// neither be taken for the other's, nor lose or double it.
func TestICMPErrors(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(host, func(t *testing.T) {
			from, to, dst := pair(t, host)
			// what leaves together is refused together on the same host: one error for all
			from.tx[0].segment.off = true
			closed := closedPort(t, host)
			const rounds = 100
			for i := range rounds {
				from.Queue(0, closed, uint64(i), fmt.Appendf(nil, "INVITE %d to nobody", i))
				from.Queue(0, dst, uint64(i), fmt.Append(nil, i))
			}
			from.Flush()
			noFailures(t, from)
			got := receiveAll(to, 0)
			if len(got) != rounds {
				t.Fatalf("%d of %d datagrams for the open port arrived", len(got), rounds)
			}
			for i := range got {
				if string(got[i].Data) != fmt.Sprint(i) {
					t.Fatalf("datagram %d is %q", i, got[i].Data)
				}
			}
			errors := 0
			for ev := from.Wait(0); len(ev.Errored) > 0; ev = from.Wait(0) {
				for _, e := range from.Errors(int(ev.Errored[0])) {
					if e.Dst != *closed || e.Errno != unix.ECONNREFUSED || !e.From.SameIP(closed) {
						t.Fatalf("error %d: %+v, want one for %v", errors, e, closed)
					}
					if want := fmt.Sprintf("INVITE %d to nobody", errors); string(e.Payload) != want {
						t.Errorf("payload %q, want %q", e.Payload, want)
					}
					// RFC 792: port unreachable
					wantOrigin, wantType, wantCode := uint8(2), uint8(3), uint8(3)
					if dst.Family == 6 {
						wantOrigin, wantType, wantCode = 3, 1, 4 // RFC 4443 §3.1
					}
					if e.Origin != wantOrigin || e.Type != wantType || e.Code != wantCode {
						t.Fatalf("origin, type, code %d/%d/%d, want %d/%d/%d", e.Origin, e.Type, e.Code, wantOrigin,
							wantType, wantCode)
					}
					errors++
				}
			}
			if errors == 0 || from.Stats().ICMPErrors != uint64(errors) {
				t.Errorf("%d errors were read, counted %d", errors, from.Stats().ICMPErrors)
			}
			t.Logf("%d errors for %d datagrams (the kernel limits the rate of ICMP); %d sends repeated", errors, rounds,
				from.Stats().SendRetried)
		})
	}
}

// TestErrorOfAnEarlierFlush: the send after a refused datagram gets that one's error; it is
// repeated and leaves.
func TestErrorOfAnEarlierFlush(t *testing.T) {
	from, to, dst := pair(t, "127.0.0.1:0")
	closed := closedPort(t, "127.0.0.1:0")
	for i := range 50 {
		for _, a := range []*Addr{closed, dst} {
			from.Queue(0, a, uint64(i), fmt.Append(nil, i))
			from.Flush()
			noFailures(t, from)
		}
	}
	if got := receiveAll(to, 0); len(got) != 50 {
		t.Errorf("%d of 50 datagrams arrived", len(got))
	}
	if from.Stats().SendRetried == 0 {
		t.Error("no send met the error of the one before: this test tests nothing")
	}
}

// TestErrorsPendingWithoutAnEntry: with the receive buffer full there is no room for an entry in
// the error queue, but epoll keeps reporting the pending error. Reading must make it stop, or the
// shard would spin.
func TestErrorsPendingWithoutAnEntry(t *testing.T) {
	from, to, dst := pair(t, "127.0.0.1:0")
	from.Queue(0, dst, 0, []byte("where are you"))
	from.Flush()
	back := receiveAll(to, 0)[0].Src
	// the kernel's least is 2,304 bytes
	if err := unix.SetsockoptInt(from.fds[0], unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		to.Queue(0, &back, 0, make([]byte, 1000))
	}
	to.Flush()
	from.Queue(0, closedPort(t, "127.0.0.1:0"), 0, []byte("x"))
	from.Flush()
	if ev := from.Wait(0); len(ev.Errored) != 1 {
		t.Fatalf("events %+v, want an error", ev)
	}
	if e := from.Errors(0); len(e) != 0 {
		t.Fatalf("errors %+v: the receive buffer had room, this test tests nothing", e)
	}
	if ev := from.Wait(0); len(ev.Errored) != 0 {
		t.Errorf("the error is reported for ever: %+v", ev)
	}
}

// TestReceivingPastAPendingError: recvmmsg returns another datagram's error once before it returns
// what has arrived.
func TestReceivingPastAPendingError(t *testing.T) {
	from, to, dst := pair(t, "127.0.0.1:0")
	closed := closedPort(t, "127.0.0.1:0")
	from.Queue(0, dst, 0, []byte("ask"))
	from.Flush()
	ask := receiveAll(to, 0)
	to.Queue(0, &ask[0].Src, 0, []byte("answer"))
	to.Flush()
	from.Queue(0, closed, 0, []byte("x"))
	from.Flush()
	if got := receiveAll(from, 0); len(got) != 1 || string(got[0].Data) != "answer" {
		t.Errorf("received %+v, want the answer", got)
	}
}

// TestKernelDropsAreCounted overflows a receive buffer: what was sent has either arrived or is
// counted, to the datagram. (Of a bundle the kernel counts one.)
func TestKernelDropsAreCounted(t *testing.T) {
	from, to, dst := pair(t, "127.0.0.1:0")
	apart(to)
	if err := unix.SetsockoptInt(to.fds[0], unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10); err != nil {
		t.Fatal(err)
	}
	var received uint64
	for round := range uint64(3) {
		for range 1000 {
			from.Queue(0, dst, 0, make([]byte, 800))
		}
		from.Flush()
		noFailures(t, from)
		received += uint64(len(receiveAll(to, 0)))
		if drops := to.RecvQueue(0).Drops; drops == 0 || received+drops != 1000*(round+1) {
			t.Fatalf("round %d: %d received, %d dropped, %d sent", round, received, drops, 1000*(round+1))
		}
	}
	d := to.drops[0]
	// as if the 32-bit counter of the kernel were about to wrap
	to.drops[0] = dropCount{last: ^uint32(0) - 9, total: 5}
	if got, want := to.RecvQueue(0).Drops, 5+10+d.total; got != want {
		t.Errorf("past the wrap: %d, want %d", got, want)
	}
}

func TestSignalEndsWaitEarly(t *testing.T) {
	p, _, _ := pair(t, "127.0.0.1:0")
	tid := make(chan int)
	done := make(chan Events)
	go func() {
		tid <- unix.Gettid()
		done <- p.Wait(int64(5 * time.Second))
	}()
	id := <-tid
	for start := time.Now(); ; {
		select {
		case ev := <-done:
			if ev.Errno != 0 || len(ev.Ready) != 0 || time.Since(start) > 4*time.Second {
				t.Errorf("after %v: %+v, want an early and empty return", time.Since(start), ev)
			}
			return
		default:
			unix.Tgkill(unix.Getpid(), id, unix.SIGURG) // what the Go scheduler sends to preempt
			time.Sleep(time.Millisecond)
		}
	}
}
