package netio

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// queued is a pair of Ports of which the sending one has a queue, and a kernel that takes as many
// datagrams as room says.
type queued struct {
	t        *testing.T
	from, to *Port
	dst      *Addr
	limit    *atomic.Int64
	room     int
}

func newQueued(t *testing.T, limit int64, noSegment bool) *queued {
	q := &queued{t: t, limit: new(atomic.Int64)}
	q.limit.Store(limit)
	g, err := Listen([]ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}}, 1,
		Options{WriteQueue: q.limit, NoSegment: noSegment})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	q.from = g.Port(0)
	_, q.to, q.dst = pair(t, "127.0.0.1:0")
	q.from.tx[0].injected = func(n int) (int, unix.Errno) {
		if q.room == 0 {
			return 0, unix.EAGAIN
		}
		n = min(n, q.room)
		q.room -= n
		return n, 0
	}
	return q
}

// send queues datagrams that begin with their number.
func (q *queued) send(first, n, size int) {
	q.t.Helper()
	for i := range n {
		text := fmt.Appendf(nil, "%06d", first+i)
		q.from.Flow(uint32(i % 3))
		q.from.Queue(0, q.dst, uint64(first+i), text, bytes.Repeat([]byte("x"), size-len(text)))
	}
	q.from.Flush()
}

// recv takes what has arrived, by number.
func (q *queued) recv() (all []int) {
	q.t.Helper()
	for {
		packets := q.to.Recv(0)
		for _, p := range packets {
			n := 0
			if _, err := fmt.Sscanf(string(p.Data[:6]), "%06d", &n); err != nil ||
				len(bytes.Trim(p.Data[6:], "x")) > 0 {
				q.t.Fatalf("received %q", p.Data)
			}
			all = append(all, n)
		}
		q.to.Release()
		if len(packets) == 0 {
			return all
		}
	}
}

// inOrder wants the datagrams first to last and no other, those of a flow in their order: i mod 3
// is the flow.
func (q *queued) inOrder(got []int, first, last int) {
	q.t.Helper()
	at, seen := map[int]int{}, map[int]bool{}
	for _, n := range got {
		if n < first || n > last || seen[n] {
			q.t.Errorf("%d arrived, or did twice", n)
		}
		seen[n] = true
		if flow := (n - first) % 3; n < at[flow] {
			q.t.Errorf("%d arrived behind %d", n, at[flow])
		} else {
			at[flow] = n
		}
	}
	if len(seen) != last-first+1 {
		q.t.Errorf("%d arrived, want %d to %d", len(seen), first, last)
	}
}

// A full socket keeps what is sent, in order, and sends it when epoll says that there is room:
// without another message.
func TestFullSocketKeeps(t *testing.T) {
	for _, noSegment := range []bool{true, false} {
		q := newQueued(t, 1<<20, noSegment)
		q.send(0, 30, 200)
		q.send(30, 3, 200)
		if got := q.recv(); len(got) != 0 {
			t.Fatalf("%d arrived", len(got))
		}
		if s := q.from.Stats(); s.SendQueued != 33 || s.SendAgain != 0 || s.SentDatagrams != 0 ||
			len(q.from.Failures()) != 0 {
			t.Fatalf("%+v", *s)
		}
		q.room = 7
		q.from.Wait(0)
		got := q.recv()
		q.send(33, 3, 200) // must wait behind the others
		if n := len(q.recv()); len(got) != 7 || n != 0 {
			t.Fatalf("%d and %d arrived", len(got), n)
		}
		q.room = 1 << 20
		q.from.Wait(0)
		q.inOrder(append(got, q.recv()...), 0, 35)
		s := q.from.Stats()
		if s.SentDatagrams != 36 || s.SentBytes != 36*200 || s.SendFailed != 0 || q.from.tx[0].backlog.bytes != 0 {
			t.Errorf("%+v", *s)
		}
		// Empty, it is no more watched: a sleep is a sleep.
		begin := time.Now()
		q.from.Wait(int64(50 * time.Millisecond))
		if d := time.Since(begin); d < 40*time.Millisecond {
			t.Errorf("woke after %v: the socket is watched for room still", d)
		}
		q.send(36, 3, 200)
		q.inOrder(q.recv(), 36, 38)
	}
}

// The next batch tries first what waits.
func TestFullSocketIsTriedByTheNextBatch(t *testing.T) {
	q := newQueued(t, 1<<20, true)
	q.send(0, 9, 100)
	q.room = 1 << 20
	q.send(9, 9, 100)
	q.inOrder(q.recv(), 0, 17)
}

// A group that does not fit waits whole; the groups behind it wait behind it.
func TestFullSocketWithinABatch(t *testing.T) {
	for _, noSegment := range []bool{true, false} {
		for room := range 5 {
			q := newQueued(t, 1<<20, noSegment)
			q.room = room
			q.send(0, 60, 700)
			got := q.recv()
			q.room = 1 << 20
			q.from.Wait(0)
			q.inOrder(append(got, q.recv()...), 0, 59)
		}
	}
}

// Beyond the limit sending fails, is counted and reported; the limit may change. 0 keeps nothing.
func TestFullSocketLimit(t *testing.T) {
	q := newQueued(t, 1000, true)
	q.send(0, 12, 100)
	failures := q.from.Failures()
	if len(failures) != 2 || failures[0].Token != 10 || failures[1].Errno != unix.EAGAIN || failures[0].Dst != *q.dst {
		t.Fatalf("%+v", failures)
	}
	q.limit.Store(1 << 30) // there is memory for 1000 and not much more
	q.send(12, 64, 100)
	s := q.from.Stats()
	if s.SendQueued >= 76 || s.SendQueued < 10 || s.SendQueued+s.SendAgain != 76 || s.SendFailed != s.SendAgain {
		t.Fatalf("%+v", *s)
	}
	kept := int(s.SendQueued)
	q.room = 1 << 20
	q.from.Wait(0)
	if got := q.recv(); len(got) != kept || got[9] != 9 || kept > 10 && got[10] != 12 {
		t.Errorf("arrived %v, kept %d", got, kept)
	}
	q.room = 0
	q.from.Failures()
	q.limit.Store(0)
	q.send(100, 3, 100)
	if f := q.from.Failures(); len(f) != 3 {
		t.Errorf("%+v", f)
	}
	none := newQueued(t, 0, false)
	none.send(0, 3, 100)
	if f := none.from.Failures(); len(f) != 3 || none.from.Stats().SendQueued != 0 ||
		none.from.tx[0].backlog.memory != nil {
		t.Errorf("%+v", f)
	}
}

// What fails later is reported with its own token and destination, and holds nothing up.
func TestFullSocketFailsLater(t *testing.T) {
	q := newQueued(t, 1<<20, true)
	q.send(0, 1, 100)
	nowhere := AddrFrom(netip.MustParseAddrPort("127.0.0.1:0")) // EINVAL: no port
	q.from.Queue(0, &nowhere, 77, []byte("000001"))
	q.from.Queue(0, q.dst, 2, []byte("000002"))
	q.from.Flush()
	q.from.Failures()
	q.room = 1 << 20
	q.from.Wait(0)
	if f := q.from.Failures(); len(f) != 1 || f[0].Token != 77 || f[0].Errno != unix.EINVAL || f[0].Dst != nowhere {
		t.Errorf("%+v", f)
	}
	if got := q.recv(); len(got) != 2 || got[0] != 0 || got[1] != 2 {
		t.Errorf("%v", got)
	}
}

// The ring gives back what was put, in order, whatever the lengths, and never more than its limits.
func TestBacklogRing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var b backlog
		limit := 1 + random.IntN(4000)
		if err := b.init(limit); err != nil {
			t.Fatal(err)
		}
		var model [][]byte
		bytesIn := 0
		for range 500 {
			if random.IntN(2) == 0 {
				m := bytes.Repeat([]byte{byte(random.Uint32())}, random.IntN(limit+10))
				var first *byte
				if len(m) > 0 {
					first = &m[0]
				}
				did := b.put(kept{token: uint64(len(m))}, first, len(m), limit)
				switch {
				case did && bytesIn+len(m) > limit:
					t.Fatalf("%d bytes taken with %d there, the limit is %d", len(m), bytesIn, limit)
				case did:
					model = append(model, m)
					bytesIn += len(m)
				case b.count == 0 && len(m) <= limit:
					t.Fatalf("an empty queue of %d refused %d bytes", limit, len(m))
				}
			} else if b.count > 0 {
				k, data := b.oldest()
				if !bytes.Equal(data, model[0]) || k.token != uint64(len(data)) {
					t.Fatalf("got %d bytes, want %d", len(data), len(model[0]))
				}
				bytesIn -= len(data)
				model = model[1:]
				b.drop()
			}
			if b.count != len(model) || b.bytes != bytesIn {
				t.Fatalf("%d records of %d bytes, want %d of %d", b.count, b.bytes, len(model), bytesIn)
			}
		}
		if err := b.free(); err != nil {
			t.Fatal(err)
		}
	}
}

// The kernel's own EAGAIN and EPOLLOUT: in a network of the test's own, datagrams to a host that
// does not answer to ARP fill their socket's buffer, until somebody says where it is.
func TestFullSocketOfTheKernel(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make a network")
	}
	runtime.LockOSThread() // for good: the thread ends with the test, and the network with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skip("cannot make a network: ", err)
	}
	ip := func(args string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v: %s", args, err, out)
		}
	}
	ip("link add near type veth peer name far")
	ip("addr add 192.0.2.1/24 dev near")
	ip("link set near up")
	ip("link set far up")
	limit := new(atomic.Int64)
	limit.Store(1 << 20)
	g, err := Listen([]ListenConfig{{Addr: netip.MustParseAddrPort("192.0.2.1:5060")}}, 1,
		Options{WriteQueue: limit, NoSegment: true})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	p := g.Port(0)
	// the kernel makes the least of it
	if err := unix.SetsockoptInt(p.fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
		t.Fatal(err)
	}
	dst := AddrFrom(netip.MustParseAddrPort("192.0.2.9:5060"))
	const all = 40
	for i := range all {
		p.Queue(0, &dst, uint64(i), bytes.Repeat([]byte("x"), 1000))
	}
	p.Flush()
	s := p.Stats()
	if s.SendQueued == 0 || s.SendAgain != 0 || s.SendQueued+s.SentDatagrams != all {
		t.Fatalf("%+v", *s)
	}
	p.Wait(0)
	if n := p.tx[0].backlog.count; uint64(n) != s.SendQueued {
		t.Fatalf("%d of %d wait: a full socket is not ready", n, s.SendQueued)
	}
	ip("neigh replace 192.0.2.9 lladdr 02:00:00:00:00:09 dev near nud permanent")
	for end := time.Now().Add(30 * time.Second); p.tx[0].backlog.count > 0; {
		if p.Wait(int64(time.Second)); time.Now().After(end) {
			t.Fatalf("%d wait still", p.tx[0].backlog.count)
		}
	}
	if s.SentDatagrams != all || s.SentBytes != all*1000 || len(p.Failures()) != 0 {
		t.Errorf("%+v", *s)
	}
}
