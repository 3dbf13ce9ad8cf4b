package resolve

import (
	"cmp"
	"slices"

	"viaduct/shard/proxy"
)

// evict makes room when the cache is over its cap. It removes first what has expired, then failures
// and names that lead nowhere, which a stranger can cause at will, then what was not used for
// longest. It goes down to seven eighths of the cap, so that one sorting serves many entries. keep
// stays, since a caller waits for it. The caller holds mu.
func (r *Resolver) evict(keep *plan) {
	if r.bytes <= r.set().MemoryBytes {
		return
	}
	now := r.clock()
	r.sweep(now)
	room := r.set().MemoryBytes / 8 * 7
	if r.bytes <= room {
		return
	}
	type entry struct {
		class int
		used  int64
		plan  *plan
		set   *rrset
	}
	var list []entry
	r.table.each(func(p *plan) {
		if p != keep {
			list = append(list, entry{class: classOf(p.answer == proxy.Resolved),
				used: p.used.Load(), plan: p})
		}
	})
	for _, s := range r.sets {
		list = append(list, entry{class: classOf(s.state == present), used: s.used.Load(), set: s})
	}
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.used, b.used))
	})
	for _, e := range list {
		if r.bytes <= room {
			break
		}
		r.counts.evicted.Add(1)
		if e.plan != nil {
			r.drop(e.plan)
		} else {
			r.dropSet(e.set)
		}
	}
}

func classOf(good bool) int {
	if good {
		return 1
	}
	return 0
}

// sweep removes what cannot be an answer any more. The caller holds mu.
func (r *Resolver) sweep(now int64) {
	epoch := r.epoch.Load()
	r.table.each(func(p *plan) {
		if now >= p.deadAt && now >= p.goodTo || p.epoch != epoch {
			r.counts.expired.Add(1)
			r.drop(p)
		}
	})
	for _, s := range r.sets {
		if now >= s.expires && now >= s.goodTo {
			r.counts.expired.Add(1)
			r.dropSet(s)
		}
	}
}

func (r *Resolver) drop(p *plan) {
	r.table.remove(p)
	r.bytes -= p.bytes
}

func (r *Resolver) dropSet(s *rrset) {
	delete(r.sets, s.setKey)
	r.bytes -= s.bytes
}
