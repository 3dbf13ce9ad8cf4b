package table

import "sync/atomic"

// Records are taken from and given back to banks; see root.go for what they keep. Whoever calls
// holds a stripe's lock. Only page.word is believed after a kill.

// take takes a record of a class, life 0. It returns 0 if there is none. The last pages, and once
// they are used the last records of a class, are left for changes of texts that are there, to one
// of the same class: such a change is refused only when too many are at it at once, or too many
// classes are in use.
func (t *Table) take(class uint8, hash uint32, change bool) uint32 {
	r := t.root
	if !change && atomic.LoadUint32(&r.pool.free) <= t.spare &&
		t.freeOf(class) <= min(spareSlots, perPage[class]/2) {
		return 0
	}
	n := r.Banks
	first := (hash >> 24) % n
	if link := t.takeFrom(first, class, openPage); link != 0 {
		return link
	}
	// Slow path: the memory is used up, but for free records in pages of other banks.
	for i := uint32(1); i < n; i++ {
		b := (first + i) % n
		if atomic.LoadUint32(&r.banks[b].free[class]) == 0 {
			continue
		}
		if link := t.takeFrom(b, class, openNone); link != 0 {
			return link
		}
	}
	if change {
		return t.takeFrom(first, class, openLast)
	}
	return 0
}

// opening says which page a bank may open that has no room.
type opening uint8

const (
	openNone opening = iota
	openPage         // one that is not left for changes
	openLast         // any
)

// freeOf is how many free records of a class there are in pages.
func (t *Table) freeOf(class uint8) (n uint32) {
	for i := range t.root.Banks {
		n += atomic.LoadUint32(&t.root.banks[i].free[class])
	}
	return n
}

// takeFrom is take from one bank.
func (t *Table) takeFrom(i uint32, class uint8, may opening) uint32 {
	b := &t.root.banks[i]
	b.lock.Get()
	defer b.lock.Release()
	at := b.heads[class]
	if at == 0 {
		if at = t.open(b, uint8(i), class, may); at == 0 {
			return 0
		}
	}
	p := t.page(at)
	link := p.free
	if link != 0 {
		p.free = chainNext(t.at(link).chain)
	} else {
		carved := pageCarved(p.word)
		link = at*(pageBytes/linkUnit) + carved*(classSizes[class]/linkUnit)
		atomic.StoreUint64(&t.at(link).life, 0) // the memory may hold anything
		atomic.StoreUint64(&p.word, pageWord(class, uint8(i), carved+1))
	}
	atomic.StoreUint32(&b.free[class], b.free[class]-1)
	atomic.StoreUint64(&b.bytes, b.bytes+uint64(classSizes[class]))
	if p.used++; p.used == perPage[class] {
		t.unlist(b, class, p)
	}
	return link
}

// give gives a record back. Its life is 0, and its bucket's generation says that it left.
func (t *Table) give(link uint32) {
	at := link / (pageBytes / linkUnit)
	p := t.page(at)
	class, i := pageClass(p.word), pageBank(p.word)
	b := &t.root.banks[i]
	b.lock.Get()
	defer b.lock.Release()
	atomic.StoreUint64(&t.at(link).chain, chainOf(p.free, 0))
	p.free = link
	atomic.StoreUint32(&b.free[class], b.free[class]+1)
	atomic.StoreUint64(&b.bytes, b.bytes-uint64(classSizes[class]))
	if p.used == perPage[class] {
		t.list(b, class, at, p)
	}
	if p.used--; p.used == 0 {
		t.unlist(b, class, p)
		atomic.StoreUint32(&b.free[class], b.free[class]-perPage[class])
		t.closePage(at, p)
	}
}

// open takes a page from the pool for a class, or 0.
func (t *Table) open(b *bank, i, class uint8, may opening) uint32 {
	if may == openNone {
		return 0
	}
	pool := &t.root.pool
	pool.lock.Get()
	defer pool.lock.Release()
	at := pool.head
	if at == 0 || may == openPage && pool.free <= t.spare {
		return 0
	}
	p := t.page(at)
	pool.head = p.next
	atomic.StoreUint32(&pool.free, pool.free-1)
	p.free, p.used = 0, 0
	atomic.StoreUint64(&p.word, pageWord(class, i, 0))
	t.list(b, class, at, p)
	atomic.StoreUint32(&b.free[class], b.free[class]+perPage[class])
	return at
}

// closePage gives an empty page back to the pool.
func (t *Table) closePage(at uint32, p *page) {
	pool := &t.root.pool
	pool.lock.Get()
	defer pool.lock.Release()
	atomic.StoreUint64(&p.word, 0)
	p.next = pool.head
	pool.head = at
	atomic.StoreUint32(&pool.free, pool.free+1)
}

// list puts a page first among those of its class that have room.
func (t *Table) list(b *bank, class uint8, at uint32, p *page) {
	p.prev, p.next = 0, b.heads[class]
	if p.next != 0 {
		t.page(p.next).prev = at
	}
	b.heads[class] = at
}

// unlist takes it out.
func (t *Table) unlist(b *bank, class uint8, p *page) {
	if p.prev != 0 {
		t.page(p.prev).next = p.next
	} else {
		b.heads[class] = p.next
	}
	if p.next != 0 {
		t.page(p.next).prev = p.prev
	}
}
