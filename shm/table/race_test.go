package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The race detector does not see the arena. So entries carry their own proof: what a key may hold
// follows from it and from a seed that the value begins with. Key i is short or long, and even ones
// hold texts.

const proofMax = 300

func proofKey(i uint32, buf []byte) []byte {
	buf = binary.BigEndian.AppendUint32(buf[:0], i)
	for n := i % 5 * 13; n > 0; n-- {
		buf = append(buf, byte(i))
	}
	return buf
}

// proofValue is what key i holds with this seed; also when it ends.
func proofValue(i, seed uint32, buf []byte) (Value, int64) {
	ends := int64(seed)*1000 + int64(i) + 1
	if i%2 == 1 && seed%8 != 0 {
		return Number(int64(i)<<32 | int64(seed)), ends
	}
	buf = binary.BigEndian.AppendUint32(buf[:0], seed)
	x := i*2654435761 + seed
	for n := x % (proofMax - 4); n > 0; n-- {
		x = x*1664525 + 1013904223
		buf = append(buf, byte(x>>24))
	}
	return String(buf), ends
}

// prove judges what was told of key i.
func prove(i uint32, v Value, buf []byte) error {
	seed := uint32(v.Int)
	if v.Kind == Text {
		if len(v.Text) < 4 {
			return fmt.Errorf("torn: key %d is %x", i, v.Text)
		}
		seed = binary.BigEndian.Uint32(v.Text)
	}
	want, ends := proofValue(i, seed, buf)
	if want.Ends = ends; !same(v, want) {
		return fmt.Errorf("torn: key %d is %+v, want %+v", i, v, want)
	}
	return nil
}

// proveEntry judges an entry.
func proveEntry(e *Entry, buf []byte) error {
	if len(e.Key) < 4 {
		return fmt.Errorf("torn: key %x", e.Key)
	}
	i := binary.BigEndian.Uint32(e.Key)
	if !bytes.Equal(e.Key, proofKey(i, nil)) {
		return fmt.Errorf("torn: key %x", e.Key)
	}
	return prove(i, e.Value, buf)
}

// proofStep does one thing a writer does. What ends has a seed below 100, and ends at 100,000 at
// the latest.
func proofStep(t *Table, rng *rand.Rand, keys uint32, buf, buf2 []byte) {
	i := rng.Uint32N(keys)
	key := proofKey(i, buf2)
	seed := rng.Uint32N(200)
	v, ends := proofValue(i, seed, buf)
	switch rng.IntN(10) {
	case 0, 1, 2, 3, 4:
		t.Put(key, v, Terms{Ends: ends}, 0)
	case 5:
		t.Insert(key, v, Terms{Ends: ends}, 0)
	case 6:
		t.CompareAndPut(key, Number(int64(i)<<32|int64(seed+1)), v, Terms{Ends: ends}, 0)
	default:
		t.Delete(key, 0)
	}
}

func proofConfig() Config { return Config{Entries: 150, Bytes: 256 << 10, MaxValue: proofMax} }

// TestReadersAndWriters: whatever a reader is told was true of one entry at one time.
func TestReadersAndWriters(t *testing.T) {
	table := testTable(t, proofConfig())
	const keys = 200
	var stop atomic.Bool
	var hits, ended atomic.Int64
	errs := make(chan error, 8)
	var readers, writers sync.WaitGroup
	for g := range 3 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			kb, vb, buf := make([]byte, 0, 100), make([]byte, 0, proofMax), make([]byte, proofMax)
			for n := 0; !stop.Load(); n++ {
				i := rng.Uint32N(keys)
				v, verdict := table.Get(proofKey(i, kb), 0, buf)
				if verdict == Done {
					hits.Add(1)
					if err := prove(i, v, vb); err != nil {
						errs <- err
						return
					}
				}
				if n%100 == 0 {
					table.View(rng.Uint32N(table.mask), 0, 20, func(e *Entry) {
						if err := proveEntry(e, vb); err != nil {
							errs <- errors.Join(errors.New("view"), err)
							stop.Store(true)
						}
					})
				}
			}
		})
	}
	for g := range 3 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 2))
			kb, vb := make([]byte, 0, 100), make([]byte, 0, proofMax)
			for n := range 60_000 {
				proofStep(table, rng, keys, vb, kb)
				if g == 0 && n%50 == 0 {
					m, _ := table.Expire(100_000, 40, func(e *Entry) {
						if err := proveEntry(e, vb); err != nil {
							errs <- errors.Join(errors.New("ended"), err)
						}
					})
					ended.Add(int64(m))
				}
			}
		})
	}
	writers.Wait()
	// on a loaded machine readers may not have run
	for end := time.Now().Add(10 * time.Second); hits.Load() == 0 && time.Now().Before(end); {
		v, ends := proofValue(1, 1, nil)
		table.Put(proofKey(1, nil), v, Terms{Ends: ends}, 0)
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	readers.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	check(t, table)
	if hits.Load() == 0 || ended.Load() == 0 || table.Stats().Refused == 0 {
		t.Error("nothing was found, has ended or was refused: the test proves nothing")
	}
	t.Logf("%d hits, %+v", hits.Load(), table.Stats())
}

// TestStableEntryIsAlwaysFound: an entry that is there is found, with one of its values, whatever
// happens to it and around it in its bucket.
func TestStableEntryIsAlwaysFound(t *testing.T) {
	table := testTable(t, proofConfig())
	for _, i := range []uint32{4, 5} { // 4 is a text that is changed, 5 a number
		key := proofKey(i, nil)
		v, ends := proofValue(i, 1, nil)
		table.Put(key, v, Terms{Ends: ends}, 0)
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			kb, vb := make([]byte, 0, 100), make([]byte, 0, proofMax)
			for !stop.Load() {
				v, ends := proofValue(i, 1+8*rng.Uint32N(20), vb)
				if verdict := table.Put(key, v, Terms{Ends: ends}, 0); verdict != Done && verdict != Full {
					panic(verdict)
				}
				j := 6 + rng.Uint32N(100)
				v, ends = proofValue(j, rng.Uint32N(100), vb)
				if rng.IntN(2) == 0 {
					table.Put(proofKey(j, kb), v, Terms{Ends: ends}, 0)
				} else {
					table.Delete(proofKey(j, kb), 0)
				}
			}
		})
		vb, buf := make([]byte, 0, proofMax), make([]byte, proofMax)
		for range 300_000 {
			v, verdict := table.Get(key, 0, buf)
			if verdict != Done {
				t.Fatalf("key %d: %v", i, verdict)
			}
			if err := prove(i, v, vb); err != nil {
				t.Fatal(err)
			}
		}
		stop.Store(true)
		wg.Wait()
	}
	check(t, table)
	t.Logf("%+v", table.Stats())
}

// TestAddFromMany: no addition is lost.
func TestAddFromMany(t *testing.T) {
	table := testTable(t, Config{Entries: 100})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20_000 {
				if _, v := table.Create(proofKey(uint32(i%10), nil), 0, 1, Terms{Ends: int64(g) + 1000}, 0); v != Done {
					panic(v)
				}
			}
		})
	}
	wg.Wait()
	for i := range uint32(10) {
		if v, _ := table.Get(proofKey(i, nil), 0, nil); v.Int != 8000 {
			t.Errorf("%d additions, want 8000", v.Int)
		}
	}
	check(t, table)
}

// TestOvertaken: a look-up that is overtaken each time takes the lock, and has its answer.
func TestOvertaken(t *testing.T) {
	table := testTable(t, Config{Entries: 64})
	key := []byte("key")
	table.Put(key, Number(5), Terms{}, 0)
	bucket := table.bucket(table.hash(key) & table.mask)
	good := *bucket
	for _, link := range []uint32{1, regionHeadBytes/linkUnit - 1, table.ends[0], table.ends[0] - 1, linksPerRegion,
		1<<32 - 1} {
		var v Value
		if _, whole := table.walk(link, key, table.hash(key), 0, nil, &v); whole && link != table.ends[0]-1 {
			t.Errorf("link %#x was believed", link)
		}
	}
	if v, verdict := table.getLocked(key, table.hash(key), 0, nil); verdict != Done || v.Int != 5 ||
		table.Stats().Torn != 1 || *bucket != good {
		t.Errorf("%v %+v", verdict, v)
	}
}
