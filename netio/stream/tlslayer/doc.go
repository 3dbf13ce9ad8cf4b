// Package tlslayer is the TLS part of a stream on its way between the event loop and the framing of
// messages: records in, plain bytes out, and back. It lets the unmodified crypto/tls work on a
// connection that nobody reads but an event loop.
//
//	handshake goroutine            event loop
//	-------------------            ----------------------------------------------
//	Handshake(ctx, nc, …)
//	  tls reads and writes nc
//	  hands the Session over  ──▶  Feed(nil, …)      what the handshake read too far
//	                               Feed(bytes, …)    as they arrive
//	                               Pending()         to the wire, after each Feed
//	                               Seal(dst, plain)  to the wire
//	                               Close(dst)        to the wire, then close
//
// The handshake cannot stop half way and come back (crypto/tls keeps its error for good), so it
// blocks in a goroutine of its own. After it, a read that finds nothing returns a net.Error that
// says Temporary, which crypto/tls does not keep (conn.go, readRecordOrCCS, as of Go 1.26): the
// part of the record that came stays inside, and the next Feed goes on from there.
//
// # Ownership
//
// A Session belongs to one goroutine at a time: that of Handshake, afterwards the event loop's. It
// holds neither the net.Conn nor any slice it was given once the call is over. Plain bytes handed
// to emit are valid until emit returns.
//
// # When not to use it
//
// Where a goroutine per connection is affordable, a tls.Conn alone is simpler. Not for TLS below
// 1.2 (RFC 8996), which the tls.Config has to refuse.
package tlslayer
