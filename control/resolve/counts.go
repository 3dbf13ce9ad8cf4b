package resolve

import (
	"hash/maphash"
	"sync/atomic"
)

func newSeed() maphash.Seed { return maphash.MakeSeed() }

// counts are the totals since start. hits and misses are written by every shard, so they keep off
// each other's lines and the rest's.
type counts struct {
	_      [64]byte
	hits   atomic.Uint64
	_      [56]byte
	misses atomic.Uint64
	_      [56]byte

	flights, joined, refused, renewals, failed, stale            atomic.Uint64
	questions, overflow, timeouts, tcp, bad, unmatched, rejected atomic.Uint64
	evicted, expired, panics, reread, unreadable                 atomic.Uint64
}

// Stats are the totals since start.
type Stats struct {
	Hits      uint64 `json:"hits"`      // look-ups answered from the cache
	Misses    uint64 `json:"misses"`    // look-ups not answered from the cache
	Flights   uint64 `json:"flights"`   // queries resolved
	Joined    uint64 `json:"joined"`    // callers who joined one under way
	Refused   uint64 `json:"refused"`   // callers refused: too many queries or waiters
	Renewals  uint64 `json:"renewals"`  // queries resolved without a caller waiting
	Failed    uint64 `json:"failed"`    // queries that ended in failure
	Stale     uint64 `json:"stale"`     // expired answers kept in use because the servers failed
	Questions uint64 `json:"questions"` // questions sent to servers, repeats not counted
	Overflow  uint64 `json:"overflow"`  // questions not asked: questionsMax or questionsPerQuery
	Timeouts  uint64 `json:"timeouts"`  // times a server did not answer
	TCP       uint64 `json:"tcp"`       // times a truncated answer was asked for again over TCP
	// answers that were of no use: SERVFAIL, REFUSED, lame, loops
	Bad uint64 `json:"bad"`
	// datagrams that did not answer the question: forged, late or broken
	Unmatched uint64 `json:"unmatched"`
	// records left out of answers: too many, or addresses nobody can send to
	Rejected   uint64 `json:"rejected"`
	Evicted    uint64 `json:"evicted"`    // entries removed for room
	Expired    uint64 `json:"expired"`    // entries removed because they had expired
	Panics     uint64 `json:"panics"`     // panics contained, each at the cost of one query
	Reread     uint64 `json:"reread"`     // times resolv.conf or hosts was read after a change
	Unreadable uint64 `json:"unreadable"` // times that failed; the last good reading stayed
}

// Stats reads the counters.
func (r *Resolver) Stats() Stats {
	c := &r.counts
	return Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Flights: c.flights.Load(),
		Joined: c.joined.Load(), Refused: c.refused.Load(),
		Renewals: c.renewals.Load(), Failed: c.failed.Load(), Stale: c.stale.Load(),
		Questions: c.questions.Load(), Overflow: c.overflow.Load(),
		Timeouts: c.timeouts.Load(), TCP: c.tcp.Load(), Bad: c.bad.Load(),
		Unmatched: c.unmatched.Load(),
		Rejected:  c.rejected.Load(),
		Evicted:   c.evicted.Load(), Expired: c.expired.Load(), Panics: c.panics.Load(),
		Reread: c.reread.Load(), Unreadable: c.unreadable.Load(),
	}
}
