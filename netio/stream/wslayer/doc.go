// Package wslayer is the WebSocket part of a stream on its way between the event loop (or TLS, for
// WSS) and the shard: bytes in, SIP messages out, and back. It is the server's side of RFC 6455
// with the subprotocol of RFC 7118: first the HTTP upgrade, then frames. One WebSocket message is
// one SIP message (RFC 7118 §5), so nothing here looks for a Content-Length, and a message may do
// without one.
//
//	bytes ─▶ Feed ─▶ upgrade ─▶ frames ─▶ messages ─▶ emit
//	                    │          │
//	                    ▼          ▼
//	                  reply      reply: pong, close, CRLF
//
// # Ownership
//
// A Session belongs to one goroutine. Feed takes all it is given: a header or frame begun stays in
// the session, within the limits of Config, and nothing of in is kept. It unmasks frames in place,
// so in must be the caller's to write to. What emit and reply are given is valid until they return,
// and must not be changed.
//
// # When not to use it
//
// For the client's side of a WebSocket. For compressed frames: no extension is negotiated (RFC 7692
// saves little on SIP and costs a window per connection). Time limits are the caller's: a Session
// has no clock.
package wslayer
