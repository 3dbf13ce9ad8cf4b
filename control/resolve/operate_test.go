package resolve

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestOperate(t *testing.T) {
	z := serve(t, "h.test. 60 IN A 127.0.0.1", "_sip._udp.s.test. 60 IN SRV 10 60 5060 h.test.",
		`n.test. 60 IN NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.n.test.`)
	r := start(t, func(s *Settings) { s.IPv4Only = true }, z.addr)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := func(uri, want string) {
		t.Helper()
		if got := locate(t, r, query(uri)); got != want {
			t.Errorf("%s leads to %s, want %s", uri, got, want)
		}
	}
	f("sip:h.test:5060", "UDP 127.0.0.1:5060")
	// What an operator adds counts from the next look-up on, before what the servers say.
	must(r.AddA("h.test.", netip.MustParseAddr("127.0.0.8")))
	f("sip:h.test:5060", "UDP 127.0.0.8:5060")
	must(r.AddSRV("_sip._udp.new.test", 1, 0, 5075, "H.test."))
	must(r.AddSRV("_sip._udp.new.test", 0, 0, 5076, "h.test"))
	f("sip:new.test;transport=udp", "UDP 127.0.0.8:5076, UDP 127.0.0.8:5075")
	must(r.AddAAAA("six.test", netip.MustParseAddr("::1")))
	if !r.Delete("H.TEST", dns.TypeA) || r.Delete("h.test", dns.TypeA) {
		t.Error("Delete does not tell whether there was something")
	}
	f("sip:h.test:5060", "UDP 127.0.0.1:5060")

	for _, err := range []error{
		r.AddA("h.test", netip.MustParseAddr("::1")), r.AddA("h.test", netip.MustParseAddr("0.0.0.0")),
		r.AddAAAA("h.test", netip.MustParseAddr("127.0.0.1")),
		r.AddAAAA("h.test", netip.MustParseAddr("fe80::1")), r.AddA("bad name", netip.MustParseAddr("127.0.0.1")),
		r.AddSRV("_sip._udp.x.test", 0, 0, 0, "h.test"),
		r.AddSRV("_sip._udp.x.test", 0, 0, 1, ""),
	} {
		if err == nil {
			t.Error("a useless record is accepted")
		}
	}

	lookup := func(name string, typ uint16, state, source, records string) {
		t.Helper()
		e, err := r.Query(context.Background(), name, typ)
		if err != nil || e.State != state || e.Source != source || strings.Join(e.Records, "; ") != records {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	lookup("_sip._udp.s.test", dns.TypeSRV, "present", "dns", "10 60 5060 h.test")
	lookup("n.test", dns.TypeNAPTR, "present", "dns", `10 20 "S" "SIP+D2U" "" _sip._udp.n.test`)
	lookup("none.test", dns.TypeA, "no such name", "dns", "")
	lookup("six.test", dns.TypeAAAA, "present", "static", "::1")
	if _, err := r.Query(context.Background(), "h.test", dns.TypeMX); err == nil {
		t.Error("a look-up of MX is accepted")
	}
	if list, err := r.Records(context.Background(), "six.test", "AAAA"); err != nil || len(list) != 1 || list[0] != "::1" {
		t.Errorf("Records gives %q, %v", list, err)
	}
	if list, err := r.Records(context.Background(), "none.test", "A"); err != nil || len(list) != 0 {
		t.Errorf("a name that is not there gives %q, %v", list, err)
	}

	all, cut := r.View(1000)
	one, cutOne := r.View(1)
	if cut || !cutOne || len(one) != 1 || len(all) < 5 || all[0].Source != "static" {
		t.Errorf("View gives %d of %d entries, cut %v and %v: %+v", len(one), len(all), cutOne, cut, all)
	}
	if n := r.DeleteAll(); n == 0 || r.MemInfo().Sets != 0 || r.MemInfo().Statics != 2 {
		t.Errorf("DeleteAll removed %d: %+v", n, r.MemInfo())
	}
	if n := r.DeleteAllForce(); n != 2 || r.MemInfo().UsedBytes != 0 {
		t.Errorf("DeleteAllForce removed %d: %+v", n, r.MemInfo())
	}
	for i := range recordsMax + 1 {
		err := r.AddA("full.test", netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}))
		if (err != nil) != (i == recordsMax) {
			t.Errorf("address %d: %v", i, err)
		}
	}
}

func TestCacheOff(t *testing.T) {
	z := serve(t, host)
	r, c := startAt(t, func(s *Settings) { s.Cache, s.IPv4Only = false, true }, z.addr)
	for i := range 3 {
		if got := locate(t, r, query("sip:h.test:5060")); got != "UDP 127.0.0.1:5060" {
			t.Fatal(got)
		}
		if n := z.times("A h.test."); n != i+1 {
			t.Errorf("asked %d times after %d calls", n, i+1)
		}
		c.forward(t, r, failureHold+clockTick)
	}
}
