//go:build !amd64

package shm

import "sync/atomic"

// storeRelease stores v after every store before it in the program; on arm64 this is one STLR.
func storeRelease(p *uint32, v uint32) { atomic.StoreUint32(p, v) }
