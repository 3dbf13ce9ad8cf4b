package balance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// clock drives a prober by a clock of 50 ms steps.
type clock struct {
	t      *testing.T
	p      *Prober
	tb     *Table
	nowMs  int64
	rng    *rand.Rand
	sent   []Probe
	done   []Outcome
	answer func(Probe) int // code to answer a first send with, 0: silence, -1: send error
}

func newClock(t *testing.T, tb *Table, cfg ProbeConfig) *clock {
	return &clock{t: t, p: NewProber(cfg), tb: tb, nowMs: 1000, rng: rand.New(rand.NewPCG(11, 12)),
		answer: func(Probe) int {
			return 0
		}}
}

func (c *clock) run(d time.Duration) {
	c.t.Helper()
	untouched := false // since Due was called last
	for end := c.nowMs + d.Milliseconds(); c.nowMs < end; c.nowMs += 50 {
		var now []Probe
		due, ok := c.p.NextDueMs()
		done := len(c.done)
		now, c.done = c.p.Due(c.tb, c.nowMs, c.rng.Uint64, nil, c.done)
		if early := !ok || c.nowMs < due; untouched && early && len(now)+len(c.done)-done > 0 {
			c.t.Fatalf("%d probes and %d outcomes at %d, and it was said that nothing is due before %d", len(now),
				len(c.done)-done, c.nowMs, due)
		}
		untouched = true
		c.sent = append(c.sent, now...)
		for _, pr := range now {
			if pr.Resend {
				continue
			}
			var o Outcome
			ok := true
			switch code := c.answer(pr); code {
			case 0:
				continue
			case -1:
				o, ok = c.p.SendError(pr.ID, c.nowMs)
			default:
				o, ok = c.p.Response(pr.ID, code, c.nowMs+7)
			}
			if !ok {
				c.t.Fatalf("the answer to %x is not taken", pr.ID)
			}
			c.done = append(c.done, o)
			untouched = false
		}
	}
}

// firsts counts the probes that are no retransmissions.
func (c *clock) firsts() (n int) {
	for _, pr := range c.sent {
		if !pr.Resend {
			n++
		}
	}
	return n
}

// The modes and flags: state before, how many probes in 44 s at an interval of 10 s, state after.
// Answers as given.
func TestProbingModes(t *testing.T) {
	f := func(mode ProbeMode, flags string, code int, want string) {
		t.Helper()
		tb := mustParse(t, "1 sip:10.0.0.1 "+flags, Config{}, nil)
		c := newClock(t, tb, ProbeConfig{Interval: 10 * time.Second, Mode: mode, Recover: -1})
		c.answer = func(Probe) int { return code }
		c.run(44 * time.Second)
		if got := fmt.Sprint(c.firsts(), " ", tb.Targets()[0].State()); got != want {
			t.Errorf("mode %d, flags %s, answer %d: got %s, want %s", mode, flags, code, got, want)
		}
	}
	f(0, "0", 200, "0 AX")
	f(0, "8", 200, "1 AX") // P is cleared by a good answer
	f(0, "9", 200, "1 AX")
	f(0, "1", 200, "0 IX")
	f(0, "8", 503, "4 IP") // and kept by a bad one
	f(0, "8", 0, "4 IP")
	f(0, "8", -1, "4 IP")
	f(1, "0", 200, "4 AP")
	f(1, "1", 200, "4 AP")
	f(1, "0", 503, "4 IP")
	f(1, "4", 200, "0 DX")
	f(1, "32", 200, "0 AN")
	f(1, "16", 200, "0 AX")
	f(1, "12", 200, "0 DP")
	f(2, "0", 200, "0 AX")
	f(2, "8", 200, "0 AP")
	f(2, "1", 200, "0 IX")
	f(2, "9", 200, "1 AX")
	f(2, "9", 404, "4 IP")
	f(3, "0", 200, "0 AX")
	f(3, "8", 200, "4 AP")
	f(3, "9", 299, "4 AP")
	f(3, "9", 300, "4 IP")
	f(3, "40", 200, "0 AP") // P and no-ping
}

// What went down by observation comes back, by whatever the flags allow, with regular probing off
// or on.
func TestRecovery(t *testing.T) {
	f := func(cfg ProbeConfig, flags, how string, code int, wantProbes int, want string) {
		t.Helper()
		tb := mustParse(t, "1 sip:10.0.0.1 "+flags, Config{}, nil)
		x := tb.Targets()[0]
		run(t, x, how)
		c := newClock(t, tb, cfg)
		c.answer = func(Probe) int { return code }
		c.run(23 * time.Second)
		if got := x.State().String(); c.firsts() != wantProbes || got != want {
			t.Errorf("%+v, flags %s, %s, answer %d: %d probes, %s; want %d, %s", cfg, flags, how, code, c.firsts(), got,
				wantProbes, want)
		}
	}
	off := ProbeConfig{}
	f(off, "0", "S", 200, 0, "AX")
	f(off, "0", "F", 200, 1, "AX")
	f(off, "0", "F", 503, 2, "IX")
	f(off, "0", "F", 0, 2, "IX")
	f(off, "0", "t", 200, 1, "AX")
	f(off, "0", "i", 200, 0, "IX") // an order stands
	f(off, "1", "F", 200, 0, "IX")
	f(off, "0", "F d", 200, 0, "DX")
	f(off, "32", "F", 200, 0, "TN") // must not be probed: calls try it
	f(off, "16", "F", 200, 0, "TX")
	f(ProbeConfig{Recover: -1}, "0", "F", 200, 0, "IX")
	f(ProbeConfig{Recover: 5 * time.Second}, "0", "F", 503, 4, "IX")
	f(ProbeConfig{Interval: 3 * time.Second, Mode: ProbeOnlyFlagged}, "0", "F", 200, 1, "AX")
	f(ProbeConfig{Interval: 3 * time.Second, Mode: ProbeInactive}, "0", "tp", 200, 1, "AX")
}

// A target that may not be probed gets one try: a failure takes it out again at once whatever the
// threshold.
func TestReadmit(t *testing.T) {
	tb := mustParse(t, "1 sip:10.0.0.1 32", Config{ProbingThreshold: 3}, nil)
	x := tb.Targets()[0]
	run(t, x, "F F F")
	c := newClock(t, tb, ProbeConfig{})
	c.run(12 * time.Second)
	if len(c.done) != 1 || c.done[0].Event != Up || c.done[0].Target != x || x.State() != Trying|NoPing ||
		x.Count() != 2 {
		t.Fatalf("%v, %v %d", c.done, x.State(), x.Count())
	}
	if x.Fail(c.nowMs, c.nowMs) != Down {
		t.Error("still up after the failed try")
	}
	c.run(12 * time.Second)
	if x.Success(c.nowMs, c.nowMs); x.State() != NoPing || x.Count() != 0 {
		t.Errorf("%v %d", x.State(), x.Count())
	}
	// A disabled target is left alone.
	run(t, x, "F F F d")
	if x.readmit(c.nowMs) != NoEvent || x.State()&Disabled == 0 {
		t.Error("readmitted against the operator's order")
	}
}

// While probing is paused no request leaves, and a lost target comes back by calls.
func TestPause(t *testing.T) {
	tb := mustParse(t, nTargets(5, ""), Config{}, nil)
	tb.Targets()[0].Fail(1, 1)
	c := newClock(t, tb, ProbeConfig{Interval: 5 * time.Second, Mode: ProbeAll})
	c.answer = func(Probe) int { return 200 }
	c.p.Pause(true)
	c.run(20 * time.Second)
	if len(c.sent) != 0 || tb.Targets()[0].State() != Trying {
		t.Errorf("%d sent, %v", len(c.sent), tb.Targets()[0].State())
	}
	c.p.Pause(false)
	c.run(10 * time.Second)
	if c.firsts() != 10 {
		t.Errorf("%d sent after the pause, want 10", c.firsts())
	}
}

// Over UDP a probe is repeated at 0.5, 1.5 and 3.5 s, then given up; over TCP it is sent once.
func TestRetransmissionAndTimeout(t *testing.T) {
	f := func(transport string, want string) {
		t.Helper()
		tb := mustParse(t, "1 sip:10.0.0.1;transport="+transport+" 8", Config{}, nil)
		c := newClock(t, tb, ProbeConfig{Interval: time.Minute})
		var got strings.Builder
		start := int64(0)
		for range 70 * 20 {
			before := len(c.sent)
			c.run(50 * time.Millisecond)
			for _, pr := range c.sent[before:] {
				if !pr.Resend {
					start = c.nowMs
				}
				fmt.Fprintf(&got, "%d ", c.nowMs-start)
				if pr.ID != c.sent[0].ID {
					t.Fatal("another id")
				}
			}
			if len(c.done) > 0 {
				fmt.Fprintf(&got, "%d at %d %v", c.done[0].Code, c.nowMs-start, c.done[0].Event)
				break
			}
		}
		if got.String() != want {
			t.Errorf("%s: got %s, want %s", transport, got.String(), want)
		}
		if _, ok := c.p.Response(c.sent[0].ID, 200, c.nowMs); ok || tb.Targets()[0].State()&Inactive == 0 {
			t.Error("the late answer is taken")
		}
		if l := tb.Targets()[0].Latency(); l.Timeouts != 1 || l.Answers != 0 {
			t.Errorf("latency %+v", l)
		}
	}
	f("udp", "0 500 1500 3500 408 at 4000 dst-down")
	f("tcp", "0 408 at 4000 dst-down")
}

// Answers that must change nothing: provisional, doubled, forged, to a probe of a target that went
// away or was disabled meanwhile.
func TestAnswersThatDoNotCount(t *testing.T) {
	tb := mustParse(t, nTargets(2, ""), Config{}, nil)
	x := tb.Targets()[0]
	x.Fail(1, 1)
	c := newClock(t, tb, ProbeConfig{})
	for len(c.sent) == 0 {
		c.run(50 * time.Millisecond)
	}
	id := c.sent[0].ID
	f := func(id uint64, code int) {
		t.Helper()
		if _, ok := c.p.Response(id, code, c.nowMs); ok || x.State().Usable() {
			t.Errorf("%x %d is taken", id, code)
		}
	}
	f(id, 100)
	f(id, 183)
	f(0, 200)
	f(id^1, 200)
	f(id^1<<48, 200)
	f(uint64(tb.Targets()[1].UID)<<48, 200)
	if _, ok := c.p.SendError(id+1, c.nowMs); ok {
		t.Error("a forged error is taken")
	}
	if o, ok := c.p.Response(id, 200, c.nowMs+30); !ok || o.Event != Up || o.Target != x {
		t.Errorf("got %+v", o)
	}
	if _, ok := c.p.Response(id, 200, c.nowMs+31); ok {
		t.Error("the doubled answer is taken")
	}

	x.Fail(c.nowMs+40, c.nowMs+40)
	for c.firsts() < 2 {
		c.run(50 * time.Millisecond)
	}
	id = c.sent[len(c.sent)-1].ID
	x.SetState(Disabled, c.nowMs)
	if o, ok := c.p.Response(id, 200, c.nowMs); !ok || o.Event != NoEvent || x.State() != Disabled {
		t.Errorf("%+v %v: a disabled target changes", o, x.State())
	}

	y := tb.Targets()[1]
	y.Fail(c.nowMs, c.nowMs)
	n := c.firsts()
	for c.firsts() == n {
		c.run(50 * time.Millisecond)
	}
	id = c.sent[len(c.sent)-1].ID
	c.tb = mustParse(t, "1 sip:10.0.0.1", Config{}, tb)
	c.run(50 * time.Millisecond)
	if _, ok := c.p.Response(id, 200, c.nowMs); ok {
		t.Error("an answer of a target that went away is taken")
	}
}

// A probe under way survives a reload that keeps its target.
func TestReloadDuringProbe(t *testing.T) {
	tb := mustParse(t, nTargets(2, ""), Config{}, nil)
	tb.Targets()[1].Fail(1, 1)
	c := newClock(t, tb, ProbeConfig{})
	for len(c.sent) == 0 {
		c.run(50 * time.Millisecond)
	}
	c.tb = mustParse(t, nTargets(3, ""), Config{}, tb)
	c.run(50 * time.Millisecond)
	if o, ok := c.p.Response(c.sent[0].ID, 200, c.nowMs); !ok || o.Event != Up || o.Target != c.tb.Targets()[1] {
		t.Errorf("got %+v %v", o, ok)
	}
}

// Thousand targets at 10 s: about a hundred probes in every second, from the first second on, each
// target once a round.
func TestProbesAreSpread(t *testing.T) {
	tb := mustParse(t, nTargets(1000, ""), Config{}, nil)
	c := newClock(t, tb, ProbeConfig{Interval: 10 * time.Second, Mode: ProbeAll})
	c.answer = func(Probe) int { return 200 }
	perTarget := map[uint16]int{}
	for second := range 50 {
		c.sent = c.sent[:0]
		c.run(time.Second)
		if n := len(c.sent); n < 85 || n > 115 {
			t.Errorf("%d probes in second %d", n, second)
		}
		for _, pr := range c.sent {
			perTarget[pr.Target.UID]++
		}
	}
	for uid, n := range perTarget {
		if n < 4 || n > 6 {
			t.Errorf("target %d was probed %d times in 5 rounds", uid, n)
		}
	}
	if len(perTarget) != 1000 {
		t.Errorf("%d targets probed", len(perTarget))
	}
	// Adding half as many again does not bunch them.
	c.tb = mustParse(t, nTargets(1500, ""), Config{}, tb)
	for second := range 20 {
		c.sent = c.sent[:0]
		c.run(time.Second)
		if n := len(c.sent); n < 130 || n > 170 {
			t.Errorf("%d probes in second %d after the reload", n, second)
		}
	}
	// After a stall each is served once, not once for every round missed.
	c.nowMs += time.Hour.Milliseconds()
	c.sent = c.sent[:0]
	c.run(5 * time.Second)
	if n := len(c.sent); n < 1500 || n > 2300 {
		t.Errorf("%d probes in 5 s after an hour's stall", n)
	}
}

// Detection: interval 3 s, time-out 2 s, threshold 2: down in at most 8 s.
func TestDetectionTime(t *testing.T) {
	tb := mustParse(t, nTargets(20, ""), Config{ProbingThreshold: 2}, nil)
	c := newClock(t, tb, ProbeConfig{Interval: 3 * time.Second, Timeout: 2 * time.Second, Mode: ProbeAll})
	c.run(8050 * time.Millisecond)
	for _, x := range tb.Targets() {
		if x.State().Usable() {
			t.Errorf("%s is still %v", x.URI, x.State())
		}
	}
}

// TestCallsDoNotCancelProbes: a destination that answers its probes with 503 and its calls with 200
// goes out and stays out, whatever the threshold, and comes back when it answers its probes.
func TestCallsDoNotCancelProbes(t *testing.T) {
	for threshold := range 3 {
		tb := mustParse(t, "1 sip:10.0.0.1", Config{ProbingThreshold: threshold + 1, InactiveThreshold: threshold + 1},
			nil)
		x := tb.Targets()[0]
		c := newClock(t, tb, ProbeConfig{Interval: time.Second, Mode: ProbeAll})
		code := 503
		c.answer = func(Probe) int {
			for range 3 {
				x.Success(c.nowMs-40, c.nowMs) // of a call that the destination has
			}
			return code
		}
		c.run(time.Duration(threshold+2) * time.Second)
		if x.State().Usable() {
			t.Errorf("threshold %d: %v", threshold+1, x.State())
		}
		for range 100 {
			x.Success(c.nowMs, c.nowMs)
			x.Success(1, c.nowMs)
		}
		if c.run(time.Minute); x.State().Usable() {
			t.Errorf("threshold %d: it is back", threshold+1)
		}
		code = 200
		c.run(time.Duration(threshold) * time.Second)
		if threshold > 0 && x.State().Usable() {
			t.Errorf("threshold %d: it is back after %d probes", threshold+1, threshold)
		}
		if c.run(2 * time.Second); !x.State().Usable() {
			t.Errorf("threshold %d: it is not back", threshold+1)
		}
	}
}
