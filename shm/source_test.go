package shm

import (
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mapping an arena, and failing to, leaves alone what other threads map in the meantime: the Go runtime is one of them. What fails is a mapping of
// the hugetlb pool that it has no pages for; Linux then leaves a gap where it was to be.
func TestMapFileBesideOthers(t *testing.T) {
	const rounds, blocks, blockBytes, arenaBytes = 2000, 20000, 256 << 10, 64 << 20
	debug.SetPanicOnFault(true) // in this goroutine: a block that has gone is a failure, not the end
	var ours [][]byte
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() && len(ours) < blocks {
			b, err := unix.Mmap(-1, 0, blockBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
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
