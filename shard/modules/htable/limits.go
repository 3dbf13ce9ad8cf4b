package htable

import "time"

const (
	// maxIterators is how many iterators a shard has, as in Kamailio. Reached: sht_iterator_start()
	// is false.
	maxIterators = 4

	// A table has from 2^minSize to 2^maxSize slots, as in Kamailio, which takes the nearest for
	// others; without a size 2^defaultSize.
	minSize, maxSize, defaultSize = 3, 14, 4

	// entriesPerSlot and minEntries say how many entries a table has room for that does not say it:
	// 131,072 for the largest.
	entriesPerSlot = 8
	minEntries     = 1024

	// wholeWalk is how many entries a shard goes through in one go: up to 1 ms. Beyond: a goroutine
	// does, and the run waits, see walks.go.
	wholeWalk = 4096

	// walkedInMs is how many entries $shtcn and $shtcv look at in a millisecond, in a table that is
	// in no cache: a variable cannot wait.
	walkedInMs = 1000

	// maxWalks is how many such goroutines there are at once. Reached: the function is false, and
	// the log says so.
	maxWalks = 16

	// walkPage is how many entries one of them looks at before others may have its processor.
	walkPage = 256

	// walkWithin is how long a run waits for it; 1,000,000 entries take some 1 s. Beyond: the
	// function is false, and what is to be taken out is taken out all the same.
	walkWithin = 30 * time.Second

	// locksPerTable is how many locks sht_lock() shares out among the keys of a table.
	locksPerTable = 256

	// lockWait is how long a run waits for a key that another one holds, and its shard with it:
	// between sht_lock() and sht_unlock() are microseconds, since a run that waits for an answer
	// lets its keys go. The one that waits gives its CPU away meanwhile, so that a shard on the
	// same CPU goes on; for one that lost its own to another program nobody stands by: that takes
	// milliseconds, which every call of this shard would feel. The run is not held for it: an
	// assignment cannot be, and a reply route either. Reached: sht_lock() is false, an assignment
	// is refused, both counted.
	lockWait = time.Millisecond

	// commandLockWait is the same for a command, which keeps nobody waiting.
	commandLockWait = 100 * time.Millisecond

	// fileBytes is the longest file of a table's entries. Beyond: it is refused.
	fileBytes = 64 << 20

	// maxPrinted is how many entries sht_print() writes of a table.
	maxPrinted = 1000

	// maxDumped is how many entries htable.dump tells at once.
	maxDumped = 10_000

	// endedAtOnce is how many records are looked at in one go for those that have ended, 20 µs.
	endedAtOnce = 4096

	// tellEvery is how often a shard looks for entries that have ended and have an event route.
	// It looks at tellLooks times tellStep records then, 75 µs, and goes on after some
	// expiredAtOnce that it has told of: it does nothing else meanwhile.
	tellEvery     = 100 * time.Millisecond
	tellLooks     = 64
	tellStep      = 256
	expiredAtOnce = 1000
)
