package shard

import (
	"testing"
	"time"

	"viaduct/shard/balance"
)

// TestProbeEndsEarly: a probe that is answered makes the prober look before the probe would have
// been sent again.
func TestProbeEndsEarly(t *testing.T) {
	c := newCallerWith(t, "lb.cfg", 64<<20, 0)
	w := c.w
	w.shared.random = newRandom()
	one, err := balance.Parse("targets", []byte("1 sip:127.0.0.1:7000\n"), balance.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.shared.tables.Store(one)
	p := newProber(balance.ProbeConfig{Interval: time.Second, Timeout: 30 * time.Second, Mode: balance.ProbeAll}, 1)
	now := int64(2 * time.Hour)
	look := func() {
		w.clock, w.batchAt = clock{time.Now(), now}, now
		p.tick(w)
	}
	for look(); len(p.probes) == 0; look() {
		now = p.next + 1e6
	}
	if wait := time.Duration(p.next - now); wait < 4*probeRest {
		t.Fatalf("the next look is in %v already", wait)
	}
	p.outcome(w, p.probes[0].ID, 200)
	if wait := time.Duration(p.next - now); wait > probeRest {
		t.Fatalf("the probe is over, and the next look is in %v", wait)
	}
	now = p.next + 1e6
	// The schedule spreads its points by up to an eighth of their distance.
	if look(); p.next > now+int64(time.Second+time.Second/8) {
		t.Errorf("the target is due in %v, want within its interval", time.Duration(p.next-now))
	}
}

// TestToldBeforeSleep: a shard does not sleep over new tables, nor, if it probes, over a target
// that changed.
func TestToldBeforeSleep(t *testing.T) {
	w := newCallerWith(t, "lb.cfg", 64<<20, 0).w
	w.startBatch()
	f := func(what string, want bool) {
		t.Helper()
		if got := w.hasWork(); got != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	f("nothing changed", false)
	w.shared.tablesVersion.Add(1)
	f("new tables", true)
	w.startBatch()
	f("they were taken", false)
	w.shared.targetsChanged.Store(true)
	f("a target changed, which another shard looks at", false)
	w.prober = newProber(balance.ProbeConfig{}, 1)
	f("a target changed", true)
}
