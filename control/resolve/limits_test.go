package resolve

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"viaduct/shard/proxy"

	"github.com/miekg/dns"
)

func TestLimits(t *testing.T) {
	z := serve(t)
	z.mischief(drop)
	r := start(t, func(s *Settings) { s.RetryTime, s.Retries = 30*time.Second, 0; s.Timeout = time.Minute }, z.addr)
	var called atomic.Int64
	open := 0
	for i := range flightsMax + 10 {
		if r.Ask(query(fmt.Sprintf("sip:n%d.test:5060", i)), func() { called.Add(1) }) {
			open++
		}
	}
	if open != flightsMax {
		t.Errorf("%d queries open, want %d", open, flightsMax)
	}
	if n := r.Stats().Refused; n != 10 {
		t.Errorf("%d refused, want 10", n)
	}
	if !r.Ask(query("sip:n1.test:5060"), func() { called.Add(1) }) {
		t.Error("a query under way cannot be joined")
	}
	r.Close() // everybody gets their done, exactly once
	if n := called.Load(); n != int64(open+1) {
		t.Errorf("done was called %d times, want %d", n, open+1)
	}
	if r.Ask(query("sip:late.test"), func() {}) {
		t.Error("Ask after Close")
	}
	r.Close()
}

func TestMemory(t *testing.T) {
	z := serve(t)
	z.mischief(func(w dns.ResponseWriter, q *dns.Msg) bool {
		m := new(dns.Msg).SetReply(q)
		if strings.HasPrefix(q.Question[0].Name, "bad") {
			m.Rcode = dns.RcodeNameError
			soa, _ := dns.NewRR("test. 300 IN SOA ns.test. root.test. 1 1 1 1 300")
			m.Ns = append(m.Ns, soa)
		} else {
			rr, _ := dns.NewRR(q.Question[0].Name + " 300 IN A 127.0.0.1")
			m.Answer = append(m.Answer, rr)
		}
		w.WriteMsg(m)
		return true
	})
	const limit = 64 << 10
	r := start(t, func(s *Settings) { s.MemoryBytes, s.IPv4Only = limit, true }, z.addr)
	good := query("sip:good.test:5060")
	locate(t, r, good)
	for i := range 500 {
		if got := locate(t, r, query(fmt.Sprintf("sip:bad%d.test:5060", i))); got != "nowhere" {
			t.Fatal(got)
		}
		if m := r.MemInfo(); m.UsedBytes > limit {
			t.Fatalf("%d bytes used, the cap is %d", m.UsedBytes, limit)
		}
	}
	if got := lookup(r, good); got != "UDP 127.0.0.1:5060" {
		t.Errorf("names that lead nowhere pushed out one that does: %s", got)
	}
	for i := range 500 {
		if got := locate(t, r, query(fmt.Sprintf("sip:g%d.test:5060", i))); got != "UDP 127.0.0.1:5060" {
			t.Fatal(got)
		}
	}
	if m := r.MemInfo(); m.UsedBytes > limit || r.Stats().Evicted == 0 {
		t.Errorf("%d bytes used, %d evicted", m.UsedBytes, r.Stats().Evicted)
	}
	r.DeleteAllForce()
	if m := r.MemInfo(); m.UsedBytes != 0 || m.Plans != 0 || m.Sets != 0 {
		t.Errorf("after all was deleted: %+v", m)
	}
}

// TestLeastRecentlyUsed: of names that lead somewhere, those nobody calls go first.
func TestLeastRecentlyUsed(t *testing.T) {
	r, c := startAt(t, func(s *Settings) { s.MemoryBytes = 64 << 10 })
	for i := range 800 {
		r.mu.Lock()
		r.publish(&plan{planKey: planKey{fmt.Sprintf("n%d.test", i), packBits(query("sip:x"), false)},
			answer: proxy.Resolved, epoch: r.epoch.Load(),
			renewAt: forever, deadAt: forever, groups: []group{{targets: make([]target, 1), zeros: 1}}})
		r.mu.Unlock()
		c.ahead.Add(int64(time.Millisecond))
		if i%40 == 0 {
			c.forward(t, r, time.Second)
			if _, a := r.Lookup(query("sip:n0.test"), nil); a != proxy.Resolved {
				t.Fatalf("after %d others a name in use is gone", i)
			}
		}
	}
	if _, a := r.Lookup(query("sip:n1.test"), nil); a != proxy.Unknown || r.Stats().Evicted == 0 {
		t.Errorf("a name nobody uses is still there: answer %d, %d evicted", a, r.Stats().Evicted)
	}
}

// TestPlanSize: a zone full of addresses does not make a plan without end.
func TestPlanSize(t *testing.T) {
	var records []string
	for i := range 64 {
		records = append(records, fmt.Sprintf("_sip._udp.p.test. 60 IN SRV 0 1 5060 h%d.test.", i))
		for j := range 64 {
			records = append(records, fmt.Sprintf("h%d.test. 60 IN A 127.0.%d.%d", i, i, j+1))
		}
	}
	z := serve(t, records...)
	r := start(t, nil, z.addr)
	q := query("sip:p.test;transport=udp")
	if got := strings.Count(locate(t, r, q), ","); got != proxy.MaxEndpoints-1 {
		t.Errorf("%d endpoints", got+1)
	}
	total := 0
	r.table.each(func(p *plan) {
		for _, g := range p.groups {
			for _, t := range g.targets {
				total += len(t.first) + len(t.second)
			}
		}
	})
	if total == 0 || total > endpointsMax {
		t.Errorf("the plan holds %d endpoints, want %d at most", total, endpointsMax)
	}
	if n := r.Stats().Questions; n > questionsPerQuery+1 {
		t.Errorf("one query put %d questions", n)
	}
}

// TestEverybodyAtOnce: shards look up and ask, operators change records, names end: every answer is
// one of those there ever were. Run it with -race.
func TestEverybodyAtOnce(t *testing.T) {
	z := serve(t)
	z.mischief(func(w dns.ResponseWriter, q *dns.Msg) bool {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			rr, _ := dns.NewRR(q.Question[0].Name + " 1 IN A 127.0.0.1")
			m.Answer = append(m.Answer, rr)
		}
		w.WriteMsg(m)
		return true
	})
	r, c := startAt(t,
		func(s *Settings) { s.MemoryBytes, s.RetryTime, s.Timeout = 64<<10, 20*time.Second, time.Minute }, z.addr)
	var shards, waiters, operator sync.WaitGroup
	stop := make(chan struct{})
	operator.Add(1)
	go func() {
		defer operator.Done()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprintf("n%d.test", i%50)
			switch i % 6 {
			case 0:
				r.AddA(name, numeric("127.0.0.2"))
			case 1:
				r.Delete(name, dns.TypeA)
			case 2:
				r.View(10)
			case 3:
				r.DeleteAll()
			case 4:
				c.ahead.Add(int64(500 * time.Millisecond))
			}
			r.MemInfo()
			time.Sleep(time.Millisecond)
		}
	}()
	var resolved atomic.Int64
	for shard := range 4 {
		shards.Add(1)
		go func() {
			defer shards.Done()
			for i := range 3000 {
				q := query(fmt.Sprintf("sip:n%d.test:5060", (i*7+shard)%200))
				q.Seed = uint64(i)
				switch got := lookup(r, q); got {
				case "unknown":
					waiters.Add(1)
					done := make(chan struct{})
					if !r.Ask(q, func() { close(done); waiters.Done() }) {
						waiters.Done()
					} else if i%50 == 0 {
						<-done
					}
				case "UDP 127.0.0.1:5060", "UDP 127.0.0.2:5060", "UDP 127.0.0.1:5060, UDP 127.0.0.2:5060":
					resolved.Add(1)
				default:
					t.Errorf("%s", got)
				}
			}
		}()
	}
	shards.Wait()
	close(stop)
	operator.Wait()
	waiters.Wait()
	if resolved.Load() == 0 || r.Stats().Panics != 0 {
		t.Errorf("%d resolved, %d panics", resolved.Load(), r.Stats().Panics)
	}
	r.DeleteAllForce()
	until(t, "the end of all flights", func() bool { return r.MemInfo().Flights == 0 && r.MemInfo().Questions == 0 })
	r.DeleteAllForce()
	if m := r.MemInfo(); m.UsedBytes != 0 {
		t.Errorf("%d bytes are still counted: %+v", m.UsedBytes, m)
	}
}
