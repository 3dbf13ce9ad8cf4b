package stream

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// bench is a loop without gnet: enough to feed a connection.
func benchLoop(room int) (*loop, *conn) {
	e := &Engine{limits: NewLimits(), began: time.Now()}
	e.limits.MaxMessage.Store(testLimit)
	e.cfg.Owner = func([]byte) int { return 0 }
	e.cfg.Ring = func(int) {}
	e.table.init()
	e.ports = []*Port{newPort(e, 0)}
	for range queueMessages - room { // as if others' messages were there
		e.ports[0].q.push(&inMsg{})
	}
	l := &loop{e: e, hasRung: make([]bool, 1), touched: make([]bool, 1), parked: make(map[*conn]struct{})}
	return l, &conn{e: e, fd: -1, st: open}
}

// outcome is what a shard and the peer would see.
func outcome(l *loop, c *conn) (out []string) {
	p := l.e.ports[0]
	for {
		m := p.q.pop()
		if m == nil {
			break
		}
		if m.data != nil {
			out = append(out, fmt.Sprint(m.fault, string(m.data)))
		}
	}
	return out
}

// FuzzPlain: however a stream is cut, and however often the shard has no room, the shard gets the
// messages of the whole.
func FuzzPlain(f *testing.F) {
	f.Add("\r\n\r\nINVITE x SIP/2.0\r\nl:\r\n 3\r\nVia: y\r\n\r\nabcSIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n\r\n"+
		"\r\n", uint64(0x8421), uint8(9))
	f.Add(message("a", 1500)+message("b", 3)+message("c", 0)+"\r\n"+message("d", 20), uint64(0x10080), uint8(1))
	f.Add("OPTIONS a SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\nz", uint64(0xffff), uint8(0))
	f.Fuzz(func(t *testing.T, in string, cuts uint64, room uint8) {
		l, c := benchLoop(queueMessages)
		l.plain(c, []byte(in))
		want := outcome(l, c)
		wantDead, wantPings := !c.alive(), l.e.stats.pings.Load()

		l, c = benchLoop(int(room % 4))
		var got []string
		feed := func(piece string) {
			b := []byte(piece)
			l.plain(c, b)
			clear(b) // gnet reads the next bytes over these
			for len(c.stalled) > 0 {
				got = append(got, outcome(l, c)...) // the shard makes room for all
				for range queueMessages - int(room%4) {
					l.e.ports[0].q.push(&inMsg{})
				}
				if room%4 == 0 {
					l.e.ports[0].q.pop()
				}
				l.unstall(c)
			}
		}
		at := 0
		for i := range in {
			if cuts>>(uint(i)%64)&1 != 0 {
				feed(in[at:i])
				at = i
			}
		}
		feed(in[at:])
		got = append(got, outcome(l, c)...)
		if !slices.Equal(got, want) {
			t.Fatalf("got %q\nwant %q", got, want)
		}
		if c.alive() == wantDead || l.e.stats.pings.Load() != wantPings {
			t.Fatalf("alive %v, %d pings, want %v, %d", c.alive(), l.e.stats.pings.Load(), !wantDead, wantPings)
		}
	})
}
