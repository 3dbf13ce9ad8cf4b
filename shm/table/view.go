package table

import "sync/atomic"

// Walk tells a table entry by entry. It copies a bucket at a time and holds no lock while the
// caller looks, so that an entry which is there from the first step to the last is told once,
// changed or not; one that comes or goes meanwhile may be told or not. A Walk keeps its buffers:
// one that is begun again allocates nothing once they have grown. It belongs to one goroutine.
type Walk struct {
	t      *Table
	bucket uint32 // the next one to be copied
	all    []Entry
	next   int
	buf    []byte
}

// Begin starts again, at the beginning of a table.
func (w *Walk) Begin(t *Table) { w.begin(t, 0) }

func (w *Walk) begin(t *Table, bucket uint32) {
	w.t, w.bucket, w.all, w.next = t, bucket, w.all[:0], 0
}

// Next is the next entry, valid until the call after it. It returns nil if that was all.
func (w *Walk) Next(now int64) *Entry {
	for w.next == len(w.all) {
		if w.t == nil || w.bucket > w.t.mask {
			return nil
		}
		w.copyBucket(now)
	}
	w.next++
	return &w.all[w.next-1]
}

// copyBucket copies the entries of the next bucket that have not ended.
func (w *Walk) copyBucket(now int64) {
	t := w.t
	w.all, w.buf, w.next = w.all[:0], w.buf[:0], 0
	if t.isEmpty(w.bucket) {
		w.bucket++
		return
	}
	s := t.lockFor(w.bucket)
	defer s.lock.Release()
	for link := bucketHeadLink(*t.bucket(w.bucket)); link != 0; link = chainNext(t.at(link).chain) {
		r := t.at(link)
		if lifeOver(r.life, now) {
			continue
		}
		n := sizeKey(r.size) + sizeValue(r.size)
		if cap(w.buf)-len(w.buf) < n { // what was copied before stays where it is
			w.buf = make([]byte, 0, max(4096, n, 2*cap(w.buf)))
		}
		var e Entry
		t.copyEntry(r, &e, w.buf[len(w.buf):len(w.buf)+n])
		w.buf = w.buf[:len(w.buf)+n]
		w.all = append(w.all, e)
	}
	w.bucket++
}

// View calls f for the entries of about page buckets, as Walk tells them, beginning at cursor, and
// returns where to go on: 0 begins, and 0 means that was all. It allocates.
func (t *Table) View(cursor uint32, now int64, page int, f func(*Entry)) (next uint32) {
	var w Walk
	w.begin(t, cursor)
	for range page {
		if w.bucket > t.mask {
			return 0
		}
		w.copyBucket(now)
		for i := range w.all {
			f(&w.all[i])
		}
	}
	if w.bucket > t.mask {
		return 0
	}
	return w.bucket
}

// Clear takes every entry out and says how many. Entries that are put meanwhile may stay.
func (t *Table) Clear() (deleted int) {
	for i := range t.mask + 1 {
		deleted += t.clearBucket(i)
	}
	return deleted
}

// isEmpty tells whether a bucket has no record, without the lock: an entry that is there all the
// time is in its chain all the time.
func (t *Table) isEmpty(i uint32) bool {
	return bucketHeadLink(atomic.LoadUint64(t.bucket(i))) == 0
}

func (t *Table) clearBucket(i uint32) (deleted int) {
	if t.isEmpty(i) {
		return 0
	}
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
