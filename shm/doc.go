// Package shm is step 0 of a packet's journey: the ground the other steps stand on.
//
// It keeps all call state off the Go heap, in one arena of fixed size that outlives the process:
// records in slabs, byte rings and mailboxes between shards, doorbells, locks, counters. The
// garbage collector sees none of it.
//
// # Ownership
//
//	what                 written by                          read by
//	Slab(i), Counters(i) shard i alone, no lock, no atomic   anybody, word by word
//	Ring(i, j)           shard i pushes, shard j pops        -
//	Mailbox(i)           any goroutine posts, shard i takes  -
//	Doorbell(i)          any goroutine rings, shard i arms   -
//	Shared(), Lock       any goroutine of any process        anybody
//
// # What kill -9 leaves behind
//
// The process may die between any two instructions, and the next one attaches the same memory and
// goes on. SIGKILL stops a thread at an instruction boundary: every store before it is in the arena
// and none after it is, so the order of the stores in the code is the whole of the protocol, and an
// atomic store is there to keep the compiler (and readers on other CPUs) to it.
//
//   - There is no address in the arena, only offsets (Off) and lengths.
//   - A record counts from the store of its Header.State to StateLive (Slab.Publish), its last.
//     Before that it is nothing.
//   - A record with Header.Owner set counts while its owner counts, and the owner, asked by
//     Recover, says it holds it. So a transaction and its buffers come to life in one store, and
//     die in one.
//   - A live record changes by single words, each of which leaves a valid one.
//   - Free lists, the pool's bitmap, use counts and heads of lists are conveniences of one process.
//     Recover rebuilds them by walking the slots; so must whoever keeps an index or a timer wheel
//     over records.
//
// Order of work for a record with parts: allocate the parts, set their Header.Owner to the record,
// fill, Publish them; fill the record, Publish it. To end: Free the record first, then its parts,
// and allocate nothing in between (a new record in the old one's slot would adopt what is left of
// it if the process died there). To swap a part: publish the new one, store its Off in the
// record, free the old one.
//
// # When not to use it
//
// For anything that holds a Go pointer, a file descriptor or a goroutine; for state that dies with
// the process anyway and is not per call; for one-off buffers at start-up. The Go heap is good at
// those.
package shm
