package resolve

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
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
		"another's records": raw(func(m *dns.Msg) {
			m.Answer[0].Header().Name = "evil.test."
			m.Rcode = dns.RcodeServerFailure
		}),
	} {
		t.Run(name, func(t *testing.T) {
			liar, good := serve(t), serve(t, host)
			liar.mischief(f)
			r := start(t, func(s *Settings) {
				s.RetryTime = 500 * time.Millisecond
				s.IPv4Only = true
			}, liar.addr, good.addr)
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
	if n := r.Stats().Unmatched; n < 5 {
		t.Errorf("%d unmatched counted, want 5 at least", n)
	}
}

func TestTruncated(t *testing.T) {
	var records []string
	for i := range 200 {
		records = append(records,
			fmt.Sprintf("_sip._tcp.big.test. 60 IN SRV %d 0 5060 a-rather-long-name-of-a-target-%d.big.test.", 200-i,
				i),
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

// TestSilence: a server that drops everything costs the waiting query its time, and no other query
// anything; and one failure does not poison.
func TestSilence(t *testing.T) {
	z := serve(t, host, "known.test. 60 IN A 127.0.0.2")
	r, c := startAt(t,
		func(s *Settings) { s.RetryTime, s.Retries, s.Timeout = 400*time.Millisecond, 1, 2*time.Second }, z.addr)
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

// TestDeadAddressType: a server that drops AAAA does not hold the call up for its whole time, and
// does not make the name fail.
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
	r, c := startAt(t, func(s *Settings) {
		s.RetryTime = 500 * time.Millisecond
		s.IPv4Only = true
	}, dead.addr, good.addr)
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
		for _, text := range []string{"h.g.test. 60 IN A 127.0.0.3", "h.g.test. 60 IN AAAA ::1",
			"www.bank.test. 60 IN A 127.0.0.66"} {
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

// TestPanic: whoever panics, and wherever, only the query pays.
func TestPanic(t *testing.T) {
	z := serve(t, host)
	r, c := startAt(t, nil, z.addr)
	q := query("sip:h.test:5060")
	second := make(chan struct{})
	if !r.Ask(q, func() { panic("a caller's") }) || !r.Ask(q, func() { close(second) }) {
		t.Fatal("Ask refused")
	}
	<-second
	if r.Stats().Panics != 1 {
		t.Errorf("%d panics counted", r.Stats().Panics)
	}
	for fuse := range int64(60) { // at the first reading of the clock, the second, …
		before := r.Stats().Panics
		r.DeleteAll()
		c.fuse.Store(fuse + 1)
		wait(t, r, query("sip:h.test"))
		until(t, "the end of the questions",
			func() bool { return r.MemInfo().Questions == 0 && r.MemInfo().Flights == 0 })
		if c.fuse.Swap(0) == 0 && r.Stats().Panics == before {
			t.Fatalf("fuse %d: no panic was counted", fuse)
		}
		r.DeleteAll()
		if got := locate(t, r, q); got != "UDP 127.0.0.1:5060" {
			t.Fatalf("after a panic at reading %d: %s", fuse, got)
		}
	}
}

// TestLost: a lost datagram costs a repeat.
func TestLost(t *testing.T) {
	z := serve(t, host)
	var asked sync.Map
	z.mischief(func(w dns.ResponseWriter, q *dns.Msg) bool {
		_, again := asked.LoadOrStore(q.Question[0], true)
		return !again
	})
	r := start(t, func(s *Settings) { s.RetryTime = 500 * time.Millisecond }, z.addr)
	if got := locate(t, r, query("sip:h.test:5060")); got != "UDP 127.0.0.1:5060" {
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
	// port unreachable: the next at once
	if got := locate(t, r, query("sip:h.test:5060")); got != "UDP 127.0.0.1:5060" {
		t.Errorf("%s", got)
	}
	if got := locate(t, start(t, nil, netip.AddrPort(closed)), query("sip:h.test:5060")); got != "failed" {
		t.Errorf("no server at all: %s, want failed", got)
	}
}

// TestParts: what happens when the servers fail one type of question and answer the others.
func TestParts(t *testing.T) {
	records := []string{
		`p.test. 60 IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.p.test.`, "_sip._tcp.p.test. 60 IN SRV 0 1 5061 h.test.",
		"_sip._udp.p.test. 60 IN SRV 0 1 5060 h.test.", "_sip._udp.p.test. 60 IN SRV 1 1 5062 i.test.",
		"p.test. 60 IN A 127.0.0.99",
		host, "i.test. 60 IN A 127.0.0.2"}
	f := func(name, broken, want, healed string) {
		t.Helper()
		z := serve(t, records...)
		z.mischief(func(w dns.ResponseWriter, q *dns.Msg) bool {
			if !strings.HasPrefix(dns.TypeToString[q.Question[0].Qtype]+" "+q.Question[0].Name, broken) {
				return false
			}
			return rcode(dns.RcodeServerFailure)(w, q)
		})
		r, c := startAt(t, func(s *Settings) { s.IPv4Only = true }, z.addr)
		q := query("sip:p.test")
		if got := locate(t, r, q); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		// The answer is asked for again soon, and is there meanwhile.
		z.mischief(nil)
		c.forward(t, r, partialHold+time.Second)
		if got := lookup(r, q); got != want && want != "failed" {
			t.Errorf("%s: %s meanwhile, want %s", name, got, want)
		}
		until(t, name+" healed", func() bool { return locate(t, r, q) == healed })
	}
	f("NAPTR fails", "NAPTR", "UDP 127.0.0.1:5060, UDP 127.0.0.2:5062, TCP 127.0.0.1:5061", "TCP 127.0.0.1:5061")
	f("SRV fails", "SRV _sip._tcp", "failed", "TCP 127.0.0.1:5061")
	f("one target fails", "A h.test", "failed", "TCP 127.0.0.1:5061")
	records = records[1:]
	f("one of two targets fails", "A h.test", "UDP 127.0.0.2:5062",
		"UDP 127.0.0.1:5060, UDP 127.0.0.2:5062, TCP 127.0.0.1:5061")
	f("all SRV fail", "SRV", "failed", "UDP 127.0.0.1:5060, UDP 127.0.0.2:5062, TCP 127.0.0.1:5061")
	f("addresses of the domain fail", "A p.test", "UDP 127.0.0.1:5060, UDP 127.0.0.2:5062, TCP 127.0.0.1:5061",
		"UDP 127.0.0.1:5060, UDP 127.0.0.2:5062, TCP 127.0.0.1:5061")
}
