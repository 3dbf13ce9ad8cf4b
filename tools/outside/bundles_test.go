package outside

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bundler is a sender whose kernel cuts up what it sends into datagrams of one length
// (UDP_SEGMENT).
type bundler struct {
	conn  *net.UDPConn
	bytes int
}

func newBundler(t *testing.T, to netip.AddrPort, bytes int) *bundler {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, bytes)
	}); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Skip("needs UDP_SEGMENT (Linux 4.18): ", failed)
	}
	return &bundler{conn, bytes}
}

// options is an OPTIONS of the right length.
func (b *bundler) options(callID string, cseq int) string {
	text := fmt.Sprintf("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s.%d\r\nMax-Forwards: 70\r\n"+
		"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: %s\r\nCSeq: %d OPTIONS\r\n"+
		"Content-Length: 0\r\nX: ",
		b.conn.RemoteAddr(), b.conn.LocalAddr(), callID, cseq, callID, cseq)
	return text + strings.Repeat("x", b.bytes-len(text)-4) + "\r\n\r\n"
}

// Bundles come to several shards, and the kernel program that steers sees only the first datagram
// of each. The shards notice, and from then on the messages of one call stay in order although they
// come in two bundles, one right behind the other.
func TestBundlesWithSteering(t *testing.T) {
	t.Parallel()
	srv := start(t, setup{targets: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}, shards: 2})
	if s := srv.steering(t); !strings.HasPrefix(strings.TrimSpace(s), "kernel") {
		t.Skip("needs steering by the kernel: ", s)
	}
	b := newBundler(t, srv.addr, 600)
	// pair sends two bundles; the last message of the first and an early one of the second are of
	// one call. It reports whether their answers were swapped.
	serial := 0
	pair := func() (swapped bool) {
		serial++
		call := fmt.Sprintf("pair%d", serial)
		var one, two strings.Builder
		for i := range 30 {
			one.WriteString(b.options(fmt.Sprintf("a%d.%d", serial, i), 1))
			two.WriteString(b.options(fmt.Sprintf("b%d.%d", serial, i), 1))
			if i == 1 {
				two.WriteString(b.options(call, 2))
			}
		}
		one.WriteString(b.options(call, 1))
		for _, text := range []string{one.String(), two.String()} {
			if _, err := b.conn.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		buffer, first := make([]byte, 2048), 0
		for range 62 {
			b.conn.SetReadDeadline(time.Now().Add(patience))
			n, err := b.conn.Read(buffer)
			if err != nil {
				t.Fatalf("an OPTIONS is not answered: %v", err)
			}
			m := readMessage(buffer[:n], srv.addr)
			if first == 0 && m.get("Call-ID") == call {
				fmt.Sscan(m.get("CSeq"), &first)
			}
		}
		return first == 2
	}
	const said = "datagrams arrive in bundles"
	for deadline := time.Now().Add(patience); !strings.Contains(srv.text(), said); {
		pair()
		if time.Now().After(deadline) {
			t.Fatal("the shards do not notice")
		}
	}
	for n := range 300 {
		if pair() {
			t.Fatalf("pair %d is swapped", n)
		}
	}
	if n := strings.Count(srv.text(), said); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// Calls that leave together to a port where nobody listens all go on to the next destination soon,
// though the kernel names but one of them in its ICMP error.
func TestFailoverOfBundle(t *testing.T) {
	t.Parallel()
	const calls = 200
	closed := freeAddress(t)
	callee, caller := newPeer(t, "the callee"), newPeer(t, "the caller")
	srv := start(t, setup{targets: []netip.AddrPort{closed, callee.addr}, timers: true})
	for range calls {
		caller.call(srv.addr).invite()
	}
	reached := map[string]bool{}
	for end := time.Now().Add(patience); len(reached) < calls; {
		m := callee.next(time.Until(end))
		if m == nil {
			t.Fatalf("%d of %d calls have reached the destination that lives", len(reached), calls)
		}
		reached[m.get("Call-ID")] = true
	}
}

// What waits in the kernel's buffer after a pause is more than the rings between shards hold. It
// stays there until they have room.
func TestRingsHoldBackSockets(t *testing.T) {
	t.Parallel()
	const requests = 4000
	srv := start(t, setup{
		targets: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}, shards: 2,
		flags: []string{"--steer", "off", "-b", "16777216"},
	})
	p := newPeer(t, "the caller")
	srv.cmd.Process.Signal(syscall.SIGSTOP)
	for range requests {
		p.options(srv.addr)
	}
	srv.cmd.Process.Signal(syscall.SIGCONT)
	for n := range requests {
		if m := p.next(patience); m == nil || m.status() != 200 {
			for _, c := range srv.stats(t) {
				t.Logf("dropped: %v, dropped by the kernel %d", c.Dropped, c.count["kernel_drops"])
			}
			t.Fatalf("%d of %d requests are answered", n, requests)
		}
	}
}
