package htable

import (
	"fmt"
	"sync/atomic"

	"viaduct/shard/route"
	"viaduct/shm/table"
)

// fullness is what the log knows of a table that is full: one line when it begins to refuse
// entries, and one when it has refused none for an interval.
type fullness struct {
	told    atomic.Bool
	first   atomic.Uint64 // refusals before it was told
	refused uint64        // at the last look, of takeOut's goroutine
}

// refused counts a value that was not kept. Slow path.
func (h *module) refused(c *route.Ctx, t *htable, verdict table.Verdict) {
	h.full.Add(c)
	if verdict == table.TooLong {
		c.Complain(fmt.Appendf(c.Room(), "a key or a value is too long for table %s: %d and %d "+
			"bytes are possible", t.name, table.MaxKey, table.MaxValue))
		return
	}
	if !t.full.told.Load() && t.full.told.CompareAndSwap(false, true) {
		s := t.t.Stats()
		t.full.first.Store(s.Refused - 1)
		c.Shard.Log.Log(0, fmt.Appendf(nil, "htable: table %s is full, with %d entries of %d, and "+
			"refuses more: write entries=%d, and restart", t.name, s.Entries, s.MaxEntries,
			2*s.MaxEntries))
	}
}

// lookFull tells when a table that was full takes entries again.
func (h *module) lookFull(t *htable) {
	if !t.full.told.Load() {
		return
	}
	n := t.t.Stats().Refused
	if n != t.full.refused {
		t.full.refused = n
		return
	}
	if h.logger != nil {
		h.logger.Warn("htable: a table that was full refuses nothing any more", "table", t.name,
			"refused", n-t.full.first.Load())
	}
	t.full.told.Store(false)
}
