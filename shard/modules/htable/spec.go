package htable

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"viaduct/shard/route"
	"viaduct/shard/route/suggest"
	"viaduct/shm/table"
)

// spec is what the file says of a table.
type spec struct {
	name     string
	slots    int           // as Kamailio has them: what is shown
	entries  int           // 0 means by slots, until parse has made it a number
	bySlots  bool          // it was 0
	lives    time.Duration // autoexpire; 0 means entries do not end
	keepEnds bool          // updateexpire=0
	initial  int64
	hasInit  bool
	file     string
}

// attributes are what a declaration may say.
var attributes = []string{"size", "autoexpire", "initval", "updateexpire", "entries", "file"}

// databaseAttributes are Kamailio's for tables that a database fills.
var databaseAttributes = []string{"dbtable", "dbmode", "cols", "coldelim", "colnull"}

// declare takes one value of parameter htable.
func (h *module) declare(text string) error {
	s, err := parse(text)
	if h.byName[s.name] != nil {
		return fmt.Errorf("declares table %s a second time", route.Quote(s.name))
	}
	t := &htable{spec: s, number: uint16(len(h.tables))}
	if s.name != "" { // what is wrong with it is said here, and not at each use
		h.tables, h.byName[s.name] = append(h.tables, t), t
	}
	if err != nil {
		return err
	}
	return t.checkFile(t.entries)
}

// parse reads "NAME=>attribute=value;…".
func parse(text string) (s spec, err error) {
	name, rest, ok := strings.Cut(text, "=>")
	s.name, s.slots = strings.TrimSpace(name), 1<<defaultSize
	if !ok || s.name == "" || strings.ContainsAny(s.name, " \t\"$()") {
		return s, fmt.Errorf("is no table: write \"NAME=>size=8;\", not %s", route.Quote(text))
	}
	if len(s.name) > table.MaxName-len("htable/") {
		return s, fmt.Errorf("has a name of %d bytes: %d are possible", len(s.name),
			table.MaxName-len("htable/"))
	}
	for part := range strings.SplitSeq(rest, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		if err := s.set(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return s, fmt.Errorf("table %s: %w", s.name, err)
		}
	}
	if s.bySlots = s.entries == 0; s.bySlots {
		s.entries = max(entriesPerSlot*s.slots, minEntries)
	}
	return s, nil
}

// set takes one attribute.
func (s *spec) set(name, value string) error {
	number := func(low, high int64) (int64, error) {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("%s is a number from %d to %d, not %s", name, low, high,
				route.Quote(value))
		}
		return n, nil
	}
	var n int64
	var err error
	switch name {
	case "size":
		n, err = number(0, 1<<31-1)
		s.slots = 1 << min(max(n, minSize), maxSize)
	case "autoexpire":
		n, err = number(0, route.MaxSeconds)
		s.lives = time.Duration(n) * time.Second
	case "updateexpire":
		n, err = number(0, 1<<31-1)
		s.keepEnds = n == 0
	case "initval":
		s.initial, err = number(-1<<31, 1<<31-1)
		s.hasInit = true
	case "entries":
		n, err = number(1, table.MaxEntries)
		s.entries = int(n)
	case "file":
		if s.file = value; value == "" {
			err = errors.New("file is empty")
		}
	case "dmqreplicate":
		if value != "0" {
			err = errors.New("dmqreplicate: tables are not shared with other servers yet; write 0")
		}
	default:
		for _, a := range databaseAttributes {
			if a == name {
				return fmt.Errorf("%s: tables are not read from databases yet; write file=PATH, "+
					"between #!ifdef VIADUCT and #!endif if Kamailio reads this file too", name)
			}
		}
		err = fmt.Errorf("%s is no attribute of a table%s", route.Quote(name),
			suggest.DidYouMean(name, attributes))
	}
	return err
}

// config is the table to ask the arena for. Keys and texts may be as long as a record can be: that
// takes memory only where they are.
func (s *spec) config() table.Config {
	return table.Config{Entries: s.entries, MaxKey: table.MaxKey, MaxValue: table.MaxValue}
}
