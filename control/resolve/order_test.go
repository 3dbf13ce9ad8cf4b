package resolve

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"viaduct/shard/proxy"
)

// firsts tells how often each endpoint comes first over so many seeds.
func firsts(r *Resolver, q *proxy.NameQuery, seeds int) map[string]int {
	got := map[string]int{}
	for i := range seeds {
		q.Seed = uint64(i) * 0x2545f4914f6cdd1d
		first, _, _ := strings.Cut(lookup(r, q), ",")
		got[first]++
	}
	return got
}

func TestWeights(t *testing.T) {
	var records []string
	add := func(name string, weights ...int) {
		for i, w := range weights {
			records = append(records, fmt.Sprintf("_sip._udp.%s.test. 60 IN SRV 0 %d 5060 h%d.test.", name, w, i+1))
		}
	}
	add("ratio", 70, 30)
	add("equal", 1, 1)
	add("zero", 0, 99)
	add("zeros", 0, 0, 0, 0)
	add("many", 10, 20, 30, 40)
	for i := range 4 {
		records = append(records, fmt.Sprintf("h%d.test. 60 IN A 127.0.0.%d", i+1, i+1))
	}
	z := serve(t, records...)
	r := start(t, nil, z.addr)
	f := func(name string, percent ...float64) {
		t.Helper()
		q := query("sip:" + name + ".test;transport=udp")
		locate(t, r, q)
		const seeds = 10000
		got := firsts(r, q, seeds)
		for i, want := range percent {
			have := float64(got[fmt.Sprintf("UDP 127.0.0.%d:5060", i+1)]) * 100 / seeds
			if math.Abs(have-want) > 2 {
				t.Errorf("%s: target %d comes first in %.1f %%, want %.1f ± 2", name, i+1, have, want)
			}
		}
		if len(got) != len(percent) {
			t.Errorf("%s: %d targets came first: %v", name, len(got), got)
		}
	}
	f("ratio", 70, 30)
	f("equal", 50, 50)
	f("zero", 1, 99) // a small chance, as RFC 2782 says
	f("zeros", 25, 25, 25, 25)
	f("many", 10, 20, 30, 40)

	q := query("sip:many.test;transport=udp")
	q.Seed = 42
	want := lookup(r, q)
	for range 10 {
		if got := lookup(r, q); got != want {
			t.Fatalf("the same seed gives %s, then %s", want, got)
		}
	}
	seen := strings.Split(want, ", ")
	slices.Sort(seen)
	if len(slices.Compact(seen)) != 4 {
		t.Errorf("%s: want each target once", want)
	}
	// A server that turns its records must not turn the order of a seed.
	slices.Reverse(records)
	z.set(t, records...)
	r.DeleteAll()
	if got := locate(t, r, q); got != want {
		t.Errorf("after the records came in another order: %s, want %s", got, want)
	}
}

func TestWeightsOff(t *testing.T) {
	z := serve(t,
		"_sip._udp.w.test. 60 IN SRV 0 0 5060 h1.test.", "_sip._udp.w.test. 60 IN SRV 0 70 5060 h2.test.",
		"_sip._udp.w.test. 60 IN SRV 0 30 5060 h3.test.",
		"h1.test. 60 IN A 127.0.0.1", "h2.test. 60 IN A 127.0.0.2", "h3.test. 60 IN A 127.0.0.3",
		"h3.test. 60 IN A 127.0.0.4")
	r := start(t, func(s *Settings) { s.Weights = false }, z.addr)
	q := query("sip:w.test;transport=udp")
	locate(t, r, q)
	got := firsts(r, q, 100)
	if got["UDP 127.0.0.2:5060"] != 100 {
		t.Errorf("dns_srv_lb off: %v come first, want the heaviest", got)
	}
	if got, want := lookup(r, q),
		"UDP 127.0.0.2:5060, UDP 127.0.0.3:5060, UDP 127.0.0.4:5060, UDP 127.0.0.1:5060"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
	r = start(t, func(s *Settings) { s.Failover = false }, z.addr)
	locate(t, r, q)
	if got := lookup(r, q); strings.Contains(got, ",") {
		t.Errorf("use_dns_failover off gives %s, want one endpoint", got)
	}
}

// TestMany: more than eight records all count (they overflowed elsewhere), more than MaxEndpoints
// lose the last of the order, another one each time.
func TestMany(t *testing.T) {
	var records []string
	for i := range 20 {
		records = append(records, fmt.Sprintf("_sip._udp.many.test. 60 IN SRV 0 1 5060 h%d.test.", i),
			fmt.Sprintf("h%d.test. 60 IN A 127.0.1.%d", i, i+1),
			fmt.Sprintf("host.test. 60 IN A 127.0.2.%d", i+1))
	}
	for i := range 9 {
		records = append(records, fmt.Sprintf("_sip._udp.nine.test. 60 IN SRV %d 1 5060 h%d.test.", i, i))
	}
	z := serve(t, records...)
	r := start(t, nil, z.addr)
	for uri, want := range map[string]int{"sip:many.test;transport=udp": 20, "sip:host.test": 20, "sip:nine.test": 9} {
		q := query(uri)
		locate(t, r, q)
		all := map[string]bool{}
		for i := range 500 {
			q.Seed = uint64(i)
			list := strings.Split(lookup(r, q), ", ")
			if len(list) != min(want, proxy.MaxEndpoints) {
				t.Fatalf("%s gives %d endpoints", uri, len(list))
			}
			for _, e := range list {
				all[e] = true
			}
		}
		if len(all) != want {
			t.Errorf("%s: %d endpoints are ever given, want %d: %v", uri, len(all), want, slices.Sorted(maps.Keys(all)))
		}
	}
}

func TestFamilies(t *testing.T) {
	z := serve(t, "d.test. 60 IN A 127.0.0.1", "d.test. 60 IN A 127.0.0.2", "d.test. 60 IN AAAA ::1",
		"x.test. 60 IN A 0.0.0.0", "x.test. 60 IN A 224.0.0.1", "x.test. 60 IN AAAA ff02::1",
		"x.test. 60 IN AAAA fe80::1", "x.test. 60 IN A 127.0.0.9")
	f := func(change func(*Settings), families uint8, want string) {
		t.Helper()
		r := start(t, change, z.addr)
		q := query("sip:d.test:5070")
		q.Families = families
		if got := locate(t, r, q); got != want && got != strings.NewReplacer("0.1", "0.2", "0.2", "0.1").Replace(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f(nil, 3, "UDP 127.0.0.1:5070, UDP [::1]:5070, UDP 127.0.0.2:5070")
	f(func(s *Settings) { s.SetCacheFlags(4) }, 3, "UDP [::1]:5070, UDP 127.0.0.1:5070, UDP 127.0.0.2:5070")
	f(func(s *Settings) { s.SetCacheFlags(1) }, 3, "UDP 127.0.0.1:5070, UDP 127.0.0.2:5070")
	f(func(s *Settings) { s.SetCacheFlags(2) }, 3, "UDP [::1]:5070")
	f(func(s *Settings) { s.TryIPv6 = false }, 3, "UDP 127.0.0.1:5070, UDP 127.0.0.2:5070")
	f(nil, 1, "UDP 127.0.0.1:5070, UDP 127.0.0.2:5070")
	f(nil, 2, "UDP [::1]:5070")
	f(nil, 0, "nowhere")
	r := start(t, nil, z.addr)
	if got, want := locate(t, r, query("sip:x.test:5060")), "UDP 127.0.0.9:5060"; got != want {
		t.Errorf("addresses nobody can send to: %s, want %s", got, want)
	}
}

func TestNAPTRIgnoreOrder(t *testing.T) {
	z := serve(t, `n.test. 60 IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.n.test.`,
		`n.test. 60 IN NAPTR 20 10 "s" "SIP+D2T" "" _sip._tcp.n.test.`,
		`n.test. 60 IN NAPTR 30 10 "s" "SIP+D2U" "" _sip._udp.n.test.`,
		"_sips._tcp.n.test. 60 IN SRV 0 0 1 h.test.", "_sip._tcp.n.test. 60 IN SRV 0 0 2 h.test.",
		"_sip._udp.n.test. 60 IN SRV 0 0 3 h.test.", "h.test. 60 IN A 127.0.0.1")
	f := func(change func(*Settings), want string) {
		t.Helper()
		if got := locate(t, start(t, change, z.addr), query("sip:n.test")); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f(nil, "TLS 127.0.0.1:1")
	f(func(s *Settings) { s.IgnoreOrder = true }, "UDP 127.0.0.1:3, TCP 127.0.0.1:2, TLS 127.0.0.1:1")
	f(func(s *Settings) { s.IgnoreOrder, s.UDPPref, s.TCPPref = true, -1, 5 }, "TLS 127.0.0.1:1, TCP 127.0.0.1:2")
	f(func(s *Settings) { s.TLSPref = -1 }, "TCP 127.0.0.1:2")
	f(func(s *Settings) { s.TryNAPTR, s.TCPPref = false, 40 }, "TCP 127.0.0.1:2, UDP 127.0.0.1:3, TLS 127.0.0.1:1")
}

func TestLookupAllocatesNothing(t *testing.T) {
	z := serve(t, "_sip._udp.a.test. 60 IN SRV 0 70 5060 h.test.", "_sip._udp.a.test. 60 IN SRV 0 30 5061 h.test.",
		"h.test. 60 IN A 127.0.0.1", "h.test. 60 IN AAAA ::1")
	r, c := startAt(t, nil, z.addr)
	q, missing := query("sip:a.test"), query("sip:unknown.test")
	locate(t, r, q)
	var out [proxy.MaxEndpoints]proxy.Endpoint
	f := func(when string) {
		t.Helper()
		if n := testing.AllocsPerRun(1000, func() {
			q.Seed++
			if n, a := r.Lookup(q, out[:]); n != 4 || a != proxy.Resolved {
				t.Fatalf("%d endpoints, answer %d", n, a)
			}
			if _, a := r.Lookup(missing, out[:]); a != proxy.Unknown {
				t.Fatalf("answer %d for what was never asked", a)
			}
		}); n != 0 {
			t.Errorf("Lookup allocates %v times %s", n, when)
		}
	}
	f("in its time")
	z.mischief(drop)
	c.ahead.Add(int64(61e9))
	f("past its time")
}
