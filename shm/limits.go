package shm

// Units of the arena. Off counts in Align, so the largest arena is 2^32 units.
const (
	// Align is the unit of Off and the alignment of every slot, in bytes: one cache line on amd64
	// and on most arm64.
	Align = 64

	// HeaderBytes is the size of Header, with which every slot begins.
	HeaderBytes = 16

	// MaxArenaBytes is what a 32-bit Off can name: 256 GiB. `-m` may ask for more (Kamailio's range
	// ends at 16 TiB); Create then says so.
	MaxArenaBytes = Align << 32

	// MinArenaBytes is the smallest arena Create accepts: the Kamailio `-m` unit, 1 MB. With rings
	// for several shards the true minimum is higher and the error names it.
	MinArenaBytes = 1 << 20

	// MaxShards bounds Config.Shards: shard numbers are 16 bits in a chunk's word, and rings grow
	// with the square of the shards (1024 × 1023 rings of the smallest size fill 132 GiB).
	MaxShards = 1024
)

// Slots and chunks.
const (
	// chunkBytes is the unit the slabs take from the common pool: one size class per chunk. 256 KiB
	// holds 2 slots of the largest class and 4096 of the smallest; smaller chunks would cost
	// descriptors, larger ones strand memory in classes that are hardly used (one chunk per class
	// and shard).
	chunkBytes = 256 << 10
	chunkUnits = chunkBytes / Align

	// MaxSlotBytes is the largest Alloc, header included: 16 MiB, a span of 64 contiguous chunks (a
	// bitmap word of the pool). SIP over streams needs 1 MiB (Kamailio's tcp_rd_buf_size and a
	// generous body). Alloc beyond it is a bug of the caller.
	MaxSlotBytes  = maxSpanChunks * chunkBytes
	maxSpanChunks = 64

	// maxClassBytes is the largest size class; above it a slot is a span of whole chunks.
	maxClassBytes = chunkBytes / 2

	// maxOwnerDepth bounds how many owners in a row Recover follows (record → branch → message is
	// 2). A longer chain, or a cycle, was not written by us: such slots are reclaimed.
	maxOwnerDepth = 8

	// recentSlots is how many of the slots it allocated last a slab remembers, a power of two: more
	// than one message can take, with every branch that package txn allows (30), its CANCEL, and
	// the bytes of both. What is older was finished long ago.
	recentSlots = 128

	// spareFloor is how many chunks the pool must still have, per slab, for a slab to keep one
	// empty chunk of a class against thrashing. Below it every empty chunk goes back at once, so
	// that what is scarce is shared.
	spareFloor = 8
)

// Rings, mailboxes, locks.
const (
	// MinRingBytes is the smallest ring: it always takes one UDP datagram of 65,507 bytes with 1
	// KiB of the pusher's own.
	MinRingBytes = 128 << 10
	// DefaultRingBytes is used for Config.RingBytes 0, unless the rings of all pairs together would
	// take more than a quarter of the arena: then MinRingBytes.
	DefaultRingBytes = 256 << 10
	// MaxRingBytes bounds Config.RingBytes: positions inside a record's header are 32 bits.
	MaxRingBytes = 1 << 30

	// mailboxSlots is how many Mails one shard's mailbox holds: 64 KiB per shard. A poster that
	// finds it full keeps its mail and tries again later; requests in flight are bounded elsewhere
	// (resolver, probes).
	mailboxSlots = 1024

	// lockSpins is how often Get looks at a held lock before it asks the kernel to sleep: some 100
	// ns, longer than the critical sections it is for and shorter than a futex call (about 1
	// µs with the wake-up).
	lockSpins = 64
)
