package resolve

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"viaduct/shard/proxy"

	"github.com/miekg/dns"
)

// FuzzAnswer: whatever bytes come back, what is taken over from them answers the question and lies
// within the limits, and a plan of it can be drawn.
func FuzzAnswer(f *testing.F) {
	for _, lines := range [][]string{
		{"h.test. 60 IN A 127.0.0.1", "h.test. 60 IN A 0.0.0.0"},
		{"h.test. 60 IN CNAME b.test.", "b.test. 60 IN AAAA ::1"},
		{"h.test. 60 IN CNAME h.test."},
		{"h.test. 60 IN SRV 1 2 3 a.test.", "h.test. 4294967295 IN SRV 1 0 0 ."},
		{`h.test. 60 IN NAPTR 1 2 "s" "SIP+D2U" "" _sip._udp.h.test.`,
			`h.test. 60 IN NAPTR 1 2 "u" "E2U+sip" "!^.*$!sip:x@y!" .`},
		{},
	} {
		for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeNAPTR} {
			m := new(dns.Msg).SetQuestion("h.test.", typ)
			m.Id, m.Response = 7, true
			for _, l := range lines {
				rr, err := dns.NewRR(l)
				if err != nil {
					f.Fatal(err)
				}
				m.Answer = append(m.Answer, rr)
			}
			soa, _ := dns.NewRR("test. 300 IN SOA ns.test. root.test. 1 1 1 1 300")
			m.Ns = append(m.Ns, soa)
			b, err := m.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b, typ)
		}
	}
	r := start(f, nil)
	f.Fuzz(func(t *testing.T, wire []byte, typ uint16) {
		typ = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeNAPTR}[typ%4]
		q := new(dns.Msg).SetQuestion("h.test.", typ)
		q.Id = 7
		m := r.match(wire, q)
		if m == nil {
			return
		}
		if m.Id != 7 || !m.Response {
			t.Fatalf("taken for an answer: %v", m)
		}
		key := setKey{"h.test", typ}
		got := r.read(m, key)
		switch {
		case (got.state == present) != (len(got.records) > 0):
			t.Fatalf("state %d with %d records", got.state, len(got.records))
		case len(got.records) > recordsMax:
			t.Fatalf("%d records", len(got.records))
		case got.state != broken && (got.ttl < 0 || got.ttl > r.set().MaxTTL):
			t.Fatalf("time to live %v", got.ttl)
		case len(got.glue) > 0 && typ != dns.TypeSRV:
			t.Fatal("glue without SRV")
		}
		if !slices.IsSortedFunc(got.records, func(a, b record) int { return int(a.order) - int(b.order) }) {
			t.Fatalf("not by priority: %v", got.records)
		}
		s := &search{
			r: r, f: &flight{planKey: planKey{"h.test", packBits(query("sip:h.test"), false)}}, room: endpointsMax,
			share: 1, expires: forever,
		}
		hosts := map[string]addresses{}
		for _, c := range got.records {
			if strings.HasSuffix(c.target, ".") && !strings.HasSuffix(c.target, `\.`) {
				t.Fatalf("target %q", c.target)
			}
			switch typ {
			case dns.TypeA, dns.TypeAAAA:
				if !c.addr.IsValid() || !sendable(c.addr) || c.addr.Is4() != (typ == dns.TypeA) {
					t.Fatalf("address %v", c.addr)
				}
			case dns.TypeSRV:
				hosts[c.target] = addresses{first: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
			}
		}
		if typ != dns.TypeSRV {
			s.usable(got.records)
			return
		}
		s.group(got.records, 0, hosts)
		p := s.plan(0)
		var out [proxy.MaxEndpoints]proxy.Endpoint
		n := p.pick(uint64(len(wire)), out[:])
		targets := 0
		for _, g := range p.groups {
			targets += len(g.targets)
		}
		if n != min(targets, len(out)) {
			t.Fatalf("%d endpoints of %d targets", n, targets)
		}
		for _, e := range out[:n] {
			if e.Addr.Port == 0 || e.Addr.Family != 4 {
				t.Fatalf("endpoint %v", e)
			}
		}
	})
}

// FuzzFiles: any file is read without harm, within the limits.
func FuzzFiles(f *testing.F) {
	f.Add([]byte("nameserver 127.0.0.1:53\nsearch a b\noptions timeout:1 attempts:2 ndots:3 rotate\n" +
		"127.0.0.1 localhost # x\n::1%lo six\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := parseConf(b)
		if len(l.list) > serversMax || len(l.search) > searchMax || l.retry <= 0 || l.rounds < 1 || l.ndots < 0 {
			t.Fatalf("%+v", l)
		}
		for key, s := range parseHosts(b) {
			if s.setKey != key || len(s.records) == 0 || len(s.records) > recordsMax ||
				strings.ToLower(key.name) != key.name {
				t.Fatalf("%+v", s)
			}
		}
	})
}
