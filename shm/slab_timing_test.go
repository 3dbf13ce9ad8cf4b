package shm

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// benchArena is small enough to stay in the cache, so that the numbers are those of the code.
func benchArena(b *testing.B, bytes int64) *Arena {
	b.Helper()
	a, err := Create(Config{Bytes: bytes, Shards: 2, Prefault: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	return a
}

// One slot, again and again, in a chunk that holds others.
func BenchmarkAllocPublishFree(b *testing.B) {
	s := benchArena(b, 64<<20).Slab(0)
	other, _ := s.Alloc(1, 700)
	b.ReportAllocs()
	for b.Loop() {
		off, ok := s.Alloc(1, 700)
		if !ok {
			b.Fatal("full")
		}
		s.Publish(off)
		s.Free(off)
	}
	s.Free(other)
	if s.UsedBytes() != 0 {
		b.Fatal("leak")
	}
}

// The same as if the states were stored by sync/atomic: what storeRelease saves.
func BenchmarkAllocPublishFreeAtomic(b *testing.B) {
	a := benchArena(b, 64<<20)
	s := a.Slab(0)
	other, _ := s.Alloc(1, 700)
	for b.Loop() {
		off, ok := s.Alloc(1, 700)
		if !ok {
			b.Fatal("full")
		}
		s.Publish(off)
		atomic.StoreUint32(&a.header(off).State, StateLive)
		s.Free(off)
		atomic.StoreUint32(&a.header(off).State, StateFree)
	}
	s.Free(other)
}

// As a proxy does it: three slots per transaction, all of which outlive 10,000 younger ones.
func BenchmarkTransactions(b *testing.B) {
	s := benchArena(b, 256<<20).Slab(0)
	sizes := [3]int{1024, 600, 420}
	queue := make([][3]Off, 10_000)
	at := 0
	b.ReportAllocs()
	for b.Loop() {
		t := &queue[at]
		if at++; at == len(queue) {
			at = 0
		}
		for i, n := range sizes {
			if t[i] != 0 {
				s.Free(t[i])
			}
			off, ok := s.Alloc(1, n)
			if !ok {
				b.Fatal("full")
			}
			s.Publish(off)
			t[i] = off
		}
	}
}

// The full arena is when shedding must be cheap.
func BenchmarkAllocFull(b *testing.B) {
	s := benchArena(b, 64<<20).Slab(0)
	for {
		if _, ok := s.Alloc(1, 1000); !ok {
			break
		}
	}
	for b.Loop() {
		if _, ok := s.Alloc(1, 1000); ok {
			b.Fatal("not full")
		}
	}
}

// The plain version: what the Go heap would cost, collector included.
var heapSink []byte

func BenchmarkHeapBaseline(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		heapSink = make([]byte, 700)
	}
	if len(heapSink) != 700 {
		b.Fatal("sink")
	}
}

func BenchmarkCreatePrefault1GiB(b *testing.B) {
	for b.Loop() {
		a, err := Create(Config{Bytes: 1 << 30, Shards: 2, Prefault: true})
		if err != nil {
			b.Fatal(err)
		}
		a.Close()
	}
}

func BenchmarkRing700(b *testing.B) {
	a := benchArena(b, 64<<20)
	r := a.Ring(0, 1)
	var data [700]byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		rec := r.Reserve(700)
		if rec == nil {
			b.Fatal("full")
		}
		copy(rec, data[:])
		r.Commit()
		if i%32 == 31 {
			r.Publish()
			n := 0
			for rec := r.Next(); rec != nil; rec = r.Next() {
				n += len(rec)
			}
			r.Release()
			if n != 32*700 {
				b.Fatal(n)
			}
		}
	}
}

func BenchmarkRing700Unbatched(b *testing.B) {
	a := benchArena(b, 64<<20)
	r := a.Ring(0, 1)
	var data [700]byte
	for b.Loop() {
		rec := r.Reserve(700)
		copy(rec, data[:])
		r.Commit()
		r.Publish()
		if len(r.Next()) != 700 {
			b.Fatal("lost")
		}
		r.Release()
	}
}

// Across cores, a pusher and a popper, 32 records per batch.
func BenchmarkRing700Across(b *testing.B) {
	a := benchArena(b, 64<<20)
	r := a.Ring(0, 1)
	var last atomic.Int64 // bytes in all, once known
	done := make(chan int64)
	go func() {
		n := int64(0)
		for last.Load() == 0 || n < last.Load() {
			rec := r.Next()
			if rec == nil {
				r.Release()
				runtime.Gosched()
			}
			if n += int64(len(rec)); n%(700*32) == 0 {
				r.Release()
			}
		}
		done <- n
	}()
	var data [700]byte
	total := int64(0)
	for b.Loop() {
		rec := r.Reserve(700)
		for rec == nil {
			r.Publish()
			runtime.Gosched()
			rec = r.Reserve(700)
		}
		copy(rec, data[:])
		r.Commit()
		if total += 700; total%(700*32) == 0 {
			r.Publish()
		}
	}
	r.Publish()
	last.Store(total)
	if got := <-done; got != total {
		b.Fatalf("%d bytes of %d", got, total)
	}
}

func BenchmarkMailbox(b *testing.B) {
	m := benchArena(b, 64<<20).Mailbox(0)
	var in, out Mail
	for b.Loop() {
		in[0]++
		if !m.Post(&in) || !m.Take(&out) || out != in {
			b.Fatal(out)
		}
	}
}

func BenchmarkLock(b *testing.B) {
	var l Lock
	for b.Loop() {
		l.Get()
		l.Release()
	}
}

func BenchmarkCounter(b *testing.B) {
	c := benchArena(b, 64<<20).Counters(0)
	for b.Loop() {
		c[7]++
	}
}
