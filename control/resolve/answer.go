package resolve

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// answer is what a server's message says to a question.
type answer struct {
	state   state
	records []record
	ttl     time.Duration
	more    string // the end of a chain of CNAMEs that the server did not follow on
	glue    map[setKey]glue
}

// glue is addresses of SRV targets from the additional section.
type glue struct {
	records []record
	ttl     time.Duration
}

// read judges m, whose question was checked. A state of broken means that the next server should be
// asked. It counts what it leaves out.
func (r *Resolver) read(m *dns.Msg, key setKey) answer {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return answer{state: broken}
	}
	a := answer{state: present, ttl: r.set().MaxTTL}
	name := key.name
	for links := 0; ; links++ {
		next := ""
		for _, rr := range m.Answer {
			h := rr.Header()
			if h.Class != dns.ClassINET || canonical(h.Name) != name {
				continue
			}
			if h.Rrtype == key.typ {
				a.ttl = min(a.ttl, lifeOf(h.Ttl))
				if c, ok := recordOf(rr); ok {
					a.records = append(a.records, c)
				} else {
					r.counts.rejected.Add(1)
				}
			} else if c, ok := rr.(*dns.CNAME); ok && next == "" {
				next = canonical(c.Target)
				a.ttl = min(a.ttl, lifeOf(h.Ttl))
			}
		}
		if len(a.records) > 0 || next == "" {
			break
		}
		if links == chainMax || next == name {
			return answer{state: broken}
		}
		name = next
	}
	if len(a.records) > 0 {
		a.records = r.trim(a.records, key.typ)
		if key.typ == dns.TypeSRV {
			a.glue = r.glueOf(m, a.records)
		}
		return a
	}
	a.state = missing
	if m.Rcode == dns.RcodeNameError {
		a.state = absent
	}
	referral := false
	for _, rr := range m.Ns {
		switch rr := rr.(type) {
		case *dns.SOA: // RFC 2308 §5
			a.ttl = min(a.ttl, lifeOf(rr.Hdr.Ttl), lifeOf(rr.Minttl))
			return a
		case *dns.NS:
			referral = true
		}
	}
	switch {
	case a.state == missing && name != key.name: // it leads to names this server does not know
		a.more = name
		return a
	case a.state == missing && referral && !m.Authoritative:
		// Lame: it refers us to others, although we asked for recursion.
		return answer{state: broken}
	}
	a.ttl = min(a.ttl, noSOAHold)
	return a
}

// lifeOf returns the duration of a TTL. One with the top bit set counts as 0 (RFC 2181 §8).
func lifeOf(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// canonical returns a name as our keys have it.
func canonical(name string) string {
	return strings.TrimSuffix(strings.ToLower(name), ".")
}

// recordOf returns the parts of an RR that are used here. ok is false if none are.
func recordOf(rr dns.RR) (c record, ok bool) {
	switch rr := rr.(type) {
	case *dns.A:
		c.addr, ok = netip.AddrFromSlice(rr.A.To4())
		return c, ok && sendable(c.addr)
	case *dns.AAAA:
		if c.addr, ok = netip.AddrFromSlice(rr.AAAA); !ok || c.addr.Is4In6() {
			return c, false
		}
		return c, sendable(c.addr)
	case *dns.SRV:
		return record{order: rr.Priority, weight: rr.Weight, port: rr.Port,
			target: canonical(rr.Target)}, true
	case *dns.NAPTR:
		return record{order: rr.Order, weight: rr.Preference, service: strings.ToUpper(rr.Service),
			flags: strings.ToUpper(rr.Flags),
			re:    rr.Regexp, target: canonical(rr.Replacement)}, true
	}
	return c, false
}

// sendable reports whether an address is a single host's; sending to any other would only be an
// error each time. A link-local address has no zone in DNS (RFC 4007 §6), so it does not count
// either.
func sendable(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// trim removes duplicates and keeps the best recordsMax records: of SRV and NAPTR the first by
// priority, of addresses those that came first.
func (r *Resolver) trim(records []record, typ uint16) []record {
	if typ == dns.TypeSRV || typ == dns.TypeNAPTR {
		slices.SortStableFunc(records, func(a, b record) int {
			return cmp.Compare(a.order, b.order)
		})
	}
	kept := records[:0]
	seen := make(map[record]struct{}, min(len(records), recordsMax))
	for _, c := range records {
		if _, twice := seen[c]; twice || len(kept) == recordsMax {
			r.counts.rejected.Add(1)
			continue
		}
		seen[c] = struct{}{}
		kept = append(kept, c)
	}
	return kept
}

// glueOf collects the addresses that a server sent along for SRV targets (RFC 2782). Addresses of
// other names are not trusted.
func (r *Resolver) glueOf(m *dns.Msg, srv []record) map[setKey]glue {
	var found map[setKey]glue
	for _, rr := range m.Extra {
		h := rr.Header()
		key := setKey{canonical(h.Name), h.Rrtype}
		if h.Class != dns.ClassINET || key.typ != dns.TypeA && key.typ != dns.TypeAAAA ||
			!slices.ContainsFunc(srv, func(c record) bool { return c.target == key.name }) {
			continue
		}
		c, ok := recordOf(rr)
		if !ok || len(found[key].records) == recordsMax {
			r.counts.rejected.Add(1)
			continue
		}
		if found == nil {
			found = map[setKey]glue{}
		}
		g, had := found[key]
		g.records = append(g.records, c)
		if g.ttl = lifeOf(h.Ttl); had {
			g.ttl = min(g.ttl, found[key].ttl)
		}
		found[key] = g
	}
	return found
}
