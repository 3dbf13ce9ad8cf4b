// Package steer is the kernel's half of step 1 of the packet's journey: it defines which shard owns
// a call, and loads the program that makes the kernel deliver a datagram to the owner's socket.
//
// Ownership is decided by Owner alone, in user space, for every message. The kernel program is a
// hint on top of it: a datagram may arrive elsewhere (an odd spelling, a sender using UDP
// segmentation offload, a kernel without the program), and the shard that receives it hands it on.
// Do not use the program for one shard, nor for streams.
package steer

import "github.com/cespare/xxhash/v2"

// Owner returns the shard, 0 … shards-1, that owns the call with this Call-ID. It is the high half
// of XXH64 (seed 0) of the Call-ID's bytes, scaled by multiply-shift: no division, any number of
// shards. Peers of a hot upgrade and the kernel program (steer.c) compute the same.
func Owner(callID []byte, shards int) int {
	return int(xxhash.Sum64(callID) >> 32 * uint64(shards) >> 32)
}

// Flow names the call with this Call-ID for netio.Port.Flow: never 0, and two calls of one batch
// have the same one once in 2³¹.
func Flow(callID []byte) uint32 { return uint32(xxhash.Sum64(callID)) | 1 }
