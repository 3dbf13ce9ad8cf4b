package htable

import (
	"encoding/binary"
	"errors"
	"runtime"

	"viaduct/shard/ask"
	"viaduct/shard/route"
	"viaduct/shm/table"
)

// A function that looks at every entry does so at once in a table of wholeWalk entries at most. In
// a larger one the shard would stand still, so a goroutine beside the shards goes through the
// table, and the run is held until it has ended. Where a run cannot be held, the shard does it all
// the same.

// errand is what is done with the entries of a table.
type errand byte

const (
	find   errand = 'f' // tells whether an entry fulfils a test
	remove errand = 'r' // takes out those that do
	empty  errand = 'e' // takes out all
)

// walks is the service that goes through tables. The question is an errand, the number of the
// table, and the test: what it looks at, how, and the text that is compared with.
type walks struct {
	h     *module
	slots chan struct{}
}

// walkHead is the length of a question without its text.
const walkHead = 5

// walk makes the call of a function that looks at every entry. what gives the table and the test.
func (h *module) walk(b *route.Build, do errand,
	what func(c *route.Ctx) (*htable, test, route.Result)) route.Call {
	name := b.Name()
	return b.Waits(func(c *route.Ctx, q *ask.Question) route.Result {
		t, x, r := what(c)
		if r <= 0 {
			return r
		}
		if t.t.Len() <= wholeWalk {
			return h.atOnce(c, do, t, x)
		}
		var head [walkHead]byte
		head[0], head[3], head[4] = byte(do), byte(x.how), 0
		if x.on == onValues {
			head[4] = 1
		}
		binary.LittleEndian.PutUint16(head[1:], t.number)
		s := h.scratch.Of(c)
		s.asked.t, s.asked.x = t, x
		q.Append(head[:])
		q.Append(x.s)
		return q.Ask(&h.walks, walkWithin)
	}, func(c *route.Ctx, a *ask.Answer) route.Result {
		switch {
		case errors.Is(a.Err, ask.ErrNotHere):
			s := h.scratch.Of(c) // the arguments are as they were when it asked, a moment ago
			return h.atOnce(c, do, s.asked.t, s.asked.x)
		case a.Err != nil:
			line := append(append(c.Room(), name...), ": "...)
			c.Complain(append(line, a.Err.Error()...))
			return -1
		case do == find:
			return route.Truth(a.Number > 0)
		}
		h.locked.AddN(c, uint64(a.Number))
		return 1
	})
}

// atOnce is an errand of the shard itself.
func (h *module) atOnce(c *route.Ctx, do errand, t *htable, x test) route.Result {
	switch do {
	case find:
		return h.has(c, t, x)
	case remove:
		return h.remove(c, t, x)
	}
	t.t.Clear()
	return 1
}

// Ask is ask.Service's.
func (w *walks) Ask(q *ask.Question) bool {
	select {
	case w.slots <- struct{}{}:
	default:
		return false
	}
	go func() {
		head, text := q.Text()[:walkHead], q.Text()[walkHead:]
		x := test{on: head[4] == 1, how: how(head[3]), s: text}
		q.Answer.Number, q.Answer.Err = w.h.tables[binary.LittleEndian.Uint16(head[1:])].
			errand(errand(head[0]), &x)
		<-w.slots
		q.Done()
	}()
	return true
}

// errand goes through the table beside the shards. For find n is how many entries it met, one at
// most, for remove how many it left because a script held their keys for too long. A table that is
// dropped meanwhile has no entries any more.
func (t *htable) errand(do errand, x *test) (n int64, err error) {
	if do == empty {
		t.t.While(func() { t.t.Clear() })
		return 0, nil
	}
	if x.how == matches {
		if x.re, err = route.CompilePattern(string(x.s), route.Cased); err != nil {
			return 0, err
		}
	}
	var walk table.Walk
	walk.Begin(t.t)
	now, more := nowMs(), true
	page := func() {
		for range walkPage {
			e := walk.Next(now)
			if more = e != nil; !more {
				return
			}
			if !x.holds(e) {
				continue
			}
			if do == find {
				n, more = 1, false
				return
			}
			if !t.while(e.Key, func() bool { t.removeIf(x, e, now); return true }) {
				n++
			}
		}
	}
	for more && t.t.While(page) {
		runtime.Gosched() // a shard may wait for a processor of Go's
	}
	return n, nil
}

// removeIf takes out an entry that fulfils a test. One whose value has changed meanwhile stays if
// the test was about that.
func (t *htable) removeIf(x *test, e *table.Entry, now int64) {
	if x.on == onKeys {
		t.t.Delete(e.Key, now)
	} else {
		t.t.CompareAndDelete(e.Key, e.Value, now)
	}
}
