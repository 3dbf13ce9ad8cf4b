package outside

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// Five hundred calls at once to a TCP port that nobody has, and one to port 0: each is answered,
// and a call to somebody who is there goes through.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	loads(t)
	srv := startStreams(t, streamSetup{setup: setup{shards: 2}})
	calls := startTraffic(t, srv, "UDP", overTCP)
	closed := freePort(t)
	for _, transport := range []string{"UDP", overTCP} {
		caller := srv.caller(t, "the caller over "+transport, transport)
		open := map[string]*dialog{}
		for i := range 501 {
			d := caller.invitesTo(srv.at(transport),
				fmt.Sprintf("sip:callee@127.0.0.1:%d;transport=tcp", nobodysPort(closed, i)))
			open[d.id] = d
		}
		status := map[int]int{}
		for len(open) > 0 {
			m := caller.next(patience)
			if m == nil {
				t.Fatalf("over %s %d calls have no answer; the others: %v", transport, len(open), status)
			}
			if d := open[m.get("Call-ID")]; d != nil && m.status() >= 200 {
				d.ack(m)
				delete(open, d.id)
				status[m.status()]++
			}
		}
		for code := range status {
			if code < 400 {
				t.Errorf("over %s nobody is there, and the answers are %v", transport, status)
			}
		}
		t.Logf("over %s: %v", transport, status)
	}
	calls.allWell()
}

// nobodysPort is the port that nobody has, and 0 for the first call.
func nobodysPort(closed, call int) int {
	if call == 0 {
		return 0
	}
	return closed
}

// A destination that takes no connection is passed over within its own connect_timeout, long before
// the core's.
func TestConnectTimeoutOfTarget(t *testing.T) {
	t.Parallel()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	hole := freeAddress(t)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(hole.Port()), Addr: hole.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	// the queue holds one; SYNs behind it are dropped
	filler, err := net.DialTimeout("tcp", hole.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	good := listener(t, "the next destination", overTCP, loopback4)
	srv := startStreams(t, streamSetup{globals: []string{"tcp_connect_timeout=60"},
		setup: setup{program: byRoute(t), timers: true,
			targets: []netip.AddrPort{hole, good.addr}, targetAttrs: "connect_timeout=300;send_timeout=2000",
			transport: "tcp"}})
	caller := newPeer(t, "the caller")
	for calls := 0; srv.streamCounters(t)["connect_failed"] == 0; calls++ {
		if calls == 50 {
			// the Call-ID decides, hence one in two
			t.Fatal("no call was meant for the first destination, or it took connections")
		}
		d := caller.invites(srv.addr)
		m := good.expect("INVITE")
		good.reply(m, 486, "Busy Here", "callee")
		good.expect("ACK")
		caller.expect("100")
		d.ack(caller.expect("486"))
	}
}
