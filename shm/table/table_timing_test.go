package table

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"viaduct/shm"
)

// million is how many entries the tables of these benchmarks have.
const million = 1_000_000

// benchKey is key i, as long as an IPv4 address and port, or as n says.
func benchKey(buf []byte, i uint32, n int) []byte {
	buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(i*2654435761)) // not in the order of the records
	for len(buf) < n {
		buf = append(buf, 'k')
	}
	return buf
}

// millionConfig is what the tables of these benchmarks are declared as.
var millionConfig = Config{Entries: million * 5 / 4, MaxValue: 100}

// filled is a table of 1,000,000 texts of 24 bytes, or numbers.
func filled(b testing.TB, kind Kind) *Table {
	b.Helper()
	t, _ := filledIn(b, kind)
	return t
}

// filledIn is filled, with the arena.
func filledIn(b testing.TB, kind Kind) (*Table, *shm.Arena) {
	b.Helper()
	a, err := shm.Create(shm.Config{Bytes: 300 << 20, Shards: 1, HugePages: shm.HugeTry}) // as servers have it
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	t, err := open(b, a).Table("test", millionConfig)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 64)
	for i := range uint32(million) {
		v := Number(int64(i))
		if kind == Text {
			v = String(fmt.Appendf(nil, "%024d", i))
		}
		if verdict := t.Put(benchKey(buf, i, 21), v, Terms{Ends: 1 << 40}, 0); verdict != Done {
			b.Fatal(verdict)
		}
	}
	return t, a
}

// BenchmarkGet is a look-up in a table of 1,000,000 entries, by one goroutine and by one for each
// processor, at rest and while another one writes to it all the time.
func BenchmarkGet(b *testing.B) {
	for _, kind := range []Kind{Int, Text} {
		t := filled(b, kind)
		name := map[Kind]string{Int: "int", Text: "text"}[kind]
		get := func(from, n uint32, want Verdict) {
			key, buf := make([]byte, 0, 64), make([]byte, 100)
			for i := range n {
				if v, verdict := t.Get(benchKey(key, (from+i*7919)%million+uint32(want)*million, 21), 1,
					buf); verdict != want || v.Kind == Text && len(v.Text) != 24 {
					panic(verdict)
				}
			}
		}
		b.Run(name+"/hit", func(b *testing.B) { get(1, uint32(b.N), Done) })
		b.Run(name+"/miss", func(b *testing.B) { get(1, uint32(b.N), Absent) })
		parallel := func(b *testing.B) {
			var next atomic.Uint32
			b.RunParallel(func(pb *testing.PB) {
				key, buf := make([]byte, 0, 64), make([]byte, 100)
				for i := next.Add(1) * 104729; pb.Next(); i += 7919 {
					if v, verdict := t.Get(benchKey(key, i%million, 21), 1, buf); verdict != Done ||
						v.Kind == Text && len(v.Text) != 24 {
						panic(verdict)
					}
				}
			})
		}
		b.Run(name+"/hit-parallel", parallel)
		b.Run(name+"/hit-parallel-written", func(b *testing.B) {
			var stop atomic.Bool
			var done sync.WaitGroup
			n := 0
			done.Go(func() {
				key, text := make([]byte, 0, 64), []byte("changed, and as long yet")
				for i := uint32(0); !stop.Load(); i += 7907 {
					v := Number(int64(i))
					if kind == Text {
						v = String(text)
					}
					t.Put(benchKey(key, i%million, 21), v, Terms{Ends: 1 << 40}, 0)
					n++
				}
			})
			parallel(b)
			stop.Store(true)
			done.Wait()
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "puts/s")
			b.ReportMetric(float64(t.Stats().Torn), "torn")
		})
	}
}

// BenchmarkGetCached is a look-up in a table of 3,000 entries, which the cache holds: beside
// BenchmarkListed of package blocklist.
func BenchmarkGetCached(b *testing.B) {
	t := testTable(b, Config{Entries: 3000})
	keys := make([][]byte, 6000)
	for i := range keys {
		keys[i] = benchKey(nil, uint32(i), 21)
		if i < 3000 {
			t.Put(keys[i], Number(int64(i)), Terms{}, 0)
		}
	}
	f := func(name string, keys [][]byte, want Verdict) {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				if _, verdict := t.Get(keys[i%3000], 1, nil); verdict != want {
					b.Fatal(verdict)
				}
			}
		})
	}
	f("hit", keys[:3000], Done)
	f("miss", keys[3000:], Absent)
}

// BenchmarkPut changes entries, makes and deletes them.
func BenchmarkPut(b *testing.B) {
	key, text := make([]byte, 0, 64), []byte("changed, and as long yet")
	f := func(name string, t *Table, v Value) {
		b.Run(name, func(b *testing.B) {
			for i := range uint32(b.N) {
				if verdict := t.Put(benchKey(key, i*7919%million, 21), v, Terms{Ends: 1 << 40}, 0); verdict != Done {
					b.Fatal(verdict)
				}
			}
		})
		b.Run(name+"-new-delete", func(b *testing.B) {
			for i := range uint32(b.N) {
				key := benchKey(key, million+i, 21)
				if verdict := t.Put(key, v, Terms{Ends: 1 << 40}, 0); verdict != Done {
					b.Fatal(verdict)
				}
				if verdict := t.Delete(key, 0); verdict != Done {
					b.Fatal(verdict)
				}
			}
		})
	}
	f("text", filled(b, Text), String(text))
	ints := filled(b, Int)
	f("int", ints, Number(5))
	b.Run("add", func(b *testing.B) {
		for i := range uint32(b.N) {
			if _, verdict := ints.Add(benchKey(key, i*7919%million, 21), 1, Terms{Keep: true}, 0); verdict != Done {
				b.Fatal(verdict)
			}
		}
	})
	b.Run("add-parallel", func(b *testing.B) {
		var next atomic.Uint32
		b.RunParallel(func(pb *testing.PB) {
			key := make([]byte, 0, 64)
			for i := next.Add(1) * 104729; pb.Next(); i += 7919 {
				if _, verdict := ints.Add(benchKey(key, i%million, 21), 1, Terms{Keep: true}, 0); verdict != Done {
					panic(verdict)
				}
			}
		})
	})
}

// BenchmarkPutCached changes texts of 24 and of 500 bytes in a table of 3,000 entries.
func BenchmarkPutCached(b *testing.B) {
	keys := make([][]byte, 3000)
	for i := range keys {
		keys[i] = benchKey(nil, uint32(i), 40)
	}
	for _, n := range []int{24, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			t := testTable(b, Config{Entries: 3000, Bytes: 3 << 20})
			v := String(make([]byte, n))
			b.ResetTimer()
			for i := range b.N {
				if verdict := t.Put(keys[i%3000], v, Terms{}, 1); verdict != Done {
					b.Fatal(verdict)
				}
			}
		})
	}
}

// BenchmarkExpire looks through pages of 4,096 records, none of which has ended.
func BenchmarkExpire(b *testing.B) {
	t := filled(b, Int)
	b.ResetTimer()
	for range b.N {
		if n, _ := t.Expire(1, 4096, nil); n != 0 {
			b.Fatal(n)
		}
	}
}

// BenchmarkExpireEnded takes 1,000,000 ended entries out, and tells of each.
func BenchmarkExpireEnded(b *testing.B) {
	for range b.N {
		b.StopTimer()
		t := filled(b, Int)
		b.StartTimer()
		n := 0
		for done := false; !done; {
			_, done = t.Expire(1<<40, 4096, func(*Entry) { n++ })
		}
		if n != million {
			b.Fatal(n)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/million, "ns/entry")
	}
}

// BenchmarkTakeOver makes chains and lists of 1,000,000 entries anew, as the next process does.
func BenchmarkTakeOver(b *testing.B) {
	t := filled(b, Int)
	b.ResetTimer()
	for range b.N {
		t.rebuild()
		if n := t.Stats().Entries; n != million {
			b.Fatal(n)
		}
	}
}

// BenchmarkMap is the plain table: a map behind a lock of Go's.
func BenchmarkMap(b *testing.B) {
	var mu sync.RWMutex
	m := map[string]int64{}
	key := make([]byte, 0, 64)
	for i := range uint32(million) {
		m[string(benchKey(key, i, 21))] = int64(i)
	}
	b.ResetTimer()
	b.Run("hit", func(b *testing.B) {
		for i := range uint32(b.N) {
			mu.RLock()
			_, ok := m[string(benchKey(key, i*7919%million, 21))]
			mu.RUnlock()
			if !ok {
				b.Fatal(i)
			}
		}
	})
}

// TestNoAllocation: what shards call makes no garbage, nor does Expire.
func TestNoAllocation(t *testing.T) {
	table := testTable(t, Config{Entries: 1000})
	key, fresh, buf := []byte("sip:alice@example.com"), []byte("sip:bob@example.com"), make([]byte, 4096)
	text := String([]byte("a text of some length, which is changed"))
	ended := 0
	f := func(*Entry) { ended++ }
	n := testing.AllocsPerRun(100, func() {
		table.Put(key, text, Terms{Ends: 10}, 0)
		table.Get(key, 0, buf)
		table.CompareAndPut(key, text, text, Terms{Ends: 10}, 0)
		table.Insert(fresh, Number(1), Terms{Ends: 10}, 0)
		table.Add(fresh, 1, Terms{Keep: true}, 0)
		table.SetDeadline(fresh, 5, 0)
		table.Create(key[:5], 1, 1, Terms{}, 0)
		table.Get(fresh, 0, buf)
		table.Delete(key, 0)
		table.Expire(10, 1000, f)
	})
	if n != 0 || ended == 0 {
		t.Errorf("%v allocations, %d ended", n, ended)
	}
}

// BenchmarkAttach takes over the arena of a process that was killed with 1,000,000 entries in a
// table: it maps the arena, recovers it, and finds the table and all entries in it.
func BenchmarkAttach(b *testing.B) {
	for _, kind := range []Kind{Int, Text} {
		b.Run(map[Kind]string{Int: "int", Text: "text"}[kind], func(b *testing.B) {
			t, of := filledIn(b, kind)
			for b.Loop() {
				b.StopTimer()
				f := dup(b, of.File())
				b.StartTimer()
				a, err := shm.AttachFile(f, 0)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := a.Recover(func(shm.Off, shm.Off) bool { return false }); err != nil {
					b.Fatal(err)
				}
				again, err := open(b, a).Table("test", millionConfig)
				if err != nil {
					b.Fatal(err)
				}
				if n := again.Stats().Entries; n != million {
					b.Fatalf("%d entries", n)
				}
				b.StopTimer()
				a.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(t.Stats().Bytes)/million, "B/entry")
		})
	}
}
