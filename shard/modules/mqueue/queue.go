package mqueue

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"

	"viaduct/shard/route"
	"viaduct/shard/route/suggest"
	"viaduct/shm/table"
)

const (
	// defaultItems is how many items a queue takes that does not say it, maxItems how many it may.
	defaultItems = 8192
	maxItems     = 1 << 20
)

// queue is one queue. Its items are entries of a table, by their number; two more entries are the
// numbers of the oldest and of the next one. An item that died with its process on the way in is a
// number without an entry, which fetch passes.
type queue struct {
	name  string
	items int
	mode  int // 1: keys once; 2: the last of each key
	t     *table.Table

	looked item // who has the lock looks at items here
}

var oldest, next = []byte("h"), []byte("t")

// locks keep queues, by name: two loads of a file have the same ones. They are held for a
// microsecond, and with modes 1 and 2 for a walk through the queue.
var (
	locks [64]sync.Mutex
	seed  = maphash.MakeSeed()
)

func (q *queue) lock() *sync.Mutex {
	return &locks[maphash.String(seed, q.name)%uint64(len(locks))]
}

// declare takes one value of parameter mqueue.
func (h *module) declare(text string) error {
	q := &queue{items: defaultItems}
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		number := func(into *int, most int) error {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n > most {
				return fmt.Errorf("has a %s of %s: write 0 to %d", name, route.Quote(value), most)
			}
			*into = n
			return nil
		}
		var err error
		switch name {
		case "name":
			q.name = value
		case "size":
			if err = number(&q.items, maxItems); q.items == 0 {
				q.items = defaultItems
			}
		case "addmode":
			err = number(&q.mode, 2)
		case "dbmode":
			// what a database is for in Kamailio: queues stay over a restart
		default:
			err = fmt.Errorf("has no attribute %s%s", route.Quote(name),
				suggest.DidYouMean(name, []string{"name", "size", "addmode"}))
		}
		if err != nil {
			return err
		}
	}
	return h.add(q, text)
}

// add takes a queue that text declares.
func (h *module) add(q *queue, text string) error {
	if q.items == 0 {
		q.items = defaultItems
	}
	switch {
	case q.name == "":
		return fmt.Errorf("is no queue: write \"name=NAME;size=100\", not %s", route.Quote(text))
	case len(q.name) > table.MaxName-len("mqueue/"):
		return fmt.Errorf("has a name of %d bytes: %d are possible", len(q.name),
			table.MaxName-len("mqueue/"))
	case h.byName[q.name] != nil:
		return fmt.Errorf("declares queue %s a second time", route.Quote(q.name))
	}
	h.queues, h.byName[q.name] = append(h.queues, q), q
	return nil
}

func (q *queue) open(s *route.State) (err error) {
	q.t, err = s.Table("mqueue/"+q.name,
		table.Config{Entries: q.items + 2, MaxKey: 8, MaxValue: table.MaxValue, Layout: 1})
	if err == nil { // a table that is in use keeps its size over a reload
		q.items = min(q.items, q.t.Config().Entries-2)
	}
	return err
}

// number is what is kept under a name, 0 if nothing is.
func (q *queue) number(name []byte) int64 {
	v, _ := q.t.Get(name, 0, nil)
	return v.Int
}

func key(n int64) (k [8]byte) {
	binary.BigEndian.PutUint64(k[:], uint64(n))
	return k
}

// size is how many items wait. Nobody need hold the lock.
func (q *queue) size() int { return int(max(q.number(next)-q.number(oldest), 0)) }

// add adds an item, and says how many it had to drop: the oldest ones, or itself. The record is
// made in room.
func (q *queue) add(room, k, value []byte, now int64) (ok bool, lost int) {
	record := binary.AppendUvarint(room, uint64(len(k)))
	record = append(append(record, k...), value...)
	if len(record) > table.MaxValue {
		return false, 1
	}
	l := q.lock()
	l.Lock()
	defer l.Unlock()
	if q.mode > 0 {
		if at, waits := q.find(k); waits {
			if q.mode == 1 {
				return true, 0
			}
			return q.replace(at, record, now), 0
		}
	}
	n := q.number(next)
	for ; q.size() >= q.items; lost++ {
		q.drop(now)
	}
	at := key(n)
	for q.t.Put(at[:], table.String(record), table.Terms{}, now) != table.Done {
		if q.size() == 0 {
			return false, lost + 1
		}
		q.drop(now)
		lost++
	}
	_, verdict := q.t.Add(next, 1, table.Terms{}, now)
	if verdict == table.Absent {
		verdict = q.t.Put(next, table.Number(n+1), table.Terms{}, now)
	}
	return verdict == table.Done, lost
}

// replace takes the item at a number out and puts another one behind all. Those between move on by
// one. Who is killed meanwhile leaves one of them twice.
func (q *queue) replace(n int64, record []byte, now int64) bool {
	for end := q.number(next); n < end-1; n++ {
		from, to := key(n+1), key(n)
		if v, verdict := q.t.Get(from[:], 0, q.looked.buf); verdict == table.Done {
			q.t.Put(to[:], v, table.Terms{}, now)
		}
	}
	at := key(n)
	return q.t.Put(at[:], table.String(record), table.Terms{}, now) == table.Done
}

// find is where a key waits.
func (q *queue) find(k []byte) (int64, bool) {
	x := &q.looked
	for n, end := q.number(oldest), q.number(next); n < end; n++ {
		if q.read(x, n) && string(x.key) == string(k) {
			return n, true
		}
	}
	return 0, false
}

// drop takes out the oldest item.
func (q *queue) drop(now int64) {
	n := q.number(oldest)
	at := key(n)
	q.t.Delete(at[:], now)
	q.t.Put(oldest, table.Number(n+1), table.Terms{}, now)
}

// fetch takes out the oldest item. Who is killed meanwhile has taken it or not.
func (q *queue) fetch(x *item, now int64) bool {
	l := q.lock()
	l.Lock()
	defer l.Unlock()
	for q.size() > 0 {
		there := q.read(x, q.number(oldest))
		q.drop(now)
		if there {
			return true
		}
	}
	return false
}

// read reads the item with a number.
func (q *queue) read(x *item, n int64) bool {
	if x.buf == nil {
		x.buf = make([]byte, table.MaxValue)
	}
	at := key(n)
	v, verdict := q.t.Get(at[:], 0, x.buf)
	if verdict != table.Done {
		return false
	}
	bytes, used := binary.Uvarint(v.Text)
	if used <= 0 || bytes > uint64(len(v.Text)-used) {
		return false
	}
	x.key, x.value = v.Text[used:used+int(bytes)], v.Text[used+int(bytes):]
	return true
}
