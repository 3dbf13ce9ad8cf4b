// Package counters has counters for scripts: Kamailio's module counters, and the set of counters
// that module statistics has too.
package counters

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	group := m.Text("script_cnt_grp_name", "script", "The group of counters whose names have none.")
	set := NewSet(m)
	m.Each("script_counter", func(s string) error {
		name, doc, _ := strings.Cut(s, " ")
		if !strings.Contains(name, ".") {
			name = *group + "." + name
		}
		return set.Declare(name, strings.TrimSpace(doc), true)
	}, `"[group.]name text": a counter, and what it counts.`)

	name := Arg{set: set, group: group, in: route.Anywhere &^ route.InBranch, through: route.InBranch}
	name.Func1(m, "cnt_inc", "Adds 1 to the counter.", func(c *route.Ctx, k *Counter) { k.Add(c, 1) })
	name.Func1(m, "cnt_reset", "Sets the counter to 0.",
		func(_ *route.Ctx, k *Counter) { k.Reset() })
	name.Func2(m, "cnt_add", route.Int("number", -1<<31, 1<<31-1, "the number to add", route.AsIs),
		"Adds a number to the counter.", func(c *route.Ctx, k *Counter, n int) { k.Add(c, n) })
}

// Set is the counters of a file.
type Set struct {
	m      *route.Module
	byName map[string]*Counter
	shards int
}

// NewSet makes a Set without counters. They are shown to operators as those of the module.
func NewSet(m *route.Module) *Set {
	s := &Set{m: m, byName: map[string]*Counter{}}
	m.Open(func(st *route.State) error {
		s.shards = st.Shards
		return nil
	})
	return s
}

// Declare adds a counter. Without reset, Reset does nothing.
func (s *Set) Declare(name, doc string, reset bool) error {
	switch {
	case name == "" || strings.ContainsAny(name, " \t\"'()"):
		return errors.New("it begins with the name of a counter")
	case s.byName[name] != nil:
		return fmt.Errorf("counter %s is declared twice", name)
	}
	if doc == "" {
		doc = "A counter of the script."
	}
	s.byName[name] = &Counter{set: s, n: s.m.Count(name, doc), keeps: !reset}
	return nil
}

// Of is the counter of that name, nil if there is none.
func (s *Set) Of(name []byte) *Counter { return s.byName[string(name)] }

// Names are those that there are.
func (s *Set) Names() (names []string) {
	for n := range s.byName {
		names = append(names, n)
	}
	return names
}

// Counter counts on each shard apart. It may fall below 0.
type Counter struct {
	set   *Set
	n     *route.Counter
	keeps bool
	from  atomic.Int64 // what it stood at when it was reset
}

// Add counts n.
func (k *Counter) Add(c *route.Ctx, n int) { k.n.AddN(c, uint64(n)) }

// Value is what all shards have counted since Reset.
func (k *Counter) Value() int64 { return k.sum() - k.from.Load() }

// Reset sets it to 0. What operators are shown goes on.
func (k *Counter) Reset() {
	if !k.keeps {
		k.from.Store(k.sum())
	}
}

func (k *Counter) sum() int64 {
	var n uint64
	for i := range k.set.shards {
		n += k.n.Of(i)
	}
	return int64(n)
}

// Arg is the name of a counter as an argument. One that is known at load must be there.
type Arg struct {
	set   *Set
	group *string
	in    route.Kinds // where the functions may be called
	// where else, in a route[NAME]
	through route.Kinds
}

// NewArg is the argument for a set.
func NewArg(s *Set) Arg { return Arg{set: s, in: route.Anywhere} }

func (a Arg) name() route.Arg[[]byte] { return route.Text("name", "the name of the counter") }

// find compiles argument 0.
func (a Arg) find(b *route.Build) func(c *route.Ctx) *Counter {
	in, ok := a.name().At(b, 0)
	if !ok {
		return nil
	}
	name, known := in.Known()
	if !known {
		return func(c *route.Ctx) *Counter {
			name, r := in.Get(c)
			if r <= 0 {
				return nil
			}
			return a.set.Of(name)
		}
	}
	if a.group != nil && !strings.Contains(string(name), ".") {
		name = []byte(*a.group + "." + string(name))
	}
	k := a.set.Of(name)
	if k == nil {
		b.Errorf(0, "%s: there is no counter %s%s", b.Name(), route.Quote(string(name)),
			route.DidYouMean(string(name), a.set.Names()))
		return nil
	}
	return func(*route.Ctx) *Counter { return k }
}

// Func1 declares a function of a counter.
func (a Arg) Func1(m *route.Module, name, doc string, f func(c *route.Ctx, k *Counter)) {
	m.Func(route.Func{Name: name, In: a.in, Args: []route.AnyArg{a.name()}, Doc: doc,
		Build: func(b *route.Build) route.Call {
			find := a.find(b)
			if find == nil {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				k := find(c)
				if k == nil {
					return -1
				}
				f(c, k)
				return 1
			}
		}}).ThroughRoutes(a.through)
}

// Func2 declares a function of a counter and a number.
func (a Arg) Func2(m *route.Module, name string, number route.Arg[int], doc string,
	f func(c *route.Ctx, k *Counter, n int)) {
	m.Func(route.Func{Name: name, In: a.in, Args: []route.AnyArg{a.name(), number}, Doc: doc,
		Build: func(b *route.Build) route.Call {
			find := a.find(b)
			in, ok := number.At(b, 1)
			if find == nil || !ok {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				n, r := in.Get(c)
				if r <= 0 {
					return r
				}
				k := find(c)
				if k == nil {
					return -1
				}
				f(c, k, n)
				return 1
			}
		}}).ThroughRoutes(a.through)
}
