package outside

import (
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSipsak(t *testing.T) {
	t.Parallel()
	path := needs(t, "sipsak", "sipsak")
	// sipsak 0.9.8 loses the fifth digit of a port.
	short := 2000 + rand.IntN(7000)
	for inUse("127.0.0.1", short) || inUse("0.0.0.0", short) {
		short++
	}
	srv := start(t, setup{listen: netip.AddrPortFrom(loopback4, uint16(short)),
		targets: []netip.AddrPort{freeAddress(t)}})
	out, err := exec.Command(path, "-vv", "-s", "sip:"+srv.addr.String()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "SIP/2.0 200 Keepalive") {
		t.Errorf("sipsak: %v\n%s", err, out)
	}
}

// A destination's socket goes away in the middle of calls. The kernel answers for it by ICMP, and
// every call finds another destination.
func TestDestinationGone(t *testing.T) {
	t.Parallel()
	loadsHalf(t)
	all, at := answerers(t, 4)
	srv := start(t, setup{shards: 2, targets: at})
	const calls = 1000
	uac := startUAC(t, "uac", srv.addr, calls, 250)
	eventually(t, "calls at the first destination", func() bool { return all[0].count() >= calls/12 })
	all[0].vanish()
	select {
	case <-all[0].closed:
	case <-time.After(patience):
		t.Fatal("the first destination's calls do not end")
	}
	gone := all[0].count()
	uac.allWell(t, uac.finish(t, 40*time.Second), calls)
	srv.waitLine(t, 0, "destination down")
	if n := srv.stats(t); sum(n, "failovers") == 0 || sum(n, "icmp_errors")+sum(n, "send_failed") == 0 {
		t.Errorf("no failover and no ICMP error was counted: %v", n)
	}
	if all[0].count() != gone {
		t.Error("a socket that is closed had calls")
	}
	total := gone
	for _, a := range all[1:] {
		n := a.count()
		total += n
		if n < calls/5 {
			t.Errorf("a destination that stayed had only %d of %d calls", n, calls)
		}
	}
	if total != calls {
		t.Errorf("%d calls were answered, %d made", total, calls)
	}
}

// A destination hangs: its socket takes everything and nothing comes back. The calls that meet it
// find another one, later ones do not meet it, and when it answers a probe it is used again.
func TestDestinationHangs(t *testing.T) {
	t.Parallel()
	uas, at := startUAS(t, 3, "uas-probed", loopback4)
	srv := start(t, setup{targets: at, edits: append(params(`modparam("dispatcher", "ds_ping_interval", 1)`,
		`modparam("dispatcher", "ds_probing_mode", 1)`, `modparam("tm", "retr_timer1", 1500)`), `"fr_timer", 30000`,
		`"fr_timer", 2000`)})
	calls := func(n, rate int) figures {
		t.Helper()
		uac := startUAC(t, "uac", srv.addr, n, rate)
		f := uac.finish(t, 40*time.Second)
		uac.allWell(t, f, n)
		return f
	}
	calls(60, 60)
	hangs := uas[0].cmd.Process
	if err := hangs.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	down := "uri=sip:" + at[0].String()
	mark := srv.lines()
	calls(60, 60) // a third of them waits for fr_timer and goes elsewhere
	if line := srv.waitLine(t, mark, "destination down"); !strings.Contains(line, down) {
		t.Errorf("another destination is down: %s", line)
	}
	before := srv.stats(t)
	calls(120, 60)
	after := srv.stats(t)
	if sum(before, "failovers") == 0 {
		t.Error("no call failed over")
	}
	if n := sum(after, "failovers") - sum(before, "failovers"); n > 0 {
		t.Errorf("%d calls went to a destination known to hang", n)
	}
	mark = srv.lines()
	if err := hangs.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if line := srv.waitLine(t, mark, "destination up"); !strings.Contains(line, down) {
		t.Errorf("another destination is up: %s", line)
	}
	f := uas[0].figures(t)
	calls(60, 60)
	for end := time.Now().Add(patience); uas[0].figures(t)[created] < f[created]+10; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the destination that came back has no calls: %v, then %v", f, uas[0].figures(t))
		}
	}
	if text := srv.text(); strings.Contains(text, at[1].String()+" ") || strings.Contains(text, at[2].String()+" ") {
		t.Errorf("the other destinations were touched:\n%s", text)
	}
}

// SIGTERM in the middle of calls: new ones are left to a successor and then refused, those under
// way are finished, and the exit code is 0.
func TestDrain(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{shards: 2})
	held := caller.call(srv.addr)
	held.establish(callee)
	var ringing []*dialog
	var invites []*message
	for range 20 {
		d := caller.invites(srv.addr)
		m := d.ringsAt(callee)
		ringing, invites = append(ringing, d), append(invites, m)
	}
	srv.beginsToDrain(t)
	d := caller.invites(srv.addr)
	caller.silence(time.Second)
	var m *message
	for end := time.Now().Add(slowStart); m == nil && time.Now().Before(end); m = caller.next(time.Second) {
		d.invite()
	}
	if m == nil || m.status() != 503 {
		t.Fatalf("a new call while draining got %v, want 503", m)
	}
	if m.get("Retry-After") == "" {
		t.Errorf("a new call while draining is refused without Retry-After:\n%s", m.raw)
	}
	d.ack(m)
	held.hangsUp(callee)
	if srv.ended() {
		t.Fatal("it ended with calls ringing")
	}
	for i, d := range ringing {
		switch i % 3 {
		case 0:
			callee.reply(invites[i], 200, "OK", "callee")
			d.confirm(caller.expect("200"))
			if i < len(ringing)-1 { // after the last final it ends
				d.request("ACK")
				callee.expect("ACK")
			}
		case 1:
			callee.reply(invites[i], 486, "Busy Here", "callee")
			callee.expect("ACK")
			d.ack(caller.expect("486"))
		case 2:
			d.cancel()
			caller.expect("200")
			callee.answers("CANCEL", 200, "OK")
			callee.reply(invites[i], 487, "Request Terminated", "callee")
			callee.expect("ACK")
			d.ack(caller.expect("487"))
		}
	}
	if !srv.wait(patience) || srv.err != nil {
		t.Errorf("it ends with %v, want exit code 0\n%s", srv.err, srv.tail())
	}
	if !strings.Contains(srv.text(), "viaduct stopped") {
		t.Errorf("its last words:\n%s", srv.tail())
	}
}

// The process is killed and started again: the BYE of a call it does not know finds its way by what
// the messages carry, from both sides.
func TestKillAndRestart(t *testing.T) {
	srv, caller, callee := proxyBetween(t, setup{shards: 2})
	other := newAnswerer(t) // the file may even name other destinations by then
	var calls []*dialog
	var invites []*message
	for range 6 {
		d := caller.call(srv.addr)
		m, _ := d.establish(callee)
		calls, invites = append(calls, d), append(invites, m)
	}
	srv.isKilled(t)
	s := srv.setup
	s.targets, s.edits, s.shards = to(other.peer), nil, 1
	again := start(t, patient(s))
	if again.addr != srv.addr {
		t.Fatalf("restarted on %v, was on %v", again.addr, srv.addr)
	}
	for i, d := range calls {
		if i%2 == 0 {
			d.request("BYE")
			m := callee.expect("BYE")
			if m.get("Call-ID") != d.id {
				t.Errorf("the BYE of %s arrives for %s", m.get("Call-ID"), d.id)
			}
			callee.reply(m, 200, "OK", "")
			caller.expect("200")
			continue
		}
		e := d.asSeenBy(callee, invites[i], srv.addr)
		e.request("BYE")
		m := caller.expect("BYE")
		if m.get("Call-ID") != d.id {
			t.Errorf("the BYE of %s arrives for %s", m.get("Call-ID"), d.id)
		}
		caller.reply(m, 200, "OK", "")
		callee.expect("200")
	}
	if n := other.count(); n != 0 {
		t.Errorf("%d calls went to a destination that had none", n)
	}
}

// A flood of INVITEs to a callee that says nothing fills the memory for calls: what does not fit is
// refused with 503 and Retry-After, calls that are established go on, the process does not grow,
// and when the flood's transactions are over new calls are taken again.
func TestFullArena(t *testing.T) {
	srv, caller, callee := proxyBetween(t,
		setup{arenaMB: 4, timers: true,
			edits: append(params(`modparam("dispatcher", "ds_ping_interval", 1)`,
				`modparam("dispatcher", "ds_probing_mode", 1)`,
				`modparam("tm", "retr_timer1", 200)`,
				`modparam("tm", "retr_timer2", 1000)`), `"fr_timer", 30000`, `"fr_timer", 3000`)})
	callee.answersProbes.Store(true) // silence towards calls alone does not take it out
	loads(t)
	held := make([]*dialog, 3)
	for i := range held {
		held[i] = caller.call(srv.addr)
		held[i].establish(callee)
	}
	bye := func(d *dialog) {
		t.Helper()
		d.request("BYE")
		for m := callee.next(patience); ; m = callee.next(patience) {
			if m == nil {
				t.Fatalf("the BYE of an established call does not pass a full proxy: the caller gets %v\n%v",
					caller.next(0), srv.stats(t))
			}
			if m.method() == "BYE" {
				callee.reply(m, 200, "OK", "")
				break
			}
		}
	}
	flooder := newPeer(t, "the flooder")
	before := srv.residentBytes(t)
	taken, refused, byes := 0, 0, 0
	open := map[string]*dialog{}
	read := func(d time.Duration) bool {
		m := flooder.next(d)
		if m == nil {
			return false
		}
		call := open[m.get("Call-ID")]
		switch m.status() {
		case 100:
			taken++
		case 503:
			if call != nil {
				refused++
				if m.get("Retry-After") == "" {
					t.Errorf("refused without Retry-After:\n%s", m.raw)
				}
				call.ack(m)
				delete(open, call.id)
			}
		default: // 408 after fr_timer
			if call != nil {
				call.ack(m)
			}
		}
		return true
	}
	const flood = 12000
	for i := range flood {
		d := flooder.call(srv.addr)
		open[d.id] = d
		d.invite()
		for read(0) {
		}
		if i%100 == 99 {
			time.Sleep(5 * time.Millisecond) // a flood, not a blast that the kernel would drop
		}
		if i > flood/2 && i%(flood/8) == 0 && byes < len(held) && refused > 0 {
			bye(held[byes])
			byes++
		}
	}
	for read(beat) {
		if refused+taken > 2*flood {
			break
		}
	}
	if taken < 300 || refused == 0 {
		t.Errorf("of %d INVITEs %d were taken and %d refused: the memory was never full", flood, taken, refused)
	}
	if byes == 0 {
		t.Error("no BYE was tried while it was full")
	}
	all := srv.stats(t)
	if n := sum(all, "arena_used_bytes"); n > 4<<20 {
		t.Errorf("%d bytes of call state are in use, more than -m 4", n)
	}
	if sum(all, "shed") == 0 {
		t.Errorf("nothing was counted as shed: %v", all)
	}
	if grown := srv.residentBytes(t) - before; grown > 24<<20 {
		t.Errorf("the process has grown by %d MB", grown>>20)
	}
	t.Logf("%d taken, %d refused, %d BYEs passed, %d bytes used, resident grew by %d KB", taken, refused, byes,
		sum(all, "arena_used_bytes"),
		(srv.residentBytes(t)-before)>>10)

	// After fr_timer, and the time a transaction lingers for repeats, there is room again.
	recovered := newPeer(t, "the next caller")
	for end := time.Now().Add(40 * time.Second); ; {
		if time.Now().After(end) {
			t.Fatalf("no call is taken %v after the flood: %v", 40*time.Second, srv.stats(t))
		}
		for read(0) {
		}
		d := recovered.invites(srv.addr)
		m := recovered.next(patience)
		if m == nil {
			t.Fatal("no answer to a call after the flood")
		}
		if m.status() == 503 {
			d.ack(m)
			time.Sleep(200 * time.Millisecond)
			continue
		}
		break
	}
}
