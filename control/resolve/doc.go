// Package resolve finds where SIP names lead: RFC 3263 over its own cache. It stands beside the
// packet's path: a shard reads the cache (Lookup) and parks the call while goroutines of this
// package ask the servers (Ask). It implements proxy.Resolver.
//
// There are two caches. The plans hold one finished result per question that a shard can ask,
// ordered and weighted, so that Lookup only draws by the seed; they are immutable and reached by
// atomic pointers. The records, by name and type, are behind a mutex that is never held during
// anything slow, and for which no shard waits. Every change by an operator or a file starts a new
// epoch, in which plans of older epochs do not count any more.
//
// Ownership: what Lookup and Ask are given stays the caller's; the plans belong to the garbage
// collector once published.
//
// Do not use it for names that only the start of the process needs (listen addresses, dispatcher
// files): those may block, and net.Resolver will do.
package resolve
