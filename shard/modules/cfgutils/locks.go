package cfgutils

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"viaduct/shard/ask"
	"viaduct/shard/route"
)

// Limits of locks.
const (
	// lockWait is how long lock() waits. Beyond: it is false.
	lockWait = 10 * time.Second
	// lockGrace is how much longer the shard waits for what the lock itself says by then.
	lockGrace = time.Second
	// forgotten is how long a lock is held at most: a run that ends without unlock() would keep
	// all others out for ever. Beyond: the next one who asks has it.
	forgotten = 60 * time.Second
	// maxLost is how many holders a lock knows that it was taken from. Beyond: the unlock() of the
	// one that lost it first counts as anybody's.
	maxLost = 8
)

// locks are those of the process, for all programs: across a reload the one before and the one
// behind it keep each other out. Nobody holds one over the end of the process: a run that waited
// for one asks again, and a run that had one goes on without.
type locks struct {
	seed maphash.Seed
	mu   sync.Mutex
	of   map[uint16]*lock // by the hash of a key; none is ever taken out
}

func newLocks() *locks { return &locks{seed: maphash.MakeSeed(), of: map[uint16]*lock{}} }

// lock is one of them.
type lock struct {
	held   bool
	since  time.Time
	holder uint64    // by the message
	lost   []uint64  // holders that it was taken from, maxLost at most
	queue  []waiting // who waits for it, the first first
}

// waiting is who waits for a lock.
type waiting struct {
	q     *ask.Question
	until *time.Timer // calls giveUp
}

// A holder is who takes a lock: the message of the run, by its hash. A run that had a lock for too
// long has lost it, and its unlock() would free what another one holds now: it is passed over,
// once. Every other unlock() counts, whoever calls it: a script may lock for the request and unlock
// for the response, as with Kamailio.
func (l *locks) holder(c *route.Ctx) uint64 { return maphash.Bytes(l.seed, c.Msg.Raw) }

// holderBytes is the length of a holder in front of the key in a question.
const holderBytes = 8

// asked reads a question.
func asked(q *ask.Question) (holder uint64, key []byte) {
	b := q.Text()
	return binary.LittleEndian.Uint64(b), b[holderBytes:]
}

// find is the lock of a key; mu is held. There are 65,536 whatever lock_set_size says, the most
// that it can: programs with different sizes must find the same.
func (l *locks) find(key []byte) *lock {
	n := uint16(maphash.Bytes(l.seed, key))
	k := l.of[n]
	if k == nil {
		k = &lock{}
		l.of[n] = k
	}
	return k
}

// try takes the lock of key for holder if it is free.
func (l *locks) try(holder uint64, key []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(key).take(holder)
}

func (k *lock) take(holder uint64) bool {
	now := time.Now()
	if k.held && now.Sub(k.since) < forgotten {
		return false
	}
	if k.held {
		if len(k.lost) == maxLost {
			k.lost = append(k.lost[:0], k.lost[1:]...)
		}
		k.lost = append(k.lost, k.holder)
	}
	k.held, k.since, k.holder = true, now, holder
	return true
}

// unlock gives it to who has waited longest. It returns false if holder had lost it, and then does
// nothing.
func (l *locks) unlock(holder uint64, key []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.find(key)
	if i := slices.Index(k.lost, holder); i >= 0 {
		k.lost = slices.Delete(k.lost, i, i+1)
		return false
	}
	if len(k.queue) == 0 {
		k.held = false
		return true
	}
	next := k.queue[0]
	k.queue[0] = waiting{}
	k.queue = k.queue[1:]
	next.until.Stop()
	k.held, k.since = true, time.Now()
	k.holder, _ = asked(next.q)
	next.q.Done()
	return true
}

// Ask is ask.Service's: the question is the holder and the key.
func (l *locks) Ask(q *ask.Question) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	holder, key := asked(q)
	k := l.find(key)
	if k.take(holder) {
		q.Done()
	} else {
		number := q.Number
		k.queue = append(k.queue, waiting{q,
			time.AfterFunc(lockWait, func() { l.giveUp(k, q, number) })})
	}
	return true
}

// giveUp answers a question that still waits for k: nobody else may ever, where scripts end without
// unlock().
func (l *locks) giveUp(k *lock, q *ask.Question, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(k.queue, func(w waiting) bool { return w.q == q })
	if i >= 0 && q.Number == number {
		k.queue = slices.Delete(k.queue, i, i+1)
		q.Answer.Err = ask.ErrLate
		q.Done()
	}
}

// Unwanted is ask.Unwanted's: who got the lock is gone, and the next one has it.
func (l *locks) Unwanted(q *ask.Question) {
	if q.Answer.Err == nil {
		l.unlock(asked(q))
	}
}

var lateText = []byte("cfgutils: unlock() comes too late: the lock was held for more than 60 s, " +
	"and another one has taken it")

// locking are the functions.
func (s *state) locking(m *route.Module) {
	key := route.Text("key", "the key; different keys may share a lock")
	none := func(c *route.Ctx) route.Result {
		c.Complain([]byte("cfgutils: there are no locks: set lock_set_size"))
		return -1
	}
	late := m.Count("late_unlocks",
		"Calls of unlock() by a run that had lost the lock after more than 60 s.")
	in := route.Anywhere
	route.Wait1(m, "lock", in, route.Spent(key),
		"Locks a key, and waits up to 10 s for it. False: it did not get the lock. A run that "+
			"holds a lock for more than 60 s loses it to the next one that asks.",
		func(c *route.Ctx, q *ask.Question, key []byte) route.Result {
			if s.locks == nil {
				return none(c)
			}
			me := s.locks.holder(c)
			if s.locks.try(me, key) {
				return 1
			}
			var b [holderBytes]byte
			q.Append(binary.LittleEndian.AppendUint64(b[:0], me))
			q.Append(key)
			return q.Ask(s.locks, lockWait+lockGrace)
		},
		func(_ *route.Ctx, a *ask.Answer, _ []byte) route.Result {
			return route.Truth(a.Err == nil)
		})
	route.Func1(m, "trylock", in, key, "Locks a key if it is free.",
		func(c *route.Ctx, key []byte) route.Result {
			if s.locks == nil {
				return none(c)
			}
			return route.Truth(s.locks.try(s.locks.holder(c), key))
		})
	route.Func1(m, "unlock", in, key,
		"Unlocks a key. It does nothing if the run has lost the lock.",
		func(c *route.Ctx, key []byte) route.Result {
			if s.locks == nil {
				return none(c)
			}
			if !s.locks.unlock(s.locks.holder(c), key) {
				late.Add(c)
				c.Complain(lateText)
			}
			return 1
		})
}
