package balance

import "cmp"

// byLatency is algorithm 13: the usable targets in the order of what is left of their priority. The
// k-th call begins with the k-th of those that share the best value, in turn.
func (pl *plan) byLatency(tb *Table, k uint64, limit int, p *Picks) {
	type ranked struct {
		uid  uint16
		left int
	}
	var list [MaxPicks]ranked // best first
	n := 0
	for _, uid := range pl.usable {
		t := tb.Target(uid)
		if t == nil {
			continue // it left the table since the plan was made
		}
		r := ranked{uid, t.priorityLeft()}
		i := n
		for i > 0 && cmp.Less(list[i-1].left, r.left) {
			i--
		}
		if i == len(list) {
			continue
		}
		n = min(n+1, len(list))
		copy(list[i+1:n], list[i:n-1])
		list[i] = r
	}
	best := 0
	for best < n && list[best].left == list[0].left {
		best++
	}
	for i := range min(n, limit) {
		at := i
		if i < best {
			at = int((k + uint64(i)) % uint64(best))
		}
		p.add(list[at].uid)
	}
}

// priorityLeft returns the priority, less a point for each time that the latency is as high as the
// priority. With the attribute cc=1 only the latency above the mean is counted.
func (t *Target) priorityLeft() int {
	if t.Priority < 1 {
		return t.Priority
	}
	ms := t.live.latency.now()
	if t.Attrs.CC != 0 {
		ms -= t.live.latency.mean()
	}
	if ms <= float64(t.Priority) {
		return t.Priority
	}
	return max(t.Priority-int(ms)/t.Priority, 1)
}
