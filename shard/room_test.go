package shard

import (
	"testing"
	"time"

	"viaduct/shard/proxy"
)

// TestWatchRoom: one line when requests begin to be refused for want of room, one when that has not happened for a while.
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
