package txn

import (
	"fmt"
	"testing"

	"viaduct/netio"
	"viaduct/parser"
)

// callBench makes transactions of messages that a test names by Call-ID and CSeq number.
type callBench struct {
	t  *testing.T
	tb *Table
	n  int
}

func newCallBench(t *testing.T, find bool) *callBench {
	b := &callBench{t: t, tb: (&user{}).table(t, DefaultTimers())}
	s := DefaultSettings()
	s.FindCalls = find
	b.tb.Configure(&Config{Settings: s})
	return b
}

// open makes a transaction, with a response to read its Call-ID from.
func (b *callBench) open(method, callID string, cseq int) *Tx {
	b.t.Helper()
	b.n++
	text := fmt.Sprintf("%s sip:b@c SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\n"+
		"To: <sip:b@c>\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n", method, b.n, callID, cseq, method)
	var m parser.Message
	if r := m.Parse([]byte(text)); r != parser.OK {
		b.t.Fatal(r)
	}
	tx := b.tb.NewServer(b.tb.Key(&m, m.Method), m.Method, &netio.Addr{Family: 4, Port: 5060}, 0)
	b.tb.NoteCall(tx, &m)
	status := 180
	if method != "INVITE" {
		status = 404
	}
	reply := fmt.Sprintf("SIP/2.0 %d X", status) + text[len(method)+len(" sip:b@c SIP/2.0"):]
	if !b.tb.Respond(tx, status, [][]byte{[]byte(reply)}) {
		b.t.Fatal("no response")
	}
	return tx
}

func TestFindCall(t *testing.T) {
	b := newCallBench(t, true)
	find := func(callID string, cseq uint32, want *Tx) {
		t.Helper()
		if got := b.tb.FindCall([]byte(callID), cseq); got != want {
			t.Errorf("%s, %d: %p, want %p", callID, cseq, got, want)
		}
	}
	find("one", 1, nil)
	one, two, message := b.open("INVITE", "one", 1), b.open("INVITE", "two", 2), b.open("MESSAGE", "one", 1)
	find("one", 1, one)
	find("one", 2, nil)
	find("two", 2, two)
	find("three", 1, nil)
	b.tb.Terminate(one)
	find("one", 1, message)
	b.tb.Terminate(message)
	b.tb.Terminate(two)
	find("one", 1, nil)
	find("two", 2, nil)
	if n := b.tb.calls.used; n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

// TestFindCallLater: transactions that began before the settings asked for the index are found,
// also by a process that takes them over.
func TestFindCallLater(t *testing.T) {
	b := newCallBench(t, false)
	tx := b.open("INVITE", "one", 1)
	if b.tb.FindCall([]byte("one"), 1) != nil {
		t.Error("found without an index")
	}
	s := DefaultSettings()
	s.FindCalls = true
	b.tb.Configure(&Config{Settings: s})
	if b.tb.FindCall([]byte("one"), 1) != tx {
		t.Error("not found by an index that was made later")
	}
	next, err := New(Config{Arena: b.tb.arena, Settings: s, Sender: nowhere{}, User: &user{}, Counters: b.tb.count,
		Random: b.tb.random, Now: b.tb.now})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	next.Rebuild()
	found := next.FindCall([]byte("one"), 1)
	if found == nil || next.OffOf(found) != b.tb.OffOf(tx) {
		t.Fatal("not found by the next process")
	}
	next.Terminate(found)
	if next.calls.used != 0 {
		t.Error("an entry is left")
	}
}

// TestFindCallSame: one Call-ID and CSeq number takes no more than its share of the index.
func TestFindCallSame(t *testing.T) {
	b := newCallBench(t, true)
	var all []*Tx
	for range sameCall + 5 {
		all = append(all, b.open("MESSAGE", "one", 1))
	}
	if b.tb.calls.used != sameCall || b.tb.count[CountIndexFull] != 5 {
		t.Errorf("%d entries, %d counted", b.tb.calls.used, b.tb.count[CountIndexFull])
	}
	for _, tx := range all {
		b.tb.Terminate(tx)
	}
	if b.tb.calls.used != 0 {
		t.Errorf("%d entries are left", b.tb.calls.used)
	}
}
