package netio

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSegmentPlan checks the rules of a group on random batches: each message once, those of a flow
// to a destination in order, equal sizes but for a shorter last one, and any two neighbours in
// length of a destination together.
func TestSegmentPlan(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b, err := newSendBatch(0, -1, new(aloneList))
	if err != nil {
		t.Fatal(err)
	}
	defer b.free()
	for range 3000 {
		b.n = 1 + rng.IntN(SendBatch)
		sizes := []uint64{0, 1, 300, 420, 700, 1400, 1401, 20000, 60000}
		for i := range b.n {
			to := Addr{IP: [16]byte{127, 0, 0, byte(rng.IntN(3))}, Port: uint16(7000 + rng.IntN(3)), Family: 4}
			b.hdrs[i].Namelen = writeSockaddr(&to, &b.names[i])
			if rng.IntN(8) == 0 {
				b.names[i].Addr = [16]byte{15: byte(i)} // left by an IPv6 destination
			}
			b.iovs[i].Len = sizes[rng.IntN(1+rng.IntN(len(sizes)))]
			b.flows[i] = uint32(rng.IntN(20))
			if b.flows[i] >= 15 {
				b.flows[i] *= 0x9e3779b9
			}
		}
		s := &b.segment
		s.plan(b)
		seen := make([]bool, b.n)
		lastOf := map[[3]uint32]int{}
		for k := range s.n {
			g := &s.groups[k]
			n, total, short := 0, uint64(0), false
			for i := int(g.first); ; i = int(s.nextInto[i]) - 1 {
				if seen[i] {
					t.Fatalf("message %d leaves twice", i)
				}
				seen[i] = true
				to := [3]uint32{b.names[i].Flowinfo, uint32(b.names[i].Port), b.flows[i]}
				for flow := range uint32(20) { // what has no flow keeps its place among all
					if flow >= 15 {
						flow *= 0x9e3779b9
					}
					if last, ok := lastOf[[3]uint32{to[0], to[1], flow}]; ok && last > i &&
						(flow == to[2] || flow == 0 || to[2] == 0) {
						t.Fatalf("message %d of flow %d overtakes %d of flow %d", last, flow, i, to[2])
					}
				}
				lastOf[to] = i
				size := b.iovs[i].Len
				if !sameDestination(b, int(g.first), i) || short || size > uint64(g.size) ||
					(n > 0 && g.size > segmentBytesMax) {
					t.Fatalf("message %d of %d bytes is in a group of %d", i, size, g.size)
				}
				short = size < uint64(g.size)
				n++
				total += size
				if s.nextInto[i] == 0 {
					break
				}
			}
			if n > segmentsMax {
				t.Fatalf("a group of %d messages", n)
			}
			if n != int(g.count) || total != uint64(g.bytes) || (n > 1 && total > groupBytesMax) {
				t.Fatalf("group of %d messages, %d bytes says %d, %d", n, total, g.count, g.bytes)
			}
		}
		for i, ok := range seen {
			if !ok {
				t.Fatalf("message %d does not leave", i)
			}
		}
	}
}

// TestSegmentPlanPairs: messages of different flows to one destination leave by two at least,
// whatever their order.
func TestSegmentPlanPairs(t *testing.T) {
	f := func(want int, sizes ...uint64) {
		t.Helper()
		b, err := newSendBatch(0, -1, new(aloneList))
		if err != nil {
			t.Fatal(err)
		}
		defer b.free()
		to := Addr{IP: [16]byte{127, 0, 0, 1}, Port: 7000, Family: 4}
		for i, size := range sizes {
			b.hdrs[i].Namelen = writeSockaddr(&to, &b.names[i])
			b.iovs[i].Len = size
			b.flows[i] = uint32(1 + i)
		}
		b.n = len(sizes)
		if b.segment.plan(b); b.segment.n != want {
			t.Errorf("%v: %d groups, want %d", sizes, b.segment.n, want)
		}
	}
	f(1, 700)
	f(1, 420, 700)
	f(1, 700, 420)
	f(2, 420, 700, 350, 700, 420)
	f(2, 1, 2, 3, 4)
	f(1, 5, 5, 5, 5, 4)
	f(3, 1401, 1401, 1400)
	f(2, 1400, 0)
}

// TestSegmentPlanRanks: what waits for nothing leaves first, so that a flow with two messages does
// not part those of the others.
func TestSegmentPlanRanks(t *testing.T) {
	type message struct {
		flow uint32
		size uint64
		to   byte
	}
	f := func(want string, messages ...message) {
		t.Helper()
		b, err := newSendBatch(0, -1, new(aloneList))
		if err != nil {
			t.Fatal(err)
		}
		defer b.free()
		for i, m := range messages {
			b.hdrs[i].Namelen = writeSockaddr(&Addr{IP: [16]byte{127, 0, 0, m.to}, Port: 7000, Family: 4}, &b.names[i])
			b.iovs[i].Len = m.size
			b.flows[i] = m.flow
		}
		b.n = len(messages)
		s := &b.segment
		s.plan(b)
		got := ""
		for k := range s.n {
			if k > 0 {
				got += "| "
			}
			for i := s.groups[k].first + 1; i != 0; i = s.nextInto[i-1] {
				got += fmt.Sprint(i-1, " ")
			}
		}
		if got != want {
			t.Errorf("%v: leave as %s, want %s", messages, got, want)
		}
	}
	ring, ok := uint64(359), uint64(632)
	f("0 2 4 | 1 3 5 ", message{1, ring, 0}, message{1, ok, 0}, message{2, ring, 0}, message{2, ok, 0},
		message{3, ring, 0}, message{3, ok, 0})
	// a flow to another destination is another
	f("0 2 | 1 | 3 5 | 4 ", message{1, ring, 0}, message{1, ok, 0}, message{2, ring, 0}, message{1, ring, 1},
		message{1, ok, 1}, message{2, ring, 1})
	// nothing passes what has no flow
	f("0 | 1 2 3 ", message{1, ring, 0}, message{0, ok, 0}, message{2, ok, 0}, message{1, ring, 0})
	f("0 | 1 | 2 ", message{0, 100, 0}, message{0, 200, 0}, message{0, 300, 0})
	f("0 1 2 ", message{0, 300, 0}, message{0, 300, 0}, message{0, 200, 0})
}

// TestSegmentPlanMany: a group has at most as many messages as the oldest kernel takes, and a full
// batch to one place is planned as well.
func TestSegmentPlanMany(t *testing.T) {
	b, err := newSendBatch(0, -1, new(aloneList))
	if err != nil {
		t.Fatal(err)
	}
	defer b.free()
	for _, flows := range []int{0, 1, SendBatch} {
		for i := range SendBatch {
			b.hdrs[i].Namelen = writeSockaddr(&Addr{IP: [16]byte{127, 0, 0, 1}, Port: 7000, Family: 4}, &b.names[i])
			b.iovs[i].Len = 300
			b.flows[i] = uint32(min(1+i, flows))
		}
		b.n = SendBatch
		b.segment.plan(b)
		if b.segment.n != SendBatch/segmentsMax {
			t.Errorf("%d flows: %d groups", flows, b.segment.n)
		}
	}
}

// TestSegmentPlanBytes: a group's bytes stay below what an IP datagram may carry.
func TestSegmentPlanBytes(t *testing.T) {
	b, err := newSendBatch(0, -1, new(aloneList))
	if err != nil {
		t.Fatal(err)
	}
	defer b.free()
	for i := range 64 {
		b.hdrs[i].Namelen = writeSockaddr(&Addr{IP: [16]byte{127, 0, 0, 1}, Port: 7000, Family: 4}, &b.names[i])
		b.iovs[i].Len = 1400
		b.flows[i] = uint32(1 + i)
	}
	b.n = 64
	b.segment.plan(b)
	if s := &b.segment; s.n != 2 || s.groups[0].bytes > groupBytesMax || s.groups[0].count != groupBytesMax/1400 {
		t.Errorf("%d groups, the first of %d bytes", s.n, s.groups[0].bytes)
	}
}

// TestSegmentation sends batches of mixed sizes to two sockets: every datagram arrives whole and in
// the order of its destination, and some left together.
func TestSegmentation(t *testing.T) {
	g := mustListen(t, 1, Options{}, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0")
	p := g.Port(0)
	needsSegments(t, p)
	rng := rand.New(rand.NewPCG(3, 4))
	var want [3][][]byte
	sizes := []int{300, 300, 420, 700, 1390, 3000}
	for n := range 200 {
		k := 1 + rng.IntN(2)
		m := bytes.Repeat(fmt.Appendf(nil, "%06d ", n), 500)[:sizes[rng.IntN(len(sizes))]]
		want[k] = append(want[k], m)
		p.Queue(0, &g.Listeners()[k].Addr, uint64(n), m[:100], m[100:])
	}
	p.Flush()
	if f := p.Failures(); len(f) != 0 {
		t.Fatalf("%d failures, the first %v", len(f), f[0].Errno)
	}
	for k := 1; k <= 2; k++ {
		for deadline := time.Now().Add(5 * time.Second); len(want[k]) > 0; {
			for _, pkt := range p.Recv(k) {
				if !bytes.Equal(pkt.Data, want[k][0]) {
					t.Fatalf("destination %d: got %d bytes %q…, want %d bytes %q…", k, len(pkt.Data), pkt.Data[:7],
						len(want[k][0]), want[k][0][:7])
				}
				want[k] = want[k][1:]
			}
			p.Release()
			if time.Now().After(deadline) {
				t.Fatalf("destination %d: %d datagrams are missing", k, len(want[k]))
			}
		}
	}
	if p.Stats().SentSegmented == 0 || p.Stats().SentDatagrams != 200 {
		t.Errorf("%d datagrams sent, %d of them together", p.Stats().SentDatagrams, p.Stats().SentSegmented)
	}
}

// TestSegmentationFails: of a group that the kernel refuses each message fails by itself, with its
// own token.
func TestSegmentationFails(t *testing.T) {
	g := mustListen(t, 1, Options{}, "127.0.0.1:0")
	p := g.Port(0)
	// broadcast without SO_BROADCAST: EACCES
	nowhere := Addr{IP: [16]byte{255, 255, 255, 255}, Port: 9, Family: 4}
	me := g.Listeners()[0].Addr
	for n := range 4 {
		p.Queue(0, &nowhere, uint64(n+1), []byte("0123456789"))
		p.Queue(0, &me, 0, []byte("to myself"))
	}
	p.Flush()
	f := p.Failures()
	if len(f) != 4 {
		t.Fatalf("%d failures, want 4", len(f))
	}
	for i := range f {
		if f[i].Token != uint64(i+1) || f[i].Errno != unix.EACCES {
			t.Errorf("failure %d: token %d, %v", i, f[i].Token, f[i].Errno)
		}
	}
	if n := p.Stats().SentDatagrams; n != 4 {
		t.Errorf("%d datagrams left, want 4", n)
	}
}

// After an ICMP error messages to its destination leave one by one, and each is refused by itself;
// those to others leave together as before.
func TestAloneAfterICMP(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(host, func(t *testing.T) {
			g := mustListen(t, 1, Options{}, host, host)
			p := g.Port(0)
			needsSegments(t, p)
			gone := mustListen(t, 1, Options{}, host)
			closed := gone.Listeners()[0].Addr
			gone.Close()
			send := func() (errors int, together uint64) {
				before := p.Stats().SentSegmented
				for i := range 8 {
					p.Flow(uint32(i + 1))
					p.Queue(0, &closed, 0, fmt.Appendf(nil, "nobody %d", i))
					p.Queue(0, &g.Listeners()[1].Addr, 0, []byte("somebody"))
				}
				p.Flush()
				for e := p.Errors(0); len(e) > 0; e = p.Errors(0) {
					errors += len(e)
				}
				receiveAll(p, 1)
				return errors, p.Stats().SentSegmented - before
			}
			if n, together := send(); n != 1 || together != 16 {
				t.Errorf("first %d errors, %d left together", n, together)
			}
			if n, together := send(); n != 8 || together != 8 {
				t.Errorf("then %d errors, %d left together", n, together)
			}
			for i := range p.alone.slots {
				p.alone.slots[i].until = min(p.alone.slots[i].until, 1) // as if it were long ago
			}
			if n, together := send(); n != 1 || together != 16 {
				t.Errorf("later %d errors, %d left together", n, together)
			}
		})
	}
}
