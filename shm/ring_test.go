package shm

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// playRing drives a ring by a script and compares it with a plain queue: each byte pair is an
// operation.
func playRing(t *testing.T, r *Ring, script []byte) {
	t.Helper()
	var committed, published, held [][]byte
	room := int(r.cap) // what the model knows to be free for certain, were nothing skipped
	for i := 0; i+2 < len(script); i += 3 {
		n := int(binary.LittleEndian.Uint16(script[i+1:]))
		switch script[i] % 5 {
		case 0, 1: // push
			if script[i]&0x80 != 0 {
				n *= 2
			}
			b := r.Reserve(n)
			if b == nil {
				if len(committed)+len(published)+len(held) == 0 && n <= r.MaxRecordBytes() {
					t.Fatalf("empty ring refuses %d bytes at %d", n, r.pos)
				}
				if n < 2000 && room > n+16+r.MaxRecordBytes() {
					t.Fatalf("ring with %d free refuses %d bytes", room, n)
				}
				continue
			}
			if len(b) != n || cap(b) != n {
				t.Fatalf("%d bytes of %d reserved", len(b), n)
			}
			for j := range b {
				b[j] = byte(i + j)
			}
			committed = append(committed, bytes.Clone(b))
			r.Commit()
			room -= (n + 15) &^ 7
		case 2:
			r.Publish()
			published = append(published, committed...)
			committed = nil
		case 3: // pop
			b := r.Next()
			if b == nil {
				if len(published) != 0 {
					t.Fatalf("%d records published, none comes", len(published))
				}
				continue
			}
			if len(published) == 0 || !bytes.Equal(b, published[0]) {
				t.Fatalf("record of %d bytes is not the one pushed", len(b))
			}
			held = append(held, b)
			published = published[1:]
		case 4:
			for _, b := range held { // still what they were
				if len(b) > 1 && b[1] != b[0]+1 {
					t.Fatal("held record overwritten")
				}
				room += (len(b) + 15) &^ 7
			}
			held = nil
			r.Release()
		}
	}
	// Attached now, the ring would be whole; then all that was published comes out.
	if !r.check() {
		t.Fatal("check fails")
	}
	for _, want := range published {
		if got := r.Next(); !bytes.Equal(got, want) {
			t.Fatalf("left %d bytes, want %d", len(got), len(want))
		}
	}
	r.Release()
	r.Publish()
	for r.Next() != nil {
	}
	r.Release()
}

func TestRingModel(t *testing.T) {
	r := newTest(t, 16<<20, 2).Ring(0, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	rounds := 150
	if raceEnabled {
		rounds = 15
	}
	for range rounds {
		script := make([]byte, 3*rng.IntN(600))
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		playRing(t, r, script)
	}
	r = newTest(t, 16<<20, 2).Ring(1, 0)
	r.pos, r.at, r.headSeen, r.tailSeen = 1<<63-8, 1<<63-8, 1<<63-8, 1<<63-8 // far into its life
	*r.tail, *r.head = r.pos, r.at
	playRing(t, r, bytes.Repeat([]byte{0, 9, 9, 2, 0, 0, 3, 0, 0, 4, 0, 0}, 300))
}

func FuzzRing(f *testing.F) {
	f.Add([]byte{0, 255, 255, 2, 0, 0, 3, 0, 0, 4, 0, 0})
	f.Add(bytes.Repeat([]byte{0x80, 255, 250, 2, 0, 0, 3, 0, 0, 4, 0, 0}, 8))
	a, err := Create(Config{Bytes: 4 << 20, Shards: 2, RingBytes: MinRingBytes})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { a.Close() })
	f.Fuzz(func(t *testing.T, script []byte) {
		r := a.Ring(0, 1)
		r.reset()
		playRing(t, r, script)
	})
}

// A largest datagram with its address goes through at every place of the smallest ring.
func TestRingLargest(t *testing.T) {
	a, err := Create(Config{Bytes: 4 << 20, Shards: 2, RingBytes: MinRingBytes})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	r := a.Ring(0, 1)
	if r.cap != MinRingBytes || r.MaxRecordBytes() < 65507+1024 {
		t.Fatalf("ring of %d takes %d", r.cap, r.MaxRecordBytes())
	}
	for i := range int(r.cap/8) * 2 {
		r.Reserve(1) // 16 bytes, so that every second place is met twice
		r.Commit()
		b := r.Reserve(r.MaxRecordBytes())
		if b == nil {
			// The small record is in the way: allowed. Without it, it is not.
			r.Publish()
			r.Next()
			r.Release()
			if b = r.Reserve(r.MaxRecordBytes()); b == nil {
				t.Fatalf("round %d: refused at %d", i, r.pos%r.cap)
			}
		}
		b[0], b[len(b)-1] = 1, 2
		r.Commit()
		r.Publish()
		n := 0
		for rec := r.Next(); rec != nil; rec = r.Next() {
			n = len(rec)
		}
		if n != r.MaxRecordBytes() {
			t.Fatalf("round %d: %d bytes", i, n)
		}
		r.Release()
	}
	if r.Reserve(r.MaxRecordBytes()+1) != nil || r.Reserve(-1) != nil {
		t.Error("took what does not fit")
	}
	mustPanic(t, "commit", r.Commit)
}

// Two goroutines with doorbells on both sides: every record arrives, in order, and nobody sleeps
// over one.
func TestRingAcross(t *testing.T) {
	const records = 50_000
	a := newTest(t, 8<<20, 2)
	r, bell := a.Ring(0, 1), a.Doorbell(1)
	done := make(chan string, 1)
	go func() {
		want := uint64(0)
		for want < records {
			for b := r.Next(); b != nil; b = r.Next() {
				if got := binary.LittleEndian.Uint64(b); got != want {
					done <- "out of order"
					return
				}
				want++
			}
			r.Release()
			if want == records {
				break
			}
			bell.Arm()
			if r.Empty() && !waitFD(bell.FD(), 2*time.Second) {
				done <- "slept over a record"
				return
			}
			bell.Disarm()
		}
		done <- ""
	}()
	rng := rand.New(rand.NewPCG(5, 5))
	for i := uint64(0); i < records && len(done) == 0; {
		for range 1 + rng.IntN(32) {
			b := r.Reserve(8 + rng.IntN(1500))
			if b == nil || i == records {
				break
			}
			binary.LittleEndian.PutUint64(b, i)
			r.Commit()
			i++
		}
		if r.Publish() {
			bell.Ring()
		}
		if rng.IntN(200) == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
	if msg := <-done; msg != "" {
		t.Error(msg)
	}
}

func TestMailbox(t *testing.T) {
	a := newTest(t, 4<<20, 1)
	m := a.Mailbox(0)
	var mail Mail
	if m.Take(&mail) || !m.Empty() {
		t.Fatal("not empty")
	}
	for round := range 3 {
		for i := range mailboxSlots {
			if !m.Post(&Mail{uint64(i), uint64(round)}) {
				t.Fatalf("full at %d", i)
			}
		}
		if m.Post(&mail) {
			t.Fatal("not full")
		}
		for i := range mailboxSlots {
			if m.Empty() || !m.Take(&mail) || mail != (Mail{uint64(i), uint64(round)}) {
				t.Fatalf("mail %d: %v", i, mail)
			}
		}
	}
	var wg sync.WaitGroup
	var stop atomic.Bool
	defer wg.Wait()
	defer stop.Store(true)
	const posters, each = 8, 5000
	for p := range uint64(posters) {
		wg.Go(func() {
			for i := range uint64(each) {
				for !m.Post(&Mail{p, i, p ^ i}) && !stop.Load() {
					time.Sleep(time.Microsecond)
				}
				a.Doorbell(0).Ring()
			}
		})
	}
	var next [posters]uint64
	for range posters * each {
		for !m.Take(&mail) {
			bell := a.Doorbell(0)
			bell.Arm()
			if m.Empty() && !waitFD(bell.FD(), 2*time.Second) {
				t.Fatal("slept over a mail")
			}
			bell.Disarm()
		}
		if mail[1] != next[mail[0]] || mail[2] != mail[0]^mail[1] {
			t.Fatalf("mail %v, want %d", mail, next[mail[0]])
		}
		next[mail[0]]++
	}
}

func TestDoorbell(t *testing.T) {
	d := newTest(t, 4<<20, 1).Doorbell(0)
	f := func(want bool) {
		t.Helper()
		if got := waitFD(d.FD(), 0); got != want {
			t.Errorf("readable %v, want %v", got, want)
		}
	}
	d.Ring() // awake: no write
	f(false)
	d.Arm()
	f(false)
	d.Ring()
	d.Ring()
	f(true)
	d.Disarm()
	f(false)
	d.Ring()
	f(false)
	// The write that comes after Disarm has read is paid for by the next one.
	d.word.state = bellRung
	d.Disarm()
	d.Arm()
	d.Ring() // stands for the late write
	f(true)
	d.Disarm()
	f(false)
}
