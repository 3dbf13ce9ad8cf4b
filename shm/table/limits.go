package table

const (
	// MaxTables is how many tables a directory has room for. Reached: Directory.Table says what to
	// do.
	MaxTables = 256

	// MaxName is the longest name of a table, in bytes.
	MaxName = 64

	// MaxEntries bounds Config.Entries: 64 slots of buckets.
	MaxEntries = maxBucketSlots * bucketsPerSlot

	// MaxKey is the longest key, in bytes: a Call-ID or a URI as SIP servers meet them.
	// Config.MaxKey may be less. A longer one is TooLong.
	MaxKey = 1024

	// MaxValue is the longest text, in bytes: a page's less the longest key. Config.MaxValue may be
	// less. A longer one is TooLong.
	MaxValue = pageBytes - recordBytes - MaxKey

	// MaxBytes bounds Config.Bytes: 1,024 regions, nearly 16 GiB.
	MaxBytes = (maxRegions - 1) * dataPages * pageBytes

	// defaultEntryBytes is what Config.Bytes 0 takes for each entry: a key of 40 bytes and a text
	// of 64, or a key of 88 and a number.
	defaultEntryBytes = 128
)

const (
	// pageBytes is the unit in which size classes share a table: 256 records of the smallest class,
	// one of the largest. A class in use strands up to a page in each bank.
	pageBytes = 16 << 10

	// linkUnit is the unit of links, in bytes: they reach 128 GiB.
	linkUnit = 32

	// regionPages is how many pages a region has at most, in 16 MiB (shm.MaxSlotBytes); the first
	// headPages hold its header and its descriptors.
	regionPages = 1024
	headPages   = 2
	dataPages   = regionPages - headPages
	maxRegions  = 1024

	// bucketsPerSlot is how many buckets a slot of the arena holds, 8 MiB.
	bucketsPerSlot = 1 << 20
	maxBucketSlots = 64
	minBuckets     = 64

	// maxStripes is how many locks a table has, each for a range of buckets: who comes while 16
	// others hold one waits in 6 of 100 calls.
	maxStripes = 256

	// maxBanks is how many allocators a table has. A writer holds one for some 10 ns, beside its
	// stripe. A table has one for every bankPages pages.
	maxBanks  = 8
	bankPages = 128

	// maxChain bounds the records of a bucket, and with them the steps of a look-up. Buckets are at
	// least as many as entries and the hash is keyed, so a chain of 10 is rare. Reached: Full.
	maxChain = 128

	// lookTries is how often a look-up that was overtaken in its bucket walks again before it takes
	// the lock, counted in Stats.Torn.
	lookTries = 8

	// spareSlots is how many free records of a class are left for changes of texts that are there,
	// once no page is free: as many writers may change one at the same time.
	spareSlots = 8

	// maxSparePages is how many pages are left for them while there are some: one for each of so
	// many classes.
	maxSparePages = 8

	// never is the latest time an entry may end, in ms: what 48 bits hold, 8,900 years. Later is
	// cut.
	never = 1<<48 - 1
)
