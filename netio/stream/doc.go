// Package stream is steps 1 and 6 of the packet's journey where the packet comes and goes by a connection: TCP, and TLS and WebSocket on it (RFC 3261 §18, RFC 7118).
// It accepts and dials, cuts the byte stream into messages, hands each to the shard that owns its call, and writes what the shards send.
//
//	acceptor ─┐                        ┌─ queue ──▶ shard 0: Port.Recv … Release
//	dialer  ──┴─▶ event loop (gnet) ───┤
//	              frames, writes       └─ queue ──▶ shard n: Port.Begin … End, Flush ──▶ outbox of the connection ──▶ its event loop
//
// Listeners and dials are ours (accept.go, dial.go), a connection joins one of the event loops when it is ready: after PROXY header and TLS handshake. gnet reads; what is
// written stays in our queues until the kernel takes it, since those of gnet have no limit.
//
// # Who may touch what
//
// An Engine's methods may be called from any goroutine. A Port belongs to one shard's goroutine. Of a conn, the fields below "loop" belong to the event loop it is in, those
// below "mu" to who holds mu. Nothing here ever waits for a shard, nor a shard for anything here.
//
// Received bytes are leased: valid until Port.Release. Sent bytes are copied by Append.
//
// # When not to use it
//
// For datagrams: netio. For clients of other protocols: this engine knows SIP's framing only.
package stream
