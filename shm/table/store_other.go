//go:build !amd64

package table

import "sync/atomic"

// store fills a word of a record that nobody counts yet; behind the generation, for a late reader's
// sake.
func store(p *uint64, v uint64) { atomic.StoreUint64(p, v) }
