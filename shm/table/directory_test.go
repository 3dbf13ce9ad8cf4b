package table

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"viaduct/shm"
)

func TestDirectory(t *testing.T) {
	a := testArena(t, 16<<20)
	empty := a.Shared().UsedBytes()
	d := open(t, a)
	named := a.Shared().UsedBytes()
	c := Config{Entries: 1000, Layout: 7}
	f := func(d *Directory, name string, c Config, origin string, entries uint64) *Table {
		t.Helper()
		table, err := d.Table(name, c)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(table.Origin()), origin) || table.Stats().Entries != entries {
			t.Errorf("%s: %s, %d entries; want %s, %d", name, table.Origin(), table.Stats().Entries, origin, entries)
		}
		check(t, table)
		return table
	}
	fail := func(d *Directory, name string, c Config, want string) {
		t.Helper()
		used := a.Shared().UsedBytes()
		if _, err := d.Table(name, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
		if got := a.Shared().UsedBytes(); got != used {
			t.Errorf("%q: %d bytes in use, %d before", name, got, used)
		}
	}
	one := f(d, "one", c, "made", 0)
	one.Put([]byte("key"), Number(1), Terms{}, 0)
	if f(d, "one", c, "made", 1) != one {
		t.Error("two handles in one process")
	}
	f(d, "two", c, "made", 0).Put([]byte("key"), Number(2), Terms{}, 0)
	f(d, strings.Repeat("n", MaxName), c, "made", 0)

	fail(d, "", c, "1 to 64 bytes")
	fail(d, strings.Repeat("n", MaxName+1), c, "1 to 64 bytes")
	larger := c
	larger.Entries *= 2
	if same := f(d, "one", larger, "made", 1); same != one || same.Config().Entries != c.Entries {
		t.Errorf("a table in use has another size: %+v", same.Config())
	}
	fail(d, "one", Config{Entries: 1000, MaxKey: 9, Layout: 7}, "restart to change it")
	fail(d, "one", Config{Entries: 1000, Layout: 8}, "restart to change it")
	fail(d, "three", Config{Entries: 1_000_000}, "raise -m")
	for _, c := range []Config{{Entries: 1}, {Entries: 20_000}, {Entries: 100, Bytes: 3 << 20}} {
		left := a.PoolBytes()
		f(d, "three", c, "made", 0)
		if took, said := int64(left-a.PoolBytes()), c.ArenaBytes(); max(said-took, took-said) > 1<<20 {
			t.Errorf("%+v takes %d bytes of the arena, and says %d", c, took, said)
		}
		d.Drop("three")
	}
	fail(d, "three", Config{}, "entries 0 is out of range: write 1 to")
	fail(d, "three", Config{Entries: MaxEntries + 1}, "is out of range")
	fail(d, "three", Config{Entries: 1, MaxKey: MaxKey + 1, MaxValue: MaxValue + 1}, "longest value")
	fail(d, "three", Config{Entries: 1, Bytes: MaxBytes + 1}, "bytes")

	// The next process.
	d = open(t, a)
	if d.Origin() != Kept || len(d.Names()) != 3 || !slices.Contains(d.Names(), "two") {
		t.Errorf("%s, %q", d.Origin(), d.Names())
	}
	f(d, "one", c, "kept", 1)
	c.Layout = 8
	f(d, "two", c, "its values are laid out otherwise", 0)
	d = open(t, a)
	f(d, "two", c, "kept", 0).Put([]byte("key"), Number(2), Terms{}, 0)
	d = open(t, a)
	c.Entries++
	f(d, "two", c, "it had room for 1000 entries, 128000 bytes", 0)
	if !d.Drop("one") || d.Drop("one") || !d.Drop("two") || !d.Drop(strings.Repeat("n", MaxName)) ||
		len(d.Names()) != 0 {
		t.Error("drop")
	}
	if got := a.Shared().UsedBytes(); got != named {
		t.Errorf("%d bytes in use, %d with an empty directory", got, named)
	}

	// What a program with other layouts, or a process before the boot, has left is given up, and
	// said.
	for want, change := range map[string]func(){
		"laid out otherwise": func() { d.mem.Layout++ },
		"before the machine": func() { d.mem.Boot[3]++ },
	} {
		f(d, "one", c, "made", 0)
		change()
		d = open(t, a)
		if !strings.Contains(string(d.Origin()), want) || len(d.Names()) != 0 || a.Shared().UsedBytes() != named {
			t.Errorf("%s: %s, %q, %d bytes", want, d.Origin(), d.Names(), a.Shared().UsedBytes())
		}
	}
	if named <= empty {
		t.Error("the directory takes nothing")
	}
}

// A table that cannot be made leaves nothing behind, whichever slot is refused.
func TestRefused(t *testing.T) {
	a := testArena(t, 16<<20)
	for n := 0; ; n++ {
		before := a.Shared().UsedBytes()
		a.Shared().Refuse(n)
		d, err := Open(a)
		if err == nil {
			_, err = d.Table("test", Config{Entries: 1000})
		}
		a.Shared().Refuse(-1)
		if err == nil {
			if n < 3 {
				t.Errorf("made with %d slots", n)
			}
			return
		}
		if !strings.Contains(err.Error(), "raise -m") {
			t.Error(err)
		}
		if got := a.Shared().UsedBytes(); got != before && n != 1 { // the directory itself was made
			t.Errorf("slot %d refused: %d bytes in use, %d before", n, got, before)
		}
	}
}

func TestManyTables(t *testing.T) {
	a := testArena(t, 64<<20)
	d := open(t, a)
	for i := range MaxTables {
		table, err := d.Table(fmt.Sprintf("table %d", i), Config{Entries: 10, Bytes: 1})
		if err != nil {
			t.Fatal(err)
		}
		table.Put([]byte("key"), Number(int64(i)), Terms{}, 0)
	}
	if _, err := d.Table("one more", Config{Entries: 10, Bytes: 1}); err == nil ||
		!strings.Contains(err.Error(), "256 tables") {
		t.Error(err)
	}
	d = open(t, a)
	for i := range MaxTables {
		table, err := d.Table(fmt.Sprintf("table %d", i), Config{Entries: 10, Bytes: 1})
		if err != nil {
			t.Fatal(err)
		}
		if v, verdict := table.Get([]byte("key"), 0, nil); verdict != Done || v.Int != int64(i) {
			t.Errorf("table %d: %v %d", i, verdict, v.Int)
		}
	}
}

// The largest tables have sizes that the arena's slots can hold.
func TestLargest(t *testing.T) {
	f := func(c Config) {
		t.Helper()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		c = c.filled()
		buckets, pages, regions, slots, stripes, banks := c.size()
		if slots > maxBucketSlots || regions > maxRegions || stripes > maxStripes || banks > maxBanks || stripes == 0 ||
			buckets%stripes != 0 ||
			int64(pages)*pageBytes < c.Bytes || bucketHeadBytes+8*int(min(buckets, bucketsPerSlot)) > shm.MaxSlotBytes {
			t.Errorf("%+v: %d buckets, %d pages, %d regions, %d slots, %d stripes, %d banks", c, buckets, pages,
				regions, slots, stripes, banks)
		}
	}
	f(Config{Entries: 1})
	f(Config{Entries: MaxEntries})
	f(Config{Entries: MaxEntries, Bytes: MaxBytes})
	f(Config{Entries: 1, Bytes: MaxBytes})
}

// TestWhile: a table is not dropped while somebody is at it, and nobody gets at it afterwards.
func TestWhile(t *testing.T) {
	d := open(t, testArena(t, 16<<20))
	one, err := d.Table("one", Config{Entries: 100})
	if err != nil {
		t.Fatal(err)
	}
	dropped := make(chan bool)
	if !one.While(func() {
		go func() { dropped <- d.Drop("one") }()
		select {
		case <-dropped:
			t.Error("it was dropped meanwhile")
		case <-time.After(20 * time.Millisecond):
		}
		one.Put([]byte("key"), Number(1), Terms{}, 0)
	}) {
		t.Error("it is gone from the beginning")
	}
	if !<-dropped {
		t.Error("it was not dropped")
	}
	if one.While(func() { t.Error("a table that is gone was used") }) {
		t.Error("it is there behind the drop")
	}
	two, err := d.Table("two", Config{Entries: 100})
	if err != nil {
		t.Fatal(err)
	}
	if d.Close(); two.While(func() {}) {
		t.Error("a table is there behind the close of the directory")
	}
}
