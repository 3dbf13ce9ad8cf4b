package resolve

import (
	"testing"

	"viaduct/shard/proxy"
)

// BenchmarkLookup draws one of four endpoints: two SRV of weights 70 and 30, each with two
// families.
func BenchmarkLookup(b *testing.B) {
	r := start(b, nil)
	for _, host := range []string{"h1.test", "h2.test"} {
		if r.AddA(host, numeric("127.0.0.1")) != nil || r.AddAAAA(host, numeric("::1")) != nil {
			b.Fatal("cannot add")
		}
	}
	if r.AddSRV("_sip._udp.s.test", 0, 70, 5060, "h1.test") != nil ||
		r.AddSRV("_sip._udp.s.test", 0, 30, 5061, "h2.test") != nil {
		b.Fatal("cannot add")
	}
	q := query("sip:s.test;transport=udp")
	locate(b, r, q)
	var out [proxy.MaxEndpoints]proxy.Endpoint
	b.ReportAllocs()
	for b.Loop() {
		q.Seed++
		if n, a := r.Lookup(q, out[:]); n != 4 || a != proxy.Resolved {
			b.Fatalf("%d endpoints, answer %d", n, a)
		}
	}
}
