package balance

import (
	"strings"
	"testing"
)

// run applies events to one target and returns its state as shown, with the count, and whatever
// event_route would fire. F fails a call, S answers one, B fails a probe, O answers one, each of
// them sent since the last change, and with old before it sent before all of them; a lone letter
// marks by script, =x orders by command.
func run(t *testing.T, x *Target, events string) string {
	t.Helper()
	var fired []string
	nowMs := int64(1)
	for ev := range strings.FieldsSeq(events) {
		var e Event
		if nowMs == x.live.changedMs.Load() {
			nowMs++
		}
		sentMs := nowMs
		if what, old := strings.CutPrefix(ev, "old"); old {
			ev, sentMs = what, 0
		}
		switch {
		case ev == "F":
			e = x.Fail(sentMs, nowMs)
		case ev == "S":
			e = x.Success(sentMs, nowMs)
		case ev == "B":
			e = x.ProbeFail(sentMs, nowMs)
		case ev == "O":
			e = x.ProbeSuccess(sentMs, nowMs)
		default:
			to, ok := ParseMark(strings.TrimPrefix(ev, "="))
			if !ok {
				t.Fatalf("bad mark %q", ev)
			}
			if strings.HasPrefix(ev, "=") {
				e = x.SetState(to, nowMs)
			} else {
				e = x.Mark(to, nowMs)
			}
		}
		if e != NoEvent {
			fired = append(fired, e.String())
		}
	}
	s := x.State()
	out := s.String() + string(rune('0'+x.Count()))
	if s.Lost() {
		out += " lost"
	}
	return strings.TrimSpace(out + " " + strings.Join(fired, " "))
}

// The transition table of the dispatcher, thresholds 1 and 1, then 3 and 2. flags is the file's
// column.
func TestTransitions(t *testing.T) {
	cfg := Config{}
	f := func(flags, events, want string) {
		t.Helper()
		x := mustParse(t, "1 sip:10.0.0.1 "+flags, cfg, nil).Targets()[0]
		if got := run(t, x, events); got != want {
			t.Errorf("flags %s, %s: got %s, want %s", flags, events, got, want)
		}
		if kept := x.State() & (NoDNS | NoPing); kept != x.Flags&(NoDNS|NoPing) {
			t.Errorf("flags %s, %s: NoDNS and NoPing became %d", flags, events, kept)
		}
	}
	f("0", "", "AX0")
	f("0", "S", "AX0")
	f("0", "O", "AX0")
	f("0", "F", "IX0 lost dst-down")
	f("0", "F F", "IX0 lost dst-down")
	f("0", "F S", "AX0 dst-down dst-up")
	f("0", "F O", "AX0 dst-down dst-up")
	f("8", "F", "IP0 lost dst-down")
	f("8", "F O", "AP0 dst-down dst-up") // clearing P is the prober's
	f("32", "F", "IN0 lost dst-down")
	f("48", "F S i a t d a", "AN0 dst-down dst-up dst-down dst-up dst-down dst-up")
	f("1", "", "IX0")
	f("1", "S", "IX0") // set by file: answers to calls under way do not bring it back
	f("1", "O", "AX0 dst-up")
	f("1", "F", "IX0")
	f("1", "F S", "IX0")
	f("2", "", "TX0")
	f("2", "S", "AX0")
	f("4", "F S O", "DX0")
	f("4", "a", "AX0 dst-up")
	f("4", "t", "DX0") // a failure is not an order
	f("4", "=t", "TX0 dst-up")
	f("4", "i", "IX0")
	f("5", "", "IX0") // shown in the order I, D, T, A
	f("5", "O", "IX0")
	f("0", "i", "IX0 dst-down")
	f("0", "i S", "IX0 dst-down")
	f("0", "ip", "IP0 dst-down")
	f("0", "ip O", "AP0 dst-down dst-up")
	f("0", "d", "DX0 dst-down")
	f("0", "dp", "DP0 dst-down")
	f("0", "t", "IX0 lost dst-down")
	f("0", "tp", "IP0 lost dst-down")
	f("8", "t", "IX0 lost dst-down") // without p the flag goes
	f("0", "=t", "TX0")
	f("0", "=i", "IX0 dst-down")
	f("0", "F =i S", "IX0 dst-down") // the order outlives the observation
	f("0", "F a", "AX0 dst-down dst-up")
	f("0", "p", "AP0")
	// A probe takes it out: whatever calls are answered, probes bring it back.
	f("0", "B", "IX0 lost dst-down")
	f("0", "B S S", "IX0 lost dst-down")
	f("0", "B S O", "AX0 dst-down dst-up")
	f("0", "B oldO", "IX0 lost dst-down")
	f("0", "B O F S", "AX0 dst-down dst-up dst-down dst-up") // as long as it was a probe's doing
	f("0", "F B S", "IX0 lost dst-down")                     // lost by calls, and probes say so too
	f("0", "i B S", "IX0 dst-down")
	f("0", "i B O", "AX0 dst-down dst-up")
	// What was sent before the state changed says nothing about it.
	f("0", "F oldS", "IX0 lost dst-down")
	f("0", "F oldO", "IX0 lost dst-down")
	f("0", "F S oldF", "AX0 dst-down dst-up")
	f("0", "F S oldB", "AX0 dst-down dst-up")
	f("0", "=a oldF", "AX0")
	f("0", "ip oldO", "IP0 dst-down")

	cfg = Config{ProbingThreshold: 3, InactiveThreshold: 2}
	f("0", "F", "TX1")
	f("0", "F F", "TX2")
	f("0", "F F S", "AX0")
	f("0", "S F F S", "AX0") // all in one millisecond
	f("0", "F F S F F", "TX2")
	f("0", "F F F", "IX0 lost dst-down")
	f("0", "t t", "TX2")
	f("0", "t t t", "IX0 lost dst-down")
	f("0", "F F F S", "IX1 lost dst-down")
	f("0", "F F F S F", "IX0 lost dst-down")
	f("0", "F F F S F S", "IX1 lost dst-down")
	f("0", "F F F S S", "AX0 dst-down dst-up")
	f("0", "F F F O S", "IX1 lost dst-down") // one of each is not two of either
	f("0", "F F F O O", "AX0 dst-down dst-up")
	// The 200s of calls do not cancel failed probes, nor answered probes failed calls.
	f("0", "B S B S", "TX2")
	f("0", "B S B S B", "IX0 lost dst-down")
	f("0", "F O F O F", "IX0 lost dst-down")
	f("0", "B F", "TX1")
	f("0", "B F O", "TX1")
	f("0", "B F O S", "AX0")
	f("0", "B B F F S O", "AX0")
	f("0", "B B B O S O", "AX0 dst-down dst-up")
	f("0", "B B B O B O", "IX1 lost dst-down") // counted from anew
	f("0", "F F oldS", "AX0")                  // nothing changed yet that it could be older than
	f("1", "O", "IX1")
	f("1", "O B O", "IX1")
	f("1", "O F O", "AX0 dst-up")
	f("1", "O O", "AX0 dst-up")
	f("9", "O", "IP1")
	f("2", "F", "TX1")
	f("0", "F F i", "IX0 dst-down")
	f("0", "F F =t", "TX0")
}

func TestParseMark(t *testing.T) {
	f := func(s string, want State, ok bool) {
		t.Helper()
		if got, gotOK := ParseMark(s); got != want || gotOK != ok {
			t.Errorf("%q: got %d %v", s, got, gotOK)
		}
	}
	f("", Inactive, true)
	f("a", 0, true)
	f("AP", Probing, true)
	f("0", 0, true)
	f("1p", Inactive|Probing, true)
	f("2", Trying, true)
	f("3P", Disabled|Probing, true)
	f("t", Trying, true)
	f("p", Probing, true)
	f("x", 0, false)
	f("ai", 0, false)
	f("app", 0, false)
	f("4", 0, false)
	f("pp", 0, false)
}

// One lost call does not put a live target down.
func TestFailTimeout(t *testing.T) {
	f := func(lastMs, sentMs int64, want Event) {
		t.Helper()
		x := mustParse(t, "1 sip:10.0.0.1", Config{}, nil).Targets()[0]
		if lastMs >= 0 {
			x.Success(lastMs, lastMs)
		}
		if got := x.FailTimeout(sentMs, sentMs+32000); got != want {
			t.Errorf("last heard %d, sent %d: got %v, want %v", lastMs, sentMs, got, want)
		}
	}
	f(-1, 0, Down) // never heard, even by a clock that begins at 0
	f(999, 1000, Down)
	f(1000, 1000, NoEvent)
	f(1001, 1000, NoEvent)
	f(40000, 1000, NoEvent)
}

func TestStateShown(t *testing.T) {
	f := func(s State, want string) {
		t.Helper()
		if got := s.String(); got != want {
			t.Errorf("%d: got %s, want %s", s, got, want)
		}
	}
	f(0, "AX")
	f(Probing|NoPing, "AP")
	f(NoPing, "AN")
	f(Trying|Disabled|Inactive, "IX")
	f(Trying|Disabled, "DX")
	f(Trying|Probing, "TP")
}
