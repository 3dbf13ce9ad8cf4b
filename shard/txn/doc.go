// Package txn is step 3 of the packet's journey: it knows whether we have met.
//
// It keeps the client and server transactions of one shard (RFC 3261 §17 with the Accepted state of
// RFC 6026) and their timers, absorbs retransmissions and sends its own. What a message means for
// the call is not its business: finals, time-outs and transport errors are told to the [User],
// which is package proxy.
//
// # Ownership
//
// A [Table] belongs to one shard and is touched from its goroutine only, so it
// has no lock. Transactions and branches are records in the shared arena, named
// by offset; a *Tx or *Branch is a view that is valid until the record ends, so
// none is kept across batches. Nothing here allocates on the Go heap.
//
// Memory that leaves the state machines during a batch (an old response that was replaced, a
// transaction that ended) may still be referenced by a datagram waiting in the send queue. It is
// set aside and freed by [Table.Reclaim], which the shard calls once the queue was flushed.
//
// # What survives a kill
//
// Records are complete without the hash index and the timer wheel, which are
// caches outside the arena: each record holds its match key, its deadlines and
// the offsets of the messages it may have to send again.
//
// Do not use this package for dialogs or registrations: it forgets a
// transaction as soon as the RFC allows.
package txn
