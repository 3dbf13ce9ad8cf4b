// Package stream is steps 1 and 6 of the packet's journey where the packet comes and goes by a
// connection: TCP, and TLS and WebSocket on it (RFC 3261 §18, RFC 7118). It accepts and dials, cuts
// the byte stream into messages, hands each to the shard that owns its call, and writes what the
// shards send.
//
//	acceptor ─┐                        ┌─ queue ──▶ shard 0: Port.Recv … Release
//	dialer  ──┴─▶ event loop (gnet) ───┤
//	              frames, writes       └─ queue ──▶ shard n: the same
//
//	shard: Port.Begin … End, Flush ──▶ the wire, or outbox of the connection ──▶ its event loop
//
// Listeners and dials are ours (accept.go, dial.go), a connection joins one of the event loops when
// it is ready: after PROXY header and TLS handshake. gnet reads; what is written stays in our
// queues until the kernel takes it, since those of gnet have no limit.
//
// # Who may touch what
//
// An Engine's methods may be called from any goroutine. A Port belongs to one shard's goroutine. Of
// a conn, the fields below "loop" belong to the event loop it is in, those below "mu" to who holds
// mu. Nothing here ever waits for a shard, nor a shard for anything here.
//
// Received bytes are leased: valid until Port.Release. Sent bytes are copied by Append.
//
// # Limits and order
//
// What a peer does not take is bounded as Kamailio bounds it (Limits.ConnWqMax, WqMax,
// SendTimeout), with one difference: it writes each message to the socket at once, here what a
// shard cannot write itself (direct.go) waits for the event loop, a few microseconds. So the limits
// count only from when the kernel has refused bytes. Messages by one connection leave and arrive in
// order; those of one shard to one destination do too, since they use one connection.
//
// A connection whose shard has no room for its messages is parked: nothing is read from it until
// there is. A connection is never paused for another's sake.
//
// A failed message is told of by its token in Port.Failures, once. A message that was written is
// told of when its connection ends within 32 s without our doing: its peer may not have read it. A
// response has no token; Port.Last tells at once whether its connection is still there.
//
// # When not to use it
//
// For datagrams: netio. For clients of other protocols: this engine knows SIP's framing only.
package stream
