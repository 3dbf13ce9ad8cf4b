package shm

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// The work that is killed: calls, as records with parts, that are made, changed and ended through
// the real API. Every word can be checked afterwards.

const (
	kindCall Kind = 1 + iota
	kindBody
	kindNote
	kindShared
)

// callState is what changes together: which body counts, its length, its checksum, and three words
// that must agree.
type callState struct {
	Sum     uint64 // of the body's bytes
	Version uint64
	Inverse uint64 // ^Version
	Body    Off
	Len     uint32
}

// pair is two versions of a callState, of which the lowest bit of seq says which one counts: so a
// record of tests changes several words in one store.
type pair struct {
	seq uint32
	_   uint32
	v   [2]callState
}

func (p *pair) set(st callState) { p.seq, p.v[0] = 0, st }
func (p *pair) now() *callState  { return &p.v[p.seq&1] }

// edit copies the version that counts into the other half, to be changed before flip.
func (p *pair) edit() *callState {
	next := &p.v[^p.seq&1]
	*next = p.v[p.seq&1]
	return next
}

func (p *pair) flip() { atomic.AddUint32(&p.seq, 1) }

// testCall is a record with one part, the body, and one that never changes, the note.
type testCall struct {
	Header
	ID    uint64
	IDSum uint64 // ID × a constant
	Note  Off
	Shard uint32
	State pair
}

type testNote struct {
	Header
	ID   uint64
	Text [5]uint64
}

const idMix = 0x9e3779b97f4a7c15

var testLayout = LayoutOf(testCall{}, testNote{})

// worker drives one shard.
type worker struct {
	a     *Arena
	s     *Slab
	shard int
	rng   *rand.Rand
	calls []Off
	body  func(rng *rand.Rand) (n, room int) // how long a body is, and its slot
	max   int                                // calls at a time
}

func newWorker(a *Arena, shard int, rng *rand.Rand, max int) *worker {
	w := &worker{a: a, s: a.Slab(shard), shard: shard, rng: rng, max: max}
	w.body = func(rng *rand.Rand) (n, room int) {
		switch n := rng.IntN(1000); {
		case n == 0:
			n = 140_000 + rng.IntN(400_000) // a span
			return n, n
		case n < 20:
			n = 2_000 + rng.IntN(100_000)
			return n, n
		}
		n = 40 + rng.IntN(1_400)
		return n, n
	}
	w.s.Walk(func(off Off, h *Header) bool {
		if h.Kind == kindCall {
			w.calls = append(w.calls, off)
		}
		return true
	})
	return w
}

// step does one thing: begins, changes or ends a call.
func (w *worker) step() {
	switch n := w.rng.IntN(10); {
	case len(w.calls) == 0 || (n < 4 && len(w.calls) < w.max):
		w.begin()
	case n < 6:
		w.swapBody(w.calls[w.rng.IntN(len(w.calls))])
	case n < 8:
		w.change(w.calls[w.rng.IntN(len(w.calls))])
	default:
		w.end(w.rng.IntN(len(w.calls)))
	}
}

// begin: the parts, then the record, whose Publish brings all of them to life.
func (w *worker) begin() {
	call, ok := w.s.Alloc(kindCall, int(unsafe.Sizeof(testCall{})))
	if !ok {
		return
	}
	id := w.rng.Uint64()
	note, ok := w.s.Alloc(kindNote, int(unsafe.Sizeof(testNote{})))
	if !ok {
		w.s.Free(call)
		return
	}
	n := Ptr[testNote](w.a, note)
	n.Owner, n.ID = call, id
	for i := range n.Text {
		n.Text[i] = id * idMix * uint64(i+1)
	}
	w.s.Publish(note)
	body, st, ok := w.newBody(call)
	if !ok {
		w.s.Free(call)
		w.s.Free(note)
		return
	}
	st.Version, st.Inverse = id, ^id
	c := Ptr[testCall](w.a, call)
	c.ID, c.IDSum, c.Note, c.Shard = id, id*idMix, note, uint32(w.shard)
	c.State.set(st)
	w.s.Publish(body)
	w.s.Publish(call)
	w.calls = append(w.calls, call)
}

// newBody is a part not yet published.
func (w *worker) newBody(call Off) (Off, callState, bool) {
	n, room := w.body(w.rng)
	off, ok := w.s.Alloc(kindBody, HeaderBytes+room)
	if !ok {
		return 0, callState{}, false
	}
	h := Ptr[Header](w.a, off)
	h.Owner, h.Len = call, uint32(n)
	b := w.a.Bytes(off, 0, n)
	seed := byte(w.rng.Uint32())
	for i := range b {
		b[i] = seed + byte(i)
	}
	return off, callState{Body: off, Len: uint32(n), Sum: xxhash.Sum64(b)}, true
}

// swapBody: new part, flip, free the old one.
func (w *worker) swapBody(call Off) {
	body, st, ok := w.newBody(call)
	if !ok {
		return
	}
	w.s.Publish(body)
	c := Ptr[testCall](w.a, call)
	old := c.State.now().Body
	e := c.State.edit()
	e.Body, e.Len, e.Sum = body, st.Len, st.Sum
	e.Version++
	e.Inverse = ^e.Version
	c.State.flip()
	w.s.Free(old)
}

// change: several words at once.
func (w *worker) change(call Off) {
	c := Ptr[testCall](w.a, call)
	e := c.State.edit()
	e.Version += 7
	e.Inverse = ^e.Version
	c.State.flip()
}

// end: the record, then its parts.
func (w *worker) end(i int) {
	call := w.calls[i]
	c := Ptr[testCall](w.a, call)
	note, body := c.Note, c.State.now().Body
	w.s.Free(call)
	w.s.Free(note)
	w.s.Free(body)
	w.calls[i] = w.calls[len(w.calls)-1]
	w.calls = w.calls[:len(w.calls)-1]
}

// holds is what a user of Recover says about its records.
func holds(a *Arena) func(owner, part Off) bool {
	return func(owner, part Off) bool {
		c := Ptr[testCall](a, owner)
		return c.Kind == kindCall && (c.Note == part || c.State.now().Body == part)
	}
}

// check verifies every record of every shard and the books, and returns the number of calls.
func check(a *Arena) (int, error) {
	calls := 0
	for shard := range a.Shards() {
		s := a.Slab(shard)
		seen := map[Off]Kind{}
		used := uint64(0)
		var bad error
		s.Walk(func(off Off, h *Header) bool {
			seen[off] = h.Kind
			used += uint64(a.slotBytes(off, h))
			return true
		})
		parts := 0
		for off, kind := range seen {
			if kind != kindCall {
				parts++
				continue
			}
			calls++
			if bad = checkCall(a, shard, off, seen); bad != nil {
				return calls, bad
			}
			parts -= 2
		}
		switch {
		case parts != 0:
			return calls, fmt.Errorf("shard %d: %d parts without call", shard, parts)
		case used != s.UsedBytes():
			return calls, fmt.Errorf("shard %d: walked %d bytes, UsedBytes %d", shard, used, s.UsedBytes())
		}
	}
	return calls, nil
}

func checkCall(a *Arena, shard int, off Off, seen map[Off]Kind) error {
	c := Ptr[testCall](a, off)
	st := c.State.now()
	switch {
	case c.IDSum != c.ID*idMix || int(c.Shard) != shard:
		return fmt.Errorf("call %#x torn: id %x sum %x shard %d", off, c.ID, c.IDSum, c.Shard)
	case st.Inverse != ^st.Version:
		return fmt.Errorf("call %#x torn: version %x inverse %x", off, st.Version, st.Inverse)
	case seen[c.Note] != kindNote || seen[st.Body] != kindBody:
		return fmt.Errorf("call %#x refers to dead parts %#x %#x", off, c.Note, st.Body)
	}
	n := Ptr[testNote](a, c.Note)
	for i := range n.Text {
		if n.ID != c.ID || n.Owner != off || n.Text[i] != c.ID*idMix*uint64(i+1) {
			return fmt.Errorf("note %#x torn: id %x of call %x, %x", c.Note, n.ID, c.ID, n.Text)
		}
	}
	h := Ptr[Header](a, st.Body)
	if h.Owner != off || h.Len != st.Len || xxhash.Sum64(a.Bytes(st.Body, 0, int(st.Len))) != st.Sum {
		return fmt.Errorf("body %#x torn: owner %#x len %d of %d", st.Body, h.Owner, h.Len, st.Len)
	}
	return nil
}

// emptyOut ends all calls and says what is left, if anything is.
func emptyOut(a *Arena) error {
	for shard := range a.Shards() {
		w := newWorker(a, shard, rand.New(rand.NewPCG(1, 1)), 0)
		for len(w.calls) > 0 {
			w.end(len(w.calls) - 1)
		}
		w.s.Trim()
	}
	a.Shared().Trim()
	if a.UsedBytes() != 0 || a.FreeBytes() != a.TotalBytes() || a.PoolBytes() != a.TotalBytes() {
		return fmt.Errorf("emptied, but used %d, free %d, in the pool %d of %d bytes", a.UsedBytes(), a.FreeBytes(),
			a.PoolBytes(), a.TotalBytes())
	}
	return nil
}
