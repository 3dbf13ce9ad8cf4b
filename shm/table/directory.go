package table

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"viaduct/shm"
)

// directory is a slot of the arena that names the tables.
type directory struct {
	shm.Header
	Layout uint64   // ownLayout of whoever made it
	Boot   [40]byte // the boot it was made in, boot_id of the kernel
	tables [MaxTables]named
}

// named is an entry of the directory.
type named struct {
	root   shm.Off // stored last, with it the table is there; 0 means none
	_      uint32
	Layout uint64 // Config.Layout
	name   [MaxName]byte
}

func (n *named) is(name string) bool { return string(n.text()) == name }

func (n *named) text() []byte {
	for i, c := range n.name {
		if c == 0 {
			return n.name[:i]
		}
	}
	return n.name[:]
}

// Directory is the process's handle to the directory of an arena.
type Directory struct {
	a      *shm.Arena
	mu     sync.Mutex
	mem    *directory        // in the arena
	open   map[string]*Table // handles given out
	origin Origin
}

// Open finds the directory of an arena, or makes one, and gives back what a process that was killed
// left unnamed. It is for start-up, before anybody else makes tables.
func Open(a *shm.Arena) (*Directory, error) {
	d := &Directory{a: a, open: map[string]*Table{}, origin: Made}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}

	var all []shm.Off
	known := map[shm.Off]bool{}
	a.Shared().Walk(func(o shm.Off, h *shm.Header) bool {
		switch h.Kind {
		case KindDirectory, KindTable, KindBuckets, KindRegion:
			all = append(all, o)
		}
		if h.Kind != KindDirectory {
			return true
		}
		// What an older program wrote is read no further than its own head, which stays as it is.
		switch mem := shm.Ptr[directory](a, o); {
		case mem.Layout != ownLayout:
			d.origin = "made anew: the tables in the arena are laid out otherwise"
		case mem.Boot != boot:
			d.origin = "made anew: the tables in the arena are of before the machine was booted"
		default:
			d.mem, d.origin = mem, Kept
			known[o] = true
		}
		return true
	})
	if d.mem != nil {
		for i := range d.mem.tables {
			if n := &d.mem.tables[i]; n.root != 0 {
				parts(a, n.root, func(o shm.Off) { known[o] = true })
			}
		}
	}
	for _, o := range all {
		if !known[o] {
			a.Shared().Free(o)
		}
	}
	if d.mem != nil {
		return d, nil
	}
	off, ok := a.Shared().Alloc(KindDirectory, int(unsafe.Sizeof(directory{})))
	if !ok {
		return nil, errors.New("the arena has no room for the directory of tables: raise -m")
	}
	d.mem = shm.Ptr[directory](a, off)
	*d.mem = directory{Header: d.mem.Header, Layout: ownLayout, Boot: boot}
	a.Shared().Publish(off)
	return d, nil
}

// Origin says whether the directory was there. Of one that was made anew, with every table, it says
// why.
func (d *Directory) Origin() Origin { return d.origin }

// bootID is the kernel's name for this boot.
func bootID() (id [40]byte, err error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id, fmt.Errorf("cannot tell which boot this is: %w", err)
	}
	copy(id[:], b)
	return id, nil
}

// Table is the table of that name: the one that is there, with its entries, if it was made with the
// same Config, else a new one. Table.Origin says which, and why an old one was given up. A table
// that this process has in use keeps its size, which Table.Config tells. Another layout is an error
// then, and changes nothing.
func (d *Directory) Table(name string, c Config) (*Table, error) {
	if name == "" || len(name) > MaxName {
		return nil, fmt.Errorf("cannot name a table %q: 1 to %d bytes are possible", name, MaxName)
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("table %s: %w", name, err)
	}
	c = c.filled()
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.open[name]; t != nil {
		if !t.config.laidOutAs(&c) {
			return nil, fmt.Errorf("table %s is in use with another layout: restart to change it",
				name)
		}
		return t, nil
	}
	slot, origin := d.find(name), Made
	var old shm.Off
	if slot != nil {
		old = slot.root
		switch r := shm.Ptr[root](d.a, old); {
		case slot.Layout != c.Layout:
			origin = "made anew: its values are laid out otherwise"
		case !r.matches(&c):
			origin = Origin(fmt.Sprintf("made anew: it had room for %d entries, %d bytes, "+
				"keys of %d and values of %d", r.Entries, r.bytes, r.MaxKey, r.MaxValue))
		default:
			t := view(d.a, old, c)
			t.rebuild()
			t.origin = Kept
			d.open[name] = t
			return t, nil
		}
	} else if slot = d.unused(); slot == nil {
		return nil, fmt.Errorf("table %s: the arena has %d tables, which is all it can name",
			name, MaxTables)
	}
	if old != 0 {
		// First the old one, since there may be no room for both.
		d.free(slot)
	}
	off, err := c.make(d.a)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", name, err)
	}
	t := view(d.a, off, c)
	t.rebuild()
	t.origin = origin
	slot.Layout = c.Layout
	clear(slot.name[:])
	copy(slot.name[:], name)
	storeRoot(slot, off)
	d.open[name] = t
	return t, nil
}

// While calls f, during which the table cannot be dropped, nor the directory closed. It returns
// false, and calls nothing, if that has been done. It is for who uses a table that others may drop,
// page by page: they wait for the end of f.
func (t *Table) While(f func()) bool {
	t.use.RLock()
	defer t.use.RUnlock()
	if t.gone {
		return false
	}
	f()
	return true
}

// leave keeps While from the table.
func (t *Table) leave() {
	t.use.Lock()
	t.gone = true
	t.use.Unlock()
}

// Close waits until no While uses a table, and keeps later ones from it. It is for who closes the
// arena.
func (d *Directory) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.open {
		t.leave()
	}
}

// Drop takes a table out, with its entries, and gives its memory back. Nobody may use it any more,
// but by While. It returns false if there is none.
func (d *Directory) Drop(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	slot := d.find(name)
	if slot == nil {
		return false
	}
	if t := d.open[name]; t != nil {
		t.leave()
	}
	d.free(slot)
	delete(d.open, name)
	return true
}

// Names are the tables there are, also those that this process has not asked for, in no order that
// means anything.
func (d *Directory) Names() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.mem.tables {
		if n := &d.mem.tables[i]; n.root != 0 {
			all = append(all, string(n.text()))
		}
	}
	return all
}

// free ends a table: its name, then its memory, which Open gives back if we die in between.
func (d *Directory) free(slot *named) {
	off := slot.root
	storeRoot(slot, 0)
	var all []shm.Off
	parts(d.a, off, func(o shm.Off) { all = append(all, o) })
	for _, o := range all {
		d.a.Shared().Free(o)
	}
}

func storeRoot(n *named, off shm.Off) { atomic.StoreUint32((*uint32)(&n.root), uint32(off)) }

func (d *Directory) find(name string) *named {
	for i := range d.mem.tables {
		if n := &d.mem.tables[i]; n.root != 0 && n.is(name) {
			return n
		}
	}
	return nil
}

func (d *Directory) unused() *named {
	for i := range d.mem.tables {
		if n := &d.mem.tables[i]; n.root == 0 {
			return n
		}
	}
	return nil
}
