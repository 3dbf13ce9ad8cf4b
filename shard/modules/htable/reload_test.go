package htable

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"viaduct/shm/table"
)

// TestReloadFillsNothing: a table that is there stays as it is, an empty one too, whether the reload
// succeeds or fails. What the file has goes only into a table that is made.
func TestReloadFillsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "first")
	if err := os.WriteFile(path, []byte("+49 => de\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := bench(t)
	b.Head += `modparam("htable", "htable", "f=>size=4;file=` + path + `")`
	f := func(before, want string) {
		t.Helper()
		if got := b.Value(before, "$sht(f=>+49)"); got != want {
			t.Errorf("behind %q the entry of the file is %s, want %s", before, got, want)
		}
	}
	f("", "'de'")
	f(`sht_reset("f");`, "null")
	f("", "null")
	head := b.Head
	b.Head += "\n" + `modparam("htable", "htable", "large=>entries=4000000")`
	if _, _, err := b.Load("request_route { exit; }"); err == nil ||
		!strings.Contains(err.Error(), "4000000 entries need") {
		t.Fatalf("a table that has no room: %v", err)
	}
	b.Head = head
	f("", "null")
}

// TestFileOffHeap: what a file has is in the arena, and nowhere else.
func TestFileOffHeap(t *testing.T) {
	const lines = 20_000
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "a key of some length %d => a text of some length %d\n", i, i)
	}
	path := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	size := uint64(text.Len())
	text.Reset()
	b := bench(t)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	b.Head += `modparam("htable", "htable", "f=>entries=` + fmt.Sprint(lines) + `;file=` + path + `")`
	p, _, err := b.Load("request_route { exit; }")
	if err != nil {
		t.Fatal(err)
	}
	if after := heap(); after > before+size/2 {
		t.Errorf("a file of %d bytes leaves %d on the heap", size, after-before)
	}
	runtime.KeepAlive(p)
	if got := b.Value("", "$shtcn(f=>**)"); got != fmt.Sprint(lines) {
		t.Errorf("the table has %s entries, want %d", got, lines)
	}
}

// TestSizeKept: a table that is in use keeps its size over a reload, which says so.
func TestSizeKept(t *testing.T) {
	b := bench(t)
	head := b.Head
	b.Head = head + `modparam("htable", "htable", "s=>entries=4")`
	if got := b.Value("$sht(s=>a) = 1;", "$sht(s=>a)"); got != "1" {
		t.Fatalf("$sht is %s", got)
	}
	b.Head = head + `modparam("htable", "htable", "s=>entries=400")`
	p, _, err := b.Load("request_route { exit; }")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"table htable/s has room for 4 entries until a restart, when it will have the " +
		"400 of the file"}
	if got := p.OpenNotes(); !slices.Equal(got, want) {
		t.Errorf("the reload notes %q", got)
	}
	if got := b.Value("", "$sht(s=>a)"); got != "1" {
		t.Errorf("behind the reload $sht is %s", got)
	}
	b.Head = head + `modparam("htable", "htable", "s=>entries=4")`
	if p, _, err = b.Load("request_route { exit; }"); err != nil || len(p.OpenNotes()) > 0 {
		t.Errorf("the size it has: %v, %q", err, p.OpenNotes())
	}
}

// TestCountLarge: all entries of a large table, and one key, are told without a look at each.
func TestCountLarge(t *testing.T) {
	b := bench(t)
	b.Head += `modparam("htable", "htable", "l=>entries=20000") modparam("htable", "htable", "m=>size=4")`
	if _, _, err := b.Load("request_route { exit; }"); err != nil {
		t.Fatal(err)
	}
	all, err := b.State().Table("htable/l", (&spec{entries: 20_000}).config())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		all.Put(fmt.Appendf(nil, "key%d", i), table.Number(int64(i%2)), table.Terms{}, 0)
	}
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s is %s, want %s", x, got, want)
		}
	}
	f("", "$shtcn(l=>**)", "10000")
	f("", "$shtcv(l=>**)", "10000")
	f("", "$shtcn(l=>==key77)", "1")
	f("", "$shtcn(l=>==key77777)", "0")
	f("", "$shtcn(l=>~~^key7)", "1111")
	f("", "$shtcv(l=>eq1)", "5000")
	// Nothing can wait on this bench, as in onsend_route: the functions do it all the same.
	f(`$var(r) = sht_match_name("l", "re", "^none");`, "$var(r)", "-1")
	f(`$var(r) = sht_rm_name_re("l=>^key7");`, "$shtcn(l=>**)", "8889")
	f(`$var(r) = sht_match_name("l", "eq", "$shtinc(c=>looks)");`, "$shtinc(c=>looks)", "2")
	f(`sht_rm_value("l", "sw", "x");`, "$shtcn(l=>**)", "8889")

	warned := func(x string, want int) {
		t.Helper()
		if _, w, err := b.Load("request_route { $var(n) = " + x + "; exit; }"); err != nil || len(w) != want {
			t.Errorf("%s: %d warnings (%v), want %d; %v", x, len(w), w, want, err)
		}
	}
	warned("$shtcn(l=>~~^key7)", 1)
	warned("$shtcv(l=>==text)", 1)
	warned("$shtcn(l=>==key)", 0)
	warned("$shtcn(l=>**)", 0)
	warned("$shtcn(m=>~~^key7)", 0)
}
