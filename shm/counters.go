package shm

// Counters are one shard's counters, cache lines of its own in the arena. What each index counts is
// the users' affair.
//
// The shard writes c[i]++ and everybody else reads with atomic.LoadUint64(&c[i]): there is one
// writer, so no increment is lost, and an aligned 64-bit store is never seen in part on amd64 and
// arm64. A reader may be some increments behind, and may see two counters from different moments.
// The memory is not Go's, so the race detector does not look at it.
type Counters [2048]uint64

// Counters is shard i's, until Close. Shards() is the one of no shard: its writers use
// atomic.AddUint64.
func (a *Arena) Counters(i int) *Counters { return &a.block(i).counters }

// Count describes one of the Counters.
type Count struct {
	Name  string // words with _ between them
	Help  string // what it counts
	Gauge bool   // it is a current value; others only grow
}
