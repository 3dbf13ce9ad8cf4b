// Package proxy is step 5 of the packet's journey: it says what next.
//
// For a request that the routing program has looked at, the package plans the edits of RFC 3261
// §16.6 (Via, Record-Route, Max-Forwards, Route), picks the destination and sends the request, with
// a transaction or without. For a response it follows §16.7; for one that never came, §16.8 and
// §16.9. A request may have several branches, at once or one after the other; [Script] is how the
// operator's routes take part in that.
//
// # Ownership
//
// A [Core] belongs to one shard, and its one [Request] is the request under way. Edits are planned
// on spans of the received bytes ([Plan]). They are written once: into the arena where a
// transaction must be able to repeat them, else as an iovec over the received bytes. Bytes made for
// a batch lie in the Core's scratch and in the received frames, and stay until [Core.Release].
//
// Do not use it to answer for a user agent: the only responses made here are those that a proxy may
// make (§16.1, §16.8, §16.9) and those that the routing program asks for.
package proxy
