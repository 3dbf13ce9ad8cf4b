// Package place decides where the work of shards runs, and whether it is taken on: the CPU that a
// shard is pinned to (Placement), the part of the new calls that it refuses (Overload), and whether
// the kernel goes on bringing datagrams to their owners (Arrivals).
//
// It measures and decides. What follows for a packet, and what the log says of it, is the shard's,
// but for the moves of Placement, which has a goroutine beside the shards. Arrivals and Overload
// belong to one shard each and take no lock; their clock is an argument.
//
// Do not use it for decisions about a single call: which destination it goes to is package
// balance's, and what room it needs the arena's.
package place
