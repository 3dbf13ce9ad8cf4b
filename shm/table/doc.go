// Package table is part of step 0 of a packet's journey: hash tables in the arena, found by name
// after a kill, which hold the state that outlives a message and belongs to no transaction. It is
// package blocklist's table with keys and values of any kind.
//
// A key is bytes. A value is a 64-bit number or a text, and ends at a time or never. A table has a
// fixed size. Its memory is taken from the arena when it is made, and never later; when that is
// used up it refuses, it never puts an entry out.
//
// # Ownership
//
//	Get                          any goroutine, on the packet's path: no lock, no allocation
//	Put, Insert, Add, Create,    any goroutine, on the packet's path: no allocation; they wait for
//	CompareAndPut, SetDeadline,  the lock of a part of the table, which is held for some 100 ns
//	Delete, CompareAndDelete
//	Walk                         one goroutine each; it waits for the same lock, once a bucket
//	Expire                       one goroutine at a time, not a shard's; for a second one there is
//	                             nothing to do
//	View, Clear                  operators
//	Stats                        anybody
//	Open, Directory.Table, Drop  start and reload
//
// Times are milliseconds of CLOCK_MONOTONIC, which is one clock for all processes since the machine
// was booted. After the next boot they mean nothing, so a directory that an earlier boot made is
// made anew.
//
// # Memory
//
// A table is a root, its buckets, and regions of pages. A page holds records of one size class; the
// root's banks keep lists of pages that have room, so that writers of different keys rarely meet in
// one.
//
//	root      one slot: sizes, the locks of the stripes, the banks, where the other slots are
//	buckets   slots of up to 2^20 words: generation 32 | first record 32
//	regions   slots of up to 16 MiB
//	          +--------+---------------------+---------+---------+-----+
//	          | Header | a descriptor a page | page 2  | page 3  |  …  |
//	          +--------+---------------------+---------+---------+-----+
//	            two pages of 16 KiB together   records of one class each
//
// A link names a record: its distance from the first region's beginning in units of 32 bytes,
// regions counted as 16 MiB; 0 ends a chain.
//
//	 63                          32 31          16 15       8 7        0
//	+------------------------------+--------------+----------+----------+
//	| next record                  | hash                               |  chain
//	+------------------------------+--------------+----------+----------+
//	| deadline in ms                              | version  | kind     |  life
//	+---------------+--------------+--------------+----------+----------+
//	| value's bytes | key's bytes  | sequence                           |  size
//	+---------------+--------------+------------------------------------+
//	| key, filled up to a word with zeros, then the value in the same way
//	+--------------------------------------------------------------------
//
// A number has two words for its value: the version's lowest bit says which one counts.
//
// # How readers and writers meet
//
// Writers hold the lock of the stripe, a range of buckets. A reader holds nothing and follows its
// bucket's chain:
//
//	writer                                            what a reader on its way sees
//	new:     fill a record nobody can reach,          nothing
//	         life = …, bucket = it                    the entry, or not yet
//	number:  the value word that does not count,      the old value
//	         life = the other version                 the old or the new; life is looked at again
//	text:    fill another record, life = …            the old text
//	         predecessor or bucket = the other one    the old or the new
//	         bucket's generation + 1                  from here on the old record may be used
//	         the old one's life = 0                   anew: whoever read the generation before
//	                                                  walks once more
//	delete:  life = 0                                 the entry is gone
//	         predecessor = next, generation + 1       as above
//
// A reader that finds the generation as it was has met only records of its bucket, each whole. What
// it reads of a record that was used anew may be any bytes, so it believes no link and no length
// before it has checked that they stay inside the region. One that is overtaken lookTries times
// takes the lock, counted.
//
// # What kill -9 leaves behind
//
// A record counts while its life is not 0: stored last when it is made, first when it goes. A text
// that was being changed may be there twice; the one with the higher sequence counts. Chains, lists
// of free records and pages, and counts are made anew from the pages when a process takes the table
// over. A page's descriptor says its class and how many of its records were ever used; their life
// is set to 0 first. A table counts once the directory names it, in one store; slots that no
// directory names are given back by Open. So a table is after a kill as it was before the call at
// hand, or as it is after it.
//
// # When not to use it
//
// For what belongs to a call (the transaction's saved slot), to one shard (the Go heap), or dies
// with the process anyway. For values that many change at once by reading and writing back: Add and
// CompareAndPut are for that, and a list of things in one value is not.
package table
