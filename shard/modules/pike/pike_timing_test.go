package pike

import (
	"fmt"
	"net/netip"
	"testing"

	"viaduct/netio"
	"viaduct/shard/route"
)

// BenchmarkCheck counts requests of 50,000 addresses that are known, BenchmarkFlood those of one
// that is blocked.
func BenchmarkCheck(b *testing.B) { benchmark(b, 50_000, 1) }
func BenchmarkFlood(b *testing.B) { benchmark(b, 1, -1) }

func benchmark(b *testing.B, addresses int, want route.Result) {
	be := newBench(b, fmt.Sprintf(`modparam("pike", "reqs_density_per_unit", %d)`, maxDensity/addresses/enough+1))
	from := make([]netio.Addr, addresses)
	for i := range from {
		from[i] = netio.AddrFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}),
			5060))
	}
	if want > 0 {
		*be.p.density = maxDensity
	}
	for range enough * *be.p.density {
		be.p.check(be.Ctx, &from[0])
		if want > 0 {
			break
		}
	}
	i := 0
	for b.Loop() {
		if got := be.p.check(be.Ctx, &from[i]); got != want && want < 0 {
			b.Fatal(got)
		}
		if i++; i == len(from) {
			i = 0
		}
	}
}
