//go:build !amd64

package shm

// Prefetch does nothing here: see prefetch_amd64.go.
func Prefetch(*uint64) {}
