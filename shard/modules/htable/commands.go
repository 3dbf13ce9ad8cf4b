package htable

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shm/table"
)

// nowMs is the clock of tables where no shard tells it.
func nowMs() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail for this clock
	return ts.Nano() / int64(time.Millisecond)
}

// What commands answer with, in Kamailio's words.
type (
	item struct {
		Name   string `json:"name"`
		Value  any    `json:"value"`
		Flags  int    `json:"flags"`
		Expire string `json:"expire"`
		escaped
	}
	entry struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
		Type  string `json:"type"`
		escaped
	}
	// escaped says in which of the two a backslash begins a byte, see told; "" means in none.
	escaped struct {
		Escaped string `json:"escaped,omitempty"`
	}
	slot struct {
		Entry int     `json:"entry"`
		Size  int     `json:"size"`
		Slot  []entry `json:"slot"`
	}
	listed struct {
		Name         string `json:"name"`
		DBTable      string `json:"dbtable"`
		DBMode       int    `json:"dbmode"`
		Expire       int64  `json:"expire"`
		UpdateExpire int    `json:"updateexpire"`
		Size         int    `json:"size"`
		DMQReplicate int    `json:"dmqreplicate"`
	}
	figures struct {
		Name    string `json:"name"`
		Slots   int    `json:"slots"`
		All     uint64 `json:"all"`
		Min     uint64 `json:"min"`
		Max     uint64 `json:"max"`
		Most    uint64 `json:"most"`
		Bytes   uint64 `json:"bytes"`
		Refused uint64 `json:"refused"`
		Ended   uint64 `json:"ended"`
	}
)

// commands declares htable.*. Their answers are Kamailio's; a fault has its code and words.
func (h *module) commands(m *route.Module) {
	on := func(name, doc string, more []string, f func(t *htable, a command.Args) (any, error)) {
		declare := m.Command
		if name == "get" || name == "dump" {
			declare = m.View
		}
		declare("htable."+name, doc, command.Words(append([]string{"table"}, more...)...),
			func(a command.Args) (any, error) {
				t := h.byName[a.Text(0)]
				if t == nil {
					return nil, command.Faultf(500, "No such htable")
				}
				return f(t, a)
			})
	}
	on("get", "Shows one entry.", []string{"key"}, func(t *htable, a command.Args) (any, error) {
		return t.show(a.Text(1))
	})
	on("dump", "Shows the entries of a table, 10,000 at most; a cursor continues from there.",
		[]string{"[#cursor:0..0xffffffff]"},
		func(t *htable, a command.Args) (any, error) { return t.dump(uint32(a.Int(1, 0))) })
	on("sets", "Sets a value that is a text.", []string{"key", "value"},
		func(t *htable, a command.Args) (any, error) {
			return t.order(a.Text(1), table.String([]byte(a.Text(2))), 0)
		})
	on("seti", "Sets a value that is a number.", []string{"key", "#value"},
		func(t *htable, a command.Args) (any, error) {
			return t.order(a.Text(1), table.Number(a.Int(2, 0)), 0)
		})
	on("setxs", "Sets a text that ends in the given number of seconds.",
		[]string{"key", "value", "#seconds:0..0x7fffffff"},
		func(t *htable, a command.Args) (any, error) {
			return t.order(a.Text(1), table.String([]byte(a.Text(2))), a.Int(3, 0))
		})
	on("setxi", "Sets a number that ends in the given number of seconds.",
		[]string{"key", "#value", "#seconds:0..0x7fffffff"},
		func(t *htable, a command.Args) (any, error) {
			return t.order(a.Text(1), table.Number(a.Int(2, 0)), a.Int(3, 0))
		})
	on("setex", "Sets when an entry ends, in seconds from now.",
		[]string{"key", "#seconds:0..0x7fffffff"},
		func(t *htable, a command.Args) (any, error) {
			if !t.while([]byte(a.Text(1)), func() bool {
				t.endIn([]byte(a.Text(1)), a.Int(2, 0), nowMs())
				return true
			}) {
				return nil, lockedByScript
			}
			return "Ok", nil
		})
	on("delete", "Removes an entry.", []string{"key"},
		func(t *htable, a command.Args) (any, error) {
			verdict := table.Absent
			if !t.while([]byte(a.Text(1)), func() bool {
				verdict = t.t.Delete([]byte(a.Text(1)), nowMs())
				return true
			}) {
				return nil, lockedByScript
			}
			if verdict != table.Done {
				return nil, command.Faultf(404, "Key not found in htable.")
			}
			return "Ok. Key deleted.", nil
		})
	on("flush", "Removes all entries of a table.", nil,
		func(t *htable, _ command.Args) (any, error) {
			t.t.Clear()
			return "Ok. Htable flushed.", nil
		})
	on("reload", "Removes all entries of a table and reads its file again.", nil,
		func(t *htable, _ command.Args) (any, error) { return t.reload() })
	m.View("htable.listTables", "Shows how the tables are declared.", nil,
		func(command.Args) (any, error) {
			var all []listed
			for _, t := range h.tables {
				update := 1
				if t.keepEnds {
					update = 0
				}
				all = append(all, listed{
					Name: t.name, Expire: int64(t.lives.Seconds()), UpdateExpire: update,
					Size: t.slots,
				})
			}
			return all, nil
		})
	m.View("htable.stats", "Shows how full the tables are.", nil,
		func(command.Args) (any, error) {
			var all []figures
			for _, t := range h.tables {
				s := t.t.Stats()
				all = append(all, figures{Name: t.name, Slots: t.slots, All: s.Entries,
					Most: s.MaxEntries, Bytes: s.Bytes,
					Min:     s.Entries / uint64(t.slots),
					Max:     (s.Entries + uint64(t.slots) - 1) / uint64(t.slots),
					Refused: s.Refused, Ended: s.Ended})
			}
			return all, nil
		})
}

var lockedByScript = command.Faultf(500, "the key is locked by a script")

// show is one entry.
func (t *htable) show(key string) (any, error) {
	now := nowMs()
	v, verdict := t.t.Get([]byte(key), now, make([]byte, table.MaxValue))
	if verdict != table.Done {
		return nil, command.Faultf(500, "Key name doesn't exist in htable.")
	}
	i := item{Expire: "NEVER"}
	i.Name, i.Value, i.Escaped = told([]byte(key), &v)
	if v.Kind == table.Text {
		i.Flags = 2 // AVP_VAL_STR
	}
	if v.Ends != 0 && t.lives != 0 {
		ends := time.Now().Add(time.Duration(v.Ends-now) * time.Millisecond)
		i.Expire = ends.Format("2006-01-02 15:04:05")
	}
	return map[string]item{"item": i}, nil
}

// told is a key and its value as JSON can have them. A text that is no UTF-8 would lose its bytes
// there: each of them is written as \xHH, a backslash as two, and escaped says which text is so:
// "name", "value" or "name value".
func told(key []byte, v *table.Value) (name string, value any, escaped string) {
	name, bad := readable(key)
	if bad {
		escaped = "name"
	}
	if v.Kind == table.Int {
		return name, v.Int, escaped
	}
	text, bad := readable(v.Text)
	if bad {
		escaped = strings.TrimSpace(escaped + " value")
	}
	return name, text, escaped
}

// readable is a text as it is, or escaped if it is no UTF-8.
func readable(b []byte) (text string, escaped bool) {
	if utf8.Valid(b) {
		return string(b), false
	}
	var out []byte
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			out = fmt.Appendf(out, `\x%02x`, b[0])
		case r == '\\':
			out = append(out, `\\`...)
		default:
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return string(out), true
}

// dump is all entries, each in a slot of its own: whose neighbours they are says nothing here.
func (t *htable) dump(cursor uint32) (any, error) {
	all := []any{}
	now := nowMs()
	for at := cursor; ; {
		at = t.t.View(at, now, 100, func(e *table.Entry) {
			kind := "str"
			if e.Kind == table.Int {
				kind = "int"
			}
			one := entry{Type: kind}
			one.Name, one.Value, one.Escaped = told(e.Key, &e.Value)
			all = append(all, slot{Entry: len(all), Size: 1, Slot: []entry{one}})
		})
		if at == 0 {
			return all, nil
		}
		if len(all) >= maxDumped {
			return append(all, map[string]uint32{"next": at}), nil
		}
	}
}

// order puts a value.
func (t *htable) order(key string, v table.Value, seconds int64) (any, error) {
	verdict := table.Full
	done := t.while([]byte(key), func() bool {
		now := nowMs()
		verdict = t.t.Put([]byte(key), v, t.termsFor(seconds, now), now)
		return true
	})
	switch {
	case !done:
		return nil, lockedByScript
	case verdict != table.Done:
		return nil, command.Faultf(500, "the table cannot take it: %v", verdict)
	}
	return "Ok. Key set to new value.", nil
}

// while does f when no script holds the key.
func (t *htable) while(key []byte, f func() bool) bool {
	if !t.locks.held.Load() {
		return f()
	}
	commanding.Lock()
	defer commanding.Unlock()
	l := t.lockOf(key)
	if !l.take(commandOwner) {
		return false
	}
	defer l.give(commandOwner)
	return f()
}

// reload reads the table's file again.
func (t *htable) reload() (any, error) {
	if t.file == "" {
		return nil, command.Faultf(500, "No htable db_url") // as Kamailio says it; here: no file
	}
	commanding.Lock()
	defer commanding.Unlock()
	if err := t.checkFile(t.t.Config().Entries); err != nil {
		return nil, command.Faultf(500, "%s", err)
	}
	t.t.Clear()
	if err := t.fill(nowMs()); err != nil {
		return nil, command.Faultf(500, "%s", err)
	}
	return "Ok. Htable reloaded.", nil
}
