package ratelimit

import (
	"time"

	"viaduct/shm/table"
)

// Counts are how often each pipe was asked for, in this interval and the one before. They are a
// table in the arena, so that all shards count together, and neither a reload nor a kill has an
// interval begin anew. Intervals are those of the machine's clock.
type Counts struct {
	T     *table.Table
	Every *time.Duration // an interval
}

// Count is the number of an entry:
//
//	 62             52 51             26 25              0
//	+-----------------+-----------------+-----------------+
//	| interval        | in the one      | in it           |
//	|                 | before          |                 |
//	+-----------------+-----------------+-----------------+
//
// so that one more is an addition. The interval is a number modulo 2^11: an entry ends after two.
type Count struct {
	interval   uint32
	Prev, Curr uint32
}

const (
	intervalBits = 11
	intervalMask = 1<<intervalBits - 1
	countBits    = 26
	countMask    = 1<<countBits - 1

	// maxCount is where counting ends. Each shard may add one more at the same time, far fewer than
	// the bits have room for.
	maxCount = countMask - 4096

	// tries is how often a message that was overtaken by others begins again. Reached: it counts as
	// the one that overtook it.
	tries = 8
)

func countOf(n int64) Count {
	return Count{interval: uint32(n >> (2 * countBits)), Prev: uint32(n>>countBits) & countMask,
		Curr: uint32(n) & countMask}
}

func (n Count) number() int64 {
	return int64(n.interval)<<(2*countBits) | int64(n.Prev)<<countBits | int64(n.Curr)
}

// at is the count as it is seen in an interval. A shard whose clock is a little behind may meet the
// counts of the one after its own.
func (n Count) at(interval uint32) Count {
	switch d := (interval - n.interval) & intervalMask; {
	case d == 0 || d >= 1<<(intervalBits-1):
		return n
	case d == 1:
		return Count{interval: interval, Prev: n.Curr}
	}
	return Count{interval: interval}
}

func (x *Counts) interval(now int64) uint32 {
	return uint32(now/x.Every.Milliseconds()) & intervalMask
}

// Add counts one for a pipe. It returns false if there is no room to count it.
func (x *Counts) Add(pipe []byte, now int64) (n Count, ok bool) {
	this := x.interval(now)
	terms := table.Terms{Ends: now + 2*x.Every.Milliseconds()}
	for range tries {
		v, verdict := x.T.Get(pipe, now, nil)
		was := countOf(v.Int)
		n = was.at(this)
		switch {
		case verdict != table.Done:
			n = Count{interval: this, Curr: 1}
			if verdict = x.T.Insert(pipe, table.Number(n.number()), terms, now); verdict ==
				table.Exists {
				continue
			}
			return n, verdict == table.Done
		case n.interval != was.interval:
			n.Curr = 1
			if x.T.CompareAndPut(pipe, v, table.Number(n.number()), terms, now) == table.Done {
				return n, true
			}
		case n.Curr >= maxCount:
			return n, true
		default:
			if sum, verdict := x.T.Add(pipe, 1, terms, now); verdict == table.Done {
				return countOf(sum), true
			}
		}
	}
	n.Curr++
	return n, true
}

// Get are the counts of a pipe.
func (x *Counts) Get(pipe []byte, now int64) Count {
	v, verdict := x.T.Get(pipe, now, nil)
	if verdict != table.Done {
		return Count{}
	}
	return countOf(v.Int).at(x.interval(now))
}

// Forget takes out the entries that have ended. It runs beside the shards.
func (x *Counts) Forget(now int64) {
	for done := false; !done; {
		_, done = x.T.Expire(now, 4096, nil)
	}
}
