package route

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"viaduct/shard/route/command"
	"viaduct/shm"
	"viaduct/shm/table"
)

// State is what a program finds when it is started: what is there before the first message and
// stays between messages. viaduct -c starts nothing, so that it has none.
type State struct {
	// Shards is how many shards will run the program.
	Shards int
	// Arena is the memory that stays. What is in it is as it was after a kill.
	Arena *shm.Arena
	// Logger takes what an operator should know of the start; nil means nobody does.
	Logger *slog.Logger
	// Commands calls those of operators; nil means there are none.
	Commands command.Caller
	// Records finds what names have; nil means nobody does.
	Records Records

	tables   *table.Directory // opened by the first who asks
	counters map[string][]count1
	logged   map[string]bool // names of tables that the log has
	shared   map[string]any
	opening  *Program // the one whose Open runs
	opened   map[string]bool
	made     []*table.Table // by the Open that runs
}

// Shared is a T of the process, one for each name: every program that opens with this State has the
// same, the one before a reload and the one behind it. It is on the Go heap, so it begins anew with
// the process; build is called once, nil means that the zero T will do.
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

// Records finds records of names: of A and AAAA the address, of SRV "priority weight port target",
// of NAPTR `order preference "flags" "service" "expression" replacement`. A name without records of
// the type is no error. It blocks.
type Records interface {
	Records(ctx context.Context, name, typ string) ([]string, error)
}

// Table opens the table of that name, or makes it. Every program that asks for the name with the
// same Config has the same table. One that had to be made anew is logged, with the reason. One that
// is in use keeps its size over a reload, and the program notes it.
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

// Made tells whether the Open that runs has made t: so what a file has to begin with goes into it.
// One that was there is not made, whether entries are left in it or not.
func (s *State) Made(t *table.Table) bool { return slices.Contains(s.made, t) }

// OpenNotes are what an operator should know of how Open went.
func (p *Program) OpenNotes() []string { return p.openNotes }

// Takes has f say what the tables of the module take of the arena, in bytes, once the whole file is
// read: so viaduct -c tells whether they have room.
func (m *Module) Takes(f func() int64) { m.takes = f }

// ArenaBytes is what the tables that the file declares take of the arena.
func (p *Program) ArenaBytes() (bytes int64) {
	for _, o := range p.opens {
		if o.m.takes != nil {
			bytes += o.m.takes()
		}
	}
	return bytes
}

// Rooms has f say, a line each, how much the tables of the module hold where Kamailio's would hold
// more and the file does not say it. It is called once the whole file is read.
func (m *Module) Rooms(f func() []string) { m.rooms = f }

// Rooms are the bounded tables of the file whose bounds it does not say, a line each.
func (p *Program) Rooms() (lines []string) {
	for _, o := range p.opens {
		if o.m.rooms != nil {
			lines = append(lines, o.m.rooms()...)
		}
	}
	return lines
}

// Open has f called when the server starts, behind Ready and before the first message: for tables,
// and whatever else must be there. viaduct -c does not call it, so what is wrong with the file is
// for Ready to say. An error stands at the module's loadmodule line and ends the start.
func (m *Module) Open(f func(s *State) error) { m.open = append(m.open, f) }

// PerShard is a T of each shard, which needs no lock: scratch memory, caches, sums.
type PerShard[T any] struct{ of []*T }

// NewPerShard makes one. build makes that of a shard, on the Go heap, when the server starts and
// before what Open has called. With nil it is zero.
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

// Of is that of the shard that runs. It stays what it is.
func (p *PerShard[T]) Of(c *Ctx) *T { return p.of[c.Shard.Number] }

// Open readies the program for a server: what its modules have asked for with Open and PerShard. It
// is called once for each start and each reload, before the first message; at a reload with the
// State of the programs before it. Errors name the loadmodule line.
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

// Unused are the tables that programs have opened and none of those here has.
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

// Drop gives the memory of tables back that are Unused. Nobody may look at them any more: no shard,
// no command and nothing beside them.
func (s *State) Drop(names []string) {
	for _, name := range names {
		s.tables.Drop(name)
		delete(s.opened, name)
		delete(s.logged, name)
	}
}

// Close keeps those who use tables by table.Table.While away from them: the arena is closed next.
func (s *State) Close() {
	if s.tables != nil {
		s.tables.Close()
	}
}

// opening is a module that wants something at the start.
type opening struct {
	m   *Module
	pos Pos
}

// Now is the time of the batch in ns of CLOCK_MONOTONIC. Tables take milliseconds: NowMs.
func (c *Ctx) Now() int64 { return c.Shard.Core.Now() }

// NowMs is Now in milliseconds.
func (c *Ctx) NowMs() int64 { return c.Shard.Core.Now() / 1e6 }
