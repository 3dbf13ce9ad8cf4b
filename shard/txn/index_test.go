package txn

import (
	"math/rand/v2"
	"testing"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shm"
)

func (x *index) find(hash uint64, off shm.Off) bool {
	for i := tagOf(hash) & x.mask; x.slots[i] != 0; i = (i + 1) & x.mask {
		if x.slots[i] == uint64(tagOf(hash))<<32|uint64(off) {
			return true
		}
	}
	return false
}

// TestIndex holds the index against a map, through filling, emptying and much in between, with
// hashes that collide.
func TestIndex(t *testing.T) {
	x, err := newIndex(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer x.free()
	if len(x.slots) != minIndexSlots {
		t.Fatalf("%d slots", len(x.slots))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	in := map[shm.Off]uint64{}
	var offs []shm.Off
	put := func() {
		hash := rng.Uint64()
		switch rng.IntN(4) {
		case 0:
			hash = uint64(minIndexSlots-1-rng.IntN(8)) << 32 // around the end of the table
		case 1:
			hash = 7 << 32
		}
		off := shm.Off(1 + rng.Uint32N(1<<30))
		if _, dup := in[off]; dup {
			return
		}
		if ok := x.put(hash, off); ok != (len(in) < x.most) {
			t.Fatalf("put says %v with %d of %d", ok, len(in), x.most)
		} else if ok {
			in[off] = hash
			offs = append(offs, off)
		}
	}
	remove := func() {
		if len(offs) == 0 {
			return
		}
		k := rng.IntN(len(offs))
		off := offs[k]
		offs[k] = offs[len(offs)-1]
		offs = offs[:len(offs)-1]
		if !x.remove(in[off], off) {
			t.Fatalf("%d was not there", off)
		}
		if x.remove(in[off], off) {
			t.Fatalf("%d was there twice", off)
		}
		delete(in, off)
	}
	for round, bias := range []int{9, 5, 1, 9, 5, 0} { // of ten steps so many put
		for range 2500 {
			if rng.IntN(10) < bias {
				put()
			} else {
				remove()
			}
		}
		for off, hash := range in {
			if !x.find(hash, off) {
				t.Fatalf("round %d: %d is lost", round, off)
			}
		}
		if x.used != len(in) {
			t.Fatalf("round %d: %d entries, counted %d", round, len(in), x.used)
		}
	}
	for range x.most + 5000 {
		put()
	}
	if x.used != x.most {
		t.Fatalf("%d of %d used after filling", x.used, x.most)
	}
	for len(in) > 0 {
		remove()
	}
	for i, e := range x.slots {
		if e != 0 {
			t.Fatalf("slot %d is not empty at the end", i)
		}
	}
}

func TestIndexSize(t *testing.T) {
	f := func(arenaBytes uint64, shards, want int) {
		t.Helper()
		x, err := newIndex(arenaBytes, shards)
		if err != nil {
			t.Fatal(err)
		}
		defer x.free()
		if len(x.slots) != want || x.most >= want || x.mask != uint32(want-1) {
			t.Errorf("%d bytes, %d shards: %d slots, want %d; most %d", arenaBytes, shards, len(x.slots), want, x.most)
		}
	}
	f(0, 4, minIndexSlots)
	f(64<<20, 1, 1<<18)
	f(64<<20, 4, 1<<16)
	f(64<<20, 3, 1<<16)
}

// TestIndexFull: a transaction without room in the index is refused and counted, and takes nothing;
// what is there is found, ends, and makes room.
func TestIndexFull(t *testing.T) {
	u := &user{}
	tb := u.table(t, DefaultTimers())
	tb.index.most = 2
	key := func(i uint64) Key { return Key{hash: i << 32, bytes: []byte{byte(i)}} }
	open := func(i uint64) *Tx {
		return tb.NewServer(key(i), parser.INVITE, &netio.Addr{Family: 4, Port: 5060}, 0)
	}
	first, second := open(1), open(2)
	used := tb.arena.UsedBytes()
	if first == nil || second == nil || open(3) != nil || tb.Held() != 2 || tb.arena.UsedBytes() != used ||
		tb.count[CountIndexFull] != 1 || tb.count[CountArenaFull] != 0 {
		t.Fatalf("%v %v, %d held, counted %d and %d", first, second, tb.Held(), tb.count[CountIndexFull],
			tb.count[CountArenaFull])
	}
	if tb.Match(key(1)) != first || tb.Match(key(2)) != second || tb.Match(key(3)) != nil {
		t.Error("a full index finds the wrong ones")
	}
	tb.Terminate(first)
	tb.Reclaim()
	if tb.Match(key(1)) != nil || open(3) == nil {
		t.Error("what ended makes no room")
	}
	tb.Terminate(second)
	tb.Terminate(tb.Match(key(3)))
	tb.Reclaim()
	if tb.Held() != 0 || tb.index.used != 0 || tb.arena.UsedBytes() != 0 {
		t.Errorf("%d held, %d in the index, %d bytes at the end", tb.Held(), tb.index.used, tb.arena.UsedBytes())
	}
}

// TestRebuildIndexFull: taken over by a smaller index, a transaction is held and ends though no
// repeat of its request finds it.
func TestRebuildIndexFull(t *testing.T) {
	u := &user{}
	tb := u.table(t, DefaultTimers())
	for i := range byte(4) {
		if tb.NewServer(Key{hash: uint64(i) << 32, bytes: []byte{i}}, parser.INVITE, &netio.Addr{Family: 4, Port: 5060},
			0) == nil {
			t.Fatal("no transaction")
		}
	}
	next, err := New(Config{
		Arena: tb.arena, Settings: DefaultSettings(), Sender: nowhere{}, User: u, Counters: tb.count, Random: tb.random,
		Now: tb.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	next.index.most = 2
	if n := next.Rebuild(); n != 4 || next.index.used != 2 || next.count[CountIndexFull] != 2 {
		t.Fatalf("%d taken over, %d in the index, counted %d", n, next.index.used, next.count[CountIndexFull])
	}
	next.Transactions(func(tx *Tx) { next.Terminate(tx) })
	next.Reclaim()
	if next.Held() != 0 || next.index.used != 0 {
		t.Errorf("%d held, %d in the index at the end", next.Held(), next.index.used)
	}
}
