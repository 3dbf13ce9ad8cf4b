package txn

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shm"
)

// user counts what a transaction tells.
type user struct{ still, failed, timedOut, waited int }

func (u *user) Expired(*Tx)                {}
func (u *user) BranchTimeout(*Tx, *Branch) { u.timedOut++ }
func (u *user) BranchFailed(*Tx, *Branch)  { u.failed++ }
func (u *user) StillTrying(*Tx)            { u.still++ }
func (u *user) Finished(*Tx, int, Again)   {}
func (u *user) Waited(*Tx)                 { u.waited++ }
func (u *user) WaitedFor(*Tx, shm.Off)     { u.waited++ }

func (u *user) table(t *testing.T, tm Timers) *Table {
	t.Helper()
	a, err := shm.Create(shm.Config{Bytes: 8 << 20, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	settings := DefaultSettings()
	settings.Timers = tm
	tb, err := New(Config{Arena: a, Settings: settings, Sender: nowhere{}, User: u, Counters: a.Counters(0),
		Random: rand.New(rand.NewPCG(1, 2)).Uint64, Now: int64(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func newTx(t *testing.T, tb *Table, method parser.Method) *Tx {
	t.Helper()
	tx := tb.NewServer(Key{hash: 7, bytes: []byte("key")}, method, &netio.Addr{Family: 4, Port: 5060}, 0)
	if tx == nil {
		t.Fatal("no transaction")
	}
	return tx
}

// TestKeptParts: what a transaction keeps is held by it, replaced in place, and gone with it.
func TestKeptParts(t *testing.T) {
	u := &user{}
	tb := u.table(t, DefaultTimers())
	tx := newTx(t, tb, parser.INVITE)
	self := tb.offOf(&tx.node)
	held := func(off shm.Off, want bool) {
		t.Helper()
		if Holds(tb.arena, self, off) != want {
			t.Errorf("slot %#x held: %v", off, !want)
		}
	}
	tb.SetBest(tx, 486, 0)
	tb.KeepBest(tx, [][]byte{[]byte("SIP/2.0 486 "), []byte("Busy")})
	first := tx.best
	held(first, true)
	if got := string(tb.Best(tx)); got != "SIP/2.0 486 Busy" || tx.BestStatus() != 486 {
		t.Errorf("kept %q, %d", got, tx.BestStatus())
	}
	tb.SetBest(tx, 401, 0)
	held(first, false)
	if tb.Best(tx) != nil {
		t.Error("the copy outlives its status")
	}
	tb.AddChallenge(tx, []byte("A: 1\r\n"))
	tb.AddChallenge(tx, []byte("B: 2\r\n"))
	held(tx.challenges, true)
	if got := string(tb.Challenges(tx)); got != "A: 1\r\nB: 2\r\n" {
		t.Errorf("challenges %q", got)
	}
	off := tb.NewSaved(tx, int(unsafe.Sizeof(Saved{})))
	held(off, false)
	tb.SetSaved(tx, off)
	held(off, true)
	tb.KeepBest(tx, [][]byte{[]byte("x")})
	tb.Terminate(tx)
	tb.Reclaim()
	if n := tb.slab.UsedBytes(); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}

// TestOwnTimers: Timers B and C of one transaction.
func TestOwnTimers(t *testing.T) {
	u := &user{}
	tb := u.table(t, DefaultTimers())
	tx := newTx(t, tb, parser.INVITE)
	if b, c := tb.timerB(tx), tb.timerC(tx); b != int64(tb.timers.B) || c != int64(tb.timers.C) {
		t.Errorf("without a Saved: %d, %d", b, c)
	}
	off := tb.NewSaved(tx, int(unsafe.Sizeof(Saved{})))
	s := shm.Ptr[Saved](tb.arena, off)
	s.FrMs, s.FrInvMs = 1500, 0
	tb.SetSaved(tx, off)
	if b, c := tb.timerB(tx), tb.timerC(tx); b != 1500e6 || c != int64(tb.timers.C) {
		t.Errorf("with its own Timer B: %d, %d", b, c)
	}
	s.FrInvMs = 7
	if c := tb.timerC(tx); c != 7e6 {
		t.Errorf("with its own Timer C: %d", c)
	}
}

// TestStillTrying: the 100 to a non-INVITE is due when the caller's Timer E reaches T2, once, and
// never for an INVITE (RFC 4320 §4.1).
func TestStillTrying(t *testing.T) {
	f := func(t1, t2, want time.Duration) {
		t.Helper()
		u, tm := &user{}, DefaultTimers()
		tm.T1, tm.T2 = t1, t2
		tb := u.table(t, tm)
		newTx(t, tb, parser.OPTIONS)
		at := func(d time.Duration) {
			tb.SetNow(int64(time.Hour + d))
			tb.Expire(100)
		}
		at(want - 5*time.Millisecond)
		if u.still != 0 {
			t.Errorf("%v, %v: too early", t1, t2)
		}
		at(want + 10*time.Millisecond)
		if u.still != 1 {
			t.Errorf("%v, %v: not due at %v", t1, t2, want)
		}
		at(want + 10*time.Second)
		if u.still != 1 {
			t.Errorf("%v, %v: due %d times", t1, t2, u.still)
		}
	}
	f(500*time.Millisecond, 4*time.Second, 3500*time.Millisecond)
	f(time.Second, 4*time.Second, 3*time.Second)
	f(time.Second, time.Second, time.Second)

	u := &user{}
	tb := u.table(t, DefaultTimers())
	newTx(t, tb, parser.INVITE)
	tb.SetNow(int64(time.Hour + 20*time.Second))
	tb.Expire(100)
	if u.still != 0 {
		t.Error("due for an INVITE")
	}
}

// TestHeldList: each that is held is due once at its time, in whatever order; one that takes
// another's place keeps that; and the transaction does not end while something is due.
func TestHeldList(t *testing.T) {
	u := &user{}
	tb := u.table(t, DefaultTimers())
	tx := newTx(t, tb, parser.OPTIONS)
	saved := tb.NewSaved(tx, int(unsafe.Sizeof(Saved{})))
	*shm.Ptr[Saved](tb.arena, saved) = Saved{Header: *shm.Ptr[shm.Header](tb.arena, saved)}
	tb.SetSaved(tx, saved)
	at := func(d time.Duration) int64 { return int64(time.Hour + d) }
	hold := func(old shm.Off, due time.Duration) shm.Off {
		off := tb.NewHeld(tx, nil, HeldBytes)
		shm.Ptr[Held](tb.arena, off).DueAt = at(due)
		if old != 0 {
			tb.ReplaceHeld(tx, old, off)
		} else {
			tb.AddHeld(tx, off)
		}
		return off
	}
	first, second := hold(0, 3*time.Second), hold(0, time.Second)
	third := hold(second, 2*time.Second)
	if tb.FirstHeld(tx) != first || tb.NextHeld(first) != third || tb.NextHeld(third) != 0 {
		t.Error("not in the order in which they came")
	}
	if tb.OfHeld(second) != nil || tb.OfHeld(third) != tx {
		t.Error("OfHeld does not know what was replaced")
	}
	f := func(now time.Duration, want int) {
		t.Helper()
		tb.SetNow(at(now))
		tb.Expire(1000)
		if u.waited != want {
			t.Errorf("at %v: %d were due, want %d", now, u.waited, want)
		}
	}
	f(1500*time.Millisecond, 0)
	f(2100*time.Millisecond, 1)
	f(3100*time.Millisecond, 2)
	hold(0, 90*time.Minute)
	f(time.Hour, 2)
	if tx.State() == Terminated {
		t.Error("the transaction ended while something was held")
	}
	tb.DropHeld(tx, first)
	tb.DropHeld(tx, third)
	tb.DropHeld(tx, third)
	f(2*time.Hour, 3)
	f(3*time.Hour, 3)
	if tb.Held() != 0 {
		t.Error("the transaction did not end when nothing was due any more")
	}
}

// TestHoldUntil: what the user holds is due once, at its time, and the transaction lives on for as
// long; what took its place is not due.
func TestHoldUntil(t *testing.T) {
	f := func(method parser.Method, wait, replaced time.Duration, want int) {
		t.Helper()
		u := &user{}
		tb := u.table(t, DefaultTimers())
		tx := newTx(t, tb, method)
		hold := func(due time.Duration) {
			off := tb.NewSaved(tx, int(unsafe.Sizeof(Saved{})))
			*shm.Ptr[Saved](tb.arena, off) = Saved{Header: *shm.Ptr[shm.Header](tb.arena, off)}
			if due == 0 {
				tb.SetSaved(tx, off)
				return
			}
			tb.HoldUntil(tx, off, int64(time.Hour+due))
		}
		hold(wait)
		for at := time.Duration(0); at < wait+20*time.Millisecond; at += min(wait, 10*time.Millisecond) {
			if at == replaced && replaced != 0 {
				hold(0)
			}
			if u.waited != 0 && at < wait {
				t.Fatalf("due at %v of %v", at, wait)
			}
			tb.SetNow(int64(time.Hour + at))
			tb.Expire(1000)
		}
		if u.waited != want || tx.State() == Terminated {
			t.Errorf("%v, %v: due %d times, want %d; %v", method, wait, u.waited, want, tx.State())
		}
		tb.SetNow(int64(2*time.Hour + wait))
		tb.Expire(1000)
		if u.waited != want || tb.Held() != 0 {
			t.Errorf("%v, %v: due %d times in the end, %d transactions left", method, wait, u.waited, tb.Held())
		}
	}
	f(parser.INVITE, time.Second, 0, 1)
	f(parser.OPTIONS, time.Second, 0, 1)
	f(parser.OPTIONS, 40*time.Second, 0, 1) // beyond its lifetime
	f(parser.INVITE, time.Second, 500*time.Millisecond, 0)
}
