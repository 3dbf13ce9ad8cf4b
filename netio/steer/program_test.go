package steer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// load brings a program into the kernel, or skips the test where that is not permitted. On a kernel
// that has the feature any other failure is a failure.
func load(t testing.TB, shards int) *Program {
	t.Helper()
	p, err := Load(shards)
	if errors.Is(err, unix.EPERM) || errors.Is(err, ErrNotSupported) {
		t.Skipf("SKIP %s: %v", t.Name(), err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// group is a program with one bound socket per shard on one loopback address.
type group struct {
	*Program
	fds    []int
	addr   unix.Sockaddr
	family int
}

func newGroup(t testing.TB, shards, family int) *group {
	t.Helper()
	g := &group{Program: load(t, shards), family: family}
	g.addr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if family == unix.AF_INET6 {
		g.addr = &unix.SockaddrInet6{Addr: [16]byte{15: 1}}
	}
	for shard := range shards {
		fd := udpSocket(t, family)
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 2<<20))
		if shard == 0 {
			must(t, g.Attach(fd))
		}
		must(t, unix.Bind(fd, g.addr))
		if shard == 0 {
			bound, err := unix.Getsockname(fd)
			must(t, err)
			g.addr = bound
		}
		must(t, g.SetSlot(shard, fd))
		g.fds = append(g.fds, fd)
	}
	return g
}

func udpSocket(t testing.TB, family int) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (g *group) counts(t testing.TB) Counts {
	t.Helper()
	c, err := g.Counts()
	must(t, err)
	return c
}

// receive returns the shard whose socket has the next datagram and the datagram. On loopback it is
// there when sendto returns.
func (g *group) receive(t testing.TB, buffer []byte) (shard int, data []byte) {
	t.Helper()
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		for shard, fd := range g.fds {
			if n, _, err := unix.Recvfrom(fd, buffer, 0); err == nil {
				return shard, buffer[:n]
			}
		}
	}
	t.Fatal("the datagram did not arrive")
	return 0, nil
}

func TestKernelAgreesWithPlainKey(t *testing.T) {
	const shards = 8
	for family, name := range map[int]string{unix.AF_INET: "IPv4", unix.AF_INET6: "IPv6"} {
		t.Run(name, func(t *testing.T) {
			g := newGroup(t, shards, family)
			sender := udpSocket(t, family)
			buffer := make([]byte, 65536)
			var steered, left int
			for _, m := range corpus(t) {
				before := g.counts(t)
				must(t, unix.Sendto(sender, m.data, 0, g.addr))
				shard, data := g.receive(t, buffer)
				if !bytes.Equal(data, m.data) {
					t.Fatalf("%s: other bytes arrived", m.name)
				}
				after := g.counts(t)
				got := Counts{after.Steered - before.Steered, after.NoKey - before.NoKey, after.NoSlot - before.NoSlot}
				key := plainKey(m.data)
				want := Counts{NoKey: 1}
				switch {
				case m.noSIP || len(m.data) < 12 || !isLetter(m.data[0]):
					want = Counts{}
				case key != nil && !m.kernelGivesUp:
					want = Counts{Steered: 1}
				}
				if got != want {
					t.Errorf("%s: the kernel counted %+v, want %+v (key %q)", m.name, got, want, key)
				}
				if want.Steered == 1 && shard != Owner(key, shards) {
					t.Errorf("%s: arrived at shard %d, the owner of %q is %d", m.name, shard, key, Owner(key, shards))
				}
				steered += int(got.Steered)
				left++
			}
			t.Logf("%d messages, %d of them steered", left, steered)
		})
	}
}

// TestKernelAgreesOnMutations changes a few bytes of the corpus at random, with a preference for
// those that mean something.
func TestKernelAgreesOnMutations(t *testing.T) {
	const shards, rounds = 8, 5000
	g := newGroup(t, shards, unix.AF_INET)
	sender := udpSocket(t, unix.AF_INET)
	random := rand.New(rand.NewPCG(7, 8))
	buffer := make([]byte, 65536)
	messages := corpus(t)
	const telling = "\r\n\n: \tiIcCall-ID\x00\x20\x21\x1f\x80\xff"
	before, steered := g.counts(t), 0
	for range rounds {
		data := bytes.Clone(messages[random.IntN(len(messages))].data)
		for range 1 + random.IntN(4) {
			at, b := random.IntN(len(data)+1), telling[random.IntN(len(telling))]
			switch {
			case at == len(data) || random.IntN(3) == 0:
				data = slices.Insert(data, at, b)
			case random.IntN(2) == 0:
				data[at] = b
			default:
				data = slices.Delete(data, at, at+1)
			}
		}
		if bytes.Count(data, []byte{'\n'}) >= 64 || manyBlanks.Match(data) {
			continue // the kernel may give up
		}
		must(t, unix.Sendto(sender, data, 0, g.addr))
		shard, _ := g.receive(t, buffer)
		after := g.counts(t)
		key := plainKey(data)
		if got, want := after.Steered-before.Steered == 1,
			key != nil; got != want || want && shard != Owner(key, shards) {
			t.Fatalf("arrived at shard %d, steered %v; the key is %q in\n%q", shard, got, key, data)
		}
		if key != nil {
			steered++
		}
		before = after
	}
	t.Logf("%d of %d steered", steered, rounds)
}

var manyBlanks = regexp.MustCompile(`[ \t]{17}`)

// TestLargeDatagram: the payload of a large datagram is not linear in the kernel; loopback has an
// MTU of 65,536 bytes, so it stays in one piece.
func TestLargeDatagram(t *testing.T) {
	g := newGroup(t, 5, unix.AF_INET)
	sender := udpSocket(t, unix.AF_INET)
	buffer := make([]byte, 65536)
	for _, bodyBytes := range []int{1000, 9000, 40000, 65000} {
		for i := range 20 {
			id := fmt.Sprintf("large-%d-%d@h", bodyBytes, i)
			must(t, unix.Sendto(sender,
				[]byte("MESSAGE sip:a@b SIP/2.0\r\nCall-ID: "+id+"\r\n\r\n"+strings.Repeat("b", bodyBytes)), 0, g.addr))
			if shard, _ := g.receive(t, buffer); shard != Owner([]byte(id), 5) {
				t.Errorf("%d bytes: arrived at shard %d, the owner of %s is %d", bodyBytes, shard, id,
					Owner([]byte(id), 5))
			}
		}
	}
}

// TestCallsLandAtOwner sends 10,000 calls as INVITE, 200 and BYE from 16 ports to 8 sockets.
func TestCallsLandAtOwner(t *testing.T) {
	const calls, shards, ports, inFlight = 10_000, 8, 16, 32
	g := newGroup(t, shards, unix.AF_INET)
	var senders [ports]int
	for i := range senders {
		senders[i] = udpSocket(t, unix.AF_INET)
	}
	random := rand.New(rand.NewPCG(1, 2))
	buffer := make([]byte, 65536)
	perShard := make([]int, shards)
	received := 0
	drain := func() {
		for shard, fd := range g.fds {
			for {
				n, _, err := unix.Recvfrom(fd, buffer, 0)
				if err != nil {
					break
				}
				key := plainKey(buffer[:n])
				if key == nil || Owner(key, shards) != shard {
					t.Fatalf("Call-ID %q arrived at shard %d, its owner is %d", key, shard, Owner(key, shards))
				}
				perShard[shard]++
				received++
			}
		}
	}
	for call := range calls {
		id := randomCallID(random, call)
		for i, first := range []string{"INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK",
			"BYE sip:bob@example.com SIP/2.0"} {
			m := spelledMessage(random, first, id)
			must(t, unix.Sendto(senders[random.IntN(ports)], m, 0, g.addr))
			if (call*3+i)%inFlight == 0 {
				drain()
			}
		}
	}
	drain()
	c := g.counts(t)
	if received != 3*calls || c.Steered != 3*calls || c.NoKey != 0 || c.NoSlot != 0 {
		t.Fatalf("received %d, counted %+v, want all %d steered", received, c, 3*calls)
	}
	t.Logf("per shard: %v", perShard)
}

func randomCallID(r *rand.Rand, n int) string {
	const word = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~()<>:\\\"/[]?{}"
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = word[r.IntN(len(word))]
		}
		return string(b)
	}
	switch n % 5 {
	case 0:
		return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<16), r.IntN(1<<16),
			r.Uint64()>>16)
	case 1:
		return fmt.Sprintf("%d-%d@127.0.0.1", n, r.IntN(1<<16))
	case 2:
		return fmt.Sprintf("%032x@192.0.2.%d:5060", r.Uint64(), r.IntN(256))
	case 3:
		return letters(1 + r.IntN(9))
	}
	return letters(1 + r.IntN(200))
}

func spelledMessage(r *rand.Rand, first, id string) []byte {
	name := []string{"Call-ID", "call-id", "CALL-ID", "cAlL-iD", "i", "I"}[r.IntN(6)]
	colon := []string{": ", ":", " : ", "\t:\t"}[r.IntN(4)]
	var b strings.Builder
	b.WriteString(first + "\r\n")
	for via := range 1 + r.IntN(4) {
		fmt.Fprintf(&b, "Via: SIP/2.0/UDP 192.0.2.%d:5060;branch=z9hG4bK%x\r\n", via, r.Uint64())
	}
	b.WriteString("From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n")
	b.WriteString(name + colon + id + "\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
	if size := []int{400, 800, 1400}[r.IntN(3)]; b.Len() < size {
		b.WriteString(strings.Repeat("v", size-b.Len()))
	}
	return []byte(b.String())
}

// TestClosedSocketEmptiesItsSlot: what cannot be steered goes to another member and is counted;
// nothing is lost.
func TestClosedSocketEmptiesItsSlot(t *testing.T) {
	g := newGroup(t, 2, unix.AF_INET)
	sender := udpSocket(t, unix.AF_INET)
	must(t, unix.Close(g.fds[1]))
	g.fds = g.fds[:1]
	buffer := make([]byte, 2048)
	var gone uint64
	for i := range 100 {
		id := fmt.Sprintf("%d@h", i)
		gone += uint64(Owner([]byte(id), 2))
		must(t, unix.Sendto(sender, []byte("SIP/2.0 200 OK\r\nCall-ID: "+id+"\r\n\r\n"), 0, g.addr))
		g.receive(t, buffer)
	}
	if c := g.counts(t); c.NoSlot != gone || c.Steered != 100-gone || gone == 0 {
		t.Fatalf("counted %+v, want %d without a slot", c, gone)
	}
}

func TestOwner(t *testing.T) {
	f := func(callID string, shards, want int) {
		t.Helper()
		if got := Owner([]byte(callID), shards); got != want {
			t.Errorf("Owner(%q, %d) = %d, want %d", callID, shards, got, want)
		}
	}
	// XXH64 of "" is ef46db3751d8e999, of "a" d24ec4f1a98c6e5b, of "abc" 44bc2cf5ad770999 (xxHash
	// test vectors).
	f("", 16, 0xe)
	f("a", 16, 0xd)
	f("abc", 16, 0x4)
	f("abc", 256, 0x44)
	f("abc", 1, 0)
	f("a", 3, 2)
	perShard := make([]int, 61)
	for i := range 61_000 {
		perShard[Owner(fmt.Appendf(nil, "%d-4711@192.0.2.1", i), 61)]++
	}
	for shard, n := range perShard {
		if n < 850 || n > 1150 {
			t.Errorf("shard %d of 61 owns %d of 61,000 sequential Call-IDs", shard, n)
		}
	}
}

func TestScratchLayout(t *testing.T) {
	spec, err := loadSteer()
	must(t, err)
	if got, want := binary.Size(scratch{}), int(spec.Maps["scratches"].ValueSize); got != want {
		t.Errorf("scratch has %d bytes, struct scratch of steer.c %d", got, want)
	}
	if got := spec.Maps["sockets"].MaxEntries; got != MaxShards {
		t.Errorf("the map of steer.c has %d slots, MaxShards is %d", got, MaxShards)
	}
}

func TestLoadRefusesNumbersOfShards(t *testing.T) {
	for _, shards := range []int{-1, 0, 1, MaxShards + 1} {
		if p, err := Load(shards); err == nil {
			p.Close()
			t.Errorf("Load(%d) succeeded", shards)
		}
	}
}

func TestExplain(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if got := explain(err).Error(); !strings.Contains(got, want) {
			t.Errorf("explain(%v) = %q, want %q in it", err, got, want)
		}
	}
	f(fmt.Errorf("map create: %w (MEMLOCK may be too low)", unix.EPERM), "needs CAP_BPF")
	f(os.ErrPermission, "cannot load")
	f(unix.ENOSYS, "bpf system call")
	f(errors.New("odd"), "cannot load the steering program: odd")
	if !errors.Is(explain(unix.ENOSYS), ErrNotSupported) || !errors.Is(explain(unix.EPERM), unix.EPERM) {
		t.Error("the error does not say what kind it is")
	}
}
