package shm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prepareBlock is how much one goroutine faults in at a time: some 50 ms of the kernel's zeroing.
const prepareBlock = 64 << 20

// prepare faults, enlarges and locks the pages as asked, and says what came of it. Only memory that
// cannot be had is an error.
func (a *Arena) prepare(c Config) (string, error) {
	start := time.Now()
	huge := "huge pages off"
	if c.HugePages == HugeTry {
		huge = a.hugePages()
	}
	fault := "not pre-faulted"
	if c.Prefault || c.HugePages == HugeTry {
		how, err := a.prefault()
		if err != nil {
			return "", err
		}
		fault = fmt.Sprintf("pre-faulted in %d ms%s", time.Since(start).Milliseconds(), how)
	}
	locked := "not locked"
	if c.Mlock {
		locked = a.mlock()
	}
	return fault + ", " + huge + ", " + locked, nil
}

// hugePages turns the arena into huge pages if the pool has not done so already.
//
// MADV_COLLAPSE (Linux 6.1) works at once and whatever
// /sys/kernel/mm/transparent_hugepage/shmem_enabled says, but only where a page is present: so one
// page in each 2 MiB is touched first. Before any other page, it costs less than pre-faulting small
// pages (0.79 against 1.09 s per GiB with two threads, Xeon 2.5 GHz, Linux 6.18, 2026-11).
func (a *Arena) hugePages() string {
	if a.back.hugetlb {
		return "huge pages from the pool"
	}
	whole := a.back.bytes / hugeBytes * hugeBytes
	if whole == 0 {
		return "no huge pages (the arena is smaller than one)"
	}
	mem := a.back.slice()[:whole]
	var done atomic.Int64
	err := inBlocks(mem, func(b []byte) error {
		for i := 0; i < len(b); i += hugeBytes {
			touch(b[i : i+pageBytes])
		}
		err := unix.Madvise(b, unix.MADV_COLLAPSE)
		if err == nil {
			done.Add(int64(len(b)))
		}
		return err
	})
	if err == nil {
		return "huge pages by MADV_COLLAPSE"
	}
	advice := ""
	if aerr := unix.Madvise(mem, unix.MADV_HUGEPAGE); aerr != nil {
		advice = fmt.Sprintf(", MADV_HUGEPAGE: %v", aerr)
	}
	return fmt.Sprintf("huge pages for %d of %d MB (MADV_COLLAPSE, Linux 6.1: %v%s; "+
		"shmem_enabled is %q; the pool has %s free: set vm.nr_hugepages)",
		done.Load()>>20, a.back.bytes>>20, err, advice,
		chosen("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
		firstLine("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"))
}

// prefault makes every page present and writable, in parallel: MADV_POPULATE_WRITE (Linux 5.14),
// else by touching.
func (a *Arena) prefault() (how string, err error) {
	err = inBlocks(a.back.slice(), func(b []byte) error {
		return unix.Madvise(b, unix.MADV_POPULATE_WRITE)
	})
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM):
		err = inBlocks(a.back.slice(), func(b []byte) error { touch(b); return nil })
		return " by touching (MADV_POPULATE_WRITE needs Linux 5.14)", err
	}
	return "", fmt.Errorf("cannot pre-fault %d MB: %w; lower -m or free memory", a.back.bytes>>20,
		err)
}

// touch writes each page without changing it; atomically, since an attached arena may be in use.
func touch(b []byte) {
	for i := 0; i+4 <= len(b); i += pageBytes {
		// A word of b, aligned since b begins at a page; for this call.
		atomic.AddUint32((*uint32)(unsafe.Pointer(&b[i])), 0)
	}
}

// inBlocks runs f over b in pieces, on as many threads as there are CPUs, up to 8. It returns one
// of the errors.
func inBlocks(b []byte, f func([]byte) error) error {
	var next atomic.Int64
	var first atomic.Pointer[error]
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 8) {
		wg.Go(func() {
			for first.Load() == nil {
				at := next.Add(prepareBlock) - prepareBlock
				if at >= int64(len(b)) {
					return
				}
				if err := f(b[at:min(at+prepareBlock, int64(len(b)))]); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if p := first.Load(); p != nil {
		return *p
	}
	return nil
}

// mlock pins the pages; like Kamailio's mlock_pages it only warns.
func (a *Arena) mlock() string {
	err := unix.Mlock(a.back.slice())
	if err == nil {
		return "locked"
	}
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &lim) == nil && int64(lim.Cur) >= 0 &&
		int64(lim.Cur) < a.back.bytes {
		return fmt.Sprintf("not locked (%v: RLIMIT_MEMLOCK is %d KiB; raise `ulimit -l` or grant "+
			"CAP_IPC_LOCK)", err, lim.Cur>>10)
	}
	return fmt.Sprintf("not locked (%v)", err)
}

// enoughMemory refuses what cannot end well: pre-faulting more than the machine or the control
// group has calls the OOM killer. Without pre-faulting the operator has chosen to overcommit.
func enoughMemory(c Config, need int64) error {
	if !c.Prefault && !c.Mlock && c.HugePages == HugeOff {
		return nil
	}
	if group, ok := groupLimit(); ok && need > group {
		return fmt.Errorf("cannot pre-fault %d MB: the control group allows %d MB (memory.max); "+
			"lower -m or raise it", need>>20, group>>20)
	}
	if free, ok := available(); ok && need > free {
		return fmt.Errorf("cannot pre-fault %d MB: %d MB are available; lower -m, free memory, "+
			"or do without pre-faulting", need>>20, free>>20)
	}
	return nil
}

// available is what /proc/meminfo says can be had without harm (MemAvailable, Linux 3.14; hugetlb
// pages are not in it).
func available() (bytesFree int64, ok bool) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	var kib, poolPages, poolKiB int64
	for _, l := range bytes.Split(b, []byte{'\n'}) {
		f := strings.Fields(string(l))
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "MemAvailable:":
			kib, ok = n, true
		case "HugePages_Free:":
			poolPages = n
		case "Hugepagesize:":
			poolKiB = n
		}
	}
	return max(kib, poolPages*poolKiB) << 10, ok
}

// groupLimit is memory.max of our control group (v2); ok is false if there is none.
func groupLimit() (int64, bool) {
	path := ""
	if b, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		for _, l := range strings.Split(string(b), "\n") {
			if p, ok := strings.CutPrefix(l, "0::"); ok {
				path = p
			}
		}
	}
	n, err := strconv.ParseInt(firstLine(filepath.Join("/sys/fs/cgroup", path, "memory.max")), 10,
		64)
	return n, err == nil
}

func firstLine(path string) string {
	b, _ := os.ReadFile(path)
	s, _, _ := strings.Cut(string(b), "\n")
	return s
}

// chosen is the bracketed word of a sysfs choice.
func chosen(path string) string {
	_, s, _ := strings.Cut(firstLine(path), "[")
	s, _, _ = strings.Cut(s, "]")
	return s
}
