package outside

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "watch the timers with the RFC's own values too, which takes minutes")

// clock is a set of timers as tm's parameters give them: b is Timers B and F, wt is D, J, L and M;
// G and H follow from T1.
type clock struct {
	t1, t2, t4, b, c, wt time.Duration
	full                 bool // the RFC's own values
}

// quickClock is the RFC's shortened to a fifth, Timer C more.
var quickClock = clock{t1: 100 * time.Millisecond, t2: 800 * time.Millisecond, t4: time.Second,
	b: 6400 * time.Millisecond, c: 6 * time.Second,
	wt: 6400 * time.Millisecond}

// fullClock is what applies without any parameter.
var fullClock = clock{t1: 500 * time.Millisecond, t2: 4 * time.Second, t4: 5 * time.Second, b: 32 * time.Second,
	c: 181 * time.Second, wt: 32 * time.Second,
	full: true}

// timed runs a story on the quick clock, and on the RFC's when asked.
func timed(t *testing.T, quick clock, f func(t *testing.T, k clock)) {
	t.Parallel()
	t.Run("quick", func(t *testing.T) { f(t, quick) })
	t.Run("full", func(t *testing.T) {
		if !*long {
			t.Skip("the RFC's own times: make soak")
		}
		f(t, fullClock)
	})
}

// setup is lb.cfg with the clock.
func (k clock) setup() setup {
	s := setup{
		timers: true, edits: []string{`modparam("tm", "fr_timer", 30000)`, "", `modparam("tm", "fr_inv_timer", 120000)`,
			""},
	}
	if !k.full {
		var lines []string
		for name, d := range map[string]time.Duration{
			"retr_timer1": k.t1, "retr_timer2": k.t2, "t4_timer": k.t4, "fr_timer": k.b, "fr_inv_timer": k.c,
			"wt_timer": k.wt,
		} {
			lines = append(lines, fmt.Sprintf(`modparam("tm", "%s", %d)`, name, d.Milliseconds()))
		}
		s.edits = append(s.edits, params(lines...)...)
	}
	return s
}

// part is a time for the quick clock or for the full one.
func (k clock) part(quick, full time.Duration) time.Duration {
	if k.full {
		return full
	}
	return quick
}

const (
	late  = 3 * time.Second       // after a timer is due it has fired
	slack = 8 * time.Second       // by which a shared machine may delay anybody
	early = 20 * time.Millisecond // by which a timer may fire before its time: the proxy's tick
)

// series wants messages at these times after began, which must have been read before what set the
// timer was sent: so nobody's delay makes an interval shorter. A proxy that was not run for a while
// sends fewer, but at least so many.
func series(t *testing.T, what string, began time.Time, got []*message, want []time.Duration, least int) {
	t.Helper()
	if len(got) > len(want) || len(got) < least {
		var at []time.Duration
		for _, m := range got {
			at = append(at, m.at.Sub(began).Round(time.Millisecond))
		}
		t.Errorf("%s: sent at %v, want %v", what, at, want)
	}
	for i := range min(len(got), len(want)) {
		notBefore(t, fmt.Sprintf("%s %d", what, i+1), got[i].at.Sub(began), want[i])
	}
}

// notBefore wants something after d, and not much after.
func notBefore(t *testing.T, what string, got, d time.Duration) {
	t.Helper()
	if got < d-early || got > d+slack {
		t.Errorf("%s after %v, want %v", what, got.Round(time.Millisecond), d)
	}
}

// doubling are the times of something sent at once and again after T1, 2·T1, … up to T2 between
// two, before the end.
func doubling(t1, t2, end time.Duration) (at []time.Duration) {
	next := t1
	for d := time.Duration(0); d < end; d += next {
		if at = append(at, d); len(at) > 1 {
			next = min(2*next, t2)
		}
	}
	return at
}

func TestDoubling(t *testing.T) {
	ms := time.Millisecond
	f := func(got []time.Duration, want ...time.Duration) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	k := fullClock
	f(doubling(k.t1, time.Hour, k.b), 0, 500*ms, 1500*ms, 3500*ms, 7500*ms, 15500*ms, 31500*ms)
	f(doubling(k.t1, k.t2, k.b), 0, 500*ms, 1500*ms, 3500*ms, 7500*ms, 11500*ms, 15500*ms, 19500*ms, 23500*ms, 27500*ms,
		31500*ms)
}

// during takes everything that arrives before the time.
func (p *peer) during(until time.Time) (all []*message) {
	for {
		m := p.next(time.Until(until))
		if m == nil || m.at.After(until) {
			return all
		}
		all = append(all, m)
	}
}

// await is a request or response that must come, with what else came before it thrown away.
func (p *peer) await(what string, d time.Duration) *message {
	p.t.Helper()
	var others []string
	for end := time.Now().Add(d); ; {
		m := p.next(time.Until(end))
		if m == nil {
			p.t.Fatalf("%s waits in vain for %s; it got %q", p.name, what, others)
		}
		if m.method() == what || fmt.Sprint(m.status()) == what {
			return m
		}
		others = append(others, m.start)
	}
}

// only wants nothing but these.
func only(t *testing.T, who string, got []*message, starts ...string) {
	t.Helper()
	for _, m := range got {
		ok := false
		for _, s := range starts {
			ok = ok || strings.HasPrefix(m.start, s)
		}
		if !ok {
			t.Errorf("%s got\n%s", who, m.raw)
		}
	}
}

// Row 26, RFC 3261 §16.7 step 6: where no branch brings a final response, the caller of an INVITE
// gets 408 when Timer B fires.
func TestRow26SilentUAS408(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, _ := proxyBetween(t, k.setup())
		d := caller.call(srv.addr)
		began := time.Now()
		d.invite()
		caller.expect("100")
		m := caller.await("408", k.b+patience)
		notBefore(t, "408", m.at.Sub(began), k.b)
		if param(m.get("To"), "tag") == "" || m.get("CSeq") != "1 INVITE" {
			t.Errorf("the 408:\n%s", m.raw)
		}
		d.ack(m)
	})
}

// Row 30, §16.6 step 11, §16.7 step 2, §16.8: Timer C fires after the last provisional response:
// the branch is cancelled, the caller gets 408, and what the callee says to the CANCEL stays here.
func TestRow30TimerC(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		callee.once.Store(true)
		d := caller.invites(srv.addr)
		invite := d.reaches(callee)
		began := time.Now()
		callee.reply(invite, 180, "Ringing", "callee")
		caller.expect("180")
		cancel := callee.await("CANCEL", k.c+patience)
		notBefore(t, "CANCEL", cancel.at.Sub(began), k.c)
		if k.full && k.c <= 3*time.Minute {
			t.Errorf("Timer C is %v, want more than 3 minutes", k.c)
		}
		checkDerived(t, "CANCEL", invite, cancel, invite.get("To"))
		d.ack(caller.expect("408"))
		callee.reply(cancel, 200, "OK", "callee")
		callee.reply(invite, 487, "Request Terminated", "callee")
		callee.await("ACK", patience)
		caller.silence(beat)
	})
}

// Row 30: each provisional response but a 100 starts Timer C again.
func TestRow30TimerCRestarts(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		callee.once.Store(true)
		d := caller.invites(srv.addr)
		invite := d.reaches(callee)
		began := time.Now()
		for time.Since(began) < k.c+k.c/4 {
			callee.reply(invite, 180, "Ringing", "callee")
			caller.expect("180")
			only(t, "the callee", callee.during(time.Now().Add(k.part(2*time.Second, time.Minute))))
		}
		callee.reply(invite, 486, "Busy Here", "callee")
		callee.expect("ACK")
		d.ack(caller.expect("486"))
	})
}

// Row 33, §17.1.1.2: an INVITE over UDP goes out seven times, after T1, 2·T1, … without a limit,
// byte for byte the same, until Timer B.
func TestRow33TimerA(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		d := caller.call(srv.addr)
		began := time.Now()
		d.invite()
		all := callee.during(began.Add(k.b + late))
		only(t, "the callee", all, "INVITE ")
		series(t, "INVITE", began, all, doubling(k.t1, time.Hour, k.b), 6)
		for _, m := range all {
			if string(m.raw) != string(all[0].raw) {
				t.Errorf("a repeated INVITE differs:\n%s\n%s", all[0].raw, m.raw)
			}
		}
		d.ack(caller.await("408", patience))
	})
}

// Row 34, §17.1.1.2: a provisional response ends the repetitions, a 100 too.
func TestRow34ProvisionalStopsTimerA(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		caller.invites(srv.addr)
		callee.expect("INVITE")
		callee.reply(callee.expect("INVITE"), 100, "Trying", "")
		// One may have crossed it.
		if all := callee.during(time.Now().Add(k.part(3*time.Second, 10*time.Second))); len(all) > 1 {
			t.Errorf("the INVITE came %d times more after the 100", len(all))
		}
		caller.expect("100")
		caller.silence(0)
	})
}

// Row 36, §17.1.1.2: for Timer D a failure that comes again gets its ACK again, and the caller does
// not hear of it; after Timer D it is a stray.
func TestRow36TimerD(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		callee.once.Store(true)
		d := caller.invites(srv.addr)
		invite := d.reaches(callee)
		callee.reply(invite, 486, "Busy Here", "callee")
		began := time.Now()
		first := callee.await("ACK", patience)
		d.ack(caller.expect("486"))
		for _, at := range []time.Duration{k.wt / 16, k.wt / 8, k.wt / 4, k.wt * 5 / 16,
			k.part(k.wt/2, 29*time.Second)} {
			time.Sleep(time.Until(began.Add(at)))
			callee.reply(invite, 486, "Busy Here", "callee")
			if again := callee.expect("ACK"); string(again.raw) != string(first.raw) {
				t.Errorf("the repeated ACK differs:\n%s\n%s", first.raw, again.raw)
			}
		}
		time.Sleep(time.Until(began.Add(k.wt + late)))
		callee.reply(invite, 486, "Busy Here", "callee")
		callee.silence(beat)
		caller.silence(0)
		if n := dropped(srv.stats(t), "stray response"); n != 1 {
			t.Errorf("%d strays are counted after Timer D, want 1", n)
		}
	})
}

// Row 37, §17.1.2.2: another request over UDP is repeated after T1, 2·T1, … T2, T2, … until Timer
// F. Row 54, RFC 4320 §4.2: then the caller gets no 408, nor any other final. Row 55: a final that
// comes later still goes nowhere.
func TestRow37Row54Row55TimersEAndF(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		d := caller.call(srv.addr)
		began := time.Now()
		d.request("OPTIONS")
		all := callee.during(began.Add(k.b + k.part(late, 8*time.Second)))
		only(t, "the callee", all, "OPTIONS ")
		series(t, "OPTIONS", began, all, doubling(k.t1, k.t2, k.b), 8) // seven were Timer A's
		only(t, "the caller of a silent callee", caller.during(time.Now()), "SIP/2.0 100 ")
		if len(all) == 0 {
			t.FailNow()
		}
		callee.reply(all[0], 200, "OK", "callee")
		only(t, "the caller", caller.during(time.Now().Add(beat)))
		if n := dropped(srv.stats(t), "stray response"); n != 1 {
			t.Errorf("%d late finals are counted as strays, want 1", n)
		}
	})
}

// Row 37: after a provisional response it is repeated every T2.
func TestRow37TimerEInProceeding(t *testing.T) {
	quick := quickClock
	quick.t2 = 16 * quick.t1
	timed(t, quick, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		d := caller.call(srv.addr)
		began := time.Now()
		d.request("OPTIONS")
		m := callee.expect("OPTIONS")
		second := callee.expect("OPTIONS")
		callee.reply(m, 100, "Trying", "")
		all := append([]*message{m, second}, callee.during(began.Add(k.b+late))...)
		only(t, "the callee", all, "OPTIONS ")
		// The next one was due by then; one more may have crossed the 100.
		want := 3 + int((k.b-3*k.t1-1)/k.t2)
		if len(all) < want-2 || len(all) > want+1 {
			t.Errorf("OPTIONS was sent %d times in all, want %d", len(all), want)
		}
		if k.full {
			at := []time.Duration{0, k.t1, 3 * k.t1}
			for i := 3; i < want; i++ {
				at = append(at, at[i-1]+k.t2)
			}
			series(t, "OPTIONS", began, all, at, len(at)-1)
		}
	})
}

// Row 38, §17.1.2.2: for Timer K a final that comes again ends in its transaction; after it, it is
// a stray. The caller hears of neither.
func TestRow38TimerK(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		callee.once.Store(true)
		d := caller.call(srv.addr)
		d.request("MESSAGE")
		m := callee.expect("MESSAGE")
		callee.reply(m, 200, "OK", "callee")
		began := time.Now()
		caller.expect("200")
		absorbed := sum(srv.stats(t), "retransmissions_absorbed")
		callee.reply(m, 200, "OK", "callee")
		callee.reply(m, 200, "OK", "callee")
		all := srv.statsOnce(t, func(all []counters) bool {
			return sum(all, "retransmissions_absorbed")+dropped(all, "stray response") >= absorbed+2
		})
		if k.full && dropped(all, "stray response") != 0 {
			t.Error("a final within Timer K is counted as a stray")
		}
		strays := dropped(all, "stray response")
		time.Sleep(time.Until(began.Add(k.t4 + late)))
		callee.reply(m, 200, "OK", "callee")
		srv.statsOnce(t, func(all []counters) bool { return dropped(all, "stray response") == strays+1 })
		caller.silence(beat)
	})
}

// statsOnce asks for the counters until they are as wanted.
func (s *server) statsOnce(t *testing.T, ok func([]counters) bool) []counters {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		all := s.stats(t)
		if ok(all) {
			return all
		}
		if time.Now().After(end) {
			t.Fatalf("the counters do not become what they should be: %v", all)
		}
	}
}

// Row 40, §17.2.1: a failure is repeated by Timer G, after T1, 2·T1, … T2, T2, …, until Timer H
// gives up waiting for the ACK.
func TestRow40TimersGAndH(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		callee.once.Store(true)
		d := caller.invites(srv.addr)
		invite := d.reaches(callee)
		began := time.Now()
		callee.reply(invite, 486, "Busy Here", "callee")
		callee.await("ACK", patience)
		h := 64 * k.t1
		all := caller.during(began.Add(h + k.part(late, 6*time.Second)))
		only(t, "the caller", all, "SIP/2.0 486 ")
		series(t, "486", began, all, doubling(k.t1, k.t2, h), 8)
		if n := sum(srv.stats(t), "ack_missing"); n != 1 {
			t.Errorf("ack_missing is %d, want 1", n)
		}
		callee.silence(0)
	})
}

// Row 41, §17.2.1: the ACK ends the repetitions; repeated ACKs are absorbed for Timer I, and none
// goes on, then or later.
func TestRow41TimerI(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		callee.once.Store(true)
		d := caller.invites(srv.addr)
		caller.expect("100")
		callee.answers("INVITE", 486, "Busy Here")
		callee.await("ACK", patience)
		final := caller.expect("486")
		for range 3 {
			d.ack(final)
		}
		began := time.Now()
		// One 486 may have crossed the ACK.
		if all := caller.during(began.Add(k.t4 + late)); len(all) > 1 {
			t.Errorf("%d times 486 after its ACK", len(all))
		}
		if n := dropped(srv.stats(t), "stray ACK"); n != 0 {
			t.Errorf("%d ACKs within Timer I are counted as strays", n)
		}
		d.ack(final)
		callee.silence(beat)
		if n := dropped(srv.stats(t), "stray ACK"); n != 1 {
			t.Errorf("%d ACKs after Timer I are counted as strays, want 1", n)
		}
	})
}

// Row 42, §17.2.2: for Timer J a BYE that comes again gets the same answer and goes nowhere; after
// it, it is a new request.
func TestRow42TimerJ(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		callee.once.Store(true)
		d := caller.call(srv.addr)
		d.establish(callee)
		branch := d.request("BYE")
		callee.answers("BYE", 200, "OK")
		began := time.Now()
		first := caller.expect("200")
		for _, at := range []time.Duration{k.wt / 4, k.part(k.wt/2, 20*time.Second), k.part(k.wt/2, 29*time.Second)} {
			time.Sleep(time.Until(began.Add(at)))
			caller.send(srv.addr, d.text("BYE", branch))
			if again := caller.expect("200"); string(again.raw) != string(first.raw) {
				t.Errorf("the repeated 200 differs:\n%s\n%s", first.raw, again.raw)
			}
		}
		callee.silence(0)
		time.Sleep(time.Until(began.Add(k.wt + late)))
		caller.send(srv.addr, d.text("BYE", branch))
		callee.answers("BYE", 481, "Call/Transaction Does Not Exist")
		caller.expect("481")
	})
}

// Row 44, RFC 6026 §7.1: for Timer L after a 2xx the INVITE that comes again is absorbed, and the
// 2xx is the callee's to repeat. Row 45, §7.2: for Timer M each of its repetitions is forwarded;
// after it they are strays.
func TestRow44Row45TimersLAndM(t *testing.T) {
	timed(t, quickClock, func(t *testing.T, k clock) {
		srv, caller, callee := proxyBetween(t, k.setup())
		callee.once.Store(true)
		d := caller.call(srv.addr)
		again := *d
		began := time.Now() // timers L and M start later
		invite, _ := d.establish(callee)
		established := time.Now()
		for _, at := range []time.Duration{k.wt / 16, k.wt / 8, k.wt / 4, k.part(k.wt*3/8, 20*time.Second),
			k.part(k.wt/2, 29*time.Second)} {
			time.Sleep(time.Until(began.Add(at)))
			again.invite()
			caller.silence(beat)
			callee.silence(0)
			callee.reply(invite, 200, "OK", "callee")
			if m := caller.expect("200"); param(m.get("To"), "tag") != "callee" {
				t.Errorf("the repeated 200:\n%s", m.raw)
			}
		}
		time.Sleep(time.Until(established.Add(k.wt + late)))
		callee.reply(invite, 200, "OK", "callee")
		caller.silence(beat)
		if n := dropped(srv.stats(t), "stray response"); n != 1 {
			t.Errorf("%d strays are counted after Timer M, want 1", n)
		}
		again.invite()
		callee.expect("INVITE")
	})
}
