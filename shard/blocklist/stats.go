package blocklist

import "sync/atomic"

// counts are kept per table and not per shard: all but hits count rare things, and a hit spares a
// send.
type counts struct {
	hits, lru, added, updated, ignored, full, busy, expired, torn atomic.Uint64
}

// Stats are counts since the start or since they were reset.
type Stats struct {
	Hits    uint64 // look-ups that found an entry: Kamailio's bkl_hit_cnt
	LRU     uint64 // adds that met a full table: Kamailio's bkl_lru_cnt
	Added   uint64
	Updated uint64
	Ignored uint64 // adds whose reasons were all ignored
	Full    uint64 // adds refused, no room
	Busy    uint64 // adds and GCs that found the lock taken
	Expired uint64 // ended entries given back
	Torn    uint64 // look-ups that were overtaken lookTries times, and said "not listed"
}

// Stats reads the counters.
func (t *Table) Stats() Stats {
	c := &t.counts
	return Stats{c.hits.Load(), c.lru.Load(), c.added.Load(), c.updated.Load(), c.ignored.Load(),
		c.full.Load(), c.busy.Load(), c.expired.Load(), c.torn.Load()}
}

// AllStats names every counter at once for StatsGet.
const AllStats = "bkl_all_stats"

// StatsNames are the names of the counters, in the order of Stats. The first two are Kamailio's.
var StatsNames = [...]string{"bkl_hit_cnt", "bkl_lru_cnt", "bkl_add_cnt", "bkl_update_cnt",
	"bkl_ignore_cnt", "bkl_full_cnt", "bkl_busy_cnt", "bkl_expire_cnt", "bkl_torn_cnt"}

// StatsGet reads a counter by its name, or all with AllStats, and sets it to 0 if asked to; no
// event is lost or counted twice. It returns false if no counter has this name.
func (t *Table) StatsGet(name string, reset bool) (map[string]uint64, bool) {
	c := &t.counts
	got := map[string]uint64{}
	for i, w := range [...]*atomic.Uint64{&c.hits, &c.lru, &c.added, &c.updated, &c.ignored,
		&c.full, &c.busy, &c.expired, &c.torn} {
		switch {
		case name != AllStats && name != StatsNames[i]:
		case reset:
			got[StatsNames[i]] = w.Swap(0)
		default:
			got[StatsNames[i]] = w.Load()
		}
	}
	return got, len(got) > 0
}
