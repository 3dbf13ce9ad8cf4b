package blocklist

import "time"

const (
	// EntryBytes is what one entry takes of dst_blacklist_mem: a cache line. Kamailio's takes about
	// as much.
	EntryBytes = 64

	// DefaultMemBytes is Kamailio's dst_blacklist_mem, 250 KB: 3999 entries. Reached: expired
	// entries are given back, then Add says Full; a live entry is never put out.
	DefaultMemBytes = 250 << 10

	// MaxMemBytes bounds Config.MemBytes: entries and buckets share one slot of the arena, 16 MiB
	// (shm.MaxSlotBytes). 212,991 entries. Beyond it Validate refuses.
	MaxMemBytes = 13 << 20

	// blockLen is how many nodes or buckets one view covers: the unit in which the slot is mapped,
	// and minimum of both.
	blockLen = 64

	// maxChain bounds the entries of a bucket, and with them the steps of a look-up. Buckets are at
	// least as many as entries and the hash is keyed, so a chain of 10 is rare. Reached: Add says
	// Full.
	maxChain = 128

	// MaxNetworks bounds the networks there may be, each a comparison for every look-up that finds
	// no entry of its own: 64 B of the slot each. Reached: AddNetwork says Full.
	MaxNetworks = 64

	// lookTries is how often a look-up that was overtaken by a deletion in its bucket walks again
	// before it answers "not listed", counted in Stats.Torn.
	lookTries = 4

	// lockSpins is how often Add and GC try the lock, each a load and a compare-and-swap, before
	// they say Busy: about as long as the lock is held for one entry.
	lockSpins = 64

	// sweepBuckets bounds what an Add into a full table looks through for expired entries, and what
	// GC holds the lock for at once: a table of the default size as a whole, less than 0.1 ms.
	// Larger tables go on at the next Add or GC.
	sweepBuckets = 4096

	// operatorBatch is how many nodes or buckets View, Delete and DeleteAll look at before they let
	// others have the lock.
	operatorBatch = 256

	// collectPause is what Collect waits between two parts of a round: longer than a part takes.
	collectPause = time.Millisecond

	// OwnerBytes is the longest name of who listed an entry; a longer one is cut.
	OwnerBytes = 8

	// maxExpiry is the latest an entry may end, in ms of the caller's clock: what 48 bits hold,
	// 8900 years. Later is cut.
	maxExpiry = 1<<48 - 1

	// DefaultExpire is dst_blacklist_expire: how long an entry lives that is not listed again.
	DefaultExpire = 60 * time.Second

	// DefaultGCInterval is dst_blacklist_gc_interval. 0 is no GC: entries then end on look-up and
	// when the table is full.
	DefaultGCInterval = 60 * time.Second

	// MaxTTL bounds dst_blacklist_expire and the blst_ times: 24 days, what Kamailio's 32-bit ticks
	// hold.
	MaxTTL = 24 * 24 * time.Hour

	// DefaultMax503 is tm's blst_503_max_timeout.
	DefaultMax503 = 3600 * time.Second
)
