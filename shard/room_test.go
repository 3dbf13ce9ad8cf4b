package shard

import (
	"bytes"
	"testing"
	"time"

	"viaduct/shard/proxy"
)

// TestWatchRoom: one line when requests begin to be refused for want of room, one when that has not
// happened for a while.
func TestWatchRoom(t *testing.T) {
	w := newCaller(t, "lb.cfg").w
	now := int64(time.Hour)
	f := func(after time.Duration, refused uint64, lines int) {
		t.Helper()
		now += int64(after)
		w.count[proxy.CountShed] += refused
		w.watchRoom(now)
		if got := len(w.shared.lines); got != lines {
			t.Fatalf("%d lines in the log, want %d", got, lines)
		}
		for range lines {
			<-w.shared.lines
		}
	}
	f(time.Second, 0, 0)
	f(time.Second, 5, 1)
	f(time.Second, 5, 0)
	f(shedQuiet-1, 0, 0)
	f(time.Second, 1, 0)
	f(shedQuiet, 0, 1)
	f(shedQuiet, 0, 0)
	f(time.Second, 1, 1)
}

// TestRoomForDialogs: a flood of new calls that lasts fills an arena of the least size again and
// again with what ends, and never takes the room of requests inside dialogs: each BYE of twenty a
// second goes through.
func TestRoomForDialogs(t *testing.T) {
	c := newCallerWith(t, "stateful.cfg", proxy.LeastArenaBytes+1<<20, 0)
	// As long as a BYE, so that both need the same size classes.
	invite := bytes.Replace(tmplBye, []byte("CSeq: 2 BYE"), []byte("CSeq: 1 INVITE"), 1)
	invite = bytes.Replace(bytes.Replace(invite, []byte("BYE "), []byte("INVITE "), 1), []byte(">;tag=00000000s"),
		[]byte(">"), 1)
	invites, refused := 0, 0
	for ms := range 200_000 {
		c.now += int64(time.Millisecond)
		c.w.tx.SetNow(c.now)
		c.w.core.SetNow(c.now)
		c.n++
		c.request(invite)
		invites++
		if bytes.HasPrefix(c.last, []byte("SIP/2.0 503")) {
			refused++
		}
		if ms%50 == 0 {
			c.n++
			c.request(tmplBye)
			c.expect("BYE ")
			c.reply("SIP/2.0 200 OK\r\n", tmplByeOK)
			c.expect("SIP/2.0 200")
		}
		c.w.tx.Expire(timersPerRound)
		c.w.reclaim()
	}
	if refused == 0 || refused == invites {
		t.Errorf("%d of %d new calls were refused: this was no flood", refused, invites)
	}
	t.Logf("%d of %d new calls were refused", refused, invites)
}
