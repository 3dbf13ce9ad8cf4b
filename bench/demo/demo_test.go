package main

import (
	"strings"
	"testing"
	"time"

	"viaduct/bench/traffic"
)

func TestLadderLinesUp(t *testing.T) {
	width := 0
	f := func(atAnswerer bool, message, want string) {
		t.Helper()
		got := ladder(atAnswerer, 0, []byte(message+"\r\n\r\n"))
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s", message, got)
		}
		bars := strings.LastIndex(got, "│")
		if n := len([]rune(got[:bars])); width == 0 {
			width = n
		} else if n != width {
			t.Errorf("%q: the end's line is at %d, elsewhere at %d:\n%s", message, n, width, got)
		}
	}
	f(true, "INVITE sip:bob@127.0.0.1 SIP/2.0", "INVITE")
	f(true, "ACK sip:bob@127.0.0.1 SIP/2.0", "│ 1")
	f(false, "SIP/2.0 100 Trying", "100")
	f(false, "SIP/2.0 180 Ringing", "Ringing")
	f(false, "SIP/2.0 200", "200")
}

func TestDisplay(t *testing.T) {
	tick := traffic.Tick{
		Elapsed: 2 * time.Second, Started: 500, Completed: 499, Active: 3, RingP50: 80 * time.Microsecond,
		RingP99: 300 * time.Microsecond, PerAnswerer: []uint64{300, 200},
	}
	var plain strings.Builder
	d := display{out: &plain, total: 10 * time.Second, rate: 500}
	d.tick(tick)
	if s := plain.String(); strings.Count(s, "\n") != 1 || strings.Contains(s, "\x1b") ||
		!strings.Contains(s, "499 calls/s") || !strings.Contains(s, "end 2 200") {
		t.Errorf("without a terminal: %q", s)
	}
	var live strings.Builder
	d = display{out: &live, live: true, total: 10 * time.Second, rate: 500}
	d.tick(tick)
	once := strings.Count(live.String(), "\n")
	d.tick(tick)
	if s := live.String(); strings.Count(s, "\n") != 2*once || strings.Count(s, "\x1b[7A") != 1 || once != 7 {
		t.Errorf("on a terminal: %d lines: %q", once, s)
	}
}

func TestBar(t *testing.T) {
	f := func(share float64, full int) {
		t.Helper()
		if b := bar(share); strings.Count(b, "█") != full || len([]rune(b)) != barWidth {
			t.Errorf("bar(%g) = %s", share, b)
		}
	}
	f(-1, 0)
	f(0, 0)
	f(0.5, barWidth/2)
	f(7, barWidth)
}

func TestValidate(t *testing.T) {
	f := func(rate float64, d time.Duration, ok bool) {
		t.Helper()
		if err := (&Config{Rate: rate, Time: d}).Validate(); (err == nil) != ok {
			t.Errorf("rate %g, time %v: %v", rate, d, err)
		}
	}
	f(500, 10*time.Second, true)
	f(0, 10*time.Second, false)
	f(30000, 10*time.Second, false)
	f(500, time.Millisecond, false)
	f(500, time.Hour, false)
}

func TestMissingBinarySaysWhatToDo(t *testing.T) {
	_, err := show(t.Context(), &Config{Viaduct: "./no-such-viaduct", Rate: 1, Time: time.Second},
		&strings.Builder{}, false)
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("%v", err)
	}
}
