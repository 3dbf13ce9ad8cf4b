package blocklist

import (
	"math"
	"time"
)

// sweepBucket gives a chain's ended entries back. Under the lock.
func (t *Table) sweepBucket(b *Bucket, nowMs int64) (freed int) {
	at := &b.head
	for link := *at; link != 0; link = *at {
		n := t.node(link)
		if lifeOver(n.life, nowMs) {
			t.unlink(b, at, link)
			freed++
			continue
		}
		t.root.cycleMin = min(t.root.cycleMin, endOf(n.life))
		at = &n.next
	}
	t.counts.expired.Add(uint64(freed))
	return freed
}

// endOf is when an entry ends, a permanent one never.
func endOf(life uint64) int64 {
	if lifeReasons(life)&Permanent != 0 {
		return math.MaxInt64
	}
	return lifeExpires(life)
}

// sweep goes on where the last one stopped, for budget buckets, a whole round or until only target
// entries are left. It does not begin when no entry can have ended: a full table of live entries
// costs an Add nothing. Under the lock.
func (t *Table) sweep(nowMs int64, budget int, target uint32) (freed int, done bool) {
	r := t.root
	if nowMs < r.earliest {
		return 0, true
	}
	for range min(budget, int(r.Buckets)) {
		freed += t.sweepBucket(t.bucket(r.cursor), nowMs)
		if r.cursor = (r.cursor + 1) & t.mask; r.cursor == 0 {
			r.earliest, r.cycleMin = r.cycleMin, math.MaxInt64
			done = true
		}
		if r.used <= target {
			return freed, true
		}
	}
	return freed, done || budget >= int(r.Buckets)
}

// sweepNow is what a look-up does about ended entries: one try for the lock.
func (t *Table) sweepNow(b *Bucket, nowMs int64) {
	if t.root.lock.Try() {
		defer t.root.lock.Release()
		t.sweepBucket(b, nowMs)
	}
}

// GC gives ended entries back, a bounded number of buckets per call; done tells that the round is
// complete. Until then the caller calls again, after it has looked after what else it has to do. It
// never waits: while others hold the lock it does nothing.
func (t *Table) GC(nowMs int64) (freed int, done bool) {
	if t.root == nil || t.empty() {
		return 0, true
	}
	if !t.lockNow() {
		return 0, false
	}
	defer t.root.lock.Release()
	freed, done = t.sweep(nowMs, sweepBuckets, 0)
	return freed + t.sweepNetworks(nowMs), done
}

// Collect runs GC every dst_blacklist_gc_interval until stop is closed; at once if there is no
// interval or no table. A round rests collectPause between its parts, so that no shard finds the
// table busy for long.
func (t *Table) Collect(stop <-chan struct{}, nowMs func() int64) {
	if t.start.GCInterval == 0 || t.root == nil {
		return
	}
	wait := time.NewTimer(t.start.GCInterval)
	defer wait.Stop()
	for {
		select {
		case <-stop:
			return
		case <-wait.C:
		}
		if _, done := t.GC(nowMs()); done {
			wait.Reset(t.start.GCInterval)
		} else {
			wait.Reset(collectPause)
		}
	}
}
