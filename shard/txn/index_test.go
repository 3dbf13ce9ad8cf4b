package txn

import (
	"math/rand/v2"
	"testing"

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

// TestIndex holds the index against a map, through filling, emptying and much in between, with hashes that collide.
func TestIndex(t *testing.T) {
	x, err := newIndex(0, 1)
	if err != nil {
		t.Fatal(err)
	}
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
		if len(x.slots) != want || x.most >= want || x.mask != uint32(want-1) {
			t.Errorf("%d bytes, %d shards: %d slots, want %d; most %d", arenaBytes, shards, len(x.slots), want, x.most)
		}
	}
	f(0, 4, minIndexSlots)
	f(64<<20, 1, 1<<18)
	f(64<<20, 4, 1<<16)
	f(64<<20, 3, 1<<16)
}
