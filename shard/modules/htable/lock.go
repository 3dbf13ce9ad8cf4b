package htable

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"viaduct/shard/route"
)

// keyLock is what sht_lock() takes: for all keys that share it. A run may take it again and again,
// and what it does not give back ends with it. It is not in the arena: who dies holding it has
// ended its run.
//
// Variables of a table that the file locks somewhere take it for each write, so that what stands
// between sht_lock() and sht_unlock() is not mixed with another shard's. Reads do not wait, and may
// see the table between two statements of it.
type keyLock struct {
	owner atomic.Int32 // shard + 1, commandOwner; 0 means free
	depth int32        // the owner's
	_     [56]byte
}

// tableLocks are those of a table of the arena, for all programs that have the table: across a
// reload the one before and the one behind it keep each other out.
type tableLocks struct {
	held atomic.Bool // one of the programs has sht_lock() for the table
	of   [locksPerTable]keyLock
}

// commandOwner is the owner when it is a command: one at a time.
const commandOwner = -1

// commanding lets one command at a time be it.
var commanding sync.Mutex

// take waits for the lock. It returns false if that takes too long.
func (l *keyLock) take(me int32) bool {
	if l.owner.Load() == me {
		l.depth++
		return true
	}
	if !l.owner.CompareAndSwap(0, me) {
		most := lockWait
		if me == commandOwner {
			most = commandLockWait
		}
		if !l.wait(me, most) {
			return false
		}
	}
	l.depth = 1
	return true
}

// wait is the slow path of take: another run is between its two calls.
func (l *keyLock) wait(me int32, most time.Duration) bool {
	for range 1000 {
		if l.owner.Load() == 0 && l.owner.CompareAndSwap(0, me) {
			return true
		}
	}
	for began := time.Now(); time.Since(began) < most; time.Sleep(20 * time.Microsecond) {
		if l.owner.CompareAndSwap(0, me) {
			return true
		}
	}
	return false
}

// give gives it back once, to whoever waits when it was the last time. It returns false if it is
// not ours.
func (l *keyLock) give(me int32) bool {
	if l.owner.Load() != me {
		return false
	}
	if l.depth--; l.depth == 0 {
		l.owner.Store(0)
	}
	return true
}

// lockOf is the lock of a key.
func (t *htable) lockOf(key []byte) *keyLock {
	return &t.locks.of[xxhash.Sum64(key)%locksPerTable]
}

func owner(c *route.Ctx) int32 { return int32(c.Shard.Number) + 1 }

// enter is for a write of this statement; leave ends it.
func (h *module) enter(c *route.Ctx, t *htable, key []byte) bool {
	if !t.locks.held.Load() {
		return true
	}
	if !t.lockOf(key).take(owner(c)) {
		h.locked.Add(c)
		return false
	}
	return true
}

func (h *module) leave(c *route.Ctx, t *htable, key []byte) {
	if t.locks.held.Load() {
		t.lockOf(key).give(owner(c))
	}
}

// lock is sht_lock().
func (h *module) lock(c *route.Ctx, t *htable, key []byte) route.Result {
	s, l := h.scratch.Of(c), t.lockOf(key)
	if !l.take(owner(c)) {
		h.locked.Add(c)
		return -1
	}
	if len(s.held) == 0 {
		c.AtEnd(s.let)
	}
	s.held = append(s.held, l)
	return 1
}

// unlock is sht_unlock(). One that was not taken does no harm, as in Kamailio.
func (h *module) unlock(c *route.Ctx, t *htable, key []byte) route.Result {
	s, l := h.scratch.Of(c), t.lockOf(key)
	for i := len(s.held) - 1; i >= 0; i-- {
		if s.held[i] == l {
			s.held = append(s.held[:i], s.held[i+1:]...)
			l.give(owner(c))
			break
		}
	}
	return 1
}

// letGo gives back what the run that ends has not.
func (s *scratch) letGo() {
	for _, l := range s.held {
		l.give(l.owner.Load())
	}
	s.held = s.held[:0]
}
