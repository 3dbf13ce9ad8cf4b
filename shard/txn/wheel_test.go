package txn

import (
	"math/rand/v2"
	"testing"
	"time"

	"viaduct/netio"
	"viaduct/shm"
)

type nowhere struct{}

func (nowhere) Begin(int, *netio.Addr, uint64) {}
func (nowhere) Append([]byte)                  {}
func (nowhere) End()                           {}

func (nowhere) SetStreamOptions(StreamOptions, []byte) {}
func (nowhere) Abandon()                               {}

// newTable is a table over an arena of its own.
func newTable(t testing.TB, bytes int64) *Table {
	t.Helper()
	a, err := shm.Create(shm.Config{Bytes: bytes, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	tb, err := New(Config{Arena: a, Settings: DefaultSettings(), Sender: nowhere{}, Counters: a.Counters(0),
		Random: rand.New(rand.NewPCG(1, 2)).Uint64, Now: int64(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

// TestWheelAgainstModel arms, moves and disarms at random and compares what fires
// with a plain map: everything due fires, nothing early, nothing later than 10 ms.
func TestWheelAgainstModel(t *testing.T) {
	tb := newTable(t, 8<<20)
	rng := rand.New(rand.NewPCG(3, 4))
	due := map[shm.Off]int64{}
	var offs []shm.Off
	for range 500 {
		off, ok := tb.slab.Alloc(KindTx, txBytes)
		if !ok {
			t.Fatal("arena full")
		}
		*tb.tx(off) = Tx{node: node{Header: tb.tx(off).Header}}
		offs = append(offs, off)
	}
	horizon := []int64{1e6, 1e9, 40e9, 400e9}
	for range 20000 {
		switch off := offs[rng.IntN(len(offs))]; rng.IntN(4) {
		case 0, 1:
			at := tb.now + rng.Int64N(horizon[rng.IntN(len(horizon))])
			tb.arm(off, tb.node(off), at)
			due[off] = at
		case 2:
			tb.disarm(off, tb.node(off))
			delete(due, off)
		case 3:
			before := tb.now
			tb.SetNow(before + rng.Int64N(horizon[rng.IntN(3)]))
			checkFired(t, tb, due, before)
		}
		checkNextDue(t, tb, due)
	}
}

// checkFired takes what the wheel fires, as Expire does, without running the machines.
func checkFired(t *testing.T, tb *Table, due map[shm.Off]int64, before int64) {
	t.Helper()
	w := &tb.wheel
	for now := tb.now >> tickShift; ; w.tick++ {
		slot := uint32(w.tick) & wheelMask
		for off := w.heads[slot]; off != 0; off = w.heads[slot] {
			n := tb.node(off)
			at := n.due
			tb.disarm(off, n)
			if at > tb.now {
				tb.arm(off, n, at)
				continue
			}
			if due[off] != at {
				t.Fatalf("fired for %d, was armed for %d", at, due[off])
			}
			delete(due, off)
		}
		if w.tick >= now {
			break
		}
	}
	const tick = 1 << tickShift
	for off, at := range due {
		if at+tick <= tb.now {
			t.Fatalf("slot %#x is due since %v", off, time.Duration(tb.now-at))
		}
	}
}

func checkNextDue(t *testing.T, tb *Table, due map[shm.Off]int64) {
	t.Helper()
	at, ok := tb.NextDue()
	if ok != (len(due) > 0) {
		t.Fatalf("NextDue says %v with %d armed", ok, len(due))
	}
	first := int64(1 << 62)
	for _, d := range due {
		first = min(first, d)
	}
	if ok && (at < tb.now-1<<tickShift || at > max(first, tb.now)+2<<tickShift) {
		t.Fatalf("NextDue is %v from the first deadline", time.Duration(at-first))
	}
}

// TestWheelAfterSleep: what fires after a long sleep does not walk over the slots that were slept
// through one by one.
func TestWheelAfterSleep(t *testing.T) {
	const day = int64(24 * time.Hour)
	tb := newTable(t, 8<<20)
	off, ok := tb.slab.Alloc(KindTx, txBytes)
	if !ok {
		t.Fatal("arena full")
	}
	*tb.tx(off) = Tx{node: node{Header: tb.tx(off).Header}}
	n := tb.node(off)

	tb.SetNow(tb.now + day) // nothing was armed
	tb.arm(off, n, tb.now+int64(time.Second))
	if w := &tb.wheel; w.tick != tb.now>>tickShift {
		t.Errorf("after a day the first deadline is armed %d ticks behind", tb.now>>tickShift-w.tick)
	}

	tb.arm(off, n, tb.now+100*day) // beyond the horizon: it goes round again and again
	tb.SetNow(tb.now + day)
	steps := 0
	for w, now := &tb.wheel, tb.now>>tickShift; w.tick < now; steps++ {
		w.advance(now)
		if slot := uint32(w.tick) & wheelMask; w.heads[slot] == off {
			due := n.due
			tb.disarm(off, n)
			tb.arm(off, n, due)
		}
	}
	if rounds := int(day>>tickShift)/wheelSlots + 1; steps > rounds+1 {
		t.Errorf("%d steps for %d rounds of the wheel", steps, rounds)
	}
	if at, ok := tb.NextDue(); !ok || at <= tb.now || at > tb.now+wheelSlots<<tickShift {
		t.Errorf("the next look is in %v, %v", time.Duration(at-tb.now), ok)
	}
}
