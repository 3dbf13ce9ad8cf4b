package table

import (
	"sync"
	"sync/atomic"
)

// Entry is a copy of what a table holds under a key. Its bytes are valid during the call that it is
// given to.
type Entry struct {
	Key []byte
	Value
}

// sweep is where Expire goes on.
type sweep struct {
	mu   sync.Mutex
	page uint32 // of Root.Pages
	slot uint32 // in it
	buf  []byte // a key and a value
	e    Entry  // in it
}

func (s *sweep) init(c Config) { s.buf = make([]byte, c.MaxKey+c.MaxValue) }

// Expire takes ended entries out and calls f for each, with no lock held: f may use the table. It
// looks at limit records at most, and goes on there at the next call; done says that this was the
// end of a round. Who finds another at it has done nothing.
//
// An entry that was put again before Expire met it has not ended. A process that dies between
// taking one out and the end of f has told nobody.
//
// 19 µs for 4,096 records, and 306 ns more for each that has ended: BenchmarkExpire and …Ended,
// best of some runs, EPYC under load, Linux 6.18, 2026-11.
func (t *Table) Expire(now int64, limit int, f func(*Entry)) (ended int, done bool) {
	if atomic.LoadUint32(&t.root.mortal) == 0 || !t.sweep.mu.TryLock() {
		return 0, true
	}
	defer t.sweep.mu.Unlock()
	s := &t.sweep
	for ; s.page < t.root.Pages; s.page, s.slot = s.page+1, 0 {
		n := pageNumber(s.page)
		word := atomic.LoadUint64(&t.page(n).word)
		class := pageClass(word)
		if word == 0 || class >= numClasses {
			limit--
		}
		for word != 0 && s.slot < pageCarved(word) {
			if limit <= 0 {
				return ended, false
			}
			limit--
			link := n*(pageBytes/linkUnit) + s.slot*(classSizes[class]/linkUnit)
			s.slot++
			// Its page may be of another class by now, and this be no record: endAt sees to that.
			if life := atomic.LoadUint64(&t.at(link).life); life != 0 && lifeOver(life, now) {
				if t.endAt(link, now, f) {
					ended++
				}
			}
		}
		if limit <= 0 {
			s.page, s.slot = s.page+1, 0
			break
		}
	}
	if s.page < t.root.Pages {
		return ended, false
	}
	s.page, s.slot = 0, 0
	return ended, true
}

// endAt takes a record out if it is one and has ended.
func (t *Table) endAt(link uint32, now int64, f func(*Entry)) bool {
	hash := chainHash(atomic.LoadUint64(&t.at(link).chain))
	e := &t.sweep.e
	if !t.takeOut(link, hash, now, e) {
		return false
	}
	if f != nil {
		f(e)
	}
	return true
}

func (t *Table) takeOut(link, hash uint32, now int64, e *Entry) bool {
	s := t.lockFor(hash & t.mask)
	defer s.lock.Release()
	p, ok := t.findLink(link, hash)
	if !ok || !lifeOver(p.r.life, now) {
		return false
	}
	t.copyEntry(p.r, e, t.sweep.buf)
	t.unlink(&p)
	atomic.StoreUint64(&s.ended, s.ended+1)
	return true
}

// copyEntry copies a record into buf, ended or not. Under the lock.
func (t *Table) copyEntry(r *record, e *Entry, buf []byte) {
	n := sizeKey(r.size)
	e.Key = buf[:n:n]
	r.read(0, e.Key)
	r.copyTo(&e.Value, r.life, r.size, -1, buf[n:])
}
