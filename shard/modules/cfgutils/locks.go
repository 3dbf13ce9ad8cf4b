package cfgutils

import (
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
	// forgotten is how long a lock is held at most: a run that ends without unlock() would keep
	// all others out for ever. Beyond: the next one who asks has it.
	forgotten = 60 * time.Second
)

// locks are those of the process, for all programs: across a reload the one before and the one behind
// it keep each other out. Nobody holds one over the end of the process: a run that waited for one
// asks again, and a run that had one goes on without.
type locks struct {
	seed maphash.Seed
	mu   sync.Mutex
	of   map[uint16]*lock // by the hash of a key; none is ever taken out
}

func newLocks() *locks { return &locks{seed: maphash.MakeSeed(), of: map[uint16]*lock{}} }

// lock is one of them.
type lock struct {
	held  bool
	since time.Time
	queue []*ask.Question // who waits for it, the first first
}

// find is the lock of a key; mu is held. There are 65,536 whatever lock_set_size says, the most that
// it can: programs with different sizes must find the same.
func (l *locks) find(key []byte) *lock {
	n := uint16(maphash.Bytes(l.seed, key))
	k := l.of[n]
	if k == nil {
		k = &lock{}
		l.of[n] = k
	}
	return k
}

// try takes the lock of key if it is free.
func (l *locks) try(key []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(key).take()
}

func (k *lock) take() bool {
	now := time.Now()
	if k.held && now.Sub(k.since) < forgotten {
		return false
	}
	k.held, k.since = true, now
	return true
}

// unlock gives it to who has waited longest.
func (l *locks) unlock(key []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.find(key)
	if len(k.queue) == 0 {
		k.held = false
		return
	}
	q := k.queue[0]
	k.queue = k.queue[1:]
	k.held, k.since = true, time.Now()
	q.Done()
}

// Ask is ask.Service's: the question is the key.
func (l *locks) Ask(q *ask.Question) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.find(q.Text())
	if k.take() {
		q.Done()
	} else {
		k.queue = append(k.queue, q)
		number := q.Number
		time.AfterFunc(lockWait, func() { l.giveUp(k, q, number) })
	}
	return true
}

// giveUp answers a question that still waits for k: nobody else may ever, where scripts end without
// unlock().
func (l *locks) giveUp(k *lock, q *ask.Question, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(k.queue, q); i >= 0 && q.Number == number {
		k.queue = slices.Delete(k.queue, i, i+1)
		q.Answer.Err = ask.ErrLate
		q.Done()
	}
}

// Unwanted is ask.Unwanted's: who got the lock is gone, and the next one has it.
func (l *locks) Unwanted(q *ask.Question) {
	if q.Answer.Err == nil {
		l.unlock(q.Text())
	}
}

// locking are the functions.
func (s *state) locking(m *route.Module) {
	key := route.Text("key", "what is locked; different keys may have one lock")
	none := func(c *route.Ctx) route.Result {
		c.Complain([]byte("cfgutils: there are no locks: set lock_set_size"))
		return -1
	}
	in := route.Anywhere
	route.Wait1(m, "lock", in, key,
		"Locks a key, and waits for it, 10 s at most. False: it did not get it.",
		func(c *route.Ctx, q *ask.Question, key []byte) route.Result {
			switch {
			case s.locks == nil:
				return none(c)
			case s.locks.try(key):
				return 1
			}
			q.Append(key)
			return q.Ask(s.locks, lockWait)
		},
		func(_ *route.Ctx, a *ask.Answer, _ []byte) route.Result {
			return route.Truth(a.Err == nil)
		})
	route.Func1(m, "trylock", in, key, "Locks a key if it is free.",
		func(c *route.Ctx, key []byte) route.Result {
			if s.locks == nil {
				return none(c)
			}
			return route.Truth(s.locks.try(key))
		})
	route.Func1(m, "unlock", in, key, "Unlocks a key.",
		func(c *route.Ctx, key []byte) route.Result {
			if s.locks == nil {
				return none(c)
			}
			s.locks.unlock(key)
			return 1
		})
}
