// Package blocklist remembers destinations that did not answer, so that nobody waits for them again
// soon: Kamailio's destination blacklist (dst_blocklist, before 5.5 dst_blacklist). It stands
// beside step 5 of a packet's journey, which asks it before it sends.
//
// The table is one slot of the arena's shared slab, common to all shards and of fixed size; entries
// are keyed by (protocol or any, IP address, port) and end by themselves.
//
// # Ownership
//
//	Listed, Look       any shard, on the packet's path: no lock, no allocation, bounded steps
//	Collect            a goroutine of its own
//	Add, GC            anybody, never waits: who finds the table busy is told so
//	AddWaiting, View,  operators: they wait for the table's lock, and hold it for some entries
//	Delete, DeleteAll  at a time, a bounded number
//	Settings, Stats    anybody, atomics
//
// Times are milliseconds of one clock, the callers': the same for every shard, for operators, and
// for the process that adopts the table (the wall clock, or CLOCK_MONOTONIC while the machine
// runs).
//
// # How readers and writers meet
//
// Writers hold Root.lock. A reader holds nothing and follows a bucket's chain, whose every change
// is one store:
//
//	writer                                         what a reader on its way sees
//	add:    fill a node nobody can reach,          nothing
//	        life = …, bucket.head = node           the entry, or not yet
//	again:  life = flags and expiry in one word    the old or the new
//	delete: life = 0                               the entry is gone
//	        predecessor.next = node.next           it stands on the node, whose next is as it was
//	        bucket.gen++                           from here on the node may be used anew:
//	        node.next = free list                  whoever read gen before walks once more
//
// A reader that finds gen as it was has met only nodes of this bucket, each whole. One that is
// overtaken lookTries times answers "not listed", counted: sending once more to a dead destination
// is what would happen without the table.
//
// # What kill -9 leaves behind
//
// A node counts while its life word is not 0: stored last by add, first by delete. Chains, the free
// list and the counts are rebuilt from the nodes by New, which adopts the table it finds in a
// recovered arena.
//
// # When not to use it
//
// For balancing among known destinations (package balance probes those), or for blocking senders.
package blocklist
