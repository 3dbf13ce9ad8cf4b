package table

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/shm"
)

// The variable that turns the test binary into the process that gets killed.
const victimEnv = "VIADUCT_TABLE_VICTIM"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(victimEnv) != "":
		victim()
	case os.Getenv(stepEnv) != "":
		stepped()
	}
	os.Exit(m.Run())
}

func dup(t testing.TB, f *os.File) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "arena")
}

// adopt recovers the arena in f, opens the tables in it, and judges every entry. No table beside
// them may be lost.
func adopt(f *os.File) (*shm.Arena, *Directory, *Table, error) {
	a, err := shm.AttachFile(f, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err := a.Recover(func(shm.Off, shm.Off) bool { return false }); err != nil {
		return nil, nil, nil, err
	}
	d, err := Open(a)
	if err != nil {
		return nil, nil, nil, err
	}
	table, err := d.Table("test", proofConfig())
	if err != nil {
		return nil, nil, nil, err
	}
	return a, d, table, judge(table)
}

func judge(table *Table) error {
	if err := books(table); err != nil {
		return err
	}
	var err error
	buf, n := make([]byte, proofMax), uint64(0)
	for cursor, first := uint32(0), true; first || cursor != 0; first = false {
		cursor = table.View(cursor, 0, 64, func(e *Entry) {
			n++
			if bad := proveEntry(e, nil); bad != nil {
				err = bad
			}
			if v, verdict := table.Get(e.Key, 0, buf); verdict != Done || !same(v, e.Value) {
				err = fmt.Errorf("%x is in the view and not found: %v %+v", e.Key, verdict, v)
			}
		})
	}
	if err == nil && n != table.Stats().Entries {
		err = fmt.Errorf("%d entries, %d told", n, table.Stats().Entries)
	}
	return err
}

// victim works on the arena on descriptor 3 till it is killed: two goroutines on a table, a third
// that makes tables and drops them.
func victim() {
	die := func(err error) {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	time.AfterFunc(20*time.Second, func() { die(errors.New("nobody kills us")) })
	_, d, table, err := adopt(os.NewFile(3, "arena"))
	if err != nil {
		die(err)
	}
	fmt.Println("work")
	for g := range 2 {
		go func() {
			rng := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(g)))
			kb, vb := make([]byte, 0, 100), make([]byte, 0, proofMax)
			for {
				proofStep(table, rng, 300, vb, kb)
				table.Expire(50_000, 3, nil)
			}
		}()
	}
	for i := 0; ; i++ {
		c := Config{Entries: 100 + i%2, Layout: uint64(i % 3)}
		if t, err := d.Table("another", c); err != nil {
			die(err)
		} else {
			for n := range 1000 {
				t.Put(fmt.Appendf(nil, "key %d", n%90), Number(int64(i)), Terms{}, 0)
			}
		}
		d.Drop("another")
	}
}

// TestKill kills a process at any instant, again and again over one arena: no entry torn, none lost
// to the books, no lock held, no memory lost.
func TestKill(t *testing.T) {
	a := testArena(t, 4<<20)
	d := open(t, a)
	if _, err := d.Table("test", proofConfig()); err != nil {
		t.Fatal(err)
	}
	file := dup(t, a.File())
	defer file.Close()
	used := a.Shared().UsedBytes()

	entries, others := uint64(0), 0
	for round := range 25 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victimEnv+"=1")
		cmd.ExtraFiles = []*os.File{file}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 5)
		_, err = io.ReadFull(out, first)
		time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond)
		_ = cmd.Process.Kill()
		rest, _ := io.ReadAll(out)
		_ = cmd.Wait()
		if text := string(first) + string(rest); err != nil || strings.Contains(text, "FAIL") {
			t.Fatalf("round %d: victim: %q %v", round, text, err)
		}
		a, d, table, err := adopt(dup(t, file))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if table.Origin() != Kept {
			t.Fatalf("round %d: %s", round, table.Origin())
		}
		entries += table.Stats().Entries
		if d.Drop("another") {
			others++
		}
		if got := a.Shared().UsedBytes(); got != used {
			t.Fatalf("round %d: %d bytes of the arena in use, %d at the beginning", round, got, used)
		}
		a.Close()
	}
	if entries == 0 {
		t.Error("no entry survived: the test proves nothing")
	}
	t.Logf("%d entries judged, %d times the other table was there", entries, others)
}

// TestTwice: killed between linking a changed text and ending the old one, the new one counts,
// wherever each lies.
func TestTwice(t *testing.T) {
	for _, high := range []bool{true, false} {
		a := testArena(t, 2<<20)
		c := Config{Entries: 10}
		table, err := open(t, a).Table("test", c)
		if err != nil {
			t.Fatal(err)
		}
		key := []byte("key")
		spot := func(seq uint32, text string) {
			hash := table.hash(key)
			v := String([]byte(text))
			table.fill(table.take(0, hash, true), 0, hash, seq, key, &v, never)
		}
		if high {
			spot(1<<32-1, "old")
			spot(0, "new")
		} else {
			spot(0, "new")
			spot(1<<32-1, "old")
		}
		table, err = open(t, a).Table("test", c)
		if err != nil {
			t.Fatal(err)
		}
		check(t, table)
		if v, verdict := table.Get(key, 0, make([]byte, 100)); verdict != Done || string(v.Text) != "new" ||
			table.Stats().Entries != 1 {
			t.Errorf("%v %q", verdict, v.Text)
		}
	}
}
