//go:build !race

package route

// bump adds n to a counter that only one shard writes. Others may read it at any time.
func bump(p *uint64, n uint64) { *p += n }
