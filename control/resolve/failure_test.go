package resolve

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func drop(dns.ResponseWriter, *dns.Msg) bool { return true }

func rcode(code int) func(dns.ResponseWriter, *dns.Msg) bool {
	return func(w dns.ResponseWriter, q *dns.Msg) bool {
		w.WriteMsg(new(dns.Msg).SetRcode(q, code))
		return true
	}
}

const host = "h.test. 60 IN A 127.0.0.1"

// TestMischief: one server that lies, one that does not; the call gets its address all the same.
func TestMischief(t *testing.T) {
	raw := func(change func(m *dns.Msg)) func(dns.ResponseWriter, *dns.Msg) bool {
		return func(w dns.ResponseWriter, q *dns.Msg) bool {
			m := new(dns.Msg).SetReply(q)
			rr, _ := dns.NewRR("h.test. 60 IN A 127.0.0.66")
			m.Answer = append(m.Answer, rr)
			change(m)
			b, err := m.Pack()
			if err != nil {
				return true
			}
			w.Write(b)
			return true
		}
	}
	for name, f := range map[string]func(dns.ResponseWriter, *dns.Msg) bool{
		"drop":           drop,
		"SERVFAIL":       rcode(dns.RcodeServerFailure),
		"REFUSED":        rcode(dns.RcodeRefused),
		"NOTIMP":         rcode(dns.RcodeNotImplemented),
		"wrong id":       raw(func(m *dns.Msg) { m.Id++ }),
		"wrong question": raw(func(m *dns.Msg) { m.Question[0].Name = "other.test." }),
		"wrong type":     raw(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT }),
		"no question":    raw(func(m *dns.Msg) { m.Question = nil }),
		"a query":        raw(func(m *dns.Msg) { m.Response = false }),
		"lame": func(w dns.ResponseWriter, q *dns.Msg) bool {
			m := new(dns.Msg).SetReply(q)
			ns, _ := dns.NewRR("test. 60 IN NS ns.elsewhere.test.")
			m.Ns = append(m.Ns, ns)
			w.WriteMsg(m)
			return true
		},
		"rubbish": func(w dns.ResponseWriter, q *dns.Msg) bool {
			w.Write([]byte("no message at all"))
			return true
		},
		"loop of CNAMEs": func(w dns.ResponseWriter, q *dns.Msg) bool {
			m := new(dns.Msg).SetReply(q)
			for _, text := range []string{"h.test. 60 IN CNAME b.test.", "b.test. 60 IN CNAME h.test."} {
				rr, _ := dns.NewRR(text)
				m.Answer = append(m.Answer, rr)
			}
			w.WriteMsg(m)
			return true
		},
		"another's records": raw(func(m *dns.Msg) { m.Answer[0].Header().Name = "evil.test."; m.Rcode = dns.RcodeServerFailure }),
	} {
		t.Run(name, func(t *testing.T) {
			liar, good := serve(t), serve(t, host)
			liar.mischief(f)
			r := start(t, func(s *Settings) { s.RetryTime = 200 * time.Millisecond; s.IPv4Only = true }, liar.addr, good.addr)
			if got, want := locate(t, r, query("sip:h.test:5060")), "UDP 127.0.0.1:5060"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if liar.total() == 0 {
				t.Error("the liar was not asked")
			}
		})
	}
}

// TestForgedBeforeTrue: a datagram with a wrong id does not end the wait for the right one.
func TestForgedBeforeTrue(t *testing.T) {
	z := serve(t, host)
	z.mischief(func(w dns.ResponseWriter, q *dns.Msg) bool {
		for i := range 5 {
			m := new(dns.Msg).SetReply(q)
			m.Id += uint16(i + 1)
			rr, _ := dns.NewRR("h.test. 60 IN A 127.0.0.66")
			m.Answer = append(m.Answer, rr)
			w.WriteMsg(m)
		}
		return false
	})
	r := start(t, nil, z.addr)
	if got, want := locate(t, r, query("sip:h.test:5060")), "UDP 127.0.0.1:5060"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := r.Stats().Strays; n < 5 {
		t.Errorf("%d strays counted, want 5 at least", n)
	}
}

func TestTruncated(t *testing.T) {
	var records []string
	for i := range 200 {
		records = append(records, fmt.Sprintf("_sip._tcp.big.test. 60 IN SRV %d 0 5060 a-rather-long-name-of-a-target-%d.big.test.", 200-i, i),
			fmt.Sprintf("a-rather-long-name-of-a-target-%d.big.test. 60 IN A 127.1.0.%d", i, i+1))
	}
	z := serve(t, records...)
	r := start(t, func(s *Settings) { s.IPv4Only = true }, z.addr)
	got := locate(t, r, query("sip:big.test;transport=tcp"))
	if list := strings.Split(got, ", "); len(list) != 16 || list[0] != "TCP 127.1.0.200:5060" {
		t.Errorf("%d endpoints, the first %s; want 16, the first that of priority 1", len(list), list[0])
	}
	if st := r.Stats(); st.TCP == 0 || st.Rejected == 0 {
		t.Errorf("TCP %d, records left out %d: want both counted", st.TCP, st.Rejected)
	}
}

func TestNoEDNS(t *testing.T) {
	z := serve(t, host)
	z.mischief(func(w dns.ResponseWriter, q *dns.Msg) bool {
		if q.IsEdns0() == nil {
			return false
		}
		w.WriteMsg(&dns.Msg{MsgHdr: dns.MsgHdr{Id: q.Id, Response: true, Rcode: dns.RcodeFormatError}})
		return true
	})
	if got, want := locate(t, start(t, nil, z.addr), query("sip:h.test:5060")), "UDP 127.0.0.1:5060"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSilence: a server that drops everything costs the waiting query its time, and no other query anything; and one failure does not poison.
func TestSilence(t *testing.T) {
	z := serve(t, host, "known.test. 60 IN A 127.0.0.2")
	r, c := startAt(t, func(s *Settings) { s.RetryTime, s.Retries, s.Timeout = 100*time.Millisecond, 1, 500*time.Millisecond }, z.addr)
	known := query("sip:known.test:5060")
	if got := locate(t, r, known); got != "UDP 127.0.0.2:5060" {
		t.Fatal(got)
	}
	z.mischief(drop)
	q := query("sip:h.test")
	wait(t, r, q)
	if got := lookup(r, q); got != "failed" {
		t.Fatalf("%s, want failed", got)
	}
	if got := lookup(r, known); got != "UDP 127.0.0.2:5060" {
		t.Errorf("the other name: %s", got)
	}
	until(t, "the last question's end", func() bool { return r.MemInfo().Questions == 0 })
	z.mischief(nil)
	c.forward(t, r, failureHold+time.Millisecond)
	if got := locate(t, r, q); got != "UDP 127.0.0.1:5060" {
		t.Errorf("after the failure: %s, want the address", got)
	}
}

// TestStorm: while servers fail, many callers make one question a second, not one each.
func TestStorm(t *testing.T) {
	z := serve(t)
	z.mischief(rcode(dns.RcodeServerFailure))
	r := start(t, nil, z.addr)
	q := query("sip:h.test:5060")
	var wg sync.WaitGroup
	for range 1000 {
		wg.Add(1)
		if !r.Ask(q, wg.Done) {
			t.Fatal("Ask refused")
		}
	}
	wg.Wait()
	if n := z.times("A h.test."); n == 0 || n > 10 {
		t.Errorf("%d questions for 1000 callers", n)
	}
	if r.Stats().Joined == 0 {
		t.Error("nobody joined")
	}
}

func TestStale(t *testing.T) {
	z := serve(t, host)
	r, c := startAt(t, func(s *Settings) { s.RetryTime, s.Timeout = 100*time.Millisecond, time.Second; s.IPv4Only = true }, z.addr)
	q := query("sip:h.test:5060")
	const want = "UDP 127.0.0.1:5060"
	if got := locate(t, r, q); got != want {
		t.Fatal(got)
	}
	for _, f := range []func(dns.ResponseWriter, *dns.Msg) bool{drop, rcode(dns.RcodeServerFailure)} {
		z.mischief(f)
		c.forward(t, r, 2*time.Minute) // beyond grace: the caller waits, the servers fail, the old answer serves
		if got := lookup(r, q); got != "unknown" {
			t.Errorf("past its grace: %s, want unknown", got)
		}
		if got := locate(t, r, q); got != want {
			t.Errorf("while servers fail: %s, want %s", got, want)
		}
	}
	if list, _ := r.View(10); len(list) != 1 || !list[0].Stale {
		t.Errorf("view %+v, want one stale entry", list)
	}
	// Within the grace the old answer is given at once and the new one fetched behind.
	z.mischief(nil)
	z.set(t, "h.test. 60 IN A 127.0.0.2")
	c.forward(t, r, staleHold+time.Second)
	if got := lookup(r, q); got != want {
		t.Errorf("within the grace: %s, want %s", got, want)
	}
	until(t, "the renewed answer", func() bool { return lookup(r, q) == "UDP 127.0.0.2:5060" })
	// Beyond the bound nothing serves any more.
	z.mischief(drop)
	c.forward(t, r, 25*time.Hour)
	if got := locate(t, r, q); got != "failed" {
		t.Errorf("after a day: %s, want failed", got)
	}
	// A server that says so makes a name go, stale or not.
	z.mischief(nil)
	c.forward(t, r, time.Minute)
	locate(t, r, q)
	z.set(t)
	c.forward(t, r, time.Hour)
	if got := locate(t, r, q); got != "nowhere" {
		t.Errorf("after NXDOMAIN: %s, want nowhere", got)
	}
}

// TestRenewal: a name in use is renewed before it ends, so that nobody waits.
func TestRenewal(t *testing.T) {
	z := serve(t, host)
	r, c := startAt(t, func(s *Settings) { s.IPv4Only = true }, z.addr)
	q := query("sip:h.test:5060")
	locate(t, r, q)
	for i := range 3 {
		before := z.times("A h.test.")
		c.forward(t, r, 57*time.Second)
		if got := lookup(r, q); got != "UDP 127.0.0.1:5060" {
			t.Fatalf("round %d: %s", i, got)
		}
		until(t, "the renewal", func() bool { return z.times("A h.test.") > before && r.MemInfo().Flights == 0 })
	}
	if got := r.Stats().Renewals; got != 3 {
		t.Errorf("%d renewals, want 3", got)
	}
}

func TestNegative(t *testing.T) {
	z := serve(t)
	r, c := startAt(t, func(s *Settings) { s.IPv4Only = true; s.NegativeTTL = 30 * time.Second }, z.addr)
	q := query("sip:gone.test:5060")
	for range 5 {
		if got := locate(t, r, q); got != "nowhere" {
			t.Fatal(got)
		}
	}
	if n := z.times("A gone.test."); n != 1 {
		t.Errorf("asked %d times within the negative time to live, want once", n)
	}
	z.set(t, "gone.test. 60 IN A 127.0.0.1")
	c.forward(t, r, 31*time.Second)
	if got := locate(t, r, q); got != "UDP 127.0.0.1:5060" {
		t.Errorf("after it: %s", got)
	}
}

// TestDeadAddressType: a server that drops AAAA does not hold the call up for its whole time, and does not make the name fail.
func TestDeadAddressType(t *testing.T) {
	z := serve(t, host)
	z.mischief(func(w dns.ResponseWriter, q *dns.Msg) bool { return q.Question[0].Qtype == dns.TypeAAAA })
	r := start(t, func(s *Settings) { s.RetryTime, s.Timeout = 30*time.Second, time.Minute }, z.addr)
	if got := locate(t, r, query("sip:h.test:5060")); got != "UDP 127.0.0.1:5060" {
		t.Errorf("%s", got)
	}
	if n := r.MemInfo().Questions; n != 1 {
		t.Errorf("%d questions are still open, want that for AAAA", n)
	}
}

func TestServerHealth(t *testing.T) {
	dead, good := serve(t), serve(t, host, "i.test. 60 IN A 127.0.0.1", "j.test. 60 IN A 127.0.0.1")
	dead.mischief(drop)
	r, c := startAt(t, func(s *Settings) { s.RetryTime = 100 * time.Millisecond; s.IPv4Only = true }, dead.addr, good.addr)
	f := func(name string, asked int) {
		t.Helper()
		before := dead.total()
		if got := locate(t, r, query("sip:"+name+":5060")); got != "UDP 127.0.0.1:5060" {
			t.Errorf("%s leads to %s", name, got)
		}
		if n := dead.total() - before; n != asked {
			t.Errorf("%s: the dead server was asked %d times, want %d", name, n, asked)
		}
	}
	f("h.test", 1)
	if st := r.Servers()[0]; st.Silent != 1 || st.Rest == 0 {
		t.Errorf("the dead server: %+v", st)
	}
	f("i.test", 0) // passed over
	c.forward(t, r, time.Minute)
	f("j.test", 1) // tried again
	dead.mischief(nil)
	dead.set(t, host)
	c.forward(t, r, time.Minute)
	f("h.test", 1)
	if st := r.Servers()[0]; st.Silent != 0 {
		t.Errorf("the server that came back: %+v", st)
	}
}

func TestGlue(t *testing.T) {
	z := serve(t, "_sip._udp.g.test. 60 IN SRV 0 0 5060 h.g.test.")
	z.mischief(func(w dns.ResponseWriter, q *dns.Msg) bool {
		m := z.answer(q, true)
		for _, text := range []string{"h.g.test. 60 IN A 127.0.0.3", "h.g.test. 60 IN AAAA ::1", "www.bank.test. 60 IN A 127.0.0.66"} {
			rr, _ := dns.NewRR(text)
			m.Extra = append(m.Extra, rr)
		}
		w.WriteMsg(m)
		return true
	})
	r := start(t, nil, z.addr)
	if got, want := locate(t, r, query("sip:g.test;transport=udp")), "UDP 127.0.0.3:5060, UDP [::1]:5060"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := z.times("A h.g.test."); n != 0 {
		t.Errorf("the address that came along was asked for %d times", n)
	}
	if got := locate(t, r, query("sip:www.bank.test:5060")); strings.Contains(got, "66") {
		t.Errorf("an address nobody asked for was believed: %s", got)
	}
}

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

// TestPanic: whoever panics, only the query pays.
func TestPanic(t *testing.T) {
	z := serve(t, host)
	r := start(t, nil, z.addr)
	q := query("sip:h.test:5060")
	second := make(chan struct{})
	if !r.Ask(q, func() { panic("a caller's") }) || !r.Ask(q, func() { close(second) }) {
		t.Fatal("Ask refused")
	}
	<-second
	if r.Stats().Panics != 1 {
		t.Errorf("%d panics counted", r.Stats().Panics)
	}
	if got := locate(t, r, q); got != "UDP 127.0.0.1:5060" {
		t.Errorf("%s", got)
	}
}

func TestUnreachable(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := pc.LocalAddr().(*net.UDPAddr).AddrPort()
	pc.Close()
	good := serve(t, host)
	r := start(t, func(s *Settings) { s.RetryTime, s.Timeout = 20*time.Second, time.Minute }, closed, good.addr)
	if got := locate(t, r, query("sip:h.test:5060")); got != "UDP 127.0.0.1:5060" { // port unreachable: the next at once
		t.Errorf("%s", got)
	}
	if got := locate(t, start(t, nil, netip.AddrPort(closed)), query("sip:h.test:5060")); got != "failed" {
		t.Errorf("no server at all: %s, want failed", got)
	}
}
