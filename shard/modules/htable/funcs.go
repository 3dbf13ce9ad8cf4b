package htable

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"viaduct/shard/route"
	"viaduct/shm/table"
)

// tableArg is a table by its name: known at load, or looked up by each run.
type tableArg struct {
	h     *module
	known *htable
	name  route.Input[[]byte]
}

// table reads argument i of a call. False after an error.
func (h *module) table(b *route.Build, i int) (x tableArg, ok bool) {
	x.h = h
	if x.name, ok = tableName.At(b, i); !ok {
		return x, false
	}
	if name, known := x.name.Known(); known {
		if x.known = h.byName[string(name)]; x.known == nil {
			b.Warnf(i, "%s: %s; Kamailio takes it, and the call is false", b.Name(),
				h.noTable(string(name)))
		}
	}
	return x, true
}

// get is the table of this run. It is nil if there is none of that name.
func (x *tableArg) get(c *route.Ctx) *htable {
	if x.known != nil {
		return x.known
	}
	name, r := x.name.Get(c)
	if r <= 0 {
		return nil
	}
	return x.h.byName[string(name)]
}

var (
	tableName = route.Text("htable", "the name of the table")
	keyArg    = route.NonEmpty(route.Text("key", "the key"))
	textArg   = route.Text("value", "the value")
	numberArg = route.Int("value", -1<<31, 1<<31-1, "the value")
	ttlArg    = route.Int("seconds", -1<<31, 1<<31-1, "after how many seconds the entry ends; 0: "+
		"as the table says",
		route.AsIs)
	patternArg = route.Text("value", "what to compare with")
	// wordArg is for a function that compares in every way, removeArg for one that removes. The
	// operator may come from a variable, so a wrong one is seen when the call is made.
	wordArg   = operatorArg("re, sw, eq or ne", "re", "sw", "eq", "ne")
	removeArg = operatorArg("re or sw", "re", "sw")
	iterName  = route.Name("iterator", "the name of an iterator", "the name of the iterator")
	joinedArg = route.Special("table", "the table and the key or pattern, \"NAME=>KEY\"")
)

// mayWait stands behind the text of a function that looks at every entry.
const mayWait = " In a table of more than 4,096 entries the run waits for it."

// functions declares them.
func (h *module) functions(m *route.Module) {
	route.Func0(m, "sht_print", route.Anywhere, "Writes every table to the log.", h.print)
	h.joined(m, "sht_lock", "Locks a key, and those that share its lock, until sht_unlock() or "+
		"the end of the run.",
		func(b *route.Build, t *htable, key *route.Template) route.Call {
			t.held = true
			return func(c *route.Ctx) route.Result { return h.lock(c, t, key.Expand(c)) }
		})
	h.joined(m, "sht_unlock", "Releases the lock of a key.",
		func(_ *route.Build, t *htable, key *route.Template) route.Call {
			return func(c *route.Ctx) route.Result { return h.unlock(c, t, key.Expand(c)) }
		})
	h.joined(m, "sht_rm_name_re", "Removes the entries whose keys match a pattern."+
		mayWait, h.removeMatching(onKeys))
	h.joined(m, "sht_rm_value_re",
		"Removes the entries whose values are texts that match a pattern."+mayWait,
		h.removeMatching(onValues))

	m.Func(route.Func{Name: "sht_reset", In: route.Anywhere, Args: []route.AnyArg{tableName},
		Doc: "Removes all entries of a table." + mayWait,
		Build: func(b *route.Build) route.Call {
			table, ok := h.table(b, 0)
			if !ok {
				return nil
			}
			return h.walk(b, empty, func(c *route.Ctx) (*htable, test, route.Result) {
				t := table.get(c)
				return t, test{}, route.Truth(t != nil)
			})
		}})
	h.withTable(m, "sht_rm", "Removes an entry.", []route.AnyArg{keyArg},
		func(b *route.Build) (tableCall, bool) {
			key, ok := keyArg.At(b, 1)
			return func(c *route.Ctx, t *htable) route.Result {
				k, r := key.Get(c)
				if r <= 0 {
					return r
				}
				return route.Truth(h.put(c, t, k, route.Null) == route.SetDone)
			}, ok
		})
	h.setters(m)
	h.compared(m, "sht_rm_name", "Removes the entries whose keys match.", removeArg, onKeys,
		remove)
	h.compared(m, "sht_rm_value", "Removes the entries whose values are texts that match.",
		removeArg, onValues, remove)
	h.compared(m, "sht_match_name", "True if a key matches.", wordArg, onKeys, find)
	h.compared(m, "sht_match_str_value", "True if a value is a text that matches.", wordArg,
		onValues, find)
	m.Alias("sht_match_name", "sht_has_name")
	m.Alias("sht_match_str_value", "sht_has_str_value")
	h.iterators(m)
}

// joined declares a function of one argument, "NAME=>KEY".
func (h *module) joined(m *route.Module, name, doc string,
	call func(b *route.Build, t *htable, key *route.Template) route.Call) {
	m.Func(route.Func{Name: name, In: route.Anywhere, Args: []route.AnyArg{joinedArg}, Doc: doc,
		Build: func(b *route.Build) route.Call {
			s, _ := b.Literal(0)
			table, key, ok := strings.Cut(s, "=>")
			if !ok {
				b.Errorf(0, "%s wants \"NAME=>KEY\"", b.Name())
				return nil
			}
			t := h.byName[strings.TrimSpace(table)]
			if t == nil {
				b.Errorf(0, "%s: %s", b.Name(), h.noTable(table))
				return nil
			}
			k := b.Template(0, key)
			if k == nil {
				return nil
			}
			return call(b, t, k)
		}})
}

// tableCall is a function when its table is known.
type tableCall func(c *route.Ctx, t *htable) route.Result

// withTable declares a function whose first argument is a table. It is false without one.
func (h *module) withTable(m *route.Module, name, doc string, more []route.AnyArg,
	build func(b *route.Build) (tableCall, bool)) {
	m.Func(route.Func{Name: name, In: route.Anywhere,
		Args: append([]route.AnyArg{tableName}, more...), Doc: doc,
		Build: func(b *route.Build) route.Call {
			x, ok1 := h.table(b, 0)
			call, ok2 := build(b)
			if !ok1 || !ok2 {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				t := x.get(c)
				if t == nil {
					return -1
				}
				return call(c, t)
			}
		}})
}

// setters declares sht_setxs() and sht_setxi().
func (h *module) setters(m *route.Module) {
	const doc = "Sets a value that ends in the given number of seconds."
	set := func(c *route.Ctx, t *htable, key []byte, v table.Value, seconds int) route.Result {
		if !h.enter(c, t, key) {
			return -1
		}
		defer h.leave(c, t, key)
		now := c.NowMs()
		return route.Truth(h.set(c, t,
			t.t.Put(key, v, t.termsFor(int64(seconds), now), now)) == route.SetDone)
	}
	h.withTable(m, "sht_setxs", doc, []route.AnyArg{keyArg, textArg, ttlArg},
		func(b *route.Build) (tableCall, bool) {
			key, ok1 := keyArg.At(b, 1)
			value, ok2 := textArg.At(b, 2)
			ttl, ok3 := ttlArg.At(b, 3)
			return func(c *route.Ctx, t *htable) route.Result {
				k, r1 := key.Get(c)
				v, r2 := value.Get(c)
				n, r3 := ttl.Get(c)
				if r := min(r1, r2, r3); r <= 0 {
					return r
				}
				return set(c, t, k, table.String(v), n)
			}, ok1 && ok2 && ok3
		})
	h.withTable(m, "sht_setxi", doc, []route.AnyArg{keyArg, numberArg, ttlArg},
		func(b *route.Build) (tableCall, bool) {
			key, ok1 := keyArg.At(b, 1)
			value, ok2 := numberArg.At(b, 2)
			ttl, ok3 := ttlArg.At(b, 3)
			return func(c *route.Ctx, t *htable) route.Result {
				k, r1 := key.Get(c)
				v, r2 := value.Get(c)
				n, r3 := ttl.Get(c)
				if r := min(r1, r2, r3); r <= 0 {
					return r
				}
				return set(c, t, k, table.Number(int64(v)), n)
			}, ok1 && ok2 && ok3
		})
}

// operatorArg is one of a few operators; -1 is the result with another one.
func operatorArg(all string, words ...string) route.Arg[string] {
	return route.Checked(route.Phrase("operator", "how they are compared: "+all),
		"is no operator here: it is "+all, func(s string) bool { return slices.Contains(words, s) })
}

// compared declares a function of a table, an operator and what is compared with.
func (h *module) compared(m *route.Module, name, doc string, op route.Arg[string], on aspect,
	do errand) {
	m.Func(route.Func{Name: name, In: route.Anywhere,
		Args: []route.AnyArg{tableName, op, patternArg}, Doc: doc + mayWait,
		Build: func(b *route.Build) route.Call {
			table, ok1 := h.table(b, 0)
			word, ok2 := op.At(b, 1)
			arg, ok3 := patternArg.At(b, 2)
			w, _ := word.Known()
			if s, known := arg.Known(); known && w == "re" && ok2 && ok3 {
				if _, err := route.CompilePattern(string(s), route.Cased); err != nil {
					b.Errorf(2, "%s: %s", b.Name(), err)
					return nil
				}
			}
			if !ok1 || !ok2 || !ok3 {
				return nil
			}
			return h.walk(b, do, func(c *route.Ctx) (*htable, test, route.Result) {
				t := table.get(c)
				if t == nil {
					return nil, test{}, -1
				}
				w, r1 := word.Get(c)
				s, r2 := arg.Get(c)
				if r := min(r1, r2); r <= 0 {
					return nil, test{}, r
				}
				x, ok := operator(c, w, s, on)
				return t, x, route.Truth(ok)
			})
		}})
}

// removeMatching is sht_rm_name_re() and sht_rm_value_re().
func (h *module) removeMatching(on aspect) func(b *route.Build, t *htable,
	key *route.Template) route.Call {
	return func(b *route.Build, t *htable, pattern *route.Template) route.Call {
		if s, known := pattern.Known(); known {
			if _, err := route.CompilePattern(s, route.Cased); err != nil {
				b.Errorf(0, "%s: %s", b.Name(), err)
				return nil
			}
		}
		return h.walk(b, remove, func(c *route.Ctx) (*htable, test, route.Result) {
			x, ok := operator(c, "re", pattern.Expand(c), on)
			return t, x, route.Truth(ok)
		})
	}
}

// remove takes out what fulfils x. It is true also if that is nothing, as in Kamailio.
func (h *module) remove(c *route.Ctx, t *htable, x test) route.Result {
	s := h.scratch.Of(c)
	s.walk.Begin(t.t)
	for e := s.walk.Next(c.NowMs()); e != nil; e = s.walk.Next(c.NowMs()) {
		if !x.holds(e) || !h.enter(c, t, e.Key) {
			continue
		}
		t.removeIf(&x, e, c.NowMs())
		h.leave(c, t, e.Key)
	}
	return 1
}

// has tells whether an entry fulfils x.
func (h *module) has(c *route.Ctx, t *htable, x test) route.Result {
	s := h.scratch.Of(c)
	s.walk.Begin(t.t)
	for e := s.walk.Next(c.NowMs()); e != nil; e = s.walk.Next(c.NowMs()) {
		if x.holds(e) {
			return 1
		}
	}
	return -1
}

// iterators declares sht_iterator_*().
func (h *module) iterators(m *route.Module) {
	m.Func(route.Func{Name: "sht_iterator_start", In: route.Anywhere,
		Args: []route.AnyArg{iterName, tableName},
		Doc:  "Begins to go through a table. False: all iterators of the shard are in use.",
		Build: func(b *route.Build) route.Call {
			name, ok1 := iterName.At(b, 0)
			x, ok2 := h.table(b, 1)
			if !ok1 || !ok2 {
				return nil
			}
			it, _ := name.Known()
			return func(c *route.Ctx) route.Result {
				if t := x.get(c); t != nil {
					return h.scratch.Of(c).begin(it, t)
				}
				return -1
			}
		}})
	at := func(name, doc string, f func(c *route.Ctx, it *iterator) route.Result) {
		route.Func1(m, name, route.Anywhere, iterName, doc,
			func(c *route.Ctx, name string) route.Result {
				if it := h.scratch.Of(c).iterator(name); it != nil {
					return f(c, it)
				}
				return -1
			})
	}
	at("sht_iterator_next", "Goes to the next entry. False: that was the last.",
		func(c *route.Ctx, it *iterator) route.Result { return it.next(c) })
	at("sht_iterator_end", "Releases an iterator.",
		func(_ *route.Ctx, it *iterator) route.Result { it.end(); return 1 })
	at("sht_iterator_rm", "Removes the entry that the iterator is at.",
		func(c *route.Ctx, it *iterator) route.Result {
			if it.at == nil {
				return -1
			}
			r := h.put(c, it.t, it.at.Key, route.Null)
			it.at = nil
			return route.Truth(r == route.SetDone)
		})
	set := func(c *route.Ctx, name string, v table.Value) route.Result {
		if it := h.scratch.Of(c).iterator(name); it != nil {
			return h.setAt(c, it, v)
		}
		return -1
	}
	route.Func2(m, "sht_iterator_sets", route.Anywhere, iterName, textArg,
		"Sets the value of the iterator's entry to a text.",
		func(c *route.Ctx, name string, v []byte) route.Result {
			return set(c, name, table.String(v))
		})
	route.Func2(m, "sht_iterator_seti", route.Anywhere, iterName, numberArg,
		"Sets the value of the iterator's entry to a number.",
		func(c *route.Ctx, name string, v int) route.Result {
			return set(c, name, table.Number(int64(v)))
		})
	route.Func2(m, "sht_iterator_setex", route.Anywhere, iterName, ttlArg,
		"Sets when the iterator's entry ends, in seconds from now.",
		func(c *route.Ctx, name string, seconds int) route.Result {
			it := h.scratch.Of(c).iterator(name)
			if it == nil || it.at == nil {
				return -1
			}
			return route.Truth(h.setLeft(c, it.t, it.at.Key, int64(seconds)) == route.SetDone)
		})
}

// print is sht_print(): a line for each table and entry, at the level of errors as Kamailio's. Slow
// path: it allocates, and is for looking.
func (h *module) print(c *route.Ctx) route.Result {
	s := h.scratch.Of(c)
	for _, t := range h.tables {
		stats := t.t.Stats()
		c.Shard.Log.Log(-1, fmt.Appendf(nil, "htable %s: %d entries of %d", t.name, stats.Entries,
			stats.MaxEntries))
		n := 0
		s.walk.Begin(t.t)
		for e := s.walk.Next(c.NowMs()); e != nil; e = s.walk.Next(c.NowMs()) {
			if n++; n > maxPrinted {
				c.Shard.Log.Log(-1, []byte("htable "+t.name+": and more"))
				break
			}
			c.Shard.Log.Log(-1, fmt.Appendf(nil, "htable %s: %q is %s, ends in %d s", t.name, e.Key,
				shown(e), t.left(e.Key, c.NowMs())))
		}
	}
	return 1
}

// shown is an entry's value as a person reads it.
func shown(e *table.Entry) string {
	if e.Kind == table.Int {
		return strconv.FormatInt(e.Int, 10)
	}
	return strconv.Quote(string(e.Text))
}
