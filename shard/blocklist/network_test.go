package blocklist

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"viaduct/netio"
)

// One case, one line: what is listed, what is asked.
func TestNetwork(t *testing.T) {
	f := func(p netio.Proto, network string, port uint16, q netio.Proto, b string, want bool) {
		t.Helper()
		table := testTable(t, nil)
		if v := table.AddNetwork(p, netip.MustParsePrefix(network), port, Cause{Reasons: Prohibited}, 0); v != Added {
			t.Fatalf("add: %v", v)
		}
		if got := table.Listed(q, addr(b), 1); got != want {
			t.Errorf("%s %s port %d listed; %s %s: %v", ProtoName(p), network, port, ProtoName(q), b, got)
		}
	}
	f(netio.UDP, "192.0.2.0/24", 0, netio.UDP, "192.0.2.255:5060", true)
	f(netio.UDP, "192.0.2.0/24", 0, netio.UDP, "192.0.3.0:5060", false)
	f(netio.UDP, "192.0.2.0/24", 0, netio.TCP, "192.0.2.1:5060", false)
	f(netio.UDP, "192.0.2.0/24", 5060, netio.UDP, "192.0.2.1:5060", true)
	f(netio.UDP, "192.0.2.0/24", 5060, netio.UDP, "192.0.2.1:5061", false)
	f(AnyProto, "192.0.2.7/32", 0, netio.WSS, "192.0.2.7:1", true)
	f(AnyProto, "192.0.2.7/32", 0, netio.WSS, "192.0.2.6:1", false)
	f(AnyProto, "0.0.0.0/0", 0, netio.UDP, "192.0.2.7:1", true)
	f(AnyProto, "0.0.0.0/0", 0, netio.UDP, "[2001:db8::1]:1", false)
	f(AnyProto, "::/0", 0, netio.UDP, "192.0.2.7:1", false)
	f(AnyProto, "2001:db8::/32", 0, netio.TLS, "[2001:db8:ffff::1]:1", true)
	f(AnyProto, "2001:db8::/32", 0, netio.TLS, "[2001:db9::1]:1", false)
	f(AnyProto, "2001:db8::10/124", 0, netio.TLS, "[2001:db8::1f]:1", true)
	f(AnyProto, "2001:db8::10/124", 0, netio.TLS, "[2001:db8::20]:1", false)
	f(AnyProto, "fe80::/10", 0, netio.TLS, "[fe80::1%3]:1", true)
}

// Prefixes agree with net/netip, whatever their length.
func TestNetworkAgreesWithNetip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	table := testTable(t, nil)
	for range 20_000 {
		var raw [16]byte
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		ip := netip.AddrFrom16(raw)
		if rng.IntN(2) == 0 {
			ip = netip.AddrFrom4([4]byte(raw[:4]))
		}
		p := netip.PrefixFrom(ip, rng.IntN(ip.BitLen()+1))
		other := p.Addr().AsSlice()
		other[rng.IntN(len(other))] ^= byte(1 << rng.IntN(8)) // one bit beside it
		b, _ := netip.AddrFromSlice(other)
		if ip.Is4In6() || b.Is4In6() {
			continue
		}
		table.AddNetwork(AnyProto, p, 0, Cause{Reasons: Prohibited}, 0)
		x := netio.AddrFrom(netip.AddrPortFrom(b, 5060))
		if e, got := table.Look(netio.UDP, &x, 1); got != p.Contains(b) || got && e.Prefix() != p.Masked() {
			t.Fatalf("%s holds %s: %v, %v", p, b, got, e.Prefix())
		}
		if !table.DeleteNetwork(AnyProto, p, 0) {
			t.Fatalf("%s is not there", p)
		}
	}
}

func TestNetworksEndAndAreTakenOut(t *testing.T) {
	table := testTable(t, entries(10))
	p, q, r := netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.2.0.0/16"),
		netip.MustParsePrefix("10.3.0.0/16")
	x, y, z := addr("10.1.2.3:4"), addr("10.2.2.3:4"), addr("10.3.2.3:4")
	add := func(p netip.Prefix, c Cause, nowMs int64, want Verdict) {
		t.Helper()
		if v := table.AddNetwork(AnyProto, p, 0, c, nowMs); v != want {
			t.Errorf("%s: %v, want %v", p, v, want)
		}
	}
	is := func(a *netio.Addr, nowMs int64, want bool) {
		t.Helper()
		if got := table.Listed(netio.UDP, a, nowMs); got != want {
			t.Errorf("%s at %d ms: %v", a, nowMs, got)
		}
	}
	add(p, Cause{Reasons: Prohibited, TTL: time.Second, Owner: "rpc"}, 0, Added)
	add(q, Cause{Reasons: Prohibited | Permanent, TTL: time.Second}, 0, Added)
	add(r, Cause{Reasons: Prohibited, TTL: time.Hour}, 0, Added)
	is(x, 999, true)
	is(x, 1000, false)
	is(y, 1<<40, true)
	add(p, Cause{Reasons: Timeout, TTL: time.Minute, Owner: "again"}, 500, Updated)
	if e, ok := table.Look(netio.UDP, x, 1000); !ok || e.Reasons != Prohibited|Timeout || e.SinceMs != 0 ||
		e.ExpiresMs != 60_500 || e.Owner.String() != "again" {
		t.Errorf("%+v", e)
	}
	table.Add(netio.UDP, x, Cause{Reasons: Timeout}, 0) // an entry of its own stands beside it
	page := make([]Entry, 1)
	var seen []string
	for cursor, first := uint32(0), true; first || cursor != 0; first = false {
		var n int
		if n, cursor = table.View(cursor, 1000, page); n == 1 {
			seen = append(seen, page[0].Addr.AddrPort().String())
		}
	}
	if len(seen) != 4 {
		t.Errorf("view in pages of one: %q", seen)
	}
	for _, done := table.GC(100_000); !done; _, done = table.GC(100_000) {
	}
	is(x, 100_000, false)
	is(z, 100_000, true)
	if table.DeleteNetwork(netio.UDP, r, 0) || table.DeleteNetwork(AnyProto, r, 1) ||
		table.DeleteNetwork(AnyProto, netip.MustParsePrefix("10.3.0.0/17"), 0) {
		t.Error("deleted what was not there")
	}
	if n := table.DeleteAll(); n != 1 {
		t.Errorf("%d deleted, want the one that is not permanent", n)
	}
	is(z, 1, false)
	is(y, 1, true)
	if !table.DeleteNetwork(AnyProto, q, 0) || !table.empty() {
		t.Error("an operator takes out a permanent one")
	}
	for i := range MaxNetworks {
		add(netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i)}), 16), Cause{Reasons: Prohibited, TTL: time.Second},
			0, Added)
	}
	add(p, Cause{Reasons: Prohibited}, 999, Full)
	add(p, Cause{Reasons: Prohibited}, 1000, Added) // the others have ended
	table.Enable(false)
	add(q, Cause{Reasons: Prohibited}, 0, Off)
}
