package resolve

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"viaduct/netio"
	"viaduct/shard/proxy"

	"github.com/miekg/dns"
)

// hosts adds the addresses of one name.
func (s *search) hosts(name string, p netio.Proto, port uint16) {
	t := s.target(s.addresses([]string{name})[name], p, port, 0)
	if len(t.first)+len(t.second) > 0 {
		s.failed = false
		s.groups = append(s.groups, group{targets: []target{t}, zeros: 1})
	} else if s.partial {
		s.failed = true
	}
}

// address adds one address literal.
func (s *search) address(a netip.Addr, p netio.Proto) {
	port := s.f.port()
	if port == 0 {
		port = p.DefaultPort()
	}
	if wanted := typeOf(a); slices.Contains(s.types(), wanted) {
		t := s.target(addresses{first: []netip.Addr{a}}, p, port, 0)
		s.groups = append(s.groups, group{targets: []target{t}, zeros: 1})
	}
}

// numeric reads an address literal, in brackets or not.
func numeric(host string) netip.Addr {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

func (s *search) target(a addresses, p netio.Proto, port, weight uint16) target {
	convert := func(list []netip.Addr) []proxy.Endpoint {
		out := make([]proxy.Endpoint, 0, len(list))
		for _, a := range list[:min(len(list), s.share, s.room)] {
			s.room--
			out = append(out, proxy.Endpoint{Addr: netio.AddrFrom(netip.AddrPortFrom(a, port)),
				Proto: p})
		}
		return out
	}
	return target{weight: weight, first: convert(a.first), second: convert(a.second)}
}

// addresses are the addresses of a host, by family in the order of preference.
type addresses struct{ first, second []netip.Addr }

// types returns the address types to ask for, the preferred one first: those of our listeners,
// narrowed by the settings.
func (s *search) types() []uint16 {
	set := s.r.set()
	v4 := s.f.families()&1 != 0 && !set.IPv6Only
	v6 := s.f.families()&2 != 0 && !set.IPv4Only && (set.TryIPv6 || numeric(s.f.host).IsValid())
	switch {
	case v4 && v6 && set.PreferIPv6:
		return []uint16{dns.TypeAAAA, dns.TypeA}
	case v4 && v6:
		return []uint16{dns.TypeA, dns.TypeAAAA}
	case v4:
		return []uint16{dns.TypeA}
	case v6:
		return []uint16{dns.TypeAAAA}
	}
	return nil
}

// addresses asks for the addresses of all names at once.
func (s *search) addresses(names []string) map[string]addresses {
	known := make(map[string]addresses, len(names))
	types := s.types()
	var keys []setKey
	for _, name := range names {
		if _, twice := known[name]; twice {
			continue
		}
		known[name] = addresses{}
		if a := numeric(name); a.IsValid() { // SRV targets must be names, yet some write this
			if slices.Contains(types, typeOf(a)) {
				known[name] = addresses{first: []netip.Addr{a}}
			}
			continue
		}
		for _, t := range types {
			keys = append(keys, setKey{name, t})
		}
	}
	sets := s.ask(keys, 1)
	for _, k := range keys {
		set := sets[k]
		if set == nil || set.state != present {
			continue
		}
		list := make([]netip.Addr, 0, len(set.records))
		for _, c := range set.records {
			list = append(list, c.addr)
		}
		if s.r.set().Weights {
			slices.SortFunc(list, netip.Addr.Compare) // see group
		}
		a := known[k.name]
		if k.typ == types[0] {
			a.first = list
		} else {
			a.second = list
		}
		known[k.name] = a
	}
	return known
}

// ask gets all sets, and notes how long they last and whether some are broken. It waits for a part
// of the time left, so that later steps have some too: half of it with share 2, all with 1.
func (s *search) ask(keys []setKey, share time.Duration) map[setKey]*rrset {
	ctx, cancel := s.ctx, context.CancelFunc(func() {})
	if end, ok := s.ctx.Deadline(); ok && share > 1 {
		ctx, cancel = context.WithTimeout(s.ctx, time.Until(end)/share)
	}
	defer cancel()
	tell := make(chan *rrset, len(keys))
	n := 0
	for i, k := range keys {
		if slices.Contains(keys[:i], k) {
			continue
		}
		n++
		if s.r.begin(k, s.f.renews, s.left > 0, tell) {
			s.left--
		}
	}
	sets, whole := gather(ctx, tell, n)
	if !whole {
		s.failed, s.partial = true, true
	}
	for _, set := range sets {
		switch {
		case set.state == broken:
			s.failed, s.partial = true, true
			continue
		case set.state == present:
			s.goodTo = min(s.goodTo, set.goodTo)
		}
		s.expires, s.renewAt = min(s.expires, set.expires), min(s.renewAt, set.renewAt)
	}
	return sets
}
