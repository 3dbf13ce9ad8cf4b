package resolve

import (
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestStale(t *testing.T) {
	z := serve(t, host)
	r, c := startAt(t, func(s *Settings) {
		s.RetryTime, s.Timeout = 400*time.Millisecond, 3*time.Second
		s.IPv4Only = true
	}, z.addr)
	q := query("sip:h.test:5060")
	const want = "UDP 127.0.0.1:5060"
	if got := locate(t, r, q); got != want {
		t.Fatal(got)
	}
	for _, f := range []func(dns.ResponseWriter, *dns.Msg) bool{drop, rcode(dns.RcodeServerFailure)} {
		z.mischief(f)
		// beyond grace: the caller waits, the servers fail, the old answer serves
		c.forward(t, r, 2*time.Minute)
		if got := lookup(r, q); got != "unknown" {
			t.Errorf("past its grace: %s, want unknown", got)
		}
		if got := locate(t, r, q); got != want {
			t.Errorf("while servers fail: %s, want %s", got, want)
		}
	}
	if list, _ := r.View(10); len(list) != 1 || !list[0].Stale {
		t.Errorf("view %+v, want one stale entry", list)
	}
	// Within the grace the old answer is given at once and the new one fetched behind.
	z.mischief(nil)
	z.set(t, "h.test. 60 IN A 127.0.0.2")
	c.forward(t, r, staleHold+time.Second)
	if got := lookup(r, q); got != want {
		t.Errorf("within the grace: %s, want %s", got, want)
	}
	until(t, "the renewed answer", func() bool { return lookup(r, q) == "UDP 127.0.0.2:5060" })
	// Beyond the bound nothing serves any more.
	z.mischief(drop)
	c.forward(t, r, 25*time.Hour)
	if got := locate(t, r, q); got != "failed" {
		t.Errorf("after a day: %s, want failed", got)
	}
	// A server that says so makes a name go, stale or not.
	z.mischief(nil)
	c.forward(t, r, time.Minute)
	locate(t, r, q)
	z.set(t)
	c.forward(t, r, time.Hour)
	if got := locate(t, r, q); got != "nowhere" {
		t.Errorf("after NXDOMAIN: %s, want nowhere", got)
	}
}

// TestRenewal: a name in use is renewed before it ends, so that nobody waits.
func TestRenewal(t *testing.T) {
	z := serve(t, host)
	r, c := startAt(t, func(s *Settings) { s.IPv4Only = true }, z.addr)
	q := query("sip:h.test:5060")
	locate(t, r, q)
	for i := range 3 {
		before := z.times("A h.test.")
		c.forward(t, r, 57*time.Second)
		if got := lookup(r, q); got != "UDP 127.0.0.1:5060" {
			t.Fatalf("round %d: %s", i, got)
		}
		until(t, "the renewal", func() bool { return z.times("A h.test.") > before && r.MemInfo().Flights == 0 })
	}
	if got := r.Stats().Renewals; got != 3 {
		t.Errorf("%d renewals, want 3", got)
	}
}

func TestNegative(t *testing.T) {
	z := serve(t)
	r, c := startAt(t, func(s *Settings) { s.IPv4Only = true; s.NegativeTTL = 30 * time.Second }, z.addr)
	q := query("sip:gone.test:5060")
	for range 5 {
		if got := locate(t, r, q); got != "nowhere" {
			t.Fatal(got)
		}
	}
	if n := z.times("A gone.test."); n != 1 {
		t.Errorf("asked %d times within the negative time to live, want once", n)
	}
	z.set(t, "gone.test. 60 IN A 127.0.0.1")
	c.forward(t, r, 31*time.Second)
	if got := locate(t, r, q); got != "UDP 127.0.0.1:5060" {
		t.Errorf("after it: %s", got)
	}
}

// The clock rests when nobody looks anything up. The first look-up after it has the right time all
// the same, and its renewal is begun.
func TestClockRests(t *testing.T) {
	z := serve(t, "h.test. 60 IN A 127.0.0.1")
	r, c := startAt(t, func(s *Settings) { s.IPv4Only = true }, z.addr)
	q := query("sip:h.test:5060")
	locate(t, r, q)
	until(t, "the rest", r.resting.Load)
	stood := r.now.Load()
	time.Sleep(3 * clockTick)
	if now := r.now.Load(); now != stood {
		t.Errorf("the clock went on by %v", time.Duration(now-stood))
	}
	before := z.times("A h.test.")
	c.ahead.Add(int64(65 * time.Second)) // past the time to live, within grace
	if got := lookup(r, q); got != "UDP 127.0.0.1:5060" {
		t.Fatal(got)
	}
	until(t, "the renewal", func() bool { return z.times("A h.test.") > before })
	until(t, "the next rest", r.resting.Load)
	c.ahead.Add(int64(10 * time.Minute))
	if got := lookup(r, q); got != "unknown" {
		t.Errorf("an answer long dead: %s", got)
	}
}
