package blocklist

import (
	"net/netip"
	"testing"
	"time"

	"viaduct/netio"
)

// filled has 3000 live entries; ports below 3000 are listed.
func filled(t testing.TB) *Table {
	table := testTable(t, nil)
	for i := range 3000 {
		a := addr("198.51.100.1:1")
		a.Port = uint16(i)
		if v := table.Add(netio.UDP, a, Cause{Reasons: Timeout, TTL: time.Hour}, 0); v != Added {
			t.Fatal(v)
		}
	}
	return table
}

func BenchmarkListed(b *testing.B) {
	f := func(name string, table *Table, base uint16, want bool) {
		b.Run(name, func(b *testing.B) {
			a := addr("198.51.100.1:1")
			for i := range b.N {
				a.Port = base + uint16(i)%3000
				if table.Listed(netio.UDP, a, 1) != want {
					b.Fatalf("port %d: want %v", a.Port, want)
				}
			}
		})
	}
	off := filled(b)
	off.Enable(false)
	f("off", off, 0, false)
	f("empty", testTable(b, nil), 0, false)
	f("miss", filled(b), 10_000, false)
	f("hit", filled(b), 0, true)
	networks := filled(b)
	for i := range MaxNetworks {
		networks.AddNetwork(AnyProto, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i)}), 16), 0,
			Cause{Reasons: Prohibited, TTL: time.Hour}, 0)
	}
	f("miss-networks", networks, 10_000, false)
}

func BenchmarkAdd(b *testing.B) {
	table := filled(b)
	a := addr("198.51.100.1:1")
	for i := range b.N {
		a.Port = uint16(i) % 3000
		if v := table.Add(netio.UDP, a, Cause{Reasons: Timeout, TTL: time.Hour, Owner: "timeout"}, 1); v != Updated {
			b.Fatal(v)
		}
	}
}

// An Add into a table full of live entries costs no sweep.
func BenchmarkAddFull(b *testing.B) {
	table := testTable(b, entries(3000))
	a := addr("198.51.100.1:1")
	for i := range 3000 {
		a.Port = uint16(i)
		table.Add(netio.UDP, a, Cause{Reasons: Timeout, TTL: time.Hour}, 0)
	}
	a.Port = 9999
	for range b.N {
		if v := table.Add(netio.UDP, a, Cause{Reasons: Timeout}, 1); v != Full {
			b.Fatal(v)
		}
	}
}

// TestNoAllocation: neither a look-up nor an Add makes garbage.
func TestNoAllocation(t *testing.T) {
	table := filled(t)
	a, c := addr("198.51.100.1:77"), Cause{Reasons: Timeout, Owner: "timeout"}
	fresh := addr("198.51.100.2:77")
	n := testing.AllocsPerRun(100, func() {
		table.Listed(netio.UDP, a, 1)
		table.Look(netio.UDP, a, 1)
		table.Add(netio.UDP, a, c, 1)
		table.Add(netio.UDP, fresh, c, 1)
		table.Delete(netio.UDP, fresh)
		table.GC(1)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
