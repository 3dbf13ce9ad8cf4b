package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Entry is one set of records as operators see it (dns.view, dns.lookup).
type Entry struct {
	Name   string
	Type   string        // "A", "AAAA", "SRV", "NAPTR"
	State  string        // "present", "no such type", "no such name", "failed"
	Source string        // "dns", "static" or "hosts"
	Stale  bool          // past its time, kept since the servers fail
	Left   time.Duration // until it expires; 0 if it does not
	Idle   time.Duration // since it was last used to make an answer
	// "192.0.2.1", "10 60 5060 sip1.example.com", `50 50 "S" "SIP+D2T" "" _sip._tcp.example.com`
	Records []string
}

func entry(s *rrset, source string, now int64) Entry {
	e := Entry{
		Name: s.name, Type: dns.TypeToString[s.typ], Source: source, Stale: s.stale,
		Idle: time.Duration(now - s.used.Load()),
		State: [...]string{
			present: "present", missing: "no such type", absent: "no such name", broken: "failed",
		}[s.state],
	}
	if s.expires < forever {
		e.Left = time.Duration(max(s.expires-now, 0))
	}
	for i := range s.records {
		e.Records = append(e.Records, s.records[i].text(s.typ))
	}
	return e
}

func (c *record) text(typ uint16) string {
	target := c.target
	if target == "" {
		target = "."
	}
	switch typ {
	case dns.TypeSRV:
		return fmt.Sprintf("%d %d %d %s", c.order, c.weight, c.port, target)
	case dns.TypeNAPTR:
		return fmt.Sprintf("%d %d %q %q %q %s", c.order, c.weight, c.flags, c.service, c.re, target)
	}
	return c.addr.String()
}

// View lists max entries at most, by name and type: first the operator's own, then the cache. cut
// says that there are more. The hosts file is not listed.
func (r *Resolver) View(max int) (list []Entry, cut bool) {
	now := r.clock()
	type found struct {
		set    *rrset
		source string
	}
	r.mu.Lock()
	all := make([]found, 0, len(r.sets)+len(r.statics))
	for _, s := range r.statics {
		all = append(all, found{s, "static"})
	}
	for _, s := range r.sets {
		all = append(all, found{s, "dns"})
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.source, a.source), cmp.Compare(a.set.name, b.set.name),
			cmp.Compare(a.set.typ, b.set.typ))
	})
	if len(all) > max {
		all, cut = all[:max], true
	}
	for _, f := range all {
		list = append(list, entry(f.set, f.source, now))
	}
	return list, cut
}

// Query returns the records of one name and type, from what is known or from the servers
// (dns.lookup). It blocks.
func (r *Resolver) Query(ctx context.Context, name string, typ uint16) (Entry, error) {
	key, err := keyOf(name, typ)
	if err != nil {
		return Entry{}, err
	}
	if !r.enter() {
		return Entry{}, errors.New("the resolver is closed")
	}
	defer r.tasks.Done()
	ctx, cancel := context.WithTimeout(ctx, r.set().Timeout)
	defer cancel()
	tell := make(chan *rrset, 1)
	r.begin(key, false, true, tell)
	select {
	case s := <-tell:
		source := "dns"
		r.mu.Lock()
		switch s {
		case r.statics[key]:
			source = "static"
		case r.hosts[key]:
			source = "hosts"
		}
		r.mu.Unlock()
		return entry(s, source, r.clock()), nil
	case <-ctx.Done():
		return Entry{}, fmt.Errorf("no DNS server answered for %s %s in time",
			dns.TypeToString[typ], key.name)
	}
}

// Records is Query for the routing program: package route says what the records look like.
func (r *Resolver) Records(ctx context.Context, name, typ string) ([]string, error) {
	e, err := r.Query(ctx, name, dns.StringToType[typ])
	if err == nil && e.State == "failed" {
		err = fmt.Errorf("no DNS server answers for %s %s", typ, name)
	}
	return e.Records, err
}

func keyOf(name string, typ uint16) (setKey, error) {
	switch typ {
	case dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeNAPTR:
	default:
		return setKey{}, errors.New("write one of the types A, AAAA, SRV, NAPTR")
	}
	var buf [nameBytes + 1]byte
	host, _, ok := fold([]byte(name), &buf)
	if !ok || strings.ContainsAny(string(host), ":[]") {
		return setKey{}, fmt.Errorf("%q is no domain name", name)
	}
	return setKey{string(host), typ}, nil
}

// Delete forgets one name and type, the operator's own records as well (dns.delete_a and its
// sisters). It returns false if nothing was known.
func (r *Resolver) Delete(name string, typ uint16) bool {
	key, err := keyOf(name, typ)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	set, static := r.sets[key], r.statics[key]
	if set != nil {
		r.dropSet(set)
	}
	if static != nil {
		delete(r.statics, key)
		r.bytes -= static.bytes
	}
	r.newEpoch()
	return set != nil || static != nil
}

// DeleteAll forgets what the servers said, and returns how many sets that were; the operator's own
// records stay (dns.delete_all). Queries under way ask again.
func (r *Resolver) DeleteAll() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.sets)
	for _, s := range r.sets {
		r.dropSet(s)
	}
	r.newEpoch()
	return n
}

// DeleteAllForce forgets the operator's own records too (dns.delete_all_force).
func (r *Resolver) DeleteAllForce() int {
	n := r.DeleteAll()
	r.mu.Lock()
	defer r.mu.Unlock()
	n += len(r.statics)
	for key, s := range r.statics {
		delete(r.statics, key)
		r.bytes -= s.bytes
	}
	r.newEpoch()
	return n
}

// newEpoch makes all plans unknown, so that they are made again, and frees them. The caller holds
// mu.
func (r *Resolver) newEpoch() {
	r.epoch.Add(1)
	r.table.each(r.drop)
}

// AddA adds an IPv4 address to a name, until Delete (dns.add_a). A name with addresses of the
// operator's is not asked for at the servers.
func (r *Resolver) AddA(name string, addr netip.Addr) error {
	if !addr.Is4() || !sendable(addr) {
		return fmt.Errorf("%s is no IPv4 address of a host", addr)
	}
	return r.add(name, dns.TypeA, record{addr: addr})
}

// AddAAAA adds an IPv6 address (dns.add_aaaa).
func (r *Resolver) AddAAAA(name string, addr netip.Addr) error {
	if !addr.Is6() || addr.Is4In6() || addr.Zone() != "" || !sendable(addr) {
		return fmt.Errorf("%s is no global IPv6 address of a host", addr)
	}
	return r.add(name, dns.TypeAAAA, record{addr: addr})
}

// AddSRV adds a SRV record to a name such as _sip._udp.example.com (dns.add_srv).
func (r *Resolver) AddSRV(name string, priority, weight, port uint16, target string) error {
	key, err := keyOf(target, dns.TypeA)
	if err != nil {
		return err
	}
	if port == 0 {
		return errors.New("a SRV record with port 0 leads nowhere: write a port")
	}
	return r.add(name, dns.TypeSRV,
		record{order: priority, weight: weight, port: port, target: key.name})
}

func (r *Resolver) add(name string, typ uint16, c record) error {
	key, err := keyOf(name, typ)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var records []record
	if old := r.statics[key]; old != nil {
		records = slices.Clone(old.records)
	}
	total := 0
	for _, s := range r.statics {
		total += len(s.records)
	}
	switch {
	case slices.Contains(records, c):
		return nil
	case len(records) >= recordsMax || total >= staticMax:
		return fmt.Errorf("there are %d records for %s and %d in all; %d and %d are the most: "+
			"delete some", len(records), key.name, total, recordsMax, staticMax)
	}
	records = append(records, c)
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.order, b.order) })
	if old := r.statics[key]; old != nil {
		r.bytes -= old.bytes
	}
	s := fixed(key, records)
	r.statics[key] = s
	r.bytes += s.bytes
	r.newEpoch()
	r.evict(nil)
	return nil
}

// MemInfo is how full the cache is (dns.mem_info).
type MemInfo struct {
	UsedBytes, LimitBytes int
	Plans                 int // finished answers
	Sets                  int // sets of records
	Statics               int // sets of the operator's
	Hosts                 int // sets of the hosts file, which do not count as used bytes
	Flights               int // queries being resolved
	Waiters               int // callers waiting for them
	Questions             int // questions at the servers
}

// MemInfo returns how full the cache is.
func (r *Resolver) MemInfo() MemInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flying.Lock()
	defer r.flying.Unlock()
	return MemInfo{
		UsedBytes: r.bytes, LimitBytes: r.set().MemoryBytes, Plans: r.table.plans, Sets: len(r.sets),
		Statics: len(r.statics), Hosts: len(r.hosts),
		Flights: len(r.flights), Waiters: r.waiters, Questions: len(r.asked),
	}
}

// ServerState is one DNS server's health.
type ServerState struct {
	Addr   netip.AddrPort
	Silent int           // times in a row that no answer came
	Rest   time.Duration // how much longer it is passed over
}

// Servers lists the servers in the operator's order.
func (r *Resolver) Servers() []ServerState {
	now := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]ServerState, 0, len(r.servers.list))
	for _, s := range r.servers.list {
		list = append(list, ServerState{s.addr, s.silent, time.Duration(max(s.restTo-now, 0))})
	}
	return list
}
