package outside

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A shard that gets more than it can handle refuses new calls with 503 and Retry-After, and nothing
// else: not what belongs to a dialog, not what is urgent, not the OPTIONS of a peer that wants to
// know whether we live. When it is over every call is taken again. The shard is made slow by
// stopping it most of the time, with a receive buffer that is full long before it goes on.
func TestOverloadRefusesNewCalls(t *testing.T) {
	t.Parallel()
	callee, caller, flood := newPeer(t, "the callee"), newPeer(t, "the caller"), newPeer(t, "the flood")
	srv := start(t, setup{targets: to(callee), arenaMB: 256, flags: []string{"-b", "212992"}})
	d := caller.call(srv.addr)
	d.establish(callee)

	out, err := net.Dial("udp", srv.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stopped := false
	signal := func(s syscall.Signal) {
		srv.cmd.Process.Signal(s)
		stopped = s == syscall.SIGSTOP
	}
	defer func() {
		if stopped {
			signal(syscall.SIGCONT)
		}
	}()
	refused, answered := 0, 0
	count := func() (cycleRefused, cycle int) {
		for m := flood.next(0); m != nil; m = flood.next(0) {
			if m.status() == 503 {
				cycleRefused++
				if m.get("Retry-After") == "" {
					t.Errorf("a 503 without Retry-After:\n%s", m.raw)
				}
			}
			cycle++
		}
		refused, answered = refused+cycleRefused, answered+cycle
		return cycleRefused, cycle
	}
	// cycle is 38 ms in which the shard works for 8, and has more to do than it can. What first
	// sends comes before the flood, so that there is room for it.
	cycle := func(first func()) (cycleRefused, n int) {
		signal(syscall.SIGSTOP)
		first()
		for range 400 {
			d := flood.call(srv.addr)
			out.Write([]byte(d.text("INVITE", d.branch)))
		}
		time.Sleep(30 * time.Millisecond)
		signal(syscall.SIGCONT)
		time.Sleep(8 * time.Millisecond)
		return count()
	}
	// A quarter of what is answered at once must be refused before the test goes on.
	for deadline := time.Now().Add(3 * patience); ; {
		if r, n := cycle(func() {}); r > 10 && r > n/4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d answers %d are 503", answered, refused)
		}
	}

	// While it lasts these are sent as over any UDP, again and again until there is an answer: the
	// kernel may have had no room for one.
	urgent, asks, news := caller.call(srv.addr), caller.call(srv.addr), newPeer(t, "the new caller")
	asks.uri = "sip:" + srv.addr.String()
	waiting := make(map[string]*dialog)
	for range 40 {
		d := news.call(srv.addr)
		waiting[d.id] = d
	}
	bye := d.request("BYE")
	var byeThere, inviteThere, optionsAnswered bool
	newRefused := 0
	for deadline := time.Now().Add(3 * patience); !byeThere || !inviteThere || !optionsAnswered || len(waiting) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: BYE there %v, urgent INVITE there %v, OPTIONS answered %v, %d new calls neither taken "+
				"nor refused", byeThere, inviteThere, optionsAnswered, len(waiting))
		}
		cycle(func() {
			if !byeThere {
				d.peer.send(srv.addr, d.text("BYE", bye))
			}
			if !inviteThere {
				urgent.invite("Resource-Priority: ets.0")
			}
			if !optionsAnswered {
				caller.send(srv.addr, asks.text("OPTIONS", asks.branch))
			}
			for _, d := range waiting {
				d.invite()
			}
		})
		for m := callee.next(0); m != nil; m = callee.next(0) {
			byeThere = byeThere || m.method() == "BYE"
			inviteThere = inviteThere || m.method() == "INVITE" && m.get("Call-ID") == urgent.id
		}
		for m := caller.next(0); m != nil; m = caller.next(0) {
			if m.status() >= 300 {
				t.Fatalf("refused:\n%s", m.raw)
			}
			optionsAnswered = optionsAnswered || m.status() == 200 && m.get("Call-ID") == asks.id
		}
		for m := news.next(0); m != nil; m = news.next(0) {
			delete(waiting, m.get("Call-ID"))
			if m.status() == 503 {
				newRefused++
			}
		}
	}
	if newRefused == 0 {
		t.Error("no new call was refused")
	}

	// When it is over every call is taken again. How long that takes is the machine's affair.
	later := newPeer(t, "the later caller")
	laterRefused := 0
	for deadline, taken := time.Now().Add(3*patience), 0; taken < 20; {
		later.call(srv.addr).invite()
		switch m := later.next(patience); {
		case m == nil:
			t.Fatal("a later call is neither taken nor refused")
		case m.status() == 100:
			taken++
		case m.status() != 503 || time.Now().After(deadline):
			t.Fatalf("a later call gets\n%s", m.raw)
		default:
			laterRefused, taken = laterRefused+1, 0
			time.Sleep(100 * time.Millisecond)
		}
	}
	// Every 503 is counted, and nothing else; what the flood's own socket had no room for was
	// counted and not seen.
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		count()
		for m := news.next(0); m != nil; m = news.next(0) {
			if m.status() == 503 {
				newRefused++
			}
		}
		counted, saw := int(srv.stats(t)[0].Refused["overloaded"]), refused+newRefused+laterRefused
		lost := udpDrops(t, flood.addr) + udpDrops(t, news.addr)
		if saw <= counted && counted <= saw+lost {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d refused as overloaded, %d+%d+%d saw it, %d were lost on their way", counted, refused,
				newRefused, laterRefused, lost)
		}
	}
	srv.waitLine(t, 0, "overload: more arrives") // once a second
	if n := strings.Count(srv.text(), "overload: more arrives"); n != 1 {
		t.Errorf("%d lines in the log say so", n)
	}
}

// udpDrops is how many datagrams the kernel had no room for in the socket of addr.
func udpDrops(t *testing.T, addr netip.AddrPort) int {
	t.Helper()
	table, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprintf(":%04X", addr.Port())
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) >= 13 && strings.HasSuffix(f[1], port) {
			n, err := strconv.Atoi(f[12])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no socket of %v in /proc/net/udp", addr)
	return 0
}
