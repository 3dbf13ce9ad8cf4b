package route

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"viaduct/shard/balance"
	"viaduct/shard/route/command"
	"viaduct/shm"
	"viaduct/shm/table"
)

// State is what a program has from its start on: what exists before the first message and stays
// between messages. viaduct -c starts nothing and has no State.
type State struct {
	// Shards is how many shards will run the program.
	Shards int
	// Arena is the memory that outlives the process. After a kill it still has what was in it.
	Arena *shm.Arena
	// Logger takes what an operator should know about the start. It is nil if nobody listens.
	Logger *slog.Logger
	// Commands calls the commands of operators. It is nil if there are none.
	Commands command.Caller
	// Records looks up DNS records. It is nil if nothing can.
	Records Records
	// Destinations are the destination sets of the process. It is nil until the server runs.
	Destinations Destinations

	tables   *table.Directory // opened on first use
	counters map[string][]shardCount
	logged   map[string]bool // tables whose reset has been logged, by name
	shared   map[string]any
	opening  *Program // the program whose Open is running
	opened   map[string]bool
	made     []*table.Table // by the Open that runs
}

// Shared returns the T of the process that has the name. Every program that opens with this State
// gets the same one, so it outlives a reload. It is on the Go heap and does not outlive the
// process. build is called once to make it; nil means that the zero T will do.
func Shared[T any](s *State, name string, build func() *T) *T {
	if x, ok := s.shared[name].(*T); ok {
		return x
	}
	x := new(T)
	if build != nil {
		x = build()
	}
	if s.shared == nil {
		s.shared = map[string]any{}
	}
	s.shared[name] = x
	return x
}

// Destinations are the destination sets of a process, for commands. Its methods may be called from
// any goroutine.
type Destinations interface {
	// Targets returns the sets in force, nil if there are none.
	Targets() *balance.Table
	// EditTargets puts what edit makes of the sets in force in their place. edit is called with no
	// change under way, and never with nil. Its error, or that of a destination that no listener
	// reaches, leaves all as it was.
	EditTargets(edit func(*balance.Table) (*balance.Table, error)) error
	// Order puts t into a state. No event route runs, as in Kamailio.
	Order(t *balance.Target, to balance.State)
	// Pinging tells whether destinations are probed, and SetPinging switches it.
	Pinging() bool
	SetPinging(on bool)
}

// Records looks up the records of a name as texts: for A and AAAA the address, for SRV "priority
// weight port target", and for NAPTR `order preference "flags" "service" "expression" replacement`.
// A name without records of the type is not an error. It blocks.
type Records interface {
	Records(ctx context.Context, name, typ string) ([]string, error)
}

// Table opens the table of that name, or makes it. Every program that asks for the name with the
// same Config gets the same table. If an existing table cannot be used and begins empty, that is
// logged with the reason. A table in use keeps its size over a reload, and OpenNotes says so.
func (s *State) Table(name string, c table.Config) (*table.Table, error) {
	if s.tables == nil {
		var err error
		if s.tables, err = table.Open(s.Arena); err != nil {
			return nil, err
		}
	}
	t, err := s.tables.Table(name, c)
	if err != nil {
		return nil, err
	}
	if s.opening != nil {
		if s.opened == nil {
			s.opened = map[string]bool{}
		}
		if has := t.Config(); s.opened[name] && has.Entries != c.Entries {
			s.opening.openNotes = append(s.opening.openNotes, fmt.Sprintf("table %s has room for %d "+
				"entries until a restart, when it will have the %d of the file", name, has.Entries,
				c.Entries))
		}
		if !s.opened[name] && t.Origin() != table.Kept {
			s.made = append(s.made, t)
		}
		s.opened[name] = true
		s.opening.tables = append(s.opening.tables, name)
	}
	if o := t.Origin(); o != table.Made && o != table.Kept && s.Logger != nil && !s.logged[name] {
		if s.logged == nil {
			s.logged = map[string]bool{}
		}
		s.logged[name] = true
		s.Logger.Warn("table begins empty", "table", name, "reason", string(o))
	}
	return t, nil
}

// Made tells whether the current Open has made t, so that its initial entries must be filled in. A
// table that existed before is not made, even if it is empty.
func (s *State) Made(t *table.Table) bool { return slices.Contains(s.made, t) }

// OpenNotes returns what an operator should know about how Open went, a line each.
func (p *Program) OpenNotes() []string { return p.openNotes }

// Takes makes f report how many bytes of the arena the tables of the module take. It is called once
// the whole file is read, so that viaduct -c can tell whether they fit.
func (m *Module) Takes(f func() int64) { m.takes = f }

// ArenaBytes returns how many bytes of the arena the tables of the file's modules take.
func (p *Program) ArenaBytes() (bytes int64) {
	for _, o := range p.opens {
		if o.m.takes != nil {
			bytes += o.m.takes()
		}
	}
	return bytes
}

// Rooms makes f report, a line each, the capacity of those of the module's tables that would hold
// more in Kamailio and whose size the file does not set. It is called once the whole file is read.
func (m *Module) Rooms(f func() []string) { m.rooms = f }

// Rooms returns the capacity of the file's tables whose size it does not set, a line each.
func (p *Program) Rooms() (lines []string) {
	for _, o := range p.opens {
		if o.m.rooms != nil {
			lines = append(lines, o.m.rooms()...)
		}
	}
	return lines
}

// Open has f called when the server starts, after Ready and before the first message: for tables,
// and whatever else must exist. viaduct -c does not call it, so mistakes in the file must be
// reported by Ready. An error is reported at the module's loadmodule line and ends the start.
func (m *Module) Open(f func(s *State) error) { m.open = append(m.open, f) }

// PerShard is a T for each shard, which needs no lock: scratch memory, caches, sums.
type PerShard[T any] struct{ of []*T }

// NewPerShard makes a PerShard. When the server starts, before what Open has called, build makes
// the T of each shard on the Go heap. If build is nil, each is the zero T.
func NewPerShard[T any](m *Module, build func(shard int) *T) *PerShard[T] {
	p := &PerShard[T]{}
	m.perShard = append(m.perShard, func(s *State) {
		p.of = make([]*T, s.Shards)
		for i := range p.of {
			if p.of[i] = new(T); build != nil {
				p.of[i] = build(i)
			}
		}
	})
	return p
}

// Of returns the T of the current shard. It is always the same one.
func (p *PerShard[T]) Of(c *Ctx) *T { return p.of[c.Shard.Number] }

// Open prepares the program for a server: it does what its modules have asked for with Open and
// PerShard. It is called once for each start and each reload, before the first message. At a reload
// it gets the State of the programs before. Errors name the loadmodule line.
func (p *Program) Open(s *State) error {
	s.opening, p.openNotes = p, nil
	defer func() { s.opening, s.made = nil, nil }()
	var list ErrorList
	for _, o := range p.opens {
		for _, f := range o.m.perShard {
			f(s)
		}
	}
	for _, o := range p.opens {
		for _, f := range o.m.open {
			if err := f(s); err != nil {
				list = append(list, Diagnostic{Pos: o.pos,
					Text: fmt.Sprintf("module %s: %s", o.m.name, err)})
			}
		}
	}
	if len(list) > 0 {
		return list
	}
	return nil
}

// Unused returns the tables that earlier programs have opened and none of the given ones has.
func (s *State) Unused(programs ...*Program) (names []string) {
	for name := range s.opened {
		has := func(p *Program) bool { return slices.Contains(p.tables, name) }
		if !slices.ContainsFunc(programs, has) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Drop frees the memory of tables that Unused returned. No shard, command or goroutine may use them
// any more.
func (s *State) Drop(names []string) {
	for _, name := range names {
		s.tables.Drop(name)
		delete(s.opened, name)
		delete(s.logged, name)
	}
}

// Close waits for all uses of tables by table.Table.While to end, and keeps later ones from
// beginning. It must be called before the arena is closed.
func (s *State) Close() {
	if s.tables != nil {
		s.tables.Close()
	}
}

// opening is a module that is opened at the start.
type opening struct {
	m   *Module
	pos Pos
}

// Now returns the time of the batch in ns of CLOCK_MONOTONIC. Tables take milliseconds: NowMs.
func (c *Ctx) Now() int64 { return c.Shard.Core.Now() }

// NowMs returns Now in milliseconds.
func (c *Ctx) NowMs() int64 { return c.Shard.Core.Now() / 1e6 }
