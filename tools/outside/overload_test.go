package outside

import (
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A shard that gets more than it can handle refuses new calls with 503 and Retry-After, and nothing else: not what belongs to a dialog, not what is urgent, not the
// OPTIONS of a peer that wants to know whether we live. When it is over every call is taken again. The shard is made slow by stopping it most of the time, with a
// receive buffer that is full long before it goes on.
func TestOverloadRefusesNewCalls(t *testing.T) {
	t.Parallel()
	callee, caller, flood := newPeer(t, "the callee"), newPeer(t, "the caller"), newPeer(t, "the flood")
	srv := start(t, setup{targets: []netip.AddrPort{callee.addr}, arenaMB: 256, flags: []string{"-b", "212992"}})
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
	// A quarter of what is answered at once must be refused before the test goes on.
	for deadline := time.Now().Add(3 * patience); ; {
		signal(syscall.SIGSTOP)
		for range 400 {
			d := flood.call(srv.addr)
			out.Write([]byte(d.text("INVITE", d.branch)))
		}
		time.Sleep(30 * time.Millisecond)
		signal(syscall.SIGCONT)
		time.Sleep(8 * time.Millisecond)
		if r, n := count(); r > 10 && r > n/4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d answers %d are 503", answered, refused)
		}
	}

	d.request("BYE")
	urgent := caller.call(srv.addr)
	urgent.invite("Resource-Priority: ets.0")
	caller.options(srv.addr)
	news := newPeer(t, "the new caller")
	for range 40 {
		news.call(srv.addr).invite()
	}
	var bye, invite bool
	for deadline := time.Now().Add(patience); !bye || !invite; {
		m := callee.next(time.Until(deadline))
		if m == nil {
			t.Fatalf("the callee waits in vain: BYE %v, urgent INVITE %v", bye, invite)
		}
		bye = bye || m.method() == "BYE"
		invite = invite || m.method() == "INVITE" && m.get("Call-ID") == urgent.id
	}
	for got := map[int]bool{}; !got[200]; {
		m := caller.next(patience)
		if m == nil {
			t.Fatal("OPTIONS are not answered")
		}
		if m.status() >= 300 {
			t.Fatalf("refused:\n%s", m.raw)
		}
		got[m.status()] = true
	}
	newRefused := 0
	for range 40 {
		switch m := news.next(patience); {
		case m == nil:
			t.Fatal("a new call is neither taken nor refused")
		case m.status() == 503:
			newRefused++
		}
	}
	if newRefused == 0 {
		t.Error("no new call was refused")
	}

	time.Sleep(3 * time.Second)
	count()
	later := newPeer(t, "the later caller")
	for range 20 {
		later.call(srv.addr).invite()
		later.expect("100")
	}
	if s := srv.stats(t)[0]; s.Refused["overloaded"] != uint64(refused+newRefused) {
		t.Errorf("%d refused as overloaded, %d+%d saw it", s.Refused["overloaded"], refused, newRefused)
	}
	if n := strings.Count(srv.text(), "overload: more arrives"); n != 1 {
		t.Errorf("%d lines in the log say so", n)
	}
}
