package stream

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Every connection is looked at soon after its time, whatever else happens to it, and what is due
// later is looked at once per turn at most.
func TestWheel(t *testing.T) {
	const tick = int64(tickEvery)
	rnd := rand.New(rand.NewPCG(1, 2))
	var w wheel
	w.tick = 7
	conns := make([]*conn, 200)
	due := make(map[*conn]int64)
	looks := make(map[*conn]int)
	put := func(c *conn, now int64) {
		at := now + rnd.Int64N(3*wheelSlots*tick)
		if old, ok := due[c]; ok && old < at {
			at = old
		}
		due[c] = at
		w.before(c, at)
	}
	now := 7 * tick
	for i := range conns {
		conns[i] = &conn{}
		put(conns[i], now)
	}
	for range 6 * wheelSlots {
		now += 1 + rnd.Int64N(3*tick)
		if rnd.IntN(50) == 0 {
			now += rnd.Int64N(2 * wheelSlots * tick) // the loop was away
		}
		w.expire(now, func(c *conn) {
			looks[c]++
			if due[c] > now {
				w.before(c, due[c])
				return
			}
			delete(due, c)
			put(c, now)
		})
		for c, at := range due {
			if now >= at+2*tick {
				t.Fatalf("now %d: one was due at %d and not looked at", now/tick, at/tick)
			}
			if w.next > max(at/tick+1, w.tick) {
				t.Fatalf("now %d: one is due at %d, and the loop would sleep until %d", now/tick, at/tick, w.next)
			}
			if c.wheelPrev == nil {
				t.Fatal("one fell out of the wheel")
			}
		}
		c := conns[rnd.IntN(len(conns))]
		if rnd.IntN(3) == 0 {
			w.remove(c)
			delete(due, c)
		}
		put(c, now) // earlier, or again
	}
	for c, n := range looks {
		if n > 30*6 {
			t.Fatalf("%v was looked at %d times", c, n)
		}
	}
}

// BenchmarkIdleTick is what a tick costs a loop with 100,000 idle connections.
func BenchmarkIdleTick(b *testing.B) {
	const n = 100_000
	l, _ := benchLoop(queueMessages)
	for range n {
		c := &conn{e: l.e, fd: -1, st: open}
		c.seen.Store(rand.Int64N(int64(100 * time.Second)))
		l.schedule(c)
	}
	looked := 0
	b.ReportAllocs()
	for b.Loop() {
		l.now += int64(tickEvery)
		l.wheel.expire(l.now, func(c *conn) {
			looked++
			if l.now > c.seen.Load()+c.lifetimeNs() {
				c.seen.Store(l.now) // as if it had traffic, or another had taken its place
			}
			l.schedule(c)
		})
	}
	b.ReportMetric(float64(looked)/float64(b.N), "looked-at/op")
}
