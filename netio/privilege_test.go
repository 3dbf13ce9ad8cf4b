package netio

import (
	"fmt"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onOwnThread runs fn on a thread that is thrown away afterwards, with whatever fn and prepare did
// to it.
func onOwnThread(prepare func() error, fn func()) error {
	prepared := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := prepare()
		prepared <- err
		if err == nil {
			fn()
		}
	}()
	<-done
	return <-prepared
}

// withoutCapabilities runs fn on a thread that lacks all capabilities but keep.
func withoutCapabilities(t *testing.T, fn func(), keep ...int) {
	t.Helper()
	err := onOwnThread(func() error {
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&hdr, &data[0]); err != nil {
			return err
		}
		var want [2]uint32
		for _, c := range keep {
			want[c/32] |= 1 << (c % 32)
		}
		for i := range data {
			data[i].Effective &= want[i]
			data[i].Permitted &= want[i]
			data[i].Inheritable = 0
		}
		return unix.Capset(&hdr, &data[0])
	}, fn)
	if err != nil {
		t.Fatalf("cannot drop capabilities: %v", err)
	}
}

// inNamespace runs fn in a network namespace of its own after the given ip(8) commands.
func inNamespace(t *testing.T, commands []string, fn func()) {
	t.Helper()
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("cannot make a network namespace: %w", err)
		}
		for _, c := range commands {
			if err := ip(c); err != nil {
				return err
			}
		}
		return nil
	}, fn)
	if err != nil {
		t.Skipf("SKIP %s: %v", t.Name(), err)
	}
}

// ip runs one ip(8) command in the calling thread's namespace.
func ip(command string) error {
	out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", command, err, out)
	}
	return nil
}

// twoSubnets is a host with a leg in each of two networks:
//
//	10.1.0.1/24, fd01::1/64  v0 ---- p0
//	10.2.0.1/24, fd02::1/64  v1 ---- p1
//	10.9.0.0/16 via 10.1.0.254
var twoSubnets = []string{
	"link set lo up",
	"link add v0 type veth peer name p0", "link add v1 type veth peer name p1",
	"link set v0 up", "link set p0 up", "link set v1 up", "link set p1 up",
	"addr add 10.1.0.1/24 dev v0", "addr add 10.2.0.1/24 dev v1",
	"addr add fd01::1/64 dev v0 nodad", "addr add fd02::1/64 dev v1 nodad",
	"route add 10.9.0.0/16 via 10.1.0.254",
}

func TestMHomed(t *testing.T) {
	inNamespace(t, twoSubnets, func() {
		addrs := []string{"10.1.0.1:5060", "10.2.0.1:5060", "127.0.0.1:5060", "10.2.0.1:5080", "[fd01::1]:5060",
			"[fd02::1]:5060"}
		g := mustListen(t, 2, Options{MHomed: true}, addrs...)
		off := mustListen(t, 1, Options{}, "10.1.0.1:6060", "10.2.0.1:6060", "[fd01::1]:6060", "[fd02::1]:6060")
		f := func(g *Group, dst string, recvListener, want int) {
			t.Helper()
			a := AddrFrom(netip.MustParseAddrPort(dst))
			for _, how := range []string{"asked", "cached"} {
				if got := g.Egress(&a, recvListener); got != want {
					t.Errorf("%s, %s, received on %d: leaves from %d, want %d", dst, how, recvListener, got, want)
				}
			}
		}
		f(g, "10.1.0.7:5060", 1, 0)
		f(g, "10.2.0.7:5060", 0, 1)
		f(g, "10.2.0.7:0", -1, 1)
		f(g, "10.2.0.7:5099", 3, 3) // the receiving listener has the same address
		f(g, "10.9.1.1:5060", 1, 0)
		f(g, "127.0.0.1:5060", 0, 2)
		f(g, "192.0.2.1:5060", 1, 0) // no route: the first of the family
		f(g, "[fd02::9]:5060", 0, 5)
		f(g, "[fd01::9]:5060", 5, 4)
		f(g, "[2001:db8::1]:5060", 0, 4)
		f(off, "10.2.0.7:5060", 0, 0)
		f(off, "10.2.0.7:5060", 1, 1)
		f(off, "10.2.0.7:5060", 3, 0)
		f(off, "[fd02::9]:5060", 1, 2)
		f(off, "[fd02::9]:5060", 3, 3)
		if got := g.Egress(&Addr{}, 0); got != -1 {
			t.Errorf("no address: %d, want -1", got)
		}
		v4only := mustListen(t, 1, Options{MHomed: true}, "10.1.0.1:7060")
		f(v4only, "[fd01::9]:5060", 0, -1)
		f(v4only, "10.2.0.7:5060", 0, 0) // the kernel would use an address without a listener

		// The path of a network moves to the other leg.
		if err := ip("route replace 10.9.0.0/16 via 10.2.0.254"); err != nil {
			t.Error(err)
			return
		}
		a := AddrFrom(netip.MustParseAddrPort("10.9.1.1:5060"))
		for start := time.Now(); g.Egress(&a, 0) != 1; time.Sleep(time.Millisecond) {
			if time.Since(start) > 2*time.Second {
				t.Error("two seconds after the route changed the old listener is still chosen")
				return
			}
		}
	})
}

// TestEgressCacheIsShared has many goroutines read and write the same few slots: no answer may
// belong to another destination or generation.
func TestEgressCacheIsShared(t *testing.T) {
	e := &egress{}
	e.generation.Store(1)
	dst := make([]Addr, 20000) // several per slot
	for i := range dst {
		dst[i] = AddrFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 5060))
	}
	listenerOf := func(i int, generation uint64) int { return (i*31 + int(generation)*7) % 60000 }
	var hits atomic.Int64
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for n := range 50000 {
				i := (n/8*7919 + g) % len(dst)
				generation := e.generation.Load()
				if got, ok := e.cached(&dst[i]); ok {
					hits.Add(1)
					if got != listenerOf(i, generation) && e.generation.Load() == generation {
						t.Errorf("destination %d: listener %d, want %d", i, got, listenerOf(i, generation))
						return
					}
					continue
				}
				e.remember(&dst[i], generation, listenerOf(i, generation))
				if n%5000 == 0 {
					e.generation.Add(1)
				}
			}
		})
	}
	all.Wait()
	if hits.Load() == 0 {
		t.Error("the cache never had an answer")
	}
}

// TestUnreachable: what the routing refuses is reported per message.
func TestUnreachable(t *testing.T) {
	commands := append([]string{"-V"}, twoSubnets...)
	commands = append(commands, "route add prohibit 10.8.0.0/16", "route add unreachable 10.7.0.0/16",
		"-6 route add unreachable fd07::/16")
	inNamespace(t, commands, func() {
		p := mustListen(t, 1, Options{}, "10.1.0.1:5060", "[fd01::1]:5060").Port(0)
		f := func(listener int, dst string, want unix.Errno) {
			t.Helper()
			a := AddrFrom(netip.MustParseAddrPort(dst))
			p.Queue(listener, &a, 9, []byte("x"))
			p.Flush()
			if got := p.Failures(); len(got) != 1 || got[0] != (SendFailure{9, a, int16(listener), want}) {
				t.Errorf("%s: failures %+v, want %v", dst, got, want)
			}
		}
		f(0, "192.0.2.1:5060", unix.ENETUNREACH)
		f(0, "10.8.0.1:5060", unix.EACCES)
		f(0, "10.7.0.1:5060", unix.EHOSTUNREACH)
		f(1, "[fd07::1]:5060", unix.EHOSTUNREACH)
		f(1, "[2001:db8::1]:5060", unix.ENETUNREACH)
		f(1, "10.1.0.9:5060", unix.ENETUNREACH)
	})
}

// TestFullSendBuffer: datagrams to a neighbour that does not answer ARP stay charged to the send
// buffer.
func TestFullSendBuffer(t *testing.T) {
	inNamespace(t, twoSubnets, func() {
		p := mustListen(t, 1, Options{}, "10.1.0.1:5060").Port(0)
		// the kernel's least is 4,608 bytes
		if err := unix.SetsockoptInt(p.fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
			t.Error(err)
			return
		}
		dst := AddrFrom(netip.MustParseAddrPort("10.1.0.99:5060"))
		for i := range 20 {
			// too long to leave together
			p.Queue(0, &dst, uint64(i), make([]byte, segmentBytesMax+1+i))
		}
		p.Flush()
		failures, sent := p.Failures(), int(p.Stats().SentDatagrams)
		if len(failures) == 0 || sent == 0 || sent+len(failures) != 20 || p.Stats().SendAgain != uint64(len(failures)) {
			t.Errorf("%d failed, %d left of 20; stats %+v", len(failures), sent, *p.Stats())
		}
		for i, f := range failures {
			if f != (SendFailure{uint64(sent + i), dst, 0, unix.EAGAIN}) {
				t.Errorf("failure %d: %+v", i, f)
			}
		}
	})
}
