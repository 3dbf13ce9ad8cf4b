package shm

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The variable that turns the test binary into the process that gets killed.
const victimEnv = "VIADUCT_SHM_VICTIM"

// victim attaches the arena on descriptor 3 or in a file, checks it, and works on it till it is
// killed: both shards, the shared slab under its lock, a lock set, both rings.
func victim(path string) {
	die := func(err error) {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	time.AfterFunc(10*time.Second, func() { die(errors.New("nobody kills us")) })
	f := os.NewFile(3, "arena")
	if strings.HasPrefix(path, "/") {
		var err error
		if f, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
			die(err)
		}
	}
	a, err := AttachFile(f, testLayout)
	if err != nil {
		die(err)
	}
	fmt.Println("recover") // from here on we may be killed
	if _, err := a.Recover(holds(a)); err != nil {
		die(err)
	}
	if _, err := check(a); err != nil {
		die(err)
	}
	fmt.Println("work")
	for shard := range a.Shards() {
		go func() {
			w := newWorker(a, shard, rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(shard))), 400)
			out, in := a.Ring(shard, 1-shard), a.Ring(1-shard, shard)
			for i := 0; ; i++ {
				w.step()
				pushPop(out, in, w.rng)
				a.Counters(shard)[0]++
			}
		}()
	}
	for {
		off, ok := a.Shared().Alloc(kindShared, HeaderBytes+rand.IntN(6400))
		if !ok {
			continue
		}
		a.Shared().Publish(off)
		a.Shared().Free(off)
	}
}

// pushPop sends a record whose bytes all are its length's lowest byte, and takes what there is.
func pushPop(out, in *Ring, rng *rand.Rand) {
	if b := out.Reserve(rng.IntN(2000)); b != nil {
		for i := range b {
			b[i] = byte(len(b))
		}
		out.Commit()
		out.Publish()
	}
	if err := drain(in); err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
}

func drain(in *Ring) error {
	defer in.Release()
	for b := in.Next(); b != nil; b = in.Next() {
		for i := range b {
			if b[i] != byte(len(b)) {
				return fmt.Errorf("ring record of %d bytes torn at %d", len(b), i)
			}
		}
	}
	return nil
}

// TestKill kills a process at any instant, again and again over the same arena, and looks at what
// is left each time: no record torn, none lost to the books, and the arena as good as before.
func TestKill(t *testing.T) {
	t.Run("memfd", func(t *testing.T) { killRounds(t, "") })
	t.Run("file", func(t *testing.T) {
		killRounds(t, filepath.Join("/dev/shm", fmt.Sprintf("viaduct-test-%d", os.Getpid())))
	})
}

func killRounds(t *testing.T, path string) {
	a, err := Create(Config{Bytes: 24 << 20, Shards: 2, Layout: testLayout, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if path != "" {
		t.Cleanup(func() { os.Remove(path) })
	}
	fd, err := unix.FcntlInt(a.File().Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "arena")
	t.Cleanup(func() { file.Close() })
	a.Close()
	if path != "" { // its lock is with the description: only a fresh one is without
		file.Close()
	}

	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var sum Recovered
	calls, rounds := 0, 0
	enough := func() bool { return rounds >= 10 && calls > 0 && sum.Unpublished+sum.Orphaned+sum.Unheld > 0 }
	for start := time.Now(); time.Since(start) < 2500*time.Millisecond || (!enough() &&
		time.Since(start) < 20*time.Second); rounds++ {
		killOne(t, file, path, rng)
		a := attachAgain(t, file, path)
		before := a.Counters(0)[0]
		r, err := a.Recover(holds(a))
		if err != nil {
			t.Fatal(err)
		}
		n, err := check(a)
		if err != nil {
			t.Fatalf("round %d: %v; %s; counted %d", rounds, err, r, before)
		}
		if r.Rings != 0 {
			t.Fatalf("round %d: %s", rounds, r)
		}
		for _, ring := range []*Ring{a.Ring(0, 1), a.Ring(1, 0)} {
			if err := drain(ring); err != nil {
				t.Fatal(err)
			}
		}
		freeShared(a)
		calls += n
		sum.Unpublished += r.Unpublished
		sum.Orphaned += r.Orphaned
		sum.Unheld += r.Unheld
		sum.Chunks += r.Chunks
		if rounds%4 == 3 { // the others go on with what was there
			if err := emptyOut(a); err != nil {
				t.Fatalf("round %d: %v", rounds, err)
			}
			fillUp(t, a)
		}
		a.Close()
	}
	t.Logf("%d rounds, %d calls checked; reclaimed: %s", rounds, calls, sum)
	if !enough() {
		t.Error("the kills hit nothing: the test proves nothing")
	}
}

// killOne runs a victim and kills it up to 12 ms after it began to recover.
func killOne(t *testing.T, file *os.File, path string, rng *rand.Rand) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"=fd")
	if path != "" {
		cmd.Env = append(os.Environ(), victimEnv+"="+path)
	} else {
		cmd.ExtraFiles = []*os.File{file}
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 8)
	_, err = io.ReadFull(out, first)
	time.Sleep(time.Duration(rng.IntN(12_000)) * time.Microsecond)
	_ = cmd.Process.Kill()
	rest, _ := io.ReadAll(out)
	_ = cmd.Wait()
	if text := string(first) + string(rest); err != nil || strings.Contains(text, "FAIL") {
		t.Fatalf("victim: %q %v", text, err)
	}
}

func attachAgain(t *testing.T, file *os.File, path string) *Arena {
	t.Helper()
	var f *os.File
	if path != "" {
		var err error
		if f, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
			t.Fatal(err)
		}
	} else {
		fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		f = os.NewFile(uintptr(fd), "arena")
	}
	a, err := AttachFile(f, testLayout)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// freeShared frees what the victim's third goroutine left.
func freeShared(a *Arena) {
	a.Shared().Walk(func(off Off, h *Header) bool {
		if h.Kind == kindShared {
			a.Shared().Free(off)
		}
		return true
	})
}

// fillUp takes every byte of the arena and gives it back.
func fillUp(t *testing.T, a *Arena) {
	t.Helper()
	var all []Off
	s := a.Slab(1)
	for off, ok := s.Alloc(kindNote, 4096); ok; off, ok = s.Alloc(kindNote, 4096) {
		all = append(all, off)
	}
	if want := int(a.TotalBytes() / 4096); len(all) != want || a.FreeBytes() != 0 {
		t.Fatalf("filled with %d slots, want %d, free %d", len(all), want, a.FreeBytes())
	}
	for _, off := range all {
		s.Free(off)
	}
	s.Trim()
	if a.PoolBytes() != a.TotalBytes() {
		t.Fatalf("%d of %d bytes in the pool", a.PoolBytes(), a.TotalBytes())
	}
}
