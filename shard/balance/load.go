package balance

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"viaduct/file"
	"viaduct/netio"
)

// Table is an immutable snapshot of all sets. Every shard holds a pointer to one; a reload makes
// another from it and publishes that. It stays valid for as long as somebody holds it.
type Table struct {
	Warnings []string // about lines that load but may surprise; for the log, once

	sets    map[int]*Set
	order   []*Set
	byUID   []uint16 // UID → index into targets plus one; 0 means none
	targets []*Target
	retired map[uint16]string // UIDs of targets that went away → identity; not given to others

	// what Parse was given, for Add and Remove
	name, text string
	cfg        Config
}

// Config is what a table needs beside the file. Parameters of module dispatcher bind its fields.
type Config struct {
	// ds_probing_threshold: failures until inactive; 0 means 1; at most MaxThreshold
	ProbingThreshold int
	// ds_inactive_threshold: successes until active again; 0 means 1; at most MaxThreshold
	InactiveThreshold int
	// ds_latency_estimator_alpha: how much of the latency estimated before stays at each answer, in
	// thousandths; 0 means 900
	LatencyKept int
	// use_default: the last target of a set is kept for when all others are down
	UseDefault bool
	// at reload states come from the file, as in Kamailio, else from the previous table
	StatesFromFile bool

	// Resolver gives the addresses of a host name at load, the one to use first. It is called once
	// per name, on the caller's goroutine; without it only IP literals are accepted.
	Resolver func(host string) ([]netip.Addr, error)
}

// Validate says which field is out of its range.
func (c *Config) Validate() error {
	check := func(name string, v int) error {
		if v < 0 || v > MaxThreshold {
			return fmt.Errorf("%s is %d: write a number from 1 to %d", name, v, MaxThreshold)
		}
		return nil
	}
	if err := check("ds_probing_threshold", c.ProbingThreshold); err != nil {
		return err
	}
	return check("ds_inactive_threshold", c.InactiveThreshold)
}

// Load reads the file at path and parses it; see Parse.
func Load(path string, cfg Config, prev *Table) (*Table, error) {
	text, err := file.Read(path, MaxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the destination sets: %w", err)
	}
	return Parse(path, text, cfg, prev)
}

// Parse makes a table of a file's text; name is for its error messages. Targets also in prev (same
// set, URI and socket) keep their UID and, unless cfg or a changed flags column says otherwise,
// their state. The error is a *Errors that lists every bad line as name:line:column with what to
// write instead, or what cfg lacks; prev is untouched in any case, and may be nil.
func Parse(name string, text []byte, cfg Config, prev *Table) (*Table, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := reader{name: name}
	r.read(string(text))
	for _, t := range r.targets {
		t.probingThreshold = uint32(max(cfg.ProbingThreshold, 1))
		t.inactiveThreshold = uint32(max(cfg.InactiveThreshold, 1))
		t.latencyKept = float64(cmp.Or(cfg.LatencyKept, 900)) / 1000
		t.identify()
	}
	known := prev.byIdentity()
	r.checkDuplicates()
	tb := &Table{sets: make(map[int]*Set), name: name, text: string(text), cfg: cfg}
	tb.Warnings = r.resolve(cfg, known)
	if len(r.errs.List) > 0 {
		slices.SortStableFunc(r.errs.List, func(a, b *LineError) int { return a.Line - b.Line })
		return nil, &r.errs
	}
	tb.targets = r.targets
	tb.assignUIDs(known, prev)
	tb.makeSets(cfg, known, prev)
	return tb, nil
}

// identify sets what tells the target from others. Host names in other letters and a default port
// spelled out are the same target.
func (t *Target) identify() {
	uri := fmt.Sprintf("%v:%s@%s:%d/%v%s %s %s", t.Secure, t.User, t.Host, t.Port, t.Transport,
		t.params, t.Attrs.Socket, t.Attrs.SocketName)
	t.identity = strconv.Itoa(t.SetID) + " " + uri
	t.seed = xxhash.Sum64String(uri)
}

func (tb *Table) byIdentity() map[string]*Target {
	if tb == nil {
		return nil
	}
	m := make(map[string]*Target, len(tb.targets))
	for _, t := range tb.targets {
		m[t.identity] = t
	}
	return m
}

func (r *reader) checkDuplicates() {
	first := make(map[string]*Target, len(r.targets))
	for _, t := range r.targets {
		if f := first[t.identity]; f != nil {
			r.failAt(t.Line, 1, "%s is in set %d already (line %d): remove one, and give the "+
				"other weight= if it shall have more calls", t.URI, t.SetID, f.Line)
			continue
		}
		first[t.identity] = t
	}
}

// resolve fills in the addresses. A name that cannot be resolved keeps the address it had, since a
// DNS outage must not turn a reload into an outage of its own.
func (r *reader) resolve(cfg Config, known map[string]*Target) (warnings []string) {
	type answer struct {
		ip  netip.Addr
		err error
	}
	cache := make(map[string]answer)
	lookup := func(host string) (netip.Addr, error) {
		if ip, err := netip.ParseAddr(host); err == nil {
			return ip, nil
		}
		if cfg.Resolver == nil {
			return netip.Addr{}, errNoResolver
		}
		a, ok := cache[host]
		if !ok {
			ips, err := cfg.Resolver(host)
			if err == nil && (len(ips) == 0 || !ips[0].IsValid()) {
				err = errors.New("no address")
			}
			if err == nil {
				a.ip = ips[0]
			}
			a.err = err
			cache[host] = a
		}
		return a.ip, a.err
	}
	for _, t := range r.targets {
		old := known[t.identity]
		resolve := func(host string, port uint16, by netio.Proto, last netio.Addr) netio.Addr {
			ip, err := lookup(host)
			switch {
			case err == nil:
				a := netio.AddrFrom(netip.AddrPortFrom(ip, port))
				if by.Served() { // package shard refuses the target otherwise
					a.Proto = by
				}
				return a
			case err == errNoResolver:
				r.failAt(t.Line, 1, "%s: %v: write the IP address", host, err)
			case last.Family != 0:
				warnings = append(warnings,
					fmt.Sprintf("%s:%d: cannot resolve %s: %v; its last address %v stays in use",
						r.name, t.Line, host, err, last))
			default:
				r.failAt(t.Line, 1, "cannot resolve %s: %v; add 16 to the flags to resolve it "+
					"when sending", host, err)
			}
			return last
		}
		var last, lastPing netio.Addr
		if old != nil {
			last, lastPing = old.Addr, old.PingAddr
		}
		if _, err := netip.ParseAddr(t.Host); err == nil || t.Flags&NoDNS == 0 ||
			cfg.Resolver == nil {
			t.Addr = resolve(t.Host, t.Port, t.Transport, last)
		}
		t.PingAddr, t.PingTransport = t.Addr, t.Transport
		if proxy := t.Attrs.proxy; proxy != nil {
			t.PingAddr, t.PingTransport = resolve(proxy.Host, proxy.Port, proxy.Transport,
				lastPing), proxy.Transport
		}
	}
	return warnings
}

var errNoResolver = errors.New("host names need a resolver, and none is configured")

// assignUIDs gives every target its UID. A target that stays keeps it. A new one gets a number made
// from its identity, so that a process started on the same file after a kill -9 finds in its
// transactions' Picks the targets that were meant, and a target that was removed and comes back is
// recognised. Collisions move on to the next number that nobody has or had; numbers of targets that
// went away are reused only when no others are left.
func (tb *Table) assignUIDs(known map[string]*Target, prev *Table) {
	used := make([]bool, 1<<16)
	used[0] = true
	for _, t := range tb.targets {
		if old := known[t.identity]; old != nil {
			t.UID = old.UID
			used[t.UID] = true
		}
	}
	tb.retired = make(map[uint16]string)
	if prev != nil {
		for uid, id := range prev.retired {
			tb.retired[uid] = id
		}
		for _, t := range prev.targets {
			if !used[t.UID] {
				tb.retired[t.UID] = t.identity
			}
		}
	}
	for _, t := range tb.targets {
		if t.UID == 0 {
			t.UID = tb.freeUID(t.identity, used)
			used[t.UID] = true
			delete(tb.retired, t.UID)
		}
	}
	tb.byUID = make([]uint16, 1<<16)
	for i, t := range tb.targets {
		tb.byUID[t.UID] = uint16(i + 1)
	}
}

func (tb *Table) freeUID(identity string, used []bool) uint16 {
	start := uint16(xxhash.Sum64String(identity))
	for range 2 {
		for i := range 1 << 16 {
			uid := start + uint16(i)
			if used[uid] {
				continue
			}
			if was, ok := tb.retired[uid]; !ok || was == identity {
				return uid
			}
		}
		clear(tb.retired)
	}
	panic(fmt.Sprintf("BUG: no UID left for %d targets", len(tb.targets)))
}

func (tb *Table) makeSets(cfg Config, known map[string]*Target, prev *Table) {
	for _, t := range tb.targets {
		s := tb.sets[t.SetID]
		if s == nil {
			s = &Set{ID: t.SetID, useDefault: cfg.UseDefault}
			if prev != nil && prev.sets[t.SetID] != nil {
				s.turns = prev.sets[t.SetID].turns
			} else {
				s.turns = new(turns)
			}
			tb.sets[t.SetID] = s
			tb.order = append(tb.order, s)
		}
		s.Targets = append(s.Targets, t)
		old := known[t.identity]
		if old != nil && old.Flags == t.Flags && !cfg.StatesFromFile {
			t.live = old.live
			continue
		}
		// A live state of its own, even if the target stays: prev is in use until this table is
		// published, and must not see the new flags.
		t.live = newLive(t, s.turns)
		if old != nil {
			t.live.lastMs.Store(old.live.lastMs.Load())
			t.live.latency.inherit(&old.live.latency)
			t.live.load.Store(old.live.load.Load())
		}
	}
	slices.SortFunc(tb.order, func(a, b *Set) int { return a.ID - b.ID })
	for _, s := range tb.order {
		// Priority descending, and among equals the last line first, as Kamailio's sorted insert
		// and backward copy give.
		slices.Reverse(s.Targets)
		slices.SortStableFunc(s.Targets, func(a, b *Target) int { return b.Priority - a.Priority })
		if w := s.mixedWeights(); w != "" {
			tb.Warnings = append(tb.Warnings, w)
		}
		s.equalWeights = s.haveEqualWeights()
		s.rebuild()
	}
}

// Target returns the target with this UID, or nil if it is not in this table.
func (tb *Table) Target(uid uint16) *Target {
	i := tb.byUID[uid]
	if i == 0 {
		return nil
	}
	return tb.targets[i-1]
}

// Set returns a set, or nil.
func (tb *Table) Set(id int) *Set { return tb.sets[id] }

// Sets returns all sets by ascending id. The caller does not change it.
func (tb *Table) Sets() []*Set { return tb.order }

// Targets returns all targets in file order. The caller does not change it.
func (tb *Table) Targets() []*Target { return tb.targets }
