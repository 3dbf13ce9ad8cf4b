// Package htable keeps values under keys for all shards, as they were after a restart: Kamailio's
// module htable. Each table is one of package shm/table; variables read it without a lock.
package htable

import (
	"fmt"
	"log/slog"
	"time"

	"viaduct/shard/route"
	"viaduct/shm/table"
)

// module is what one load declares.
type module struct {
	tables  []*htable // in the order of the file
	byName  map[string]*htable
	scratch *route.PerShard[scratch]
	walks   walks
	full    *route.Counter
	locked  *route.Counter // waits for sht_lock that were given up
	timer   *time.Duration
	logger  *slog.Logger // nil means nobody hears

	expired   *route.Event
	heard     []*htable     // those that have an event route
	telling   int           // of heard: where tell goes on
	tellEvery time.Duration // 0 means nobody is to be told
}

// scratch is what a shard needs for functions that look at all entries.
type scratch struct {
	iterators [maxIterators]iterator
	walk      table.Walk
	held      []*keyLock   // by sht_lock, in this run
	expired   *table.Entry // what the event route at work is about
	again     struct {     // of a run that was held, see restoreRecord
		entry table.Entry
		room  []byte
	}
	asked struct { // by the call that asks for a walk, see walk
		t *htable
		x test
	}
	let func(c *route.Ctx)
}

// Define is the module.
func Define(m *route.Module) {
	h := &module{byName: map[string]*htable{}}
	h.walks = walks{h, make(chan struct{}, maxWalks)}
	h.define(m)
}

func (h *module) define(m *route.Module) {
	m.Each("htable", h.declare, "A table, "+
		"\"NAME=>size=N;autoexpire=SECONDS;initval=NUMBER;updateexpire=0;entries=N;file=PATH\".  "+
		"VALUE\" each. `entries` and `file` are not Kamailio's.=>It has room for `entries` "+
		"entries; without that, for eight times its slots and for at least 1,024, where the "+
		"number of slots is 2 to the power of `size`. An entry ends `autoexpire` seconds after it "+
		"was set; changing its value begins that time anew, unless `updateexpire` is 0. `initval` "+
		"is the value of a missing entry. `file` has the entries that a new table begins with, a "+
		"line \"KEY => VALUE\" each. `entries` and `file` are Viaduct's own.=> VALUE\" each. "+
		"`entries` and `file` are not Kamailio's.")
	h.timer = m.Duration("timer_interval", time.Second, 20, 1, 3600,
		"Seconds between sweeps for entries that have ended. Such entries are not found from the "+
			"moment they end. A table with an event route is swept all the time.")
	const databases = "tables are not read from databases yet: a table's file has its values"
	m.IdleText(databases, "db_url", "array_size_suffix", "key_name_column", "key_type_column",
		"value_type_column", "key_value_column", "expires_column")
	m.IdleInt(databases, "fetch_rows", "db_expires")
	m.IdleInt("tables are not shared with other servers", "enable_dmq", "dmq_init_sync")
	m.IdleInt("one goroutine beside the shards looks for what has ended", "timer_procs")
	m.IdleText("event routes are called", "event_callback")
	m.IdleInt("event routes are called", "event_callback_mode")

	h.full = m.Count("full",
		"Values that were not kept because the table had no room or they were too long.")
	h.locked = m.Count("lock_timeouts",
		"Waits that were given up because another run held the key with sht_lock() for too long.")
	h.scratch = route.NewPerShard(m, func(int) *scratch {
		s := &scratch{}
		s.let = func(*route.Ctx) { s.letGo() }
		return s
	})
	h.variables(m)
	h.functions(m)
	h.commands(m)
	h.events(m)
	m.Takes(func() (bytes int64) {
		for _, t := range h.tables {
			bytes += t.config().ArenaBytes()
		}
		return bytes
	})
	m.Rooms(func() (lines []string) {
		for _, t := range h.tables {
			if t.bySlots {
				lines = append(lines, fmt.Sprintf("htable %s has room for %d entries, and refuses "+
					"more; entries=N makes it another number", t.name, t.entries))
			}
		}
		return lines
	})
	m.Open(h.open)
}

// open takes the tables that are there, and makes the others.
func (h *module) open(s *route.State) error {
	h.listen()
	h.logger = s.Logger
	for _, t := range h.tables {
		var err error
		if t.t, err = s.Table("htable/"+t.name, t.config()); err != nil {
			return err
		}
		t.locks = route.Shared[tableLocks](s, "htable/"+t.name, nil)
		if t.held {
			t.locks.held.Store(true)
		}
		if s.Made(t.t) {
			if err := t.fill(nowMs()); err != nil {
				return err
			}
		}
	}
	return nil
}
