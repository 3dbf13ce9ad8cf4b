package resolve

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"viaduct/netio"
	"viaduct/shard/proxy"

	"github.com/miekg/dns"
)

const forever = math.MaxInt64 / 2

// search is one query on its way through RFC 3263 §4. A single goroutine uses it.
type search struct {
	r   *Resolver
	ctx context.Context
	f   *flight

	left    int   // questions it may still put to servers
	room    int   // endpoints the plan may still hold
	share   int   // endpoints that one target and family may have
	expires int64 // when the first record expires
	renewAt int64
	goodTo  int64
	failed  bool // some part is not known
	partial bool // some part is not known: the answer is to be renewed soon
	groups  []group
}

// locate resolves f's query into a plan that is not yet published.
func (r *Resolver) locate(f *flight) (p *plan) {
	epoch := r.epoch.Load()
	defer func() {
		if recover() != nil {
			r.counts.panics.Add(1)
			p = &plan{planKey: f.planKey, epoch: epoch, answer: proxy.Failed}
			p.renewAt, p.deadAt = forever, r.clock()+int64(failureHold)
		}
	}()
	ctx, cancel := context.WithTimeout(r.ctx, r.set().Timeout)
	defer cancel()
	s := &search{
		r: r, ctx: ctx, f: f, left: questionsPerQuery, room: endpointsMax, share: recordsMax,
		expires: forever, renewAt: forever, goodTo: forever,
	}
	for _, name := range r.candidates(f) {
		s.name(name)
		if len(s.groups) > 0 || s.failed {
			break
		}
	}
	return s.plan(epoch)
}

// candidates returns the names to try: one with fewer dots than ndots is completed by the search
// list first, as in resolv.conf(5). A name with more is never completed, nor is one with a trailing
// dot: example.com must not become example.com.corp.example because a server failed for a moment.
func (r *Resolver) candidates(f *flight) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.rooted() || strings.Count(f.host, ".") >= r.servers.ndots {
		return []string{f.host}
	}
	var names []string
	for _, d := range r.servers.search {
		if len(f.host)+1+len(d) <= nameBytes {
			names = append(names, f.host+"."+d)
		}
	}
	return append(names, f.host)
}

// plan ends the search and returns its result.
func (s *search) plan(epoch uint64) *plan {
	now := s.r.clock()
	p := &plan{
		planKey: s.f.planKey, epoch: epoch, groups: s.groups, spread: s.r.set().Weights,
		first: !s.r.set().Failover,
	}
	s.expires = min(s.expires, now+int64(fileLife))
	if s.partial { // what is there may serve; the rest is asked for again soon
		s.renewAt = min(s.renewAt, now+int64(partialHold))
	}
	switch {
	case len(s.groups) > 0:
		p.answer, p.goodTo = proxy.Resolved, s.goodTo
		p.renewAt, p.deadAt = min(s.renewAt, s.expires), s.expires+min(int64(grace), s.expires-now)
		if !s.r.set().Cache {
			p.renewAt, p.deadAt, p.goodTo = forever, now+int64(failureHold), 0
		}
	case s.failed:
		p.answer, p.renewAt, p.deadAt = proxy.Failed, forever, now+int64(failureHold)
	default:
		p.answer, p.renewAt, p.deadAt = proxy.Nowhere, forever,
			max(s.expires, now+int64(failureHold))
	}
	return p
}

// name walks RFC 3263 §4.1 and §4.2 for one name.
func (s *search) name(name string) {
	f := s.f
	fixed, ok := s.transport()
	switch {
	case !ok:
		return
	case numeric(name).IsValid():
		s.address(numeric(name), fixed)
		return
	case f.port() != 0:
		s.hosts(name, fixed, f.port())
		return
	case s.r.inHosts(name): // the operator said where it is, so no server is needed
		s.hosts(name, fixed, fixed.DefaultPort())
		return
	case f.hasProto():
		if front := serviceOf(fixed, f.secure()); front == "" {
			s.hosts(name, fixed, fixed.DefaultPort())
		} else if found := s.services([]service{{front + name, fixed}}); !found && !s.failed {
			s.hosts(name, fixed, fixed.DefaultPort())
		}
		return
	}
	if s.r.set().TryNAPTR {
		if found := s.naptr(name); found {
			return
		}
	}
	var ask []service
	for _, p := range s.preferred() {
		ask = append(ask, service{serviceOf(p, f.secure()) + name, p})
	}
	if found := s.services(ask); !found && !s.failed {
		s.hosts(name, fixed, fixed.DefaultPort())
	}
}

// transport returns the transport of a query that names one, has a port, or finds no NAPTR and SRV:
// UDP, or TLS for sips (§4.1). If no listener of ours has UDP, the next transport that a listener
// has will do, for §4.1 says SHOULD. ok is false if no listener can send by it.
func (s *search) transport() (p netio.Proto, ok bool) {
	f := s.f
	if f.hasProto() {
		p = f.proto()
		if f.secure() {
			switch p {
			case netio.UDP: // RFC 3261 §26.2.2 asks for TLS, which UDP has not
				return p, false
			case netio.TCP: // sips over TCP is TLS over TCP
				p = netio.TLS
			case netio.WS:
				p = netio.WSS
			}
		}
		return p, f.can(p)
	}
	if f.secure() {
		return netio.TLS, f.can(netio.TLS)
	}
	for _, p := range []netio.Proto{netio.UDP, netio.TCP, netio.TLS} {
		if f.can(p) {
			return p, true
		}
	}
	return 0, false
}

// preferred returns the transports that NAPTR and SRV may lead to, our preferred ones first.
func (s *search) preferred() []netio.Proto {
	list := make([]netio.Proto, 0, 3)
	for _, p := range []netio.Proto{netio.UDP, netio.TCP, netio.TLS} {
		if s.f.can(p) && s.r.preference(p) >= 0 && (p == netio.TLS || !s.f.secure()) {
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b netio.Proto) int {
		return cmp.Compare(s.r.preference(b), s.r.preference(a))
	})
	return list
}

func (r *Resolver) preference(p netio.Proto) int {
	return [...]int{netio.UDP: r.set().UDPPref, netio.TCP: r.set().TCPPref,
		netio.TLS: r.set().TLSPref}[p]
}

// serviceOf returns the front of a SRV name (§4.1). WebSocket has none: a request can only go over
// a connection that the peer opened (RFC 7118 §5), and its URI's path is in no DNS record.
func serviceOf(p netio.Proto, secure bool) string {
	switch {
	case p == netio.TLS: // also sip with transport=tls
		return "_sips._tcp."
	case p == netio.TCP && !secure:
		return "_sip._tcp."
	case p == netio.UDP && !secure:
		return "_sip._udp."
	}
	return ""
}

// naptrServices are the NAPTR services of §4.1 that we can follow. D2S (SCTP) and RFC 7118's D2W
// are none of ours.
var naptrServices = map[string]netio.Proto{"SIP+D2U": netio.UDP, "SIP+D2T": netio.TCP,
	"SIPS+D2T": netio.TLS}

// naptr follows the NAPTR records of name. It returns false if none of them is for us, so that SRV
// decides.
func (s *search) naptr(name string) (found bool) {
	set := s.ask([]setKey{{name, dns.TypeNAPTR}}, 2)[setKey{name, dns.TypeNAPTR}]
	if set == nil || set.state == broken { // not fatal: SRV may well be known
		s.failed, s.partial = false, true
		return false
	}
	usable := s.usable(set.records)
	if len(usable) == 0 {
		return false
	}
	var ask []service
	for _, c := range usable {
		if c.flags == "S" {
			ask = append(ask, service{c.target, naptrServices[c.service]})
		}
	}
	if s.services(ask) || s.failed {
		return true
	}
	// §4.2: no SRV records where NAPTR led, so the domain's addresses, by the transport it prefers;
	// or those NAPTR names itself.
	for _, c := range usable {
		p, host := naptrServices[c.service], name
		if c.flags == "A" {
			host = c.target
		}
		s.hosts(host, p, p.DefaultPort())
		if len(s.groups) > 0 {
			break
		}
	}
	return true
}

// usable returns the NAPTR records to follow, in order. Once an order has a record for us, higher
// orders do not count (RFC 3403 §4.1, "MUST NOT"), unless the operator puts our preference before
// the domain's.
func (s *search) usable(records []record) []record {
	var list []record
	for _, c := range records {
		p, known := naptrServices[c.service]
		if known && (c.flags == "S" || c.flags == "A") && c.re == "" && c.target != "" &&
			slices.Contains(s.preferred(), p) {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b record) int {
		ours := 0
		if s.r.set().IgnoreOrder {
			ours = cmp.Compare(s.r.preference(naptrServices[b.service]),
				s.r.preference(naptrServices[a.service]))
		}
		return cmp.Or(ours, cmp.Compare(a.order, b.order), cmp.Compare(a.weight, b.weight),
			cmp.Compare(a.target, b.target))
	})
	if !s.r.set().IgnoreOrder {
		for i := range list {
			if list[i].order != list[0].order {
				return list[:i]
			}
		}
	}
	return list
}

// service is a SRV name and the transport it is for.
type service struct {
	name  string
	proto netio.Proto
}

// services asks for all SRV names at once and adds a group for each priority of each, in the order
// given. It returns true if any SRV exist, even if they lead nowhere or say that there is no
// service ("."), so that addresses do not count.
func (s *search) services(ask []service) (found bool) {
	keys := make([]setKey, 0, len(ask))
	for _, a := range ask {
		keys = append(keys, setKey{a.name, dns.TypeSRV})
	}
	sets := s.ask(keys, 2)
	var want []string
	for _, k := range keys {
		if set := sets[k]; set != nil && set.state == present {
			found = true
			for _, c := range set.records {
				if c.target != "" {
					want = append(want, c.target)
				}
			}
		}
	}
	if !found {
		return false
	}
	s.failed = false // what is known leads somewhere
	known := s.addresses(want)
	s.share = max(endpointsMax/2/max(len(want), 1), 4)
	for i, k := range keys {
		if set := sets[k]; set != nil && set.state == present {
			s.group(set.records, ask[i].proto, known)
		}
	}
	if len(s.groups) == 0 {
		s.failed = s.partial
	}
	return true
}

// group adds the targets of one SRV set by priority (RFC 2782). records are sorted by it.
func (s *search) group(records []record, p netio.Proto, known map[string]addresses) {
	for len(records) > 0 {
		n := 1
		for n < len(records) && records[n].order == records[0].order {
			n++
		}
		// The same records must give the same order, however a server turns them.
		same := slices.Clone(records[:n])
		slices.SortFunc(same, func(a, b record) int {
			return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.target, b.target),
				cmp.Compare(a.port, b.port))
		})
		records = records[n:]
		var g group
		for _, c := range same {
			if t := s.target(known[c.target], p, c.port,
				c.weight); len(t.first)+len(t.second) > 0 && c.port != 0 {
				g.targets = append(g.targets, t)
				g.sum += uint32(c.weight)
				if c.weight == 0 {
					g.zeros++
				}
			}
		}
		if len(g.targets) > 0 {
			s.groups = append(s.groups, g)
		}
	}
}
