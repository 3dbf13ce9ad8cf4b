// Package control is the process around the shards: its log, its pid file, its identity, its daemon
// parent, and the sockets and files where operators and service managers ask how it is. No packet
// passes through here, and nothing here may be called from a shard.
//
// Everything in this package may block, allocate and fail; so none of it is fit for the packet
// path. Ownership is simple: each value belongs to the main goroutine unless its document says
// otherwise.
package control
