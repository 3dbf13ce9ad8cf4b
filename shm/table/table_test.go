package table

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"unsafe"

	"viaduct/shm"
)

func testArena(t testing.TB, bytes int64) *shm.Arena {
	t.Helper()
	a, err := shm.Create(shm.Config{Bytes: bytes, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func open(t testing.TB, a *shm.Arena) *Directory {
	t.Helper()
	d, err := Open(a)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func testTable(t testing.TB, c Config) *Table {
	t.Helper()
	need := c.Bytes
	if need == 0 {
		need = int64(c.Entries) * defaultEntryBytes
	}
	table, err := open(t, testArena(t, 8<<20+2*need)).Table("test", c)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestSizes(t *testing.T) {
	f := func(name string, got uintptr, want int) {
		t.Helper()
		if int(got) != want {
			t.Errorf("%s has %d bytes, want %d", name, got, want)
		}
	}
	f("record", unsafe.Sizeof(record{}), 24)
	f("regionHead", unsafe.Sizeof(regionHead{}), headPages*pageBytes)
	f("page", unsafe.Sizeof(page{}), 32)
	f("stripe", unsafe.Sizeof(stripe{})%64, 0)
	f("bank", unsafe.Sizeof(bank{})%64, 0)
	f("pool", unsafe.Offsetof(root{}.pool)%64, 0)
	f("used", unsafe.Offsetof(root{}.used)%64, 0)
	f("buckets", unsafe.Sizeof(bucketHead{}), 64)
	f("largest", uintptr(roomFor(Text, MaxKey, MaxValue)), pageBytes)
	if n := regionHeadBytes + dataPages*pageBytes; n != shm.MaxSlotBytes {
		t.Errorf("a region has %d bytes, a slot %d", n, shm.MaxSlotBytes)
	}
	for i, n := range classSizes {
		if n%linkUnit != 0 || (pageBytes-perPage[i]*n)*40 > pageBytes {
			t.Errorf("class of %d bytes wastes %d of a page", n, pageBytes-perPage[i]*n)
		}
	}
}

func TestValues(t *testing.T) {
	table := testTable(t, Config{Entries: 1000, Bytes: 4 << 20, MaxKey: MaxKey, MaxValue: MaxValue})
	buf := make([]byte, MaxValue)
	text := bytes.Repeat([]byte("abcdefghijk"), MaxValue)
	f := func(keyLen int, v Value) {
		t.Helper()
		key := text[:keyLen]
		if got := table.Put(key, v, Terms{}, 0); got != Done {
			t.Fatalf("put key of %d, %v: %v", keyLen, v.Kind, got)
		}
		got, verdict := table.Get(key, 0, buf)
		if verdict != Done || got.Kind != v.Kind || got.Int != v.Int || !bytes.Equal(got.Text, v.Text) ||
			got.Ends != 0 {
			t.Errorf("key of %d: %v %+v, want %+v", keyLen, verdict, got, v)
		}
	}
	for n := range 40 {
		f(n, String(text[:n]))
		f(n, String(text[1:n+20]))
		f(n, Number(int64(n)-20))
		f(n, Number(math.MinInt64))
	}
	f(MaxKey, String(text[:MaxValue]))
	f(MaxKey, String(nil))
	f(MaxKey-1, String(text[:MaxValue-1]))
	for n := range 40 {
		if got, verdict := table.Get(text[:n], 0, buf); verdict != Done || got.Int != math.MinInt64 {
			t.Errorf("key of %d: %v %+v", n, verdict, got)
		}
	}
	if v := table.Put(text[:MaxKey+1], Number(1), Terms{}, 0); v != TooLong {
		t.Error(v)
	}
	if v := table.Put(text[:1], String(text[:MaxValue+1]), Terms{}, 0); v != TooLong {
		t.Error(v)
	}
	if _, v := table.Get(text[:MaxKey-1], 0, buf[:MaxValue-2]); v != Short {
		t.Error(v)
	}
	if n := table.Clear(); n != 42 {
		t.Errorf("%d cleared", n)
	}
	check(t, table)
	if s := table.Stats(); s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOperations(t *testing.T) {
	table := testTable(t, Config{Entries: 100})
	key, other := []byte("sip:alice@example.com"), []byte("sip:bob@example.com")
	want := func(name string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	get := func(key []byte, now int64) string {
		v, verdict := table.Get(key, now, make([]byte, 100))
		if verdict != Done {
			return verdict.String()
		}
		if v.Kind == Int {
			return fmt.Sprintf("%d until %d", v.Int, v.Ends)
		}
		return fmt.Sprintf("%s until %d", v.Text, v.Ends)
	}
	sum := func(n int64, v Verdict) string { return fmt.Sprint(n, v) }

	want("get", get(key, 1), "absent")
	want("add", sum(table.Add(key, 1, Terms{}, 1)), "0 absent")
	want("delete", table.Delete(key, 1), Absent)
	want("compare", table.CompareAndPut(key, Number(1), Number(2), Terms{}, 1), Absent)
	want("deadline", table.SetDeadline(key, 5, 1), Absent)

	want("create", sum(table.Create(key, 10, 5, Terms{Ends: 100}, 1)), "15 done")
	want("get", get(key, 99), "15 until 100")
	want("create", sum(table.Create(key, 10, 5, Terms{Ends: 200}, 1)), "20 done")
	want("add", sum(table.Add(key, -30, Terms{Keep: true, Ends: 300}, 1)), "-10 done")
	want("get", get(key, 199), "-10 until 200")
	want("get", get(key, 200), "absent")
	want("insert", table.Insert(key, Number(1), Terms{}, 1), Exists)
	want("compare", table.CompareAndPut(key, Number(-11), Number(2), Terms{}, 1), Differs)
	want("compare", table.CompareAndPut(key, String([]byte("-10")), Number(2), Terms{}, 1), Differs)
	want("compare", table.CompareAndPut(key, Number(-10), String([]byte("text")), Terms{Keep: true}, 1), Done)
	want("get", get(key, 199), "text until 200")
	want("add", sum(table.Add(key, 1, Terms{}, 1)), "0 not a number")
	want("compare", table.CompareAndPut(key, String([]byte("texts")), Number(2), Terms{}, 1), Differs)
	want("compare", table.CompareAndPut(key, String([]byte("text")), String([]byte("longer than that")), Terms{}, 1),
		Done)
	want("get", get(key, 1<<40), "longer than that until 0")
	want("deadline", table.SetDeadline(key, 500, 1), Done)
	want("get", get(key, 499), "longer than that until 500")
	want("insert", table.Insert(other, String(nil), Terms{Ends: 20}, 1), Done)
	want("get", get(other, 19), " until 20")
	// What has ended is as if it were not there.
	want("insert", table.Insert(other, Number(7), Terms{Keep: true, Ends: 40}, 20), Done)
	want("get", get(other, 39), "7 until 40")
	want("create", sum(table.Create(other, 1, 1, Terms{}, 40)), "2 done")
	want("get", get(other, 1<<50), "2 until 0")
	want("put", table.Put(other, Number(math.MaxInt64), Terms{Ends: math.MaxInt64}, 40), Done)
	want("add", sum(table.Add(other, 1, Terms{Keep: true}, 40)), fmt.Sprint(int64(math.MinInt64), Done))
	want("get", get(other, 50), fmt.Sprintf("%d until %d", int64(math.MinInt64), int64(never-1)))
	want("delete", table.Delete(other, 50), Done)
	want("get", get(other, 50), "absent")
	want("delete", table.Delete(key, 500), Absent)
	want("entries", table.Stats().Entries, uint64(1))
	check(t, table)
}

func TestExpire(t *testing.T) {
	table := testTable(t, Config{Entries: 2000})
	if n, done := table.Expire(1, 1, nil); n != 0 || !done {
		t.Error("there was nothing to do")
	}
	for i := range 1500 {
		// a third never ends
		table.Put(fmt.Appendf(nil, "key %d", i), Number(int64(i)), Terms{Ends: int64(i/500) * 1000}, 0)
		if i%3 == 0 {
			table.Put(fmt.Appendf(nil, "key %d", i), String(fmt.Append(nil, i)), Terms{Keep: true}, 0)
		}
	}
	round := func(now int64, want int) {
		t.Helper()
		told, calls := map[string]bool{}, 0
		for done := false; !done; calls++ {
			var n int
			before := len(told)
			n, done = table.Expire(now, 100, func(e *Entry) {
				var i int
				fmt.Sscanf(string(e.Key), "key %d", &i)
				if told[string(e.Key)] || e.Ends > now || e.Ends != int64(i/500)*1000 ||
					(i%3 == 0) != (e.Kind == Text) || e.Kind == Text && string(e.Text) != fmt.Sprint(i) ||
					e.Kind == Int && e.Int != int64(i) {
					t.Fatalf("%s %+v", e.Key, e.Value)
				}
				told[string(e.Key)] = true
				if i == 777 { // the callback may use the table
					table.Put([]byte("from the callback"), Number(1), Terms{}, now)
				}
			})
			if n > 100 || len(told) != before+n {
				t.Errorf("%d of 100 records", n)
			}
		}
		if len(told) != want || calls > 40 {
			t.Errorf("at %d: %d ended, want %d, in %d calls", now, len(told), want, calls)
		}
		check(t, table)
	}
	round(999, 0)
	round(1000, 500)
	round(1500, 0)
	round(2000, 500)
	if s := table.Stats(); s.Entries != 501 || s.Ended != 1000 {
		t.Errorf("%+v", s)
	}
	// While one is at it, there is nothing to do for another.
	table.SetDeadline([]byte("from the callback"), 1, 0)
	n := 0
	for done := false; !done; {
		_, done = table.Expire(5000, 1000, func(*Entry) {
			if m, done := table.Expire(5000, 1000, nil); m != 0 || !done {
				t.Error("two at once")
			}
			n++
		})
	}
	if n != 1 {
		t.Errorf("%d ended", n)
	}
}

func TestView(t *testing.T) {
	table := testTable(t, Config{Entries: 3000})
	for i := range 2000 {
		table.Put(fmt.Appendf(nil, "key %d", i), String(fmt.Append(nil, i)), Terms{Ends: int64(i%2) * 100}, 0)
	}
	seen := map[string]int{}
	for cursor, first := uint32(0), true; first || cursor != 0; first = false {
		cursor = table.View(cursor, 100, 50, func(e *Entry) {
			if string(e.Key[4:]) != string(e.Text) && !strings.HasPrefix(string(e.Text), "changed") {
				t.Errorf("%s: %s", e.Key, e.Text)
			}
			seen[string(e.Key)]++
		})
		for i := 0; i < 2000; i += 2 { // changes, growth, and others that come and go
			table.Put(fmt.Appendf(nil, "key %d", i), String(fmt.Appendf(nil, "changed %0*d", int(cursor%200), i)),
				Terms{}, 0)
		}
		table.Put(fmt.Appendf(nil, "key %d", 10_000+cursor), String(fmt.Append(nil, 10_000+cursor)), Terms{}, 0)
		table.Delete(fmt.Appendf(nil, "key %d", 10_000+cursor/2), 0)
	}
	for i := range 2000 {
		if n := seen[fmt.Sprintf("key %d", i)]; n != (i+1)%2 {
			t.Errorf("key %d was told %d times", i, n)
		}
	}
	check(t, table)
}

// A Walk that is begun again tells everything again and allocates nothing; entries stay as they
// were told until the next step, whatever happens to the table.
func TestWalk(t *testing.T) {
	table := testTable(t, Config{Entries: 300, Bytes: 1 << 20})
	for i := range 300 {
		table.Put(fmt.Appendf(nil, "key %d", i), String(bytes.Repeat([]byte{byte(i)}, i)),
			Terms{Ends: int64(i%2) * 100}, 0)
	}
	var w Walk
	if w.Next(0) != nil {
		t.Error("a Walk of no table has an entry")
	}
	count := func() (n int) {
		w.Begin(table)
		for e := w.Next(100); e != nil; e = w.Next(100) {
			n++
		}
		return n
	}
	if n := count(); n != 150 || w.Next(100) != nil {
		t.Errorf("%d entries, want 150", n)
	}
	if n := testing.AllocsPerRun(5, func() { count() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	w.Begin(table)
	for e := w.Next(100); e != nil; e = w.Next(100) {
		before := string(e.Key) + string(e.Text)
		table.Put(e.Key, String([]byte("another text")), Terms{}, 100)
		table.Delete(e.Key, 100)
		if string(e.Key)+string(e.Text) != before {
			t.Fatalf("what was told of %q has changed", before)
		}
	}
	if n := count(); n != 0 {
		t.Errorf("%d entries are left", n)
	}
	check(t, table)
}

// A full table refuses, keeps what it has, and lets that be changed.
func TestFull(t *testing.T) {
	f := func(c Config, valueBytes, least, most int) {
		t.Helper()
		table := testTable(t, c)
		value := func(i int, c byte) Value {
			return String(fmt.Appendf(bytes.Repeat([]byte{c}, valueBytes-8), "%08d", i))
		}
		n := 0
		for ; table.Put(fmt.Appendf(nil, "key %d", n), value(n, 'a'), Terms{}, 0) == Done; n++ {
		}
		if n < least || n > most {
			t.Errorf("%+v: %d entries of %d bytes, want %d to %d", c, n, valueBytes, least, most)
		}
		buf, more := make([]byte, c.MaxValue), 0
		for i := range n {
			if v := table.Put(fmt.Appendf(nil, "key %d", i), value(i, 'b'), Terms{}, 0); v != Done {
				t.Fatalf("%+v: change of %d: %v", c, i, v)
			}
			// A new one may find room that a change has left, some times.
			if v := table.Insert(fmt.Appendf(nil, "key %d", n+i), value(i, 'b'), Terms{}, 0); v == Done {
				more++
			}
		}
		if most = most - n; more > max(0, most) {
			t.Errorf("%+v: room for %d, and then for %d", c, n, more)
		}
		for i := range n {
			if v, verdict := table.Get(fmt.Appendf(nil, "key %d", i), 0, buf); verdict != Done ||
				!bytes.Equal(v.Text, value(i, 'b').Text) {
				t.Fatalf("%+v: %d: %v %q", c, i, verdict, v.Text)
			}
		}
		if s := table.Stats(); s.Refused != uint64(n-more)+1 || s.Entries != uint64(n+more) || s.Bytes > s.MaxBytes {
			t.Errorf("%+v", s)
		}
		check(t, table)
		table.Clear()
		if v := table.Put([]byte("key"), value(1, 'c'), Terms{}, 0); v != Done {
			t.Error(v)
		}
	}
	f(Config{Entries: 100, MaxValue: 100}, 20, 100, 100)
	f(Config{Entries: 1, MaxValue: 100}, 20, 1, 1)
	f(Config{Entries: 10_000, Bytes: 1_000_000, MaxValue: 100}, 20, 10_000, 10_000)
	f(Config{Entries: 10_000, Bytes: 64 * 10_000, MaxValue: 100}, 20, 10_000, 10_000)
	f(Config{Entries: 10_000, Bytes: 1_000_000, MaxValue: 400}, 400, 1_000_000/512-40, 1_000_000/512+40)
	f(Config{Entries: 10_000, Bytes: 1_000_000, MaxValue: 8000}, 8000, 1_000_000/8192-4, 1_000_000/8192+4)
	f(Config{Entries: 100_000, Bytes: 40 << 20, MaxValue: 4096}, 3000, 40<<20/4096-10, 40<<20/4096+40)
}

// One class's memory serves another once it is empty.
func TestPagesChangeClass(t *testing.T) {
	table := testTable(t, Config{Entries: 10_000, Bytes: 1 << 20, MaxValue: 4000})
	var most [4]int
	for round := range 3 {
		for i, n := range []int{10, 100, 1000, 4000} {
			count := 0
			for ; table.Put(fmt.Appendf(nil, "key %d", count), String(make([]byte, n)), Terms{}, 0) == Done; count++ {
			}
			if round == 0 {
				most[i] = count
			} else if count != most[i] {
				t.Errorf("round %d: %d entries of %d bytes, %d in the first", round, count, n, most[i])
			}
			check(t, table)
			if got := table.Clear(); got != count {
				t.Errorf("%d of %d cleared", got, count)
			}
			check(t, table)
		}
	}
}

// check counts every record once, in a chain or free, and every page. Nobody else may work on the
// table.
func check(t testing.TB, table *Table) {
	t.Helper()
	if err := books(table); err != nil {
		t.Fatal(err)
	}
}

func books(t *Table) error {
	r := t.root
	state := map[uint32]string{}
	mark := func(link uint32, as string) error {
		if was, ok := state[link]; ok {
			return fmt.Errorf("record %#x is %s and %s", link, was, as)
		}
		state[link] = as
		return nil
	}
	entries, chained := uint32(0), map[uint32]uint32{}
	for i := range r.Buckets {
		for link := bucketHeadLink(*t.bucket(i)); link != 0; link = chainNext(t.at(link).chain) {
			rec := t.at(link)
			class := pageClass(t.page(link / (pageBytes / linkUnit)).word)
			key := make([]byte, sizeKey(rec.size))
			rec.read(0, key)
			if rec.life == 0 || class >= numClasses || !rec.fits(class) || t.hash(key) != chainHash(rec.chain) ||
				chainHash(rec.chain)&t.mask != i {
				return fmt.Errorf("record %#x in bucket %d: %+v", link, i, *rec)
			}
			if err := mark(link, "in a chain"); err != nil {
				return err
			}
			chained[link/(pageBytes/linkUnit)]++
			entries++
		}
	}
	if entries != r.used {
		return fmt.Errorf("%d in chains, %d told", entries, r.used)
	}
	listed := map[uint32]bool{}
	for i := range r.Banks {
		for class, at := range r.banks[i].heads {
			for prev := uint32(0); at != 0; prev, at = at, t.page(at).next {
				if p := t.page(at); listed[at] || p.prev != prev || pageClass(p.word) != uint8(class) ||
					uint32(pageBank(p.word)) != i {
					return fmt.Errorf("page %d in the list of bank %d, class %d: %+v", at, i, class, *p)
				}
				listed[at] = true
			}
		}
	}
	free := uint32(0)
	for at := r.pool.head; at != 0; at = t.page(at).next {
		if listed[at] || t.page(at).word != 0 {
			return fmt.Errorf("page %d is in the pool and not", at)
		}
		listed[at] = true
		free++
	}
	if free != r.pool.free {
		return fmt.Errorf("%d pages in the pool, %d told", free, r.pool.free)
	}
	bytes, room := [maxBanks]uint64{}, [maxBanks][numClasses]uint32{}
	var err error
	t.eachPage(func(n uint32, p *page) bool {
		if p.word == 0 {
			if !listed[n] {
				err = fmt.Errorf("page %d is lost", n)
			}
			return err == nil
		}
		class, bank := pageClass(p.word), pageBank(p.word)
		bytes[bank] += uint64(p.used) * uint64(classSizes[class])
		room[bank][class] += perPage[class] - p.used
		inList := uint32(0)
		for link := p.free; link != 0; link = chainNext(t.at(link).chain) {
			if err = mark(link, "free"); err == nil && t.at(link).life != 0 {
				err = fmt.Errorf("record %#x is free and lives", link)
			}
			if err != nil {
				return false
			}
			inList++
		}
		if p.used == 0 || p.used != chained[n] || p.used+inList != pageCarved(p.word) ||
			listed[n] != (p.used < perPage[class]) {
			err = fmt.Errorf("page %d, %d chained, %d free, listed %v: %+v", n, chained[n], inList, listed[n], *p)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	for i := range r.Banks {
		if b := &r.banks[i]; b.bytes != bytes[i] || b.free != room[i] {
			return fmt.Errorf("bank %d tells %d bytes and %v free, not %d and %v", i, b.bytes, b.free, bytes[i],
				room[i])
		}
	}
	return nil
}

// eachPage calls f for the number of every page, until it returns false.
func (t *Table) eachPage(f func(n uint32, p *page) bool) {
	for i := range t.root.Pages {
		if n := pageNumber(i); !f(n, t.page(n)) {
			return
		}
	}
}
