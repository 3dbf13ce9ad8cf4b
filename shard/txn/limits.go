package txn

import "time"

// Limits of this package.
const (
	// maxKeyBytes bounds the match key of a request. A longer one (a branch of
	// several hundred bytes) keeps its first bytes and a hash of the rest.
	maxKeyBytes = 512

	// MaxBranches is how many branches one transaction may have, serial ones
	// included (Kamailio's max_branches goes to 30 as well). Reached: no further
	// destination is tried and the best answer so far goes upstream.
	MaxBranches = 30

	// MaxPayloadBytes is the longest UDP payload over IPv4 (RFC 768, RFC 791):
	// 65,535 less the headers of UDP and IP. A CANCEL that a Reason makes longer
	// leaves without it.
	MaxPayloadBytes = 65507

	// limboSlots is how many slots may wait for [Table.Reclaim] before the list
	// grows. A batch leaves at most a few per message.
	limboSlots = 4096

	// recordBytes is the least arena that a transaction takes in practice: 32 s after a call its
	// two transactions take 1,008 bytes, and during the call one takes 1.6 KiB. The index has at
	// least 1.5 slots for each recordBytes of a shard's part of the arena. So with a single shard
	// the arena is full before the index, unless most transactions never leave the server side; and
	// one of several shards has room for a third more calls than its share.
	recordBytes = 512

	// minIndexSlots and maxIndexSlots bound the index: 32 KiB and 1 GiB. For 2 GiB of arena it is
	// 64 MiB.
	minIndexSlots, maxIndexSlots = 1 << 12, 1 << 27

	// indexReserve is the part of the index (1/indexReserve) that new calls may not take from. If
	// the arena keeps more records than that for other requests, as many slots are kept.
	indexReserve = 16
)

// sameCall is how many transactions with one Call-ID and CSeq number the index of calls has, see
// calls.go. An honest peer that forks before us makes a few. Reached: further ones are counted, and
// not found by their Call-ID.
const sameCall = 16

// lifeGuard bounds a transaction that nobody answers and that has no branch:
// the routing program made it and left it. RFC 3261 has no timer for it.
const lifeGuard = 32 * time.Second

// heldGuard is how much longer a record stays after its time is over, while a run that needs it
// waits. The runs have deadlines of their own.
const heldGuard = time.Second

// maxHeld is how many slots of a Held list recovery looks at; package proxy holds fewer.
const maxHeld = 128

// maxRetransmitInterval stops Timer A's doubling from overflowing when fr_timer
// was set to hours; the RFC's own series ends at 32 s.
const maxRetransmitInterval = 64 * time.Second
