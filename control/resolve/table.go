package resolve

import (
	"hash/maphash"
	"sync/atomic"
	"unsafe"
)

// table holds the plans: buckets of chains that readers walk without a lock while one writer, under
// Resolver.mu, links and unlinks. A reader that is at an unlinked plan still finds its way on,
// since next stays; the garbage collector frees the plan after its last reader.
type table struct {
	heads [buckets]atomic.Pointer[plan]
	seed  maphash.Seed // of this process, so that nobody outside can fill one bucket
	plans int          // guarded by Resolver.mu
}

func (t *table) hash(host []byte, bits uint64) uint64 {
	return maphash.Bytes(t.seed, host) ^ (bits * 0x9e3779b97f4a7c15)
}

func (t *table) hashString(host string, bits uint64) uint64 {
	return maphash.String(t.seed, host) ^ (bits * 0x9e3779b97f4a7c15)
}

// find returns the plan for that key, nil if there is none. host need not outlive the call.
func (t *table) find(hash uint64, host []byte, bits uint64) *plan {
	for p := t.heads[hash%buckets].Load(); p != nil; p = p.next.Load() {
		if p.hash == hash && p.bits == bits && p.host == string(host) {
			return p
		}
	}
	return nil
}

// insert links p and returns the plan that it replaces, or nil.
func (t *table) insert(p *plan) (old *plan) {
	head := &t.heads[p.hash%buckets]
	p.next.Store(head.Load())
	head.Store(p)
	t.plans++
	for prev, c := p, p.next.Load(); c != nil; prev, c = c, c.next.Load() {
		if c.hash == p.hash && c.planKey == p.planKey {
			prev.next.Store(c.next.Load())
			t.plans--
			return c
		}
	}
	return nil
}

func (t *table) remove(p *plan) {
	from := &t.heads[p.hash%buckets]
	for c := from.Load(); c != nil; from, c = &c.next, c.next.Load() {
		if c == p {
			from.Store(p.next.Load())
			t.plans--
			return
		}
	}
}

// each calls f for every plan, which f may remove.
func (t *table) each(f func(*plan)) {
	for i := range t.heads {
		for p := t.heads[i].Load(); p != nil; p = p.next.Load() {
			f(p)
		}
	}
}

// measure returns the bytes that p holds, as the memory cap counts them.
func (p *plan) measure() int {
	n := int(unsafe.Sizeof(*p)) + len(p.host)
	for i := range p.groups {
		n += int(unsafe.Sizeof(group{}))
		for j := range p.groups[i].targets {
			t := &p.groups[i].targets[j]
			n += int(unsafe.Sizeof(*t)) + (len(t.first)+len(t.second))*endpointBytes
		}
	}
	return n
}
