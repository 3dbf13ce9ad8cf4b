package htable

import (
	"viaduct/shard/route"
	"viaduct/shm/table"
)

// iterator goes through a table for a script. It belongs to the shard, as in Kamailio to the
// process, and does not end with the run: sht_iterator_end() gives it back. Nobody waits for it:
// entries that come and go meanwhile may be met or not.
type iterator struct {
	name string // "": free
	t    *htable
	walk table.Walk
	at   *table.Entry // nil means before the first, behind the last, or it was taken out
	buf  []byte       // a text that was set
}

// iterator is the one of that name. It is nil if there is none.
func (s *scratch) iterator(name string) *iterator {
	for i := range s.iterators {
		if it := &s.iterators[i]; it.name == name {
			return it
		}
	}
	return nil
}

// begin is sht_iterator_start(): also for one that is under way. It returns false if there are
// maxIterators.
func (s *scratch) begin(name string, t *htable) route.Result {
	it := s.iterator(name)
	if it == nil {
		if it = s.iterator(""); it == nil {
			return -1
		}
		it.name = name
	}
	it.t, it.at = t, nil
	it.walk.Begin(t.t)
	return 1
}

// next is sht_iterator_next(). It returns false if that was the last entry.
func (it *iterator) next(c *route.Ctx) route.Result {
	it.at = it.walk.Next(c.NowMs())
	return route.Truth(it.at != nil)
}

// end gives it back.
func (it *iterator) end() {
	it.name, it.t, it.at = "", nil, nil
}

// value is that of the entry, as it was when the iterator came to it, or was set by it.
func (it *iterator) value(c *route.Ctx) route.Value {
	if it.at.Kind == table.Int {
		return route.IntValue(it.at.Int)
	}
	return c.Built(append(c.Room(), it.at.Text...))
}

// setAt changes the value of the entry that it is at. The entry ends when it would have.
func (h *module) setAt(c *route.Ctx, it *iterator, v table.Value) route.Result {
	if it.at == nil || !h.enter(c, it.t, it.at.Key) {
		return -1
	}
	defer h.leave(c, it.t, it.at.Key)
	terms := it.t.terms(c.NowMs())
	terms.Keep = true
	if h.set(c, it.t, it.t.t.Put(it.at.Key, v, terms, c.NowMs())) != route.SetDone {
		return -1
	}
	it.buf = append(it.buf[:0], v.Text...)
	it.at.Kind, it.at.Int, it.at.Text = v.Kind, v.Int, it.buf
	return 1
}
