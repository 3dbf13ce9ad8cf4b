package route

import (
	"fmt"
	"sync/atomic"

	"viaduct/shard/route/command"
	"viaduct/shard/route/syntax"
)

// What modules offer to operators: commands, settings that change while the server runs, and
// counters.

// Command declares a command. name is "group.command", and params are as in command.Words. call is
// called from any goroutine, several times at once, and only while a server runs, after Open. Its
// answer is shown as JSON. A *command.Fault as the error says what was wrong with the call.
func (m *Module) Command(name, doc string, params []command.Param,
	call func(a command.Args) (any, error)) {
	if doc == "" {
		panic("BUG: command " + name + " of module " + m.name + " has no doc")
	}
	m.commands = append(m.commands,
		&command.Method{Name: name, Help: doc, Params: params, Call: call})
}

// View declares a command that changes nothing.
func (m *Module) View(name, doc string, params []command.Param,
	call func(a command.Args) (any, error)) {
	m.Command(name, doc, params, call)
	m.commands[len(m.commands)-1].Reads = true
}

// Commands returns the commands of the modules that the file loads.
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

// Get returns the current number, and Set changes it.
func (l *LiveInt) Get() int    { return int(l.n.Load()) }
func (l *LiveInt) Set(n int64) { l.n.Store(n) }

// LiveInt declares a number parameter from min to max that may change while the server runs.
func (m *Module) LiveInt(name string, def, min, max int, doc string) *LiveInt {
	l := &LiveInt{Module: m.name, Name: name, Doc: doc, Min: min, Max: max}
	l.Set(int64(def))
	m.live = append(m.live, l)
	d := &paramDef{min: int64(min), max: int64(max), live: true}
	d.set = func(v syntax.Literal) { l.Set(v.Num) }
	m.param(name, doc, d, func() any { return l.Get() })
	return l
}

// LiveInts returns the live parameters of the modules that the file loads.
func (p *Program) LiveInts() (all []*LiveInt) {
	for _, o := range p.opens {
		all = append(all, o.m.live...)
	}
	return all
}

// Counter counts for each shard separately, so that Add is only an addition.
type Counter struct {
	Module, Name, Doc string
	of                []shardCount
}

// shardCount is one shard's count, padded to keep the shards out of each other's cache lines.
type shardCount struct {
	n uint64
	_ [56]byte
}

// Count declares a counter, Kamailio's statistic MODULE:name.
func (m *Module) Count(name, doc string) *Counter {
	if doc == "" {
		panic("BUG: counter " + name + " of module " + m.name + " has no doc")
	}
	k := &Counter{Module: m.name, Name: name, Doc: doc, of: make([]shardCount, 1)}
	m.counters = append(m.counters, k)
	m.perShard = append(m.perShard, func(s *State) { k.of = s.counts(k.String()) })
	return k
}

// counts returns the counts of a counter by its name. They go on when another program takes over.
func (s *State) counts(name string) []shardCount {
	if s.counters == nil {
		s.counters = map[string][]shardCount{}
	}
	if s.counters[name] == nil {
		s.counters[name] = make([]shardCount, s.Shards)
	}
	return s.counters[name]
}

// Add counts one on the current shard, and AddN counts n.
func (k *Counter) Add(c *Ctx)            { bump(&k.of[c.Shard.Number].n, 1) }
func (k *Counter) AddN(c *Ctx, n uint64) { bump(&k.of[c.Shard.Number].n, n) }

// Of returns the count of a shard.
func (k *Counter) Of(shard int) uint64 { return atomic.LoadUint64(&k.of[shard].n) }

// String returns the name as statistics have it, MODULE:name.
func (k *Counter) String() string { return fmt.Sprintf("%s:%s", k.Module, k.Name) }

// Counters returns the counters of the modules that the file loads.
func (p *Program) Counters() (all []*Counter) {
	for _, o := range p.opens {
		all = append(all, o.m.counters...)
	}
	return all
}
