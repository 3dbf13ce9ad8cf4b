package resolve

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"viaduct/file"
)

// files is what resolv.conf and hosts looked like when they were read.
type files struct{ conf, hosts stamp }

// stamp tells one version of a file from the next.
type stamp struct {
	exists bool
	size   int64
	change time.Time
	info   os.FileInfo
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	switch {
	case path == "" || errors.Is(err, fs.ErrNotExist):
		return stamp{}, nil
	case err != nil:
		return stamp{}, err
	}
	return stamp{exists: true, size: info.Size(), change: info.ModTime(), info: info}, nil
}

func (s *stamp) same(o *stamp) bool {
	return s.exists == o.exists && s.size == o.size && s.change.Equal(o.change) &&
		(!s.exists || os.SameFile(s.info, o.info))
}

// Prepare reads the files that other settings name, and changes nothing. apply puts both into
// force, for names that are looked up from then on. Cached answers stay as long as their time
// allows, unless the settings switch the cache off.
func (r *Resolver) Prepare(s Settings) (apply func(), err error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var next files
	var servers serverList
	if next.conf, err = stampOf(s.ResolvConf); err == nil {
		servers, err = s.readConf(next.conf)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the DNS servers: %w", err)
	}
	var hosts map[setKey]*rrset
	if next.hosts, err = stampOf(s.Hosts); err == nil {
		hosts, err = s.readHosts(next.hosts)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the hosts file: %w", err)
	}
	return func() {
		r.reading.Lock()
		defer r.reading.Unlock()
		r.settings.Store(&s)
		r.files = next
		r.adoptConf(servers)
		r.adoptHosts(hosts)
		if !s.Cache {
			r.DeleteAll()
		}
	}, nil
}

// check is Validate, and then changes settings that do not go together.
func (s *Settings) check() error {
	if !s.Cache {
		s.StaleMax = 0
	}
	return s.Validate()
}

// set returns the current settings.
func (r *Resolver) set() *Settings { return r.settings.Load() }

// runFiles reads the files again when they change. It has a goroutine of its own, since a file
// system may hang.
func (r *Resolver) runFiles() {
	defer r.tasks.Done()
	tick := time.NewTicker(fileTick)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		r.call(func() {
			r.reading.Lock()
			defer r.reading.Unlock()
			s := r.set()
			r.reread(s.ResolvConf, &r.files.conf, func(st stamp) error {
				l, err := s.readConf(st)
				if err == nil {
					r.adoptConf(l)
				}
				return err
			})
			r.reread(s.Hosts, &r.files.hosts, func(st stamp) error {
				hosts, err := s.readHosts(st)
				if err == nil {
					r.adoptHosts(hosts)
				}
				return err
			})
		})
	}
}

func (r *Resolver) reread(path string, last *stamp, read func(stamp) error) {
	now, err := stampOf(path)
	if err == nil && now.same(last) {
		return
	}
	if err == nil {
		err = read(now)
		*last = now // a bad version is not read twice
	}
	if err != nil {
		r.counts.unreadable.Add(1)
		return
	}
	r.counts.reread.Add(1)
}

// readConf returns the servers to ask.
func (s *Settings) readConf(st stamp) (l serverList, err error) {
	var b []byte
	if st.exists {
		if b, err = file.Read(s.ResolvConf, confBytes); err != nil {
			return l, err
		}
	}
	l = parseConf(b)
	if len(s.Servers) > 0 {
		l.list = nil
		for _, a := range s.Servers {
			l.list = append(l.list, server{addr: a})
		}
	}
	if len(l.list) == 0 { // as resolv.conf(5) has it
		l.list = []server{{addr: netip.MustParseAddrPort("127.0.0.1:53")}}
	}
	if n := s.ServersMax; n > 0 && n < len(l.list) {
		l.list = l.list[:n]
	}
	if s.RetryTime > 0 {
		l.retry = s.RetryTime
	}
	if s.Retries >= 0 {
		l.rounds = s.Retries + 1
	}
	if !s.UseSearch {
		l.search = nil
	}
	return l, nil
}

func (r *Resolver) adoptConf(l serverList) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers.adopt(l)
	r.newEpoch()
}

// parseConf reads resolv.conf(5): nameserver, search, domain, options. As there, a line it does not
// understand has no effect. nameserver may have a port here (192.0.2.1:5353, [2001:db8::1]:5353).
func parseConf(b []byte) serverList {
	l := serverList{retry: 2 * time.Second, rounds: 2, ndots: 1}
	for line := range bytes.Lines(b) {
		if i := bytes.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		word := strings.Fields(string(line))
		if len(word) < 2 {
			continue
		}
		switch word[0] {
		case "nameserver":
			if a, ok := parseServer(word[1]); ok && len(l.list) < serversMax {
				l.list = append(l.list, server{addr: a})
			}
		case "search", "domain": // the last one counts
			l.search = nil
			for _, d := range word[1:] {
				if d = canonical(d); d != "" && len(l.search) < searchMax {
					l.search = append(l.search, d)
				}
			}
		case "options":
			for _, o := range word[1:] {
				name, value, _ := strings.Cut(o, ":")
				n, err := strconv.Atoi(value)
				switch {
				case name == "rotate":
					l.rotate = true
				case err != nil || n < 0:
				case name == "timeout":
					l.retry = time.Duration(min(max(n, 1), 30)) * time.Second
				case name == "attempts":
					l.rounds = min(max(n, 1), 5)
				case name == "ndots":
					l.ndots = min(n, 15)
				}
			}
		}
	}
	return l
}

func parseServer(s string) (netip.AddrPort, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 53), true
	}
	ap, err := netip.ParseAddrPort(s)
	return ap, err == nil && ap.Port() != 0
}

// readHosts returns what the hosts file has.
func (s *Settings) readHosts(st stamp) (map[setKey]*rrset, error) {
	if !st.exists {
		return parseHosts(nil), nil
	}
	b, err := file.Read(s.Hosts, hostsBytes)
	if err != nil {
		return nil, err
	}
	return parseHosts(b), nil
}

func (r *Resolver) adoptHosts(hosts map[setKey]*rrset) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts = hosts
	r.newEpoch()
}

func (r *Resolver) inHosts(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hosts[setKey{name, dns.TypeA}] != nil || r.hosts[setKey{name, dns.TypeAAAA}] != nil
}

// parseHosts reads hosts(5): an address, then its names.
func parseHosts(b []byte) map[setKey]*rrset {
	records := map[setKey][]record{}
	for line := range bytes.Lines(b) {
		if i := bytes.IndexByte(line, '#'); i >= 0 {
			line = line[:i]
		}
		word := strings.Fields(string(line))
		if len(word) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(word[0])
		if err != nil || !sendable(addr) {
			continue
		}
		addr = addr.Unmap().WithZone("")
		for _, name := range word[1:] {
			key := setKey{canonical(name), typeOf(addr)}
			if len(records[key]) < recordsMax {
				records[key] = append(records[key], record{addr: addr})
			}
		}
	}
	hosts := make(map[setKey]*rrset, len(records))
	for key, list := range records {
		hosts[key] = fixed(key, list)
	}
	return hosts
}

// fixed returns a set that does not expire.
func fixed(key setKey, records []record) *rrset {
	s := newSet(key, present, records, 0, 0)
	s.expires, s.renewAt, s.goodTo = forever, forever, forever
	return s
}

func typeOf(a netip.Addr) uint16 {
	if a.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}
