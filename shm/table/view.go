package table

// View calls f for the entries of about page buckets, with no lock held, beginning at cursor, and
// returns where to go on: 0 begins, and 0 means that was all. An entry that is there from the first
// call to the last is told once, changed or not; one that comes or goes meanwhile may be told or
// not. It allocates.
func (t *Table) View(cursor uint32, now int64, page int, f func(*Entry)) (next uint32) {
	var buf []byte
	var all []Entry
	for range page {
		if cursor > t.mask {
			return 0
		}
		all, buf = t.viewBucket(cursor, now, all[:0], buf[:0])
		for i := range all {
			f(&all[i])
		}
		cursor++
	}
	if cursor > t.mask {
		return 0
	}
	return cursor
}

// viewBucket copies the entries of a bucket that have not ended.
func (t *Table) viewBucket(bucket uint32, now int64, all []Entry, buf []byte) ([]Entry, []byte) {
	s := t.lockFor(bucket)
	defer s.lock.Release()
	for link := bucketHeadLink(*t.bucket(bucket)); link != 0; link = chainNext(t.at(link).chain) {
		r := t.at(link)
		if lifeOver(r.life, now) {
			continue
		}
		n := sizeKey(r.size) + sizeValue(r.size)
		if cap(buf)-len(buf) < n {
			buf = make([]byte, 0, max(4096, n))
		}
		var e Entry
		t.copyEntry(r, &e, buf[len(buf):len(buf)+n])
		buf = buf[:len(buf)+n]
		all = append(all, e)
	}
	return all, buf
}

// Clear takes every entry out and says how many. Entries that are put meanwhile may stay.
func (t *Table) Clear() (deleted int) {
	for i := range t.mask + 1 {
		deleted += t.clearBucket(i)
	}
	return deleted
}

func (t *Table) clearBucket(i uint32) (deleted int) {
	s := t.lockFor(i)
	defer s.lock.Release()
	for {
		p := place{bucket: t.bucket(i)}
		if p.link = bucketHeadLink(*p.bucket); p.link == 0 {
			return deleted
		}
		p.r = t.at(p.link)
		t.unlink(&p)
		deleted++
	}
}
