package shm

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func lockThread() { runtime.LockOSThread() }

// dup is another descriptor of the arena, for another "process".
func dup(t testing.TB, a *Arena) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(a.File().Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "arena")
}

func TestAttachErrors(t *testing.T) {
	f := func(change func(h *arenaHeader), texts ...string) {
		t.Helper()
		a, err := Create(Config{Bytes: 4 << 20, Shards: 2, Layout: 5})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		change(a.head)
		file := dup(t, a)
		defer file.Close() // still ours after an error
		_, err = AttachFile(file, 5)
		wantError(t, err, append(texts, "cannot attach arena")...)
		if _, err := file.Stat(); err != nil {
			t.Error("closed the caller's file")
		}
	}
	f(func(h *arenaHeader) { h.Magic++ }, "not a Viaduct arena")
	f(func(h *arenaHeader) { h.Version++ }, "version 2", "start with a new arena")
	f(func(h *arenaHeader) { h.Ready = 0 }, "died before it was ready")
	f(func(h *arenaHeader) { h.Layout = 6 }, "laid out otherwise")
	f(func(h *arenaHeader) { h.Own ^= 1 }, "laid out otherwise")
	f(func(h *arenaHeader) { h.Bytes = 5 << 20 }, "damaged")
	f(func(h *arenaHeader) { h.Bytes = 3 << 20 }, "damaged")
	f(func(h *arenaHeader) { h.Shards = 0 }, "damaged")
	f(func(h *arenaHeader) { h.Shards = 1 << 31 }, "damaged")
	f(func(h *arenaHeader) { h.RingBytes = 1 << 20 }, "damaged")
	f(func(h *arenaHeader) { h.RingBytes = 1 << 22 }, "the least is")
	f(func(h *arenaHeader) { h.RingBytes = 3 << 17 }, "damaged")
	f(func(h *arenaHeader) { h.Chunks++ }, "damaged")
	f(func(h *arenaHeader) { h.FirstAt += chunkBytes }, "damaged")
	small, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	_, err = AttachFile(small, 5)
	wantError(t, err, "0 bytes are no arena")
}

// An observer sees what the owner does, and can do nothing.
func TestObserver(t *testing.T) {
	a := newTest(t, 8<<20, 2)
	b, err := AttachFile(dup(t, a), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	off, _ := a.Slab(1).Alloc(9, 100)
	copy(a.Bytes(off, 0, 5), "hello")
	n := 0
	seen := func(got Off, h *Header) bool {
		n++
		if got != off || h.Kind != 9 || string(b.Bytes(got, 0, 5)) != "hello" {
			t.Errorf("walk gives %#x", got)
		}
		return true
	}
	b.Slab(1).Walk(seen)
	if n != 0 {
		t.Error("unpublished record seen")
	}
	a.Slab(1).Publish(off)
	b.Slab(1).Walk(seen)
	b.Slab(0).Walk(seen)
	a.Counters(1)[3] = 77
	if n != 1 || b.Slab(1).UsedBytes() != 128 || atomic.LoadUint64(&b.Counters(1)[3]) != 77 ||
		b.UsedBytes() != a.UsedBytes() {
		t.Errorf("seen %d, used %d", n, b.Slab(1).UsedBytes())
	}
	mustPanic(t, "attached and not recovered", func() { b.Slab(0).Alloc(1, 100) })
	mustPanic(t, "in use", func() { a.Recover(nil) })
	if a.Epoch() != 1 || !strings.HasPrefix(b.Describe(), "arena 8 MB: attached ") {
		t.Errorf("epoch %d, %q", a.Epoch(), b.Describe())
	}
	a.Slab(1).Free(off)
}

// What a dead process can leave, case by case.
func TestRecoverCases(t *testing.T) {
	f := func(name string, leave func(a *Arena, s *Slab) []Off, holds func(owner, part Off) bool, want Recovered) {
		t.Helper()
		a, err := Create(Config{Bytes: 8 << 20, Shards: 2})
		if err != nil {
			t.Fatal(err)
		}
		kept := leave(a, a.Slab(1))
		file := dup(t, a)
		a.Close()
		b, err := AttachFile(file, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		got, err := b.Recover(holds)
		want.LiveBytes, want.ReclaimedBytes = got.LiveBytes, got.ReclaimedBytes
		if err != nil || got != want || b.Epoch() != 2 {
			t.Errorf("%s: %v %+v, want %+v", name, err, got, want)
		}
		if got.LiveBytes != b.UsedBytes() {
			t.Errorf("%s: %d bytes live, %d used", name, got.LiveBytes, b.UsedBytes())
		}
		for _, off := range kept {
			if !Ptr[Header](b, off).Live() {
				t.Errorf("%s: %#x is gone", name, off)
				continue
			}
			for _, s := range []*Slab{b.Slab(1), b.shared.slab} {
				if b.chunkOf(off).load().shard() == s.shard {
					s.Free(off)
				}
			}
		}
		if err := emptyOut(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fillUp(t, b)
	}
	alloc := func(s *Slab, bytes int, owner Off, publish bool) Off {
		off, ok := s.Alloc(1, bytes)
		if !ok {
			t.Fatal("full")
		}
		Ptr[Header](s.a, off).Owner = owner
		if publish {
			s.Publish(off)
		}
		return off
	}
	f("nothing", func(a *Arena, s *Slab) []Off { return nil }, nil, Recovered{})
	f("record", func(a *Arena, s *Slab) []Off { return []Off{alloc(s, 100, 0, true)} }, nil, Recovered{Live: 1})
	f("own owner", func(a *Arena, s *Slab) []Off {
		off := alloc(s, 100, 0, true)
		Ptr[Header](a, off).Owner = off
		return []Off{off}
	}, nil, Recovered{Live: 1})
	f("unpublished", func(a *Arena, s *Slab) []Off {
		alloc(s, 100, 0, false)
		return nil
	}, nil, Recovered{Unpublished: 1, Chunks: 1})
	f("span", func(a *Arena, s *Slab) []Off {
		alloc(s, 600_000, 0, false)
		return []Off{alloc(s, 600_000, 0, true)}
	}, nil, Recovered{Live: 1, Unpublished: 1, Chunks: 3})
	f("record with parts", func(a *Arena, s *Slab) []Off {
		r := alloc(s, 100, 0, false)
		p, q := alloc(s, 1000, r, true), alloc(s, 300_000, r, true)
		s.Publish(r)
		return []Off{r, p, q}
	}, func(owner, part Off) bool { return true }, Recovered{Live: 3})
	f("parts before their record", func(a *Arena, s *Slab) []Off {
		r := alloc(s, 100, 0, false)
		alloc(s, 1000, r, true)
		alloc(s, 100, r, false)
		return nil
	}, nil, Recovered{Unpublished: 2, Orphaned: 1, Chunks: 2})
	f("parts after their record", func(a *Arena, s *Slab) []Off {
		r := alloc(s, 100, 0, true)
		alloc(s, 1000, r, true)
		s.Free(r)
		return nil
	}, nil, Recovered{Orphaned: 1, Chunks: 2})
	f("parts of parts", func(a *Arena, s *Slab) []Off {
		r := alloc(s, 100, 0, false)
		p := alloc(s, 100, r, true)
		alloc(s, 100, p, true)
		return nil
	}, nil, Recovered{Unpublished: 1, Orphaned: 2, Chunks: 1})
	f("cycle", func(a *Arena, s *Slab) []Off {
		p := alloc(s, 100, 0, true)
		q := alloc(s, 100, p, true)
		Ptr[Header](a, p).Owner = q
		return nil
	}, nil, Recovered{Orphaned: 2, Chunks: 1})
	f("owner is no slot", func(a *Arena, s *Slab) []Off {
		r := alloc(s, 200, 0, true)
		alloc(s, 100, r+1, true)
		alloc(s, 100, 1, true)
		alloc(s, 100, 0xffffffff, true)
		return []Off{r}
	}, nil, Recovered{Live: 1, Orphaned: 3, Chunks: 1})
	f("not held", func(a *Arena, s *Slab) []Off {
		r := alloc(s, 100, 0, true)
		p := alloc(s, 1000, r, true)
		alloc(s, 100, p, true) // goes with p, whichever is asked about first
		return []Off{r}
	}, func(owner, part Off) bool { return false }, Recovered{Live: 1, Orphaned: 1, Unheld: 1, Chunks: 1})
	f("span being taken", func(a *Arena, s *Slab) []Off {
		a.chunks[3].store(wordOf(chunkSpanTail, spanClass, 1, 0))
		a.chunks[4].store(wordOf(chunkSpanTail, spanClass, 1, 0))
		return nil
	}, nil, Recovered{Chunks: 2})
	f("chunk taken, no slot yet", func(a *Arena, s *Slab) []Off {
		a.chunks[3].store(wordOf(chunkSlots, 2, 1, 0))
		return nil
	}, nil, Recovered{Chunks: 1})
	f("rings and mail", func(a *Arena, s *Slab) []Off {
		*a.Ring(0, 1).tail = 12
		*a.Ring(1, 0).tail = 1 << 40
		a.Mailbox(0).box.enq = 7 // claimed, never written
		return nil
	}, nil, Recovered{Rings: 2})
}

// A ring goes on where it was: what is published arrives, what is not never was.
func TestRecoverRing(t *testing.T) {
	a, err := Create(Config{Bytes: 8 << 20, Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	r := a.Ring(0, 1)
	push := func(r *Ring, text string) {
		copy(r.Reserve(len(text)), text)
		r.Commit()
	}
	push(r, "seen")
	push(r, "one")
	r.Publish()
	r.Next()
	r.Release()
	push(r, "lost")
	file := dup(t, a)
	a.Close()
	b, err := AttachFile(file, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got, err := b.Recover(nil); err != nil || got.Rings != 0 {
		t.Fatal(got, err)
	}
	r = b.Ring(0, 1)
	push(r, "two")
	r.Publish()
	got := string(r.Next()) + " " + string(r.Next()) + " " + string(r.Next())
	if got != "one two " {
		t.Error(got)
	}
	var mail Mail
	if !b.Mailbox(0).Post(&mail) || !b.Mailbox(0).Take(&mail) {
		t.Error("mailbox")
	}
}

// Two processes do not own one file.
func TestFileLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "arena")
	a, err := Create(Config{Bytes: 4 << 20, Shards: 1, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := AttachFile(f, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, err = b.Recover(nil)
	wantError(t, err, "another process does", "stop it first")
	a.Close()
	if _, err := b.Recover(nil); err != nil {
		t.Error(err)
	}
	if err := b.Prepare(Config{Prefault: true}); err != nil || !strings.Contains(b.Describe(), "pre-faulted") {
		t.Error(err, b.Describe())
	}
}

// Whatever is in the memory, attaching and recovering neither crashes nor gets its books wrong.
func FuzzAttach(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Add([]byte{0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		a, err := Create(Config{Bytes: stepBytes, Shards: 1, Layout: testLayout})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		w := newWorker(a, 0, rand.New(rand.NewPCG(uint64(len(script)), 1)), 6)
		for range 40 {
			w.step()
		}
		a.Shared().Alloc(kindNote, 300)
		// Each 12 bytes are a place and a word: among descriptors, slot headers, ring and shard
		// words.
		var slots []Off
		a.eachSlot(-1, func(off Off, h *Header) bool { slots = append(slots, off); return true })
		for ; len(script) >= 12; script = script[12:] {
			at, v := binary.LittleEndian.Uint32(script), binary.LittleEndian.Uint64(script[4:])
			var p unsafe.Pointer
			switch at % 4 {
			case 0:
				p = unsafe.Pointer(&a.chunks[int(at/4)%len(a.chunks)].word)
				if at&64 != 0 { // nearly right
					v = uint64(wordOf(int(v%4), uint8(v>>2)%(numClasses+2), int(v>>8)%3, uint32(v>>16)%5000))
				}
			case 1:
				p = unsafe.Pointer(a.header(slots[int(at/8)%len(slots)]))
				if at&4 != 0 {
					p = unsafe.Add(p, 8)
				}
			case 2:
				p = unsafe.Pointer(&a.chunks[int(at/4)%len(a.chunks)].free)
			case 3:
				p = a.at(int64(at/4%pageBytes) &^ 7)
			}
			*(*uint64)(p) = v
		}
		g, err := checkHeader(a.head, a.back.bytes, testLayout)
		if err != nil {
			return
		}
		bells := a.bells
		*a = *newArena(g, a.back)
		a.bells = bells
		r, err := a.Recover(nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.LiveBytes != a.UsedBytes() {
			t.Fatalf("live %d, used %d", r.LiveBytes, a.UsedBytes())
		}
		for _, s := range []*Slab{a.Slab(0), a.shared.slab} {
			s.Walk(func(off Off, h *Header) bool {
				if h.Owner == 0 || h.Owner == off { // the others go with it, in the next round
					s.Free(off)
				}
				return true
			})
		}
		a.ready = false
		*a = *newArena(g, a.back)
		a.bells = bells
		if r, err := a.Recover(nil); err != nil || r.Live != 0 || a.UsedBytes() != 0 ||
			a.PoolBytes() != a.TotalBytes() {
			t.Fatalf("%v, %v", r, err)
		}
		fillUp0(t, a)
	})
}

// fillUp0 takes all slots of one class from shard 0.
func fillUp0(t *testing.T, a *Arena) {
	t.Helper()
	n := uint64(0)
	for _, ok := a.Slab(0).Alloc(1, 8192); ok; _, ok = a.Slab(0).Alloc(1, 8192) {
		n++
	}
	if n*8192 != a.TotalBytes() {
		t.Fatalf("%d slots", n)
	}
}
