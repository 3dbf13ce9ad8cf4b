package txn

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"viaduct/netio"
)

// answered is a table with INVITEs of one call, which differ in their branches, each answered here
// with a 2xx.
func answered(t *testing.T, n int) *machine {
	t.Helper()
	x := newMachine(t, "INVITE")
	x.end(x.br)
	x.Terminate(x.tx)
	x.did = nil
	for i := range n {
		m := x.parse(bytes.Replace(text("INVITE sip:b@b SIP/2.0", "INVITE"), []byte("bK-b"),
			fmt.Appendf(nil, "bK-%d", i), 1))
		to := netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 7000, Family: 4}
		x.tx = x.NewServer(x.Key(m, m.Method), m.Method, &to, 0)
		if !x.Answer(x.tx, 200, [][]byte{text("SIP/2.0 200 OK", "INVITE")}) {
			t.Fatal("not sent")
		}
	}
	return x
}

// TestAckOfAnswer: only the ACK with Call-ID, CSeq number and both tags of the 2xx ends its
// repetition, and it is all the same which method the CSeq names or which branch it has.
func TestAckOfAnswer(t *testing.T) {
	ack := text("ACK sip:b@b SIP/2.0", "ACK")
	f := func(old, with string, found bool) {
		t.Helper()
		x := answered(t, 1)
		x.did = nil
		b := bytes.ReplaceAll(ack, []byte(old), []byte(with))
		if got := x.AckAnswer(x.parse(b)); got != found {
			t.Errorf("%q for %q: %v", with, old, got)
		}
		if x.pass(600 * time.Millisecond); (len(x.did) == 0) != found {
			t.Errorf("%q for %q: sent again: %v", with, old, x.did)
		}
		x.pass(time.Minute)
		x.Reclaim()
		if x.Held() != 0 || x.index.used != 0 || x.answers != 0 || x.arena.UsedBytes() != 0 {
			t.Errorf("%d held, %d in the index, %d answers, %d bytes at the end", x.Held(), x.index.used,
				x.answers, x.arena.UsedBytes())
		}
		if got := x.count[CountNoAck] == 0; got != found {
			t.Errorf("%q for %q: counted %d without ACK", with, old, x.count[CountNoAck])
		}
	}
	f("", "", true)
	f("bK-b", "bK-another", true)
	f("To: <sip:b@b>;", "t: \"B\" <sip:other@b>;x=y;", true) // the URI may differ (§12.2.1.1)
	f("Call-ID: c", "Call-ID: C", false)
	f("tag=a", "tag=x", false)
	f("tag=b", "tag=x", false)
	f(";tag=b", "", false)
	f("CSeq: 1", "CSeq: 2", false)
	f("CSeq: 1", "CSeq: 01", true)
}

// TestAnswersOfOneCall: one ACK ends the repetition of all 2xx that it may be for; no more of them
// than sameCall are repeated, so that an ACK never looks at more.
func TestAnswersOfOneCall(t *testing.T) {
	x := answered(t, sameCall+2)
	if x.answers != sameCall || x.count[CountIndexFull] != 2 {
		t.Errorf("%d are repeated, %d counted", x.answers, x.count[CountIndexFull])
	}
	x.did = nil
	if x.pass(600 * time.Millisecond); len(x.did) != sameCall {
		t.Errorf("%d sent again", len(x.did))
	}
	x.did = nil
	m := x.parse(text("ACK sip:b@b SIP/2.0", "ACK"))
	for range 2 {
		if !x.AckAnswer(m) {
			t.Error("the ACK is for nothing")
		}
	}
	if x.pass(4 * time.Second); len(x.did) != 0 {
		t.Errorf("%d sent again behind the ACK", len(x.did))
	}
	if x.pass(time.Minute); x.AckAnswer(m) || x.Held() != 0 || x.index.used != 0 {
		t.Errorf("%d held, %d in the index at the end", x.Held(), x.index.used)
	}
}

// TestAnswerWithoutRoom: a 2xx that cannot be kept is sent once, as one that is passed on.
func TestAnswerWithoutRoom(t *testing.T) {
	x := answered(t, 0)
	m := x.parse(text("INVITE sip:b@b SIP/2.0", "INVITE"))
	to := netio.Addr{IP: [16]byte{127, 0, 0, 1}, Port: 7000, Family: 4}
	x.tx = x.NewServer(x.Key(m, m.Method), m.Method, &to, 0)
	for _, n := range []int{1000, 300, 200, 100} {
		for x.store(0, KindMessage, make([]byte, n)) != 0 {
		}
	}
	if !x.Answer(x.tx, 200, [][]byte{text("SIP/2.0 200 OK", "INVITE")}) || len(x.did) != 1 {
		t.Errorf("sent: %v", x.did)
	}
	if x.pass(600 * time.Millisecond); len(x.did) != 1 || x.answers != 0 || x.tx.State() != Accepted ||
		x.count[CountUnstored] != 1 {
		t.Errorf("%v, %d kept, %s, counted %d", x.did, x.answers, x.tx.State(), x.count[CountUnstored])
	}
	if x.AckAnswer(m) {
		t.Error("an ACK is for a 2xx that is not kept")
	}
}

// TestAnswerTakenOver: the next process on the arena goes on repeating, and knows the ACK.
func TestAnswerTakenOver(t *testing.T) {
	x := answered(t, 2)
	m := x.parse(text("ACK sip:b@b SIP/2.0", "ACK"))
	next, err := New(Config{Arena: x.arena, Settings: DefaultSettings(), Sender: sent{x: x}, User: x,
		Counters: x.arena.Counters(0), Random: func() uint64 { return 8 }, Now: x.now})
	if err != nil {
		t.Fatal(err)
	}
	x.Table = next
	x.Rebuild()
	x.did = nil
	if x.pass(600 * time.Millisecond); len(x.did) != 2 || x.answers != 2 {
		t.Errorf("%d sent again, %d kept", len(x.did), x.answers)
	}
	x.did = nil
	if !x.AckAnswer(m) {
		t.Error("the ACK is for nothing")
	}
	if x.pass(4 * time.Second); len(x.did) != 0 {
		t.Errorf("sent again: %v", x.did)
	}
	if x.pass(time.Minute); x.Held() != 0 || x.index.used != 0 || x.answers != 0 {
		t.Errorf("%d held, %d in the index at the end", x.Held(), x.index.used)
	}
}
