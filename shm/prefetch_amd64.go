package shm

// Prefetch asks for the cache line that word lies in, and does not wait for it. It has no effect on
// what the program does, only on how long the first use of that line takes.
//
//go:noescape
func Prefetch(word *uint64)
