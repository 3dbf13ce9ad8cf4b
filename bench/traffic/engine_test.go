package traffic

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

func closedLoop(calls int) Config {
	return Config{Path: Raw, Concurrent: 16, Calls: calls}
}

func TestUndisturbed(t *testing.T) {
	f := func(name string, cfg Config, started int) {
		t.Helper()
		cfg.T1 = DefaultT1 // a busy machine must not cause retransmissions here
		r, _ := through(t, cfg, nil)
		if !r.Clean() || r.Started != uint64(started) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	f("closed loop", closedLoop(500), 500)
	f("direct", Config{Path: Direct, Concurrent: 16, Calls: 500}, 500)
	f("segmented", Config{Path: Direct, Concurrent: 64, Calls: 2000, Segment: true}, 2000)
	f("open loop", Config{Path: Raw, Rate: 2000, Calls: 400}, 400)
	f("options", Config{Path: Direct, Mode: Options, Concurrent: 8, Calls: 300}, 300)
	f("hold, cancel", Config{Path: Direct, Mode: Hold, Concurrent: 50, Calls: 1000, Duration: time.Millisecond}, 1000)
	f("hold, cancel, relayed", Config{Path: Raw, Mode: Hold, Concurrent: 50, Calls: 200, Duration: time.Millisecond},
		200)
	f("hold, final", Config{Path: Raw, Mode: Hold, Concurrent: 50, Calls: 200, Duration: time.Millisecond,
		Release: ReleaseFinal}, 200)
	f("rport", Config{Path: Direct, Concurrent: 4, Calls: 20, RPort: true}, 20)
}

// Every datagram that left must be accounted for: arrived, or dropped by the relay, which kept its
// own books.
func TestLossIsAccounted(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	r, relay := through(t, closedLoop(600), func(r *relay, b []byte) [][]byte {
		switch p := rng.Float64(); {
		case p < 0.05:
			r.dropped[what(b)]++
			return nil
		case p < 0.08:
			r.added[what(b)]++
			return [][]byte{b, b}
		}
		return [][]byte{b}
	})
	if r.Completed != r.Started || r.Started != 600 {
		t.Fatalf("calls must survive the loss of single messages: %+v", r)
	}
	sent, arrived := copies(&r)
	if sent-sumOf(relay.dropped)+sumOf(relay.added) != arrived {
		t.Errorf("%d copies sent, relay dropped %d and added %d, %d arrived", sent, sumOf(relay.dropped),
			sumOf(relay.added), arrived)
	}
	// Nothing repeats a 180, so exactly the dropped ones are lost; everything else that could be
	// repeated got through.
	lost := r.Lost - r.Messages["ACK"].Lost
	if got, want := r.Messages["180"].Lost, relay.dropped["180 INVITE"]; got > want || lost != got {
		t.Errorf("lost %d, of them 180: %d, relay dropped %d", r.Lost, got, want)
	}
	if r.Retransmitted == 0 || r.Duplicated == 0 || relay.dropped["INVITE"] == 0 {
		t.Errorf("the test did not test: %+v", r)
	}
	if r.Faulty != r.Faults["swapped"] {
		t.Errorf("faults: %v", r.Faults)
	}
}

func TestLostRingingIsExact(t *testing.T) {
	n := 0
	r, relay := through(t, closedLoop(200), func(r *relay, b []byte) [][]byte {
		if what(b) == "180 INVITE" {
			if n++; n%10 == 0 {
				r.dropped["180"]++
				return nil
			}
		}
		return [][]byte{b}
	})
	if r.Completed != 200 || r.Lost != 20 || r.Messages["180"].Lost != 20 || relay.dropped["180"] != 20 {
		t.Errorf("%+v", r)
	}
}

func TestSwappedIsExact(t *testing.T) {
	f := func(name, first, second string) {
		t.Helper()
		swaps := uint64(0)
		held := map[string][]byte{} // by Call-ID
		n := 0
		r, _ := through(t, Config{Path: Raw, Concurrent: 4, Calls: 100, T1: DefaultT1},
			func(r *relay, b []byte) [][]byte {
				i := bytes.Index(b, []byte("Call-ID: "))
				id := string(b[i+9 : i+9+idBytes])
				switch what(b) {
				case first:
					if n++; n%5 == 0 {
						held[id] = b
						return nil
					}
				case second:
					if h := held[id]; h != nil {
						delete(held, id)
						swaps++
						return [][]byte{b, h}
					}
				}
				return [][]byte{b}
			})
		if r.Completed != 100 || r.Lost != 0 || r.Faults["swapped"] != swaps || r.Faulty != swaps || swaps != 20 {
			t.Errorf("%s: %d swapped, report %+v", name, swaps, r)
		}
	}
	f("180 after 200", "180 INVITE", "200 INVITE")
	f("ACK after BYE", "ACK", "BYE")
}

// Each way of spoiling three messages must be named as what it is, at every end that can see it.
func TestFaultsAreNamed(t *testing.T) {
	f := func(message, old, new, want string) {
		t.Helper()
		spoiled := 0
		r, _ := through(t, Config{Path: Raw, Concurrent: 1, Calls: 20, GiveUp: 2 * time.Second},
			func(r *relay, b []byte) [][]byte {
				if what(b) == message && spoiled < 3 {
					if c := bytes.Replace(b, []byte(old), []byte(new), 1); !bytes.Equal(c, b) {
						spoiled++
						return [][]byte{c}
					}
				}
				return [][]byte{b}
			})
		if got := fmt.Sprint(r.Faults); spoiled != 3 || got != "map["+want+"]" || r.Started != 20 {
			t.Errorf("%q for %q in %s: spoiled %d, faults %v, want %s", new, old, message, spoiled, got, want)
		}
	}
	const stranger = "Via: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKx\r\n"
	f("180 INVITE", "branch=z9hG4bKi", "branch=z9hG4bKb", "wrong_branch:3")
	f("200 BYE", "branch=z9hG4bK", "branch=z9hG5bK", "wrong_branch:3")
	f("180 INVITE", "Via: ", stranger+"Via: ", "wrong_branch:3")
	f("180 INVITE", "From: ", stranger+"From: ", "wrong_via:3")
	f("180 INVITE", "\r\nFrom: ", ", SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKx\r\nFrom: ", "wrong_via:3")
	f("BYE", "Via: ", stranger+"Via: ", "wrong_branch:3 wrong_via:3") // the answer carries it back
	f("200 BYE", "CSeq: 2 BYE", "CSeq: 3 BYE", "wrong_cseq:3")
	f("BYE", "CSeq: 2 BYE", "CSeq: 3 BYE", "wrong_cseq:6") // and so does this
	f("200 BYE", "Content-Length: 0", "Content-Length: 1", "wrong_content_length:3")
	f("180 INVITE", "Content-Length: 0\r\n", "", "wrong_content_length:3")
	f("INVITE", "t=0 0", "t=0 1", "wrong_body:3")
	f("200 INVITE", "t=0 0", "t=0 1", "wrong_body:3")
	// A proxy unasked for: INVITE and its 200 carry the route, ACK and BYE come with it.
	f("INVITE", "Via: ", "Record-Route: <sip:127.0.0.1:9;lr>\r\nVia: ", "route_left:6 wrong_record_route:6")
	f("ACK", "Via: ", "Route: <sip:127.0.0.1:9;lr>\r\nVia: ", "route_left:3")
	f("INVITE", "INVITE sip:bob", "INVITE sip:rob", "wrong_uri:3")
	// 200, and ACK and BYE sent there
	f("200 INVITE", "Contact: <sip:bob", "Contact: <sip:rob", "wrong_uri:9")
	f("180 INVITE", ";tag=f", ";tag=g", "wrong_tag:3")
	f("ACK", ";tag=t", ";tag=u", "wrong_tag:3")
	f("BYE", "Max-Forwards: 70", "Max-Forwards: 69", "wrong_max_forwards:3")
	f("180 INVITE", "SIP/2.0 180", "SIP/2.0 1x0", "malformed:3")
	f("BYE", "From: ", "Frim: ", "malformed:3")
	f("BYE", "BYE sip:", "FOO sip:", "unexpected:3")
}

func TestRefusedCallsFail(t *testing.T) {
	n := 0
	r, _ := through(t, Config{Path: Raw, Concurrent: 4, Calls: 100}, func(r *relay, b []byte) [][]byte {
		switch what(b) {
		case "200 INVITE":
			if n++; n%4 == 0 {
				return [][]byte{bytes.Replace(b, []byte("SIP/2.0 200 OK"), []byte("SIP/2.0 503 Service Unavailable"),
					1)}
			}
		}
		return [][]byte{b}
	})
	if r.Failed != 25 || r.Completed != 75 || r.Finals[503] != 25 {
		t.Errorf("%+v", r)
	}
}

func TestSilentAnswererIsAbandoned(t *testing.T) {
	r, _ := through(t, Config{Path: Raw, Rate: 200, Calls: 40, Silent: map[int]bool{1: true},
		GiveUp: 150 * time.Millisecond}, nil)
	if r.Abandoned != 20 || r.Completed != 20 || r.Unfinished != 0 || r.Lost != 0 {
		t.Errorf("%+v", r)
	}
	if r.Messages["INVITE"].Retransmitted == 0 {
		t.Errorf("INVITE was not repeated: %+v", r.Messages)
	}
}

// An open loop counts latency from when a call was due. A path that stalls for 200 ms must show in
// a tenth of the calls of two seconds, although few calls were under way when it began.
func TestStallIsNotOmitted(t *testing.T) {
	var stalled time.Time
	r, _ := through(t, Config{Path: Raw, Rate: 500, Calls: 1000, T1: time.Second}, func(r *relay, b []byte) [][]byte {
		if stalled.IsZero() {
			stalled = time.Now().Add(500 * time.Millisecond)
		} else if now := time.Now(); now.After(stalled) && now.Before(stalled.Add(200*time.Millisecond)) {
			time.Sleep(time.Until(stalled.Add(200 * time.Millisecond)))
		}
		return [][]byte{b}
	})
	if r.Completed != 1000 {
		t.Fatalf("%+v", r)
	}
	if r.Ringing.P90Us > 200_000 || r.Ringing.P99Us < 150_000 {
		t.Errorf("INVITE→180 p90 %.0f µs, p99 %.0f µs: a stall of 200 ms over a tenth of the calls was omitted or "+
			"invented", r.Ringing.P90Us, r.Ringing.P99Us)
	}
}

func TestSlotsTakenIsCounted(t *testing.T) {
	r, _ := through(t, Config{
		Path: Raw, Rate: 1000, Calls: 60, Slots: 10, Silent: map[int]bool{0: true, 1: true},
		GiveUp: 300 * time.Millisecond,
	}, nil)
	if r.NotStarted == 0 || r.Started+r.NotStarted != 60 || r.Abandoned != r.Started {
		t.Errorf("%+v", r)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	var before, after runtime.MemStats
	cfg := Config{Path: Direct, Concurrent: 32, Warmup: 100 * time.Millisecond, Duration: 300 * time.Millisecond}
	cfg.OnWindow = func(open bool) {
		if open {
			runtime.ReadMemStats(&before)
		} else {
			runtime.ReadMemStats(&after)
		}
	}
	r, _ := through(t, cfg, nil)
	if r.WindowCompleted < 50 {
		t.Fatalf("%+v", r)
	}
	// The runtime itself (the test's deadline, the collector) allocates a handful; a single
	// allocation per message would be thousands.
	if n := after.Mallocs - before.Mallocs; n > r.WindowCompleted/10+20 {
		t.Errorf("%d allocations in %d calls", n, r.WindowCompleted)
	}
}
