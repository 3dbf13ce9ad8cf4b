package stream

import (
	"hash/maphash"
	"sync"

	"viaduct/netio"
)

// key is the identity of a connection: our listener and the peer's address. Several connections to
// one destination have slots; one whose peer has proved a name is found under that name too (domain
// is its hash, 0 for none).
type key struct {
	addr     netio.Addr
	listener uint16
	slot     uint16
	domain   uint64
}

const tableParts = 64

// table finds the connections by key. It is for what a Port's own cache does not know: new
// connections, and old ones when they end.
type table struct {
	seed  maphash.Seed
	parts [tableParts]struct {
		mu sync.Mutex
		m  map[key]*conn
		_  [40]byte
	}
}

func (t *table) init() {
	t.seed = maphash.MakeSeed()
	for i := range t.parts {
		t.parts[i].m = make(map[key]*conn)
	}
}

func (t *table) domain(name string) uint64 {
	if name == "" {
		return 0
	}
	return maphash.String(t.seed, name) | 1
}

func (t *table) get(k key) *conn {
	p := &t.parts[maphash.Comparable(t.seed, k)%tableParts]
	p.mu.Lock()
	c := p.m[k]
	p.mu.Unlock()
	return c
}

// put enters c, in the place of what was there: the newest connection is the one the peer uses.
func (t *table) put(k key, c *conn) {
	p := &t.parts[maphash.Comparable(t.seed, k)%tableParts]
	p.mu.Lock()
	p.m[k] = c
	p.mu.Unlock()
}

// getOrPut gives what is entered, or enters c.
func (t *table) getOrPut(k key, c *conn) (entered *conn) {
	p := &t.parts[maphash.Comparable(t.seed, k)%tableParts]
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.m[k]; old != nil {
		return old
	}
	p.m[k] = c
	return c
}

// drop takes c out, unless another took its place.
func (t *table) drop(k key, c *conn) {
	p := &t.parts[maphash.Comparable(t.seed, k)%tableParts]
	p.mu.Lock()
	if p.m[k] == c {
		delete(p.m, k)
	}
	p.mu.Unlock()
}

// registry has every connection by its number, for operators and for the watcher.
type registry struct {
	parts [tableParts]struct {
		mu sync.Mutex
		m  map[uint64]*conn
		_  [48]byte
	}
}

func (r *registry) init() {
	for i := range r.parts {
		r.parts[i].m = make(map[uint64]*conn)
	}
}

func (r *registry) put(c *conn) {
	p := &r.parts[c.id%tableParts]
	p.mu.Lock()
	p.m[c.id] = c
	p.mu.Unlock()
}

func (r *registry) get(id uint64) *conn {
	p := &r.parts[id%tableParts]
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m[id]
}

func (r *registry) drop(c *conn) {
	p := &r.parts[c.id%tableParts]
	p.mu.Lock()
	delete(p.m, c.id)
	p.mu.Unlock()
}

// some gives up to limit connections.
func (r *registry) some(limit int) []*conn {
	var all []*conn
	for i := range r.parts {
		p := &r.parts[i]
		p.mu.Lock()
		for _, c := range p.m {
			if len(all) == limit {
				break
			}
			all = append(all, c)
		}
		p.mu.Unlock()
	}
	return all
}
