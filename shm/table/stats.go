package table

import "sync/atomic"

// Stats are what a table holds, and counts since it was made.
type Stats struct {
	Entries, MaxEntries uint64 // ended ones that Expire has not met included
	Bytes, MaxBytes     uint64 // of the entries, see EntryBytes; what its pages hold
	Refused             uint64 // puts for which there was no room
	Ended               uint64 // entries taken out by Expire
	Torn                uint64 // look-ups of this process that were overtaken lookTries times
}

// Len is how many entries there are, ended ones that Expire has not met included.
func (t *Table) Len() int { return int(atomic.LoadUint32(&t.root.used)) }

// Stats counts. What is told of a table that is in use may be of different moments.
func (t *Table) Stats() (s Stats) {
	r := t.root
	s.Entries, s.MaxEntries = uint64(atomic.LoadUint32(&r.used)), uint64(r.Entries)
	s.MaxBytes = uint64(r.Pages) * pageBytes
	for i := range r.Banks {
		s.Bytes += atomic.LoadUint64(&r.banks[i].bytes)
	}
	for i := range r.Stripes {
		s.Refused += atomic.LoadUint64(&r.stripes[i].refused)
		s.Ended += atomic.LoadUint64(&r.stripes[i].ended)
	}
	s.Torn = t.torn.Load()
	return s
}
