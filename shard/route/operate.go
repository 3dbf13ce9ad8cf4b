package route

import (
	"fmt"
	"sync/atomic"

	"viaduct/shard/route/command"
	"viaduct/shard/route/syntax"
)

// What modules offer to operators: commands, settings that change while the server runs, counters.

// Command declares a command: name is "group.command", params are command.Words. call is made from
// any goroutine, several at a time, and only while a server runs, behind Open. What it answers is
// shown as JSON; a *command.Fault says what was wrong with the question.
func (m *Module) Command(name, doc string, params []command.Param,
	call func(a command.Args) (any, error)) {
	if doc == "" {
		panic("BUG: command " + name + " of module " + m.name + " has no doc")
	}
	m.commands = append(m.commands,
		&command.Method{Name: name, Help: doc, Params: params, Call: call})
}

// Commands are those of the modules that the file loads.
func (p *Program) Commands() (all []*command.Method) {
	for _, o := range p.opens {
		all = append(all, o.m.commands...)
	}
	return all
}

// LiveInt is a number that operators may change while the server runs (cfg.set_now_int).
type LiveInt struct {
	Module, Name, Doc string
	Min, Max          int
	n                 atomic.Int64
}

// Get is the number now, Set changes it.
func (l *LiveInt) Get() int    { return int(l.n.Load()) }
func (l *LiveInt) Set(n int64) { l.n.Store(n) }

// LiveInt declares a parameter that is a number from min to max and may change while the server
// runs.
func (m *Module) LiveInt(name string, def, min, max int, doc string) *LiveInt {
	l := &LiveInt{Module: m.name, Name: name, Doc: doc, Min: min, Max: max}
	l.Set(int64(def))
	m.live = append(m.live, l)
	d := &paramDef{min: int64(min), max: int64(max), live: true}
	d.set = func(v syntax.Literal) { l.Set(v.Num) }
	m.param(name, doc, d, func() any { return l.Get() })
	return l
}

// LiveInts are those of the modules that the file loads.
func (p *Program) LiveInts() (all []*LiveInt) {
	for _, o := range p.opens {
		all = append(all, o.m.live...)
	}
	return all
}

// Counter counts, for each shard apart: Add is no more than an addition.
type Counter struct {
	Module, Name, Doc string
	of                []count1
}

// count1 is a shard's count, apart from the others' cache lines.
type count1 struct {
	n uint64
	_ [56]byte
}

// Count declares a counter, Kamailio's statistic MODULE:name.
func (m *Module) Count(name, doc string) *Counter {
	if doc == "" {
		panic("BUG: counter " + name + " of module " + m.name + " has no doc")
	}
	k := &Counter{Module: m.name, Name: name, Doc: doc, of: make([]count1, 1)}
	m.counters = append(m.counters, k)
	m.perShard = append(m.perShard, func(s *State) { k.of = s.counts(k.String()) })
	return k
}

// counts are those of a counter, which go on when another program takes over.
func (s *State) counts(name string) []count1 {
	if s.counters == nil {
		s.counters = map[string][]count1{}
	}
	if s.counters[name] == nil {
		s.counters[name] = make([]count1, s.Shards)
	}
	return s.counters[name]
}

// Add counts one on the shard that runs, AddN n.
func (k *Counter) Add(c *Ctx)            { bump(&k.of[c.Shard.Number].n, 1) }
func (k *Counter) AddN(c *Ctx, n uint64) { bump(&k.of[c.Shard.Number].n, n) }

// Of is a shard's count.
func (k *Counter) Of(shard int) uint64 { return atomic.LoadUint64(&k.of[shard].n) }

// String is the name as statistics have it.
func (k *Counter) String() string { return fmt.Sprintf("%s:%s", k.Module, k.Name) }

// Counters are those of the modules that the file loads.
func (p *Program) Counters() (all []*Counter) {
	for _, o := range p.opens {
		all = append(all, o.m.counters...)
	}
	return all
}
