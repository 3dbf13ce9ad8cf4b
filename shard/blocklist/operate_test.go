package blocklist

import (
	"testing"
	"time"

	"viaduct/netio"
)

func TestPermanentAndDelete(t *testing.T) {
	table := testTable(t, entries(10))
	x, y, z := addr("192.0.2.1:5060"), addr("192.0.2.2:5060"), addr("192.0.2.3:5060")
	table.AddWaiting(netio.UDP, x, Cause{Reasons: Prohibited | Permanent, TTL: time.Second, Owner: "admin"}, 0)
	table.AddWaiting(AnyProto, y, Cause{Reasons: Prohibited}, 0)
	table.AddWaiting(netio.TCP, y, Cause{Reasons: Prohibited}, 0)
	if !table.Listed(netio.UDP, x, maxExpiry) {
		t.Error("permanent ended")
	}
	for _, done := table.GC(1 << 40); !done; _, done = table.GC(1 << 40) {
	}
	if used, _ := table.MemInfo(); used != EntryBytes {
		t.Errorf("%d bytes used after GC", used)
	}
	// listed again, it stays permanent
	table.Add(netio.UDP, x, Cause{Reasons: Timeout, TTL: time.Second}, 0)
	if !table.Listed(netio.UDP, x, 1<<40) {
		t.Error("permanent ended after it was listed again")
	}
	table.AddWaiting(AnyProto, y, Cause{Reasons: Prohibited}, 0)
	table.AddWaiting(netio.TCP, y, Cause{Reasons: Prohibited}, 0)
	if table.Delete(netio.UDP, y) || table.Delete(netio.UDP, z) {
		t.Error("deleted what was not there")
	}
	if !table.Delete(netio.TCP, y) || !table.Listed(netio.TCP, y, 1) { // the wildcard still stands
		t.Error("the entry of its own is one, the wildcard another")
	}
	if !table.Delete(AnyProto, y) || table.Listed(netio.TCP, y, 1) {
		t.Error("delete of the wildcard")
	}
	table.AddWaiting(netio.WS, z, Cause{Reasons: Prohibited}, 0)
	if n := table.DeleteAll(); n != 1 || !table.Listed(netio.UDP, x, 1) || table.Listed(netio.WS, z, 1) {
		t.Errorf("%d deleted", n)
	}
	if !table.Delete(netio.UDP, x) || table.Listed(netio.UDP, x, 1) {
		t.Error("an operator takes out a permanent one by name")
	}
	if used, _ := table.MemInfo(); used != 0 {
		t.Errorf("%d bytes used", used)
	}
}

// A view in pages of any size holds every entry once, and none that has ended.
func TestView(t *testing.T) {
	table := testTable(t, entries(1000))
	for i := range 600 {
		a := addr("198.51.100.1:1")
		a.Port = uint16(i)
		ttl := time.Hour
		if i%3 == 0 {
			ttl = time.Second
		}
		table.Add(netio.TCP, a, Cause{Reasons: Connect, TTL: ttl, Owner: "connect"}, 100)
	}
	for _, page := range []int{1, 7, 64, 1000} {
		seen, rounds := map[uint16]bool{}, 0
		out := make([]Entry, page)
		for cursor := uint32(0); rounds == 0 || cursor != 0; rounds++ {
			var n int
			n, cursor = table.View(cursor, 2000, out)
			for _, e := range out[:n] {
				if seen[e.Addr.Port] || e.Addr.Port%3 == 0 || e.Proto != netio.TCP || e.Reasons != Connect ||
					e.SinceMs != 100 || e.ExpiresMs != 3600_100 || e.Owner.String() != "connect" {
					t.Fatalf("pages of %d: %+v", page, e)
				}
				seen[e.Addr.Port] = true
			}
		}
		if len(seen) != 400 {
			t.Errorf("pages of %d: %d entries", page, len(seen))
		}
	}
}

// GC does a bounded part and goes on where it stopped.
func TestGCResumes(t *testing.T) {
	table := testTable(t, func(c *Config) { c.MemBytes = 1 << 20 }) // 16384 buckets, 4 calls
	const n = 10_000
	for i := range n {
		a := addr("198.51.100.1:1")
		a.Port = uint16(i)
		table.Add(netio.TCP, a, Cause{Reasons: Connect, TTL: time.Second}, 0)
	}
	if freed, done := table.GC(999); freed != 0 || !done {
		t.Errorf("before the first end: %d %v", freed, done)
	}
	sum, calls := 0, 0
	for done := false; !done; calls++ {
		var freed int
		freed, done = table.GC(1000)
		sum += freed
	}
	if sum != n || calls != 4 || table.Stats().Expired != n {
		t.Errorf("%d freed in %d calls, %+v", sum, calls, table.Stats())
	}
}

func TestStats(t *testing.T) {
	table := testTable(t, entries(1))
	x, y := addr("192.0.2.1:5060"), addr("192.0.2.2:5060")
	table.Add(netio.UDP, x, Cause{Reasons: Timeout}, 0)
	table.Add(netio.UDP, x, Cause{Reasons: Timeout}, 0)
	table.Add(netio.UDP, y, Cause{Reasons: Timeout}, 0)
	table.Listed(netio.UDP, x, 1)
	table.Listed(netio.UDP, y, 1)
	table.Look(netio.UDP, x, 1)
	if got, want := table.Stats(), (Stats{Hits: 2, LRU: 1, Added: 1, Updated: 1, Full: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, ok := table.StatsGet("bkl_hit_cnt", true); !ok || len(got) != 1 || got["bkl_hit_cnt"] != 2 {
		t.Errorf("%v", got)
	}
	if got, ok := table.StatsGet(AllStats, false); !ok || len(got) != len(StatsNames) || got["bkl_hit_cnt"] != 0 ||
		got["bkl_lru_cnt"] != 1 {
		t.Errorf("%v", got)
	}
	if got, ok := table.StatsGet("bkl", false); ok {
		t.Errorf("%v", got)
	}
}

// A shard finds the table busy and goes on; nothing else happens.
func TestBusy(t *testing.T) {
	table := testTable(t, nil)
	x := addr("192.0.2.1:5060")
	table.Add(netio.UDP, x, Cause{Reasons: Timeout, TTL: time.Second}, 0)
	table.root.lock.Get()
	if v := table.Add(netio.UDP, addr("192.0.2.2:1"), Cause{Reasons: Timeout}, 0); v != Busy {
		t.Errorf("%v", v)
	}
	if freed, done := table.GC(5000); freed != 0 || done {
		t.Errorf("GC: %d %v", freed, done)
	}
	if !table.Listed(netio.UDP, x, 1) || table.Listed(netio.UDP, x, 5000) {
		t.Error("readers do not mind the lock")
	}
	if n := table.Stats().Busy; n != 2 {
		t.Errorf("%d counted", n)
	}
	done := make(chan Verdict)
	go func() { done <- table.AddWaiting(netio.UDP, addr("192.0.2.2:1"), Cause{Reasons: Timeout}, 0) }()
	table.root.lock.Release()
	if v := <-done; v != Added {
		t.Errorf("%v", v)
	}
}

// Collect gives ended entries back by itself, and ends with its stop.
func TestCollect(t *testing.T) {
	table := testTable(t, func(c *Config) { c.MemBytes, c.GCInterval = 1<<20, time.Millisecond })
	for i := range 5000 {
		a := addr("198.51.100.1:1")
		a.Port = uint16(i)
		table.Add(netio.TCP, a, Cause{Reasons: Connect, TTL: time.Second}, 0)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); table.Collect(stop, func() int64 { return 1000 }) }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if used, _ := table.MemInfo(); used == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", table.Stats())
		}
	}
	close(stop)
	<-done
	if n := table.Stats().Expired; n != 5000 {
		t.Errorf("%d", n)
	}
	never := testTable(t, func(c *Config) { c.GCInterval = 0 })
	never.Collect(nil, nil) // returns at once
}
