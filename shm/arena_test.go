package shm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wantError wants an error that contains all texts.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want %q", err, text)
		}
	}
}

func TestCreateErrors(t *testing.T) {
	f := func(c Config, texts ...string) {
		t.Helper()
		a, err := Create(c)
		if err == nil {
			a.Close()
		}
		wantError(t, err, texts...)
	}
	f(Config{Shards: 1}, "arena of 0 bytes", "raise -m")
	f(Config{Bytes: -5, Shards: 1}, "raise -m")
	f(Config{Bytes: MaxArenaBytes + pageBytes, Shards: 1}, "262144 MB", "lower -m")
	f(Config{Bytes: 16777216 << 20, Shards: 1}, "16777216 MB", "lower -m")
	f(Config{Bytes: 64 << 20}, "0 shards")
	f(Config{Bytes: 64 << 20, Shards: MaxShards + 1}, "1 to 1024")
	f(Config{Bytes: 64 << 20, Shards: 64}, "rings of 128 KiB", "raise -m or use fewer shards")
	f(Config{Bytes: 64 << 20, Shards: 2, RingBytes: 100_000}, "power of two")
	f(Config{Bytes: 64 << 20, Shards: 2, RingBytes: 64 << 10}, "power of two")
	f(Config{Bytes: 200 << 30, Shards: 1, Prefault: true}, "cannot pre-fault 204800 MB", "lower -m")
	f(Config{Bytes: 4 << 20, Shards: 1, Path: "/nowhere/arena"}, "cannot make arena /nowhere/arena")
	path := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f(Config{Bytes: 4 << 20, Shards: 1, Path: path}, "it exists", "attach it, or remove it")
}

// The default of -m holds a usual number of shards.
func TestDefaultSizes(t *testing.T) {
	for shards := 1; shards <= 16; shards++ {
		a, err := Create(Config{Bytes: 64 << 20, Shards: shards})
		if err != nil {
			t.Errorf("64 MB, %d shards: %v", shards, err)
			continue
		}
		t.Logf("64 MB, %d shards: rings of %d KiB, %d MB for slots", shards, a.g.ringBytes>>10, a.TotalBytes()>>20)
		a.Close()
	}
}

// Nothing overlaps, whatever the numbers.
func TestGeometry(t *testing.T) {
	for _, bytes := range []int64{1 << 20, 5<<20 + pageBytes, 64 << 20, 3 << 30, MaxArenaBytes} {
		for _, shards := range []int{1, 2, 3, 16, 64} {
			g, err := layOut(bytes, shards, MinRingBytes)
			if err != nil {
				continue
			}
			at := int64(unsafe.Sizeof(arenaHeader{}))
			next := func(what string, begin, end int64) {
				t.Helper()
				if begin < at || end < begin || end > bytes {
					t.Errorf("%d bytes, %d shards: %s at %d..%d after %d", bytes, shards, what, begin, end, at)
				}
				at = end
			}
			next("blocks", g.blockAt, g.blockAt+int64(shards+1)*int64(shardBlockBytes))
			next("mailboxes", g.mailAt, g.mailAt+int64(shards)*int64(mailboxBytes))
			for i := range shards {
				for j := range shards {
					if i != j {
						next("ring", g.ringOff(i, j), g.ringOff(i, j)+g.ringStride())
					}
				}
			}
			next("descriptors", g.chunkAt, g.chunkAt+int64(g.chunks)*int64(chunkDescBytes))
			next("chunks", g.firstAt, g.firstAt+int64(g.chunks)*chunkBytes)
			if bytes-at > chunkBytes+int64(chunkDescBytes) {
				t.Errorf("%d bytes, %d shards: %d unused", bytes, shards, bytes-at)
			}
		}
	}
}

// Each source makes the same arena, and leaves nothing behind.
func TestSources(t *testing.T) {
	f := func(name string, from source, file bool) {
		t.Helper()
		before := segments(t)
		a, err := create(Config{Bytes: 8 << 20, Shards: 2, Prefault: true}, []source{from})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if !strings.Contains(a.Describe(), name) || !strings.Contains(a.Describe(), "arena 8 MB") ||
			(a.File() != nil) != file {
			t.Errorf("%s: %q, file %v", name, a.Describe(), a.File())
		}
		if uintptr(a.base)%pageBytes != 0 {
			t.Errorf("%s: at %p", name, a.base)
		}
		fillUp(t, a)
		off, _ := a.Slab(0).Alloc(1, 100)
		a.Slab(0).Free(off)
		if err := a.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if after := segments(t); after != before {
			t.Errorf("%s: %d SysV segments, %d before", name, after, before)
		}
	}
	f("memfd", fromMemfd, true)
	f("unlinked file in /dev/shm", fromDevShm, true)
	f("SysV segment", fromSysV, false)
	path := filepath.Join("/dev/shm", fmt.Sprintf("viaduct-source-%d", os.Getpid()))
	defer os.Remove(path)
	f(path, func(n int64) (backing, error) { return fromPath(path, n) }, true)
	if left, _ := filepath.Glob("/dev/shm/viaduct-[0-9]*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// segments counts this user's SysV segments of our size.
func segments(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte(strconv.Itoa(8<<20)))
}

func TestNextSource(t *testing.T) {
	missing := func(int64) (backing, error) { return backing{}, fmt.Errorf("not here: %w", errNextSource) }
	fatal := func(int64) (backing, error) { return backing{}, errors.New("too much") }
	c := Config{Bytes: 4 << 20, Shards: 1}
	a, err := create(c, []source{missing, missing, fromMemfd})
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	_, err = create(c, []source{fatal, fromMemfd})
	wantError(t, err, "too much")
	_, err = create(c, []source{missing, missing})
	wantError(t, err, "not here")
}

// A memfd cannot be shrunk under us.
func TestSealed(t *testing.T) {
	a := newTest(t, 4<<20, 1)
	if err := a.File().Truncate(1 << 20); !errors.Is(err, unix.EPERM) {
		t.Errorf("truncate: %v", err)
	}
}

// resident counts the pages that are in memory.
func resident(t *testing.T, a *Arena) int64 {
	t.Helper()
	vec := make([]byte, a.back.bytes/pageBytes)
	if _, _, err := unix.Syscall(unix.SYS_MINCORE, uintptr(a.base), uintptr(a.back.bytes),
		uintptr(unsafe.Pointer(&vec[0]))); err != 0 {
		t.Fatal(err)
	}
	n := int64(0)
	for _, v := range vec {
		n += int64(v & 1)
	}
	return n * pageBytes
}

func TestPrefault(t *testing.T) {
	const bytes = 70<<20 + pageBytes // more than a block, and not a multiple of anything
	a, err := Create(Config{Bytes: bytes, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if n := resident(t, a); n > bytes/2 {
		t.Errorf("%d bytes resident without pre-faulting", n)
	}
	if !strings.Contains(a.Describe(), "not pre-faulted, huge pages off, not locked") {
		t.Error(a.Describe())
	}
	if err := inBlocks(a.back.slice(), func(b []byte) error {
		touch(b)
		return nil
	}); err != nil || resident(t, a) != bytes {
		t.Errorf("touched: %v, %d resident", err, resident(t, a))
	}
	if _, err := check(a); err != nil {
		t.Errorf("touching changed something: %v", err)
	}
	b, err := Create(Config{Bytes: bytes, Shards: 1, Prefault: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if n := resident(t, b); n != bytes || !strings.Contains(b.Describe(), "pre-faulted in ") {
		t.Errorf("%d resident; %s", n, b.Describe())
	}
	boom := errors.New("boom")
	if err := inBlocks(a.back.slice(), func([]byte) error { return boom }); err != boom {
		t.Error(err)
	}
}

// status reads a kB line of /proc/self/status or smaps_rollup.
func status(t *testing.T, file, key string) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/" + file)
	if err != nil {
		t.Fatal(err)
	}
	_, s, _ := strings.Cut(string(b), "\n"+key+":")
	n, err := strconv.ParseInt(strings.Fields(s)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestFreeIndex: what an index took is given back.
func TestFreeIndex(t *testing.T) {
	const words, bytes = 8 << 20, 64 << 20
	before := status(t, "smaps_rollup", "Anonymous")
	x, err := NewIndex(words)
	if err != nil {
		t.Fatal(err)
	}
	x[0], x[words-1] = 1, 1
	if took := status(t, "smaps_rollup", "Anonymous") - before; took < bytes/2 {
		t.Skipf("an index of %d MiB took %d MiB at once", bytes>>20, took>>20)
	}
	if err := FreeIndex(x); err != nil {
		t.Fatal(err)
	}
	if left := status(t, "smaps_rollup", "Anonymous") - before; left > bytes/2 {
		t.Errorf("%d MiB of %d are left", left>>20, bytes>>20)
	}
}

// C4: VmLck at least the size, or a warning that says why not.
func TestMlock(t *testing.T) {
	a, err := Create(Config{Bytes: 32 << 20, Shards: 1, Mlock: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	locked := strings.HasSuffix(a.Describe(), ", locked")
	if got := status(t, "status", "VmLck") >= 32<<20; got != locked {
		t.Errorf("VmLck %d; %s", status(t, "status", "VmLck"), a.Describe())
	}
	if !locked && !strings.Contains(a.Describe(), "not locked (") {
		t.Error(a.Describe())
	}
}

// A limit that is too low is a warning, not an error. The kernel does not limit root, so the thread
// drops the capability.
func TestMlockRefused(t *testing.T) {
	done := make(chan bool)
	go func() { // a thread of its own, which ends with it, being locked
		defer close(done)
		lockThread()
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData
		if err := unix.Capset(&head, &caps[0]); err != nil {
			t.Errorf("cannot drop capabilities: %v", err)
			return
		}
		var lim unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &lim); err != nil {
			t.Error(err)
			return
		}
		low := unix.Rlimit{Cur: 64 << 10, Max: lim.Max}
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &low); err != nil {
			t.Error(err)
			return
		}
		defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &lim)
		a, err := Create(Config{Bytes: 32 << 20, Shards: 1, Mlock: true})
		if err != nil {
			t.Error(err)
			return
		}
		defer a.Close()
		if !strings.Contains(a.Describe(), "RLIMIT_MEMLOCK is 64 KiB; raise `ulimit -l`") {
			t.Error(a.Describe())
		}
		off, ok := a.Slab(0).Alloc(1, 100)
		if !ok {
			t.Error("does not work")
		}
		a.Slab(0).Free(off)
	}()
	<-done
}

// Huge pages are there, or Describe says why not.
func TestHugePages(t *testing.T) {
	const bytes = 64<<20 + pageBytes
	a, err := Create(Config{Bytes: bytes, Shards: 1, HugePages: HugeTry})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	t.Log(a.Describe())
	if n := resident(t, a); n < bytes {
		t.Errorf("%d bytes resident", n)
	}
	got := status(t, "smaps_rollup", "ShmemPmdMapped") + status(t, "smaps_rollup", "Shared_Hugetlb")
	switch {
	case strings.Contains(a.Describe(), "huge pages by MADV_COLLAPSE") ||
		strings.Contains(a.Describe(), "from the pool"):
		if got < 64<<20 {
			t.Errorf("%d bytes in huge pages; %s", got, a.Describe())
		}
	case !strings.Contains(a.Describe(), "set vm.nr_hugepages"):
		t.Error(a.Describe())
	}
	off, ok := a.Slab(0).Alloc(1, 100)
	if !ok {
		t.Error("does not work")
	}
	a.Slab(0).Free(off)
}

func TestLayoutOf(t *testing.T) {
	type a struct {
		X uint32
		Y uint64
	}
	type b struct {
		X uint64
		Y uint32
	}
	if again := LayoutOf(a{}); LayoutOf(a{}) == LayoutOf(b{}) || LayoutOf(a{}, b{}) == LayoutOf(b{}, a{}) ||
		LayoutOf(a{}) != again {
		t.Error("hash")
	}
	type inner struct{ P *int }
	mustPanic(t, "*int has no place", func() { LayoutOf(struct{ A [2]inner }{}) })
	mustPanic(t, "string has no place", func() { LayoutOf(struct{ S string }{}) })
	mustPanic(t, "int has no place", func() { LayoutOf(struct{ N int }{}) })
}
