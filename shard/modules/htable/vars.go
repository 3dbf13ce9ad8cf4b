package htable

import (
	"slices"
	"strings"

	"viaduct/shard/route"
	"viaduct/shard/route/suggest"
	"viaduct/shm/table"
)

// variables declares them.
func (h *module) variables(m *route.Module) {
	m.Var(route.Var{Name: "sht", Inner: "NAME=>KEY",
		Doc:     "The value under KEY, or the table's initval. Assigning $null removes the entry.",
		Compile: h.keyed(h.value)})
	m.Var(route.Var{Name: "shtex", Inner: "NAME=>KEY",
		Doc: "Seconds until the entry ends; 0: it never ends, or is missing. In a table without " +
			"autoexpire no entry ends.",
		Compile: h.keyed(h.expiry)})
	m.Var(route.Var{Name: "shtinc", Inner: "NAME=>KEY",
		Doc: "Adds one to the number under KEY, and is the result. A missing entry begins at " +
			"initval.",
		Compile: h.keyed(h.sum(1))})
	m.Var(route.Var{Name: "shtdec", Inner: "NAME=>KEY",
		Doc:     "Subtracts one from the number under KEY, and is the result.",
		Compile: h.keyed(h.sum(-1))})
	const how = "~~PATTERN a regular expression, ==TEXT, eqNUMBER (values), ** all, and PATTERN " +
		"alone."
	m.Var(route.Var{Name: "shtcn", Inner: "NAME=>CONDITION",
		Doc: "How many keys fulfil CONDITION: " + how, Compile: h.count(onKeys)})
	m.Var(route.Var{Name: "shtcv", Inner: "NAME=>CONDITION",
		Doc: "How many values fulfil CONDITION: " + how, Compile: h.count(onValues)})
	m.Var(route.Var{Name: "shtitkey", Inner: "ITERATOR",
		Doc: "The key of the entry that an iterator is at.", Compile: h.iterated(false)})
	m.Var(route.Var{Name: "shtitval", Inner: "ITERATOR",
		Doc: "Its value.", Compile: h.iterated(true)})
}

// keyedPlace makes a variable of a table and a key.
type keyedPlace func(t *htable, key *route.Template) route.Place

// keyed reads "NAME=>KEY": the table is known at load, the key may hold variables.
func (h *module) keyed(place keyedPlace) func(b *route.VarBuild, inner, index string) route.Place {
	return func(b *route.VarBuild, inner, _ string) route.Place {
		name, key, ok := strings.Cut(inner, "=>")
		if !ok {
			b.Errorf("write the table and the key, as in NAME=>KEY, not %s", route.Quote(inner))
			return route.Place{}
		}
		t := h.byName[strings.TrimSpace(name)]
		k := b.Text(strings.TrimLeft(key, " "))
		if t == nil {
			b.Errorf("%s", h.noTable(name))
			return route.Place{}
		}
		if k == nil {
			return route.Place{}
		}
		return place(t, k)
	}
}

// noTable is what a message says of a table that is not declared above.
func (h *module) noTable(name string) string {
	var names []string
	for _, t := range h.tables {
		names = append(names, t.name)
	}
	slices.Sort(names)
	name = strings.TrimSpace(name)
	hint := ": declare it"
	if near := suggest.DidYouMean(name, names); near != "" {
		hint = near + " Or declare it"
	}
	return "there is no table " + route.Quote(name) + hint +
		" with modparam(\"htable\", \"htable\", \"NAME=>size=8;\")"
}

func (h *module) value(t *htable, key *route.Template) route.Place {
	return route.Place{
		Any: func(c *route.Ctx) route.Value { return t.get(c, key.Expand(c)) },
		Set: func(c *route.Ctx, v route.Value) route.SetResult {
			return h.put(c, t, key.Expand(c), v)
		},
	}
}

func (h *module) expiry(t *htable, key *route.Template) route.Place {
	return route.Place{
		Int: func(c *route.Ctx) (int64, bool) { return t.left(key.Expand(c), c.NowMs()), true },
		Set: func(c *route.Ctx, v route.Value) route.SetResult {
			return h.setLeft(c, t, key.Expand(c), v.Int())
		},
	}
}

func (h *module) sum(delta int64) keyedPlace {
	return func(t *htable, key *route.Template) route.Place {
		return route.Place{Int: func(c *route.Ctx) (int64, bool) {
			return h.add(c, t, key.Expand(c), delta)
		}}
	}
}

// count reads "NAME=>CONDITION".
func (h *module) count(on aspect) func(b *route.VarBuild, inner, index string) route.Place {
	place := h.keyed(func(t *htable, cond *route.Template) route.Place {
		return route.Place{Int: func(c *route.Ctx) (int64, bool) {
			test, ok := condition(c, cond.Expand(c), on)
			if !ok {
				return 0, true
			}
			return h.countAll(c, t, &test), true
		}}
	})
	return func(b *route.VarBuild, inner, index string) route.Place {
		if _, cond, _ := strings.Cut(inner, "=>"); strings.HasPrefix(cond, "~%") ||
			strings.HasPrefix(cond, "%~") {
			b.Errorf("%s counts nothing in Kamailio 5.6: write a pattern, such as ~~^abc or ~~abc$",
				cond[:2])
		}
		if name, cond, _ := strings.Cut(inner, "=>"); cond != "**" {
			t := h.byName[strings.TrimSpace(name)]
			if aKey := on == onKeys && strings.HasPrefix(cond, "=="); t != nil && !aKey &&
				t.entries > wholeWalk {
				b.Warnf("this looks at all entries of table %s, and its shard does nothing else "+
					"meanwhile: a millisecond for each %d of the %d it has room for. Count with "+
					"$shtinc, or give it a smaller size", t.name, walkedInMs, t.entries)
			}
		}
		return place(b, inner, index)
	}
}

// countAll is how many entries fulfil a test. All of a large table are counted already, with those
// that have ended and were not taken out yet, as in Kamailio; one key is looked up.
func (h *module) countAll(c *route.Ctx, t *htable, x *test) (n int64) {
	switch {
	case x.how == all && t.t.Len() > wholeWalk:
		return int64(t.t.Len())
	case x.how == equals && x.on == onKeys:
		if _, verdict := t.t.Get(x.s, c.NowMs(), nil); verdict != table.Absent {
			n = 1
		}
		return n
	}
	s := h.scratch.Of(c)
	for s.walk.Begin(t.t); ; {
		e := s.walk.Next(c.NowMs())
		if e == nil {
			return n
		}
		if x.holds(e) {
			n++
		}
	}
}

// iterated reads the name of an iterator.
func (h *module) iterated(value bool) func(b *route.VarBuild, inner, index string) route.Place {
	return func(b *route.VarBuild, inner, _ string) route.Place {
		name := strings.TrimSpace(inner)
		if name == "" || strings.Contains(name, "$") {
			b.Errorf("write the name of an iterator, not %s", route.Quote(inner))
			return route.Place{}
		}
		return route.Place{Any: func(c *route.Ctx) route.Value {
			it := h.scratch.Of(c).iterator(name)
			if it == nil || it.at == nil {
				return route.Null
			}
			if value {
				return it.value(c)
			}
			return c.Built(append(c.Room(), it.at.Key...))
		}}
	}
}
