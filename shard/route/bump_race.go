//go:build race

package route

import "sync/atomic"

// bump is for the race detector, which takes a single writer for a race.
func bump(p *uint64, n uint64) { atomic.AddUint64(p, n) }
