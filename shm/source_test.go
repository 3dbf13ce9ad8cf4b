package shm

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mapping an arena, and failing to, leaves alone what other threads map in the meantime: the Go
// runtime is one of them. What fails is a mapping of the hugetlb pool that it has no pages for;
// Linux then leaves a gap where it was to be.
func TestMapFileBesideOthers(t *testing.T) {
	const rounds, blocks, blockBytes, arenaBytes = 2000, 20000, 256 << 10, 64 << 20
	// in this goroutine: a block that has gone is a failure, not the end
	debug.SetPanicOnFault(true)
	var ours [][]byte
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() && len(ours) < blocks {
			b, err := unix.Mmap(-1, 0, blockBytes, unix.PROT_READ|unix.PROT_WRITE,
				unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
			if err != nil {
				t.Error(err)
				return
			}
			ours = append(ours, b)
		}
	})
	failed := 0
	for range rounds {
		for _, flags := range []int{unix.MFD_HUGETLB | unix.MFD_HUGE_2MB, 0} {
			fd, err := unix.MemfdCreate("viaduct-test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|flags)
			if err != nil {
				t.Skip("memfd_create: ", err)
			}
			b, err := mapNew(os.NewFile(uintptr(fd), "memfd"), arenaBytes, "memfd", flags != 0)
			switch {
			case err == nil:
				if err := b.close(); err != nil {
					t.Fatal(err)
				}
			case flags == 0:
				t.Fatal(err)
			default:
				failed++
			}
		}
	}
	done.Store(true)
	wg.Wait()
	if failed == 0 {
		t.Log("the hugetlb pool had pages: no mapping failed")
	}
	if len(ours) < blocks {
		t.Logf("only %d blocks were mapped beside", len(ours))
	}
	for i, b := range ours {
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("block %d at %p of another thread has gone: %v", i, unsafe.SliceData(b), r)
				}
			}()
			b[0]++
		}()
		if err := unix.Munmap(b); err != nil {
			t.Fatal(err)
		}
	}
}

// What another thread maps while the place is given up stays: the next try goes elsewhere, and of
// the failed one nothing stays mapped. So it is with a kernel that takes MAP_FIXED_NOREPLACE for a
// wish.
func TestMapFileTakenPlace(t *testing.T) {
	const bytes = 6 << 20
	f := func(name string, at int, failing int, wantErr bool) {
		t.Run(name, func(t *testing.T) {
			was := mapAt
			defer func() { mapAt, mapGivenUp = was, nil }()
			mapAt = at
			var theirs []unsafe.Pointer
			mapGivenUp = func(at unsafe.Pointer) {
				if len(theirs) == failing {
					return
				}
				p, err := unix.MmapPtr(-1, 0, unsafe.Add(at, 4<<20), pageBytes, unix.PROT_READ|unix.PROT_WRITE,
					unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED_NOREPLACE)
				if err != nil {
					t.Fatal(err)
				}
				*(*byte)(p) = 42
				theirs = append(theirs, p)
			}
			fd, err := unix.MemfdCreate("viaduct-test", unix.MFD_CLOEXEC)
			if err != nil {
				t.Skip("memfd_create: ", err)
			}
			file := os.NewFile(uintptr(fd), "memfd")
			defer file.Close()
			if err := unix.Ftruncate(fd, bytes); err != nil {
				t.Fatal(err)
			}
			mapped := mappedBytes(t)
			b, err := mapFile(file, bytes)
			if (err != nil) != wantErr || len(theirs) != failing {
				t.Fatalf("%v after %d tries", err, len(theirs))
			}
			if err == nil {
				b.slice()[0], b.slice()[bytes-1] = 1, 1
				b.file = nil // closed above
				if err := b.close(); err != nil {
					t.Error(err)
				}
			}
			for _, p := range theirs {
				if *(*byte)(p) != 42 {
					t.Error("another's memory has changed")
				}
				if err := unix.MunmapPtr(p, pageBytes); err != nil {
					t.Error(err)
				}
			}
			if left := mappedBytes(t) - mapped; left >= hugeBytes/2 {
				t.Errorf("%d bytes stay mapped", left)
			}
		})
	}
	f("first place", unix.MAP_FIXED_NOREPLACE, 0, false)
	f("third place", unix.MAP_FIXED_NOREPLACE, 2, false)
	f("none", unix.MAP_FIXED_NOREPLACE, mapTries, true)
	f("third place, old kernel", 0, 2, false)
	f("none, old kernel", 0, mapTries, true)
}

// mappedBytes is the size of the address space in use (proc_pid_statm(5)).
func mappedBytes(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var pages int64
	if _, err := fmt.Sscan(string(b), &pages); err != nil {
		t.Fatal(err)
	}
	return pages * pageBytes
}
