package shm

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// newTest is an arena that is gone after the test, and must be empty by then.
func newTest(t testing.TB, bytes int64, shards int) *Arena {
	t.Helper()
	a, err := Create(Config{Bytes: bytes, Shards: shards})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if used := a.UsedBytes(); used != 0 && !t.Failed() {
			t.Errorf("%d bytes leaked", used)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// mustPanic wants a "BUG:" that contains text.
func mustPanic(t *testing.T, text string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got, _ := recover().(string); !strings.HasPrefix(got, "BUG: ") || !strings.Contains(got, text) {
			t.Errorf("panic %q, want BUG and %q", got, text)
		}
	}()
	f()
}

func TestClasses(t *testing.T) {
	for i, n := range classSizes {
		if n%Align != 0 || (i > 0 && n <= classSizes[i-1]) || n > maxClassBytes {
			t.Errorf("class %d: %d bytes", i, n)
		}
		if waste := chunkBytes % n; waste > chunkBytes/10 {
			t.Errorf("class of %d bytes wastes %d of a chunk", n, waste)
		}
	}
	for n := 1; n <= maxClassBytes; n++ {
		got := SlotBytes(n)
		if got < n {
			t.Fatalf("%d bytes in a slot of %d", n, got)
		}
		if n >= 300 && n <= 1400 && float64(got-n) > 0.25*float64(n) {
			t.Fatalf("%d bytes in a slot of %d", n, got)
		}
	}
	f := func(n, want int) {
		t.Helper()
		if got := SlotBytes(n); got != want {
			t.Errorf("SlotBytes(%d) = %d, want %d", n, got, want)
		}
	}
	f(1, 64)
	f(64, 64)
	f(65, 128)
	f(700, 704)
	f(65507+HeaderBytes, 65536)
	f(65537, 87360)
	f(maxClassBytes, maxClassBytes)
	f(maxClassBytes+1, chunkBytes)
	f(chunkBytes+1, 2*chunkBytes)
	f(MaxSlotBytes, MaxSlotBytes)
}

// Two programs that share an arena share these numbers.
func TestLayoutOfShared(t *testing.T) {
	f := func(name string, got, want uintptr) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	f("Header", unsafe.Sizeof(Header{}), HeaderBytes)
	f("Header.Owner", unsafe.Offsetof(Header{}.Owner), 12)
	f("chunk", unsafe.Sizeof(chunk{}), 64)
	f("Lock", unsafe.Sizeof(Lock{}), 64)
	f("Counters", unsafe.Sizeof(Counters{}), 16384)
	f("shardBlock", unsafe.Sizeof(shardBlock{}), 16384+3*64)
	f("mailSlot", unsafe.Sizeof(mailSlot{}), 64)
	f("Slab%64", unsafe.Sizeof(Slab{})%8, 0)
	f("Ring producer part", unsafe.Offsetof(Ring{}.pos), 128)
	f("Ring consumer part", unsafe.Offsetof(Ring{}.at), 256)
}

func TestAllocFreeReuse(t *testing.T) {
	a := newTest(t, 8<<20, 1)
	s := a.Slab(0)
	off, ok := s.Alloc(7, 700)
	h := Ptr[Header](a, off)
	if !ok || h.State != StateReserved || h.Kind != 7 || h.Len != 0 || h.Owner != 0 || h.Flags != 0 || h.Live() {
		t.Fatalf("alloc: %v %+v", ok, h)
	}
	if s.UsedBytes() != 704 || a.FreeBytes() != a.TotalBytes()-704 {
		t.Fatalf("used %d", s.UsedBytes())
	}
	s.Publish(off)
	if !h.Live() {
		t.Fatal("not live")
	}
	b := a.Bytes(off, 100, 10)
	if len(b) != 10 || cap(b) != 10 || &b[0] != &a.Bytes(off, 0, 101)[100] {
		t.Error("view")
	}
	a.Bytes(off, 0, 704-HeaderBytes)
	mustPanic(t, "outside the payload", func() { a.Bytes(off, 0, 704-HeaderBytes+1) })
	mustPanic(t, "outside the payload", func() { a.Bytes(off, 704-HeaderBytes, 1) })
	mustPanic(t, "outside the payload", func() { a.Bytes(off, -1, 1) })
	type rec struct {
		Header
		N uint64
	}
	if tail := Tail[rec](a, off, 5); &tail[0] != &a.Bytes(off, 8, 1)[0] {
		t.Error("tail")
	}
	s.Free(off)
	if again, _ := s.Alloc(7, 650); again != off {
		t.Errorf("not LIFO: %#x after %#x", again, off)
	}
	s.Free(off)
}

// Slots come back youngest first, over chunks.
func TestLIFO(t *testing.T) {
	a := newTest(t, 16<<20, 1)
	s := a.Slab(0)
	var all []Off
	for range 3000 {
		off, _ := s.Alloc(1, 1000)
		all = append(all, off)
	}
	for _, i := range []int{5, 2000, 700, 1300} {
		s.Free(all[i])
	}
	for _, i := range []int{1300, 700, 2000, 5} {
		if off, _ := s.Alloc(1, 1000); off != all[i] {
			t.Errorf("got %#x, want %#x", off, all[i])
		}
	}
	for _, off := range all {
		s.Free(off)
	}
}

func TestMisuse(t *testing.T) {
	a := newTest(t, 8<<20, 2)
	s := a.Slab(0)
	off, _ := s.Alloc(1, 100)
	span, _ := s.Alloc(1, 300_000)
	mustPanic(t, "free of", func() { a.Slab(1).Free(off) })
	mustPanic(t, "double free", func() { s.Free(off + 1) })
	mustPanic(t, "publish", func() { s.Publish(off); s.Publish(off) })
	s.Free(off)
	mustPanic(t, "double free", func() { s.Free(off) })
	s.Free(span)
	mustPanic(t, "", func() { s.Free(span) })
	mustPanic(t, "outside the slots", func() { s.Free(0) })
	mustPanic(t, "outside the slots", func() { Ptr[Header](a, 1) })
	mustPanic(t, "outside the slots", func() { Ptr[Header](a, Off(a.firstOff+a.spanOff)) })
	mustPanic(t, "alloc of", func() { s.Alloc(1, MaxSlotBytes+1) })
	mustPanic(t, "alloc of", func() { s.Alloc(1, -1) })
	mustPanic(t, "slab 2", func() { a.Slab(2) })
	mustPanic(t, "ring", func() { a.Ring(1, 1) })
	mustPanic(t, "shard 3", func() { a.Counters(3) })
}

// TestReserveOfClasses: what others took of the reserve and gave back stays theirs, and what is
// left of the pool counts with it.
func TestReserveOfClasses(t *testing.T) {
	a := newTest(t, 4<<20, 1)
	s := a.Slab(0)
	fill := func(bytes int) (all []Off) {
		for off, ok := s.Alloc(1, bytes); ok; off, ok = s.Alloc(1, bytes) {
			all = append(all, off)
		}
		return all
	}
	const each = chunkBytes
	s.Reserve(2*chunkBytes, each)
	first := fill(4096)
	s.Reserve(0, 0)
	others := fill(4096)
	if n := uint64(len(others)) * 4096; n != 2*chunkBytes {
		t.Fatalf("the others had %d bytes, want the reserve", n)
	}
	take := func(want bool, when string) {
		t.Helper()
		s.Reserve(2*chunkBytes, each)
		if off, ok := s.Alloc(1, 4096); ok != want {
			t.Fatalf("a slot was given out: %v, %s", ok, when)
		} else if ok {
			s.Free(off)
		}
	}
	take(false, "with nothing free")
	for i := 0; i < len(others); i += 2 { // no chunk becomes empty and goes back to the pool
		s.Free(others[i])
		take(false, "of those that the others gave back")
	}
	s.Free(first[0])
	take(true, "beyond those")
	s.Reserve(2*chunkBytes, each)
	if _, ok := s.Alloc(1, maxClassBytes+1); ok {
		t.Error("a span was taken from the reserve")
	}
	s.Reserve(0, 0)
	for _, off := range first[1:] {
		s.Free(off)
	}
	for i := 1; i < len(others); i += 2 {
		s.Free(others[i])
	}
	if s.free != [numClasses]uint32{} && !s.Trim() {
		t.Errorf("free slots counted in an empty slab: %v", s.free)
	}
}

// TestReserve: with a reserve Alloc serves from the chunks it has and takes none of the last;
// without it goes on to the end.
func TestReserve(t *testing.T) {
	a := newTest(t, 4<<20, 1)
	s := a.Slab(0)
	s.Reserve(2*chunkBytes, 0)
	var all []Off
	fill := func() {
		for off, ok := s.Alloc(1, 4096); ok; off, ok = s.Alloc(1, 4096) {
			all = append(all, off)
		}
	}
	fill()
	if left := a.PoolBytes(); left != 2*chunkBytes {
		t.Errorf("%d bytes of the pool are left, want %d", left, 2*chunkBytes)
	}
	s.Reserve(0, 0)
	fill()
	if uint64(len(all))*4096 != a.TotalBytes() {
		t.Errorf("%d slots of 4096, want all of %d bytes", len(all), a.TotalBytes())
	}
	for _, off := range all {
		s.Free(off)
	}
}

func TestRefuse(t *testing.T) {
	a := newTest(t, 8<<20, 1)
	f := func(nth int, want string) {
		t.Helper()
		got := ""
		a.Slab(0).Refuse(nth)
		for i := range 5 {
			off, ok := a.Slab(0).Alloc(1, []int{100, 300_000}[i%2])
			if got += map[bool]string{true: "+", false: "-"}[ok]; ok {
				a.Slab(0).Free(off)
			}
		}
		if got != want {
			t.Errorf("Refuse(%d): %s, want %s", nth, got, want)
		}
	}
	f(0, "-++++")
	f(1, "+-+++")
	f(4, "++++-")
	f(-1, "+++++")
	if a.Slab(0).Refused() != 0 {
		t.Error("refusals are not the arena's being full")
	}
}

func TestFullIsOrdinary(t *testing.T) {
	a := newTest(t, 8<<20, 1)
	s := a.Slab(0)
	var all []Off
	for off, ok := s.Alloc(1, 4096); ok; off, ok = s.Alloc(1, 4096) {
		all = append(all, off)
	}
	if a.FreeBytes() != 0 || s.Refused() != 1 || uint64(len(all))*4096 != a.TotalBytes() {
		t.Errorf("free %d, refused %d, %d slots", a.FreeBytes(), s.Refused(), len(all))
	}
	if _, ok := s.Alloc(1, 64); ok {
		t.Error("another class found room")
	}
	if _, ok := s.Alloc(1, 300_000); ok {
		t.Error("a span found room")
	}
	if _, ok := a.Shared().Alloc(1, 64); ok {
		t.Error("the shared slab found room")
	}
	for _, off := range all[:64] { // one chunk
		s.Free(off)
	}
	if off, ok := a.Shared().Alloc(1, 64); !ok {
		t.Error("the emptied chunk was kept though the arena is full")
	} else {
		a.Shared().Free(off)
	}
	for _, off := range all[64:] {
		s.Free(off)
	}
}

// One empty chunk stays while there is plenty, and Trim gives it back.
func TestHysteresis(t *testing.T) {
	a := newTest(t, 64<<20, 1)
	s := a.Slab(0)
	for range 3 {
		off, _ := s.Alloc(1, 100)
		s.Free(off)
		if s.ChunkBytes() != chunkBytes {
			t.Fatalf("holds %d bytes", s.ChunkBytes())
		}
	}
	var all []Off
	for range 5 * chunkBytes / 128 {
		off, _ := s.Alloc(1, 100)
		all = append(all, off)
	}
	for _, off := range all {
		s.Free(off)
	}
	if s.ChunkBytes() != chunkBytes {
		t.Errorf("holds %d bytes", s.ChunkBytes())
	}
	if !s.Trim() || s.Trim() || a.PoolBytes() != a.TotalBytes() {
		t.Error("trim")
	}
}

// A twelfth of the target: a million transactions of 2 KiB with a copy of a message in 3 GiB, and
// all of it back.
func TestBudget(t *testing.T) {
	part := 12
	if raceEnabled {
		part = 24
	}
	a := newTest(t, int64(3<<30/part), 2)
	var all [2][]Off
	for i := range 1_000_000 / part {
		s := a.Slab(i & 1)
		for _, n := range []int{2048, 700, 200} {
			off, ok := s.Alloc(1, n)
			if !ok {
				t.Fatalf("full after %d transactions", i)
			}
			s.Publish(off)
			all[i&1] = append(all[i&1], off)
		}
	}
	for shard, offs := range all {
		rand.Shuffle(len(offs), func(i, j int) { offs[i], offs[j] = offs[j], offs[i] })
		for _, off := range offs {
			a.Slab(shard).Free(off)
		}
		a.Slab(shard).Trim()
	}
	if a.PoolBytes() != a.TotalBytes() || a.UsedBytes() != 0 {
		t.Errorf("%d of %d bytes are back", a.PoolBytes(), a.TotalBytes())
	}
}

// Random work against the plainest of models: a map of what is where. Nothing overlaps, nothing is
// lost, the books are right.
func TestSlabModel(t *testing.T) {
	seeds := uint64(12)
	if raceEnabled {
		seeds = 2
	}
	for seed := range seeds {
		modelRun(t, rand.New(rand.NewPCG(seed, 3)), 3000)
	}
}

func modelRun(t *testing.T, rng *rand.Rand, steps int) {
	t.Helper()
	a := newTest(t, 6<<20, 2)
	type slot struct {
		size, shard int
		fill        byte
		live        bool
	}
	model := map[Off]slot{}
	var offs []Off
	var used [2]int
	for range steps {
		shard := rng.IntN(2)
		s := a.Slab(shard)
		switch op := rng.IntN(100); {
		case op < 55:
			n := HeaderBytes + rng.IntN([]int{100, 1500, 1500, 5000, 70_000, 600_000}[rng.IntN(6)])
			off, ok := s.Alloc(Kind(shard+1), n)
			if !ok {
				if n <= maxClassBytes && a.PoolBytes() != 0 {
					t.Fatalf("%d bytes refused with %d in the pool", n, a.PoolBytes())
				}
				continue
			}
			m := slot{size: SlotBytes(n), shard: shard, fill: byte(rng.Uint32()), live: rng.IntN(4) != 0}
			b := a.Bytes(off, 0, m.size-HeaderBytes)
			for i := 0; i < len(b); i += 48 {
				b[i] = m.fill
			}
			if m.live {
				s.Publish(off)
			}
			if _, dup := model[off]; dup {
				t.Fatalf("%#x handed out twice", off)
			}
			model[off] = m
			offs = append(offs, off)
			used[shard] += m.size
		case len(offs) > 0:
			i := rng.IntN(len(offs))
			off := offs[i]
			m := model[off]
			b := a.Bytes(off, 0, m.size-HeaderBytes)
			for i := 0; i < len(b); i += 48 {
				if b[i] != m.fill {
					t.Fatalf("%#x overwritten at %d", off, i)
				}
			}
			a.Slab(m.shard).Free(off)
			delete(model, off)
			offs[i] = offs[len(offs)-1]
			offs = offs[:len(offs)-1]
			used[m.shard] -= m.size
		}
		if int(s.UsedBytes()) != used[shard] {
			t.Fatalf("used %d, model %d", s.UsedBytes(), used[shard])
		}
	}
	for shard := range 2 {
		n := 0
		a.Slab(shard).Walk(func(off Off, h *Header) bool {
			if m, ok := model[off]; !ok || !m.live || m.shard != shard || int(h.Kind) != shard+1 {
				t.Fatalf("walk gives %#x: %+v", off, m)
			}
			n++
			return true
		})
		for _, m := range model {
			if m.live && m.shard == shard {
				n--
			}
		}
		if n != 0 {
			t.Fatalf("walk gave %d too many", n)
		}
	}
	for off, m := range model {
		a.Slab(m.shard).Free(off)
	}
	a.Slab(0).Trim()
	a.Slab(1).Trim()
	if a.PoolBytes() != a.TotalBytes() {
		t.Fatalf("pool %d of %d", a.PoolBytes(), a.TotalBytes())
	}
}

// Shards take and give chunks against each other.
func TestPoolContention(t *testing.T) {
	a := newTest(t, 16<<20, 4)
	done := make(chan bool)
	for shard := range 4 {
		go func() {
			defer func() { done <- true }()
			s, rng := a.Slab(shard), rand.New(rand.NewPCG(uint64(shard), 9))
			var held []Off
			for range 20_000 {
				if rng.IntN(2) == 0 {
					if off, ok := s.Alloc(1, []int{100_000, 60_000, 270_000, 700_000}[rng.IntN(4)]); ok {
						held = append(held, off)
					}
				} else if len(held) > 0 {
					i := rng.IntN(len(held))
					s.Free(held[i])
					held[i] = held[len(held)-1]
					held = held[:len(held)-1]
				}
			}
			for _, off := range held {
				s.Free(off)
			}
			s.Trim()
		}()
	}
	for range 4 {
		<-done
	}
	if a.PoolBytes() != a.TotalBytes() {
		t.Errorf("pool %d of %d", a.PoolBytes(), a.TotalBytes())
	}
}

func TestNoHeapAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	a := newTest(t, 64<<20, 2)
	s, r, m, c := a.Slab(0), a.Ring(0, 1), a.Mailbox(0), a.Counters(0)
	var mail Mail
	if n := testing.AllocsPerRun(100, func() {
		for _, n := range []int{100, 800, 5000, 200_000} {
			off, _ := s.Alloc(1, n)
			s.Publish(off)
			a.Bytes(off, 0, 20)[0] = 1
			s.Free(off)
		}
		s.Trim()
		r.Reserve(700)
		r.Commit()
		if r.Publish() {
			a.Doorbell(1).Ring()
		}
		r.Next()
		r.Release()
		m.Post(&mail)
		m.Take(&mail)
		a.Doorbell(0).Arm()
		a.Doorbell(0).Ring()
		a.Doorbell(0).Disarm()
		c[1]++
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
