package resolve

import (
	"net/netip"
	"time"
)

// server is one server's health, guarded by Resolver.mu. Times are the resolver's clock.
type server struct {
	addr   netip.AddrPort
	silent int   // times in a row that no answer came
	restTo int64 // passed over until then
}

// serverList is the servers in the operator's order, and how to ask them.
type serverList struct {
	list   []server
	rotate bool // `options rotate`: begin with a different server each time
	turn   int
	retry  time.Duration // wait for one answer
	rounds int
	search []string // domains, canonical
	ndots  int
}

// order returns the servers to ask. Those at rest come last: they are asked when no other answers.
// A server whose rest is over is in its place again, for one question: others pass it over until it
// has answered.
func (l *serverList) order(now int64) []netip.AddrPort {
	well, resting := make([]netip.AddrPort, 0, len(l.list)), []netip.AddrPort(nil)
	first := 0
	if l.rotate && len(l.list) > 0 {
		first = l.turn % len(l.list)
		l.turn++
	}
	for i := range l.list {
		s := &l.list[(first+i)%len(l.list)]
		switch {
		case s.silent == 0:
			well = append(well, s.addr)
		case now >= s.restTo:
			s.restTo = now + int64(l.retry)
			well = append(well, s.addr)
		default:
			resting = append(resting, s.addr)
		}
	}
	return append(well, resting...)
}

// heard notes that the server at addr answered, or did not.
func (l *serverList) heard(addr netip.AddrPort, answered bool, now int64) {
	for i := range l.list {
		s := &l.list[i]
		if s.addr != addr {
			continue
		}
		if answered {
			s.silent = 0
			return
		}
		s.restTo = now + int64(min(time.Second<<min(s.silent, 5), serverRestMax))
		s.silent++
		return
	}
}

// adopt takes over a new list and keeps what is known of servers in both.
func (l *serverList) adopt(next serverList) {
	for i := range next.list {
		for _, s := range l.list {
			if s.addr == next.list[i].addr {
				next.list[i] = s
			}
		}
	}
	*l = next
}

// questionTimeout returns how long a question may take over all servers and rounds.
func (l *serverList) questionTimeout(most time.Duration) time.Duration {
	return min(l.retry*time.Duration(l.rounds*max(len(l.list), 1)), most)
}
