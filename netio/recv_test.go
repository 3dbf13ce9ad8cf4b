package netio

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// apart has every datagram arrive by itself: for tests of something else.
func apart(p *Port) {
	for _, fd := range p.fds {
		// before Linux 5.0 it is so anyway
		unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 0)
	}
}

// needsSegments skips where the kernel cannot cut up what is sent. It asks a socket of its own:
// that p does without is no reason, but a failure.
func needsSegments(t testing.TB, p *Port) {
	t.Helper()
	if !kernelHas(t, unix.UDP_SEGMENT, 1000) {
		t.Skip("needs UDP_SEGMENT (Linux 4.18)")
	}
	if p.tx[0].segment.off {
		t.Fatal("the kernel has UDP_SEGMENT, and it is not used")
	}
}

// needsBundles skips where the kernel cannot send or receive them, likewise.
func needsBundles(t testing.TB, p *Port) {
	t.Helper()
	needsSegments(t, p)
	if !kernelHas(t, unix.UDP_GRO, 1) {
		t.Skip("needs UDP_GRO (Linux 5.0)")
	}
	if !bundles(p) {
		t.Fatal("the kernel has UDP_GRO, and it is not used")
	}
}

func kernelHas(t testing.TB, option, value int) bool {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	return unix.SetsockoptInt(fd, unix.IPPROTO_UDP, option, value) == nil
}

// bundles tells whether p's first socket receives them.
func bundles(p *Port) bool {
	on, err := unix.GetsockoptInt(p.fds[0], unix.IPPROTO_UDP, unix.UDP_GRO)
	return err == nil && on != 0
}

// Bundles of every length, with a shorter last one, empty ones and single datagrams between them
// arrive in order, cut as they were, whichever socket is asked, and however often frames are given
// back in between; what was given out stays as it is until then.
func TestBundlesAreCut(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(host, func(t *testing.T) {
			from := mustListen(t, 1, Options{}, host).Port(0)
			g := mustListen(t, 1, Options{}, host, host)
			to := g.Port(0)
			needsBundles(t, to)
			rng := rand.New(rand.NewPCG(5, 6))
			sent := 0
			for range 300 {
				var want [2][][]byte
				for range 1 + rng.IntN(40) {
					k, size := rng.IntN(2), rng.IntN(1401)
					if rng.IntN(20) == 0 {
						size = rng.IntN(3)
					}
					for range 1 + rng.IntN(70) {
						sent++
						m := bytes.Repeat(fmt.Appendf(nil, "%07d ", sent), 1+size/8)[:size]
						want[k] = append(want[k], m)
						from.Queue(0, &g.Listeners()[k].Addr, 0, m)
					}
				}
				from.Flush()
				noFailures(t, from)
				for deadline := time.Now().Add(5 * time.Second); len(want[0])+len(want[1]) > 0; {
					if time.Now().After(deadline) {
						t.Fatalf("%d and %d datagrams are missing", len(want[0]), len(want[1]))
					}
					if rng.IntN(4) == 0 {
						if ev := to.Wait(int64(time.Second)); len(ev.Ready) == 0 {
							t.Fatal("Wait knows of nothing")
						}
					}
					var leased []Packet
					var check [][]byte
					for range 1 + rng.IntN(3) {
						for _, pk := range to.Recv(rng.IntN(2)) {
							k := pk.Listener
							if len(want[k]) == 0 || !bytes.Equal(pk.Data, want[k][0]) || pk.Truncated ||
								pk.Src.Port == 0 || cap(pk.Data) != len(pk.Data) {
								t.Fatalf("listener %d: got %d bytes from %v: %.8q", k, len(pk.Data), pk.Src, pk.Data)
							}
							leased, check = append(leased, pk), append(check, want[k][0])
							want[k] = want[k][1:]
						}
					}
					for i, pk := range leased {
						if !bytes.Equal(pk.Data, check[i]) {
							t.Fatalf("a leased datagram was written over: %.8q, was %.8q", pk.Data, check[i])
						}
					}
					if len(leased) > RecvMost {
						t.Fatalf("%d leased", len(leased))
					}
					to.Release()
				}
				if rest := to.Recv(0); rest != nil || to.rx.waiting() {
					t.Fatalf("%d datagrams too many", len(rest))
				}
			}
			s := to.Stats()
			if s.RecvDatagrams != uint64(sent) || s.RecvBytes != from.Stats().SentBytes ||
				s.RecvBundled < s.RecvDatagrams/2 || s.RecvBundled > s.RecvDatagrams {
				t.Errorf("of %d datagrams %d counted, %d bundled; of %d bytes %d", sent, s.RecvDatagrams, s.RecvBundled,
					from.Stats().SentBytes, s.RecvBytes)
			}
		})
	}
}

// What was read and not returned comes with the next Recv, whichever listener it asks. Until then
// Wait does not sleep, and names its listener. A bundle that was begun is returned to its end.
func TestBundlesOutlastBatch(t *testing.T) {
	from := mustListen(t, 1, Options{}, "127.0.0.1:0").Port(0)
	g := mustListen(t, 1, Options{}, "127.0.0.1:0", "127.0.0.1:0")
	p := g.Port(0)
	needsBundles(t, p)
	const each = 60 // fewer than UDP_MAX_SEGMENTS was before Linux 6.9
	for i := range 10 * each {
		from.Queue(0, &g.Listeners()[1].Addr, 0, fmt.Appendf(nil, "%07d", i))
		if i%each == each-1 {
			from.Flush()
		}
	}
	const first = (RecvBatch + each - 1) / each * each
	if got := p.Recv(1); len(got) != first || string(got[first-1].Data) != fmt.Sprintf("%07d", first-1) {
		t.Fatalf("%d datagrams", len(got))
	}
	if got := p.Recv(0); got != nil || !p.Waiting() || !p.More() {
		t.Fatalf("%d datagrams beyond the batch", len(got))
	}
	p.Release()
	// Nothing is in the sockets: without what was read it would sleep, and be ended by the test's
	// own time.
	if ev := p.Wait(-1); !slices.Equal(ev.Ready, []uint16{1}) {
		t.Fatalf("ready: %v", ev.Ready)
	}
	got := p.Recv(0)
	if len(got) != 10*each-first || string(got[0].Data) != fmt.Sprintf("%07d", first) || got[0].Listener != 1 {
		t.Fatalf("%d datagrams, the first %q", len(got), got[0].Data)
	}
	p.Release()
	if p.Waiting() || p.Recv(1) != nil || p.More() || len(p.Wait(0).Ready) != 0 {
		t.Error("something is left")
	}
}

// A batch is full whatever the bundles before were, and little is read that it has no room for.
func TestFramesForBundles(t *testing.T) {
	from, to, dst := pair(t, "127.0.0.1:0")
	needsBundles(t, to)
	send := func(n int) {
		for range n {
			from.Queue(0, dst, 0, make([]byte, 100))
		}
		from.Flush()
	}
	for range 4 {
		send(10 * RecvBatch)
		receiveAll(to, 0)
	}
	send(3 * RecvBatch)
	if got := to.Recv(0); len(got) < RecvBatch || to.Waiting() {
		t.Errorf("%d datagrams, and some are left of what was read", len(got))
	}
	to.Release()
	receiveAll(to, 0)
	singly := func(n int) {
		for range n {
			from.Queue(0, dst, 0, make([]byte, 100))
			from.Flush()
		}
	}
	send(RecvBatch / 4)
	singly(2 * RecvBatch)
	for range 2 {
		if got := to.Recv(0); len(got) < RecvBatch {
			t.Errorf("%d datagrams, want a whole batch", len(got))
		}
		to.Release()
	}
	receiveAll(to, 0)
	batches := to.Stats().RecvBatches
	singly(100)
	if got := to.Recv(0); len(got) != 100 || to.More() || to.Stats().RecvBatches != batches+1 {
		t.Errorf("%d datagrams, more %v, %d batches", len(got), to.More(), to.Stats().RecvBatches-batches)
	}
}

// Of two sockets that are never empty, one with bundles, each is read: what was read from one and
// not returned is little.
func TestBundlesLeaveRoom(t *testing.T) {
	from := mustListen(t, 1, Options{}, "127.0.0.1:0").Port(0)
	g := mustListen(t, 1, Options{}, "127.0.0.1:0", "127.0.0.1:0")
	p := g.Port(0)
	needsBundles(t, p)
	refill := func(k, n int) {
		for range n {
			from.Queue(0, &g.Listeners()[k].Addr, 0, make([]byte, 20))
			if k == 1 {
				from.Flush()
			}
		}
		from.Flush()
		from.Failures()
	}
	var got [2]int
	rounds, waited, longest := 0, 0, 0
	for ; rounds < 600; rounds++ {
		refill(0, RecvBatch)
		if rounds%2 == 0 {
			refill(1, RecvBatch)
		}
		served := false
		for i := range 2 {
			for _, pk := range p.Recv((i + rounds) % 2) {
				got[pk.Listener]++
				served = served || pk.Listener == 1
			}
		}
		p.Release()
		if waited++; served {
			waited = 0
		}
		longest = max(longest, waited)
	}
	if got[1] < rounds*RecvBatch/4 || longest > recvFrames {
		t.Errorf("in %d rounds %d in bundles, %d singly; the longest without those %d", rounds, got[0], got[1], longest)
	}
}

// What a frame has no room for is cut, and the datagram says so; those before it are whole.
func TestBundleIsTruncated(t *testing.T) {
	from, to, dst := pair(t, "127.0.0.1:0")
	needsBundles(t, to)
	to.rx.iovs[0].Len = 500 // no real bundle is longer than a frame
	for range 3 {
		from.Queue(0, dst, 0, make([]byte, 200))
	}
	from.Flush()
	got := receiveAll(to, 0)
	if len(got) != 3 || got[0].Truncated || got[1].Truncated || !got[2].Truncated || len(got[2].Data) != 100 ||
		to.Stats().RecvTruncated != 1 {
		t.Errorf("received %+v", got)
	}
	to.rx.iovs[0].Len = MaxDatagramBytes
	for range 3 {
		from.Queue(0, dst, 0, make([]byte, 200))
	}
	from.Flush()
	if got := receiveAll(to, 0); len(got) != 3 || got[2].Truncated || len(got[2].Data) != 200 {
		t.Errorf("after that %+v", got)
	}
}

// Bundles are for sockets to which no kernel program steers single datagrams, and not if they are
// switched off.
func TestBundlesAreOff(t *testing.T) {
	if bundles(mustListen(t, 1, Options{NoSegment: true}, "127.0.0.1:0").Port(0)) {
		t.Error("on although NoSegment is set")
	}
	if g := mustListen(t, 2, Options{}, "127.0.0.1:0"); g.Steering() == "kernel" && bundles(g.Port(0)) {
		t.Error("on although the kernel program steers")
	}
	if kernelHas(t, unix.UDP_GRO, 1) && !bundles(mustListen(t, 2, Options{Steer: SteerOff}, "127.0.0.1:0").Port(0)) {
		t.Error("off without steering")
	}
}
