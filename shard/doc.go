// Package shard is the packet's whole journey on one CPU: it receives a batch, parses each message,
// hands those of other shards to their owners, and takes the rest through transaction, routing
// program and proxy back to the wire.
//
// # Ownership
//
// One shard is one goroutine locked to one thread pinned to one CPU, with its own epoll instance,
// sockets and part of the arena. A call, its requests and responses both ways, belongs to the shard
// that its Call-ID names (package netio/steer), so everything that a shard keeps has one writer and
// no lock. What shards share is immutable (the routing program, the listeners), swapped by pointer
// (the destination sets), or a ring between two of them.
//
// On this path nothing blocks, logs, or allocates on the Go heap; shard/loop.go is
// the place to start reading.
//
// Do not use this package to serve anything but datagrams: streams have their own engine, which
// cuts the bytes into messages and posts these to the shards.
package shard
