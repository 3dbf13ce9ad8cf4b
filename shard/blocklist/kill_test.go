package blocklist

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/netio"
	"viaduct/shm"
)

// The variable that turns the test binary into the process that gets killed.
const victimEnv = "VIADUCT_BLOCKLIST_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		victim()
	}
	os.Exit(m.Run())
}

func killConfig() Config {
	c := DefaultConfig()
	c.Use, c.MemBytes = true, 200*EntryBytes
	return c
}

// adopt recovers the arena in f, makes the table of it, and judges every entry.
func adopt(f *os.File) (*shm.Arena, *Table, error) {
	a, err := shm.AttachFile(f, layout())
	if err != nil {
		return nil, nil, err
	}
	if _, err := a.Recover(nil); err != nil {
		return nil, nil, err
	}
	table, err := New(a, killConfig())
	if err != nil {
		return nil, nil, err
	}
	return a, table, judge(table)
}

func judge(table *Table) error {
	if err := checkBooks(table); err != nil {
		return err
	}
	page := make([]Entry, 64)
	for cursor, first := uint32(0), true; first || cursor != 0; first = false {
		var n int
		n, cursor = table.View(cursor, 0, page)
		for _, e := range page[:n] {
			if err := prove(&e); err != nil {
				return err
			}
			if !table.Listed(netio.UDP, &e.Addr, 0) {
				return fmt.Errorf("%v is in the view and not listed", e.Addr)
			}
		}
	}
	return nil
}

// victim works on the arena on descriptor 3 till it is killed.
func victim() {
	die := func(err error) {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	time.AfterFunc(20*time.Second, func() { die(errors.New("nobody kills us")) })
	_, table, err := adopt(os.NewFile(3, "arena"))
	if err != nil {
		die(err)
	}
	fmt.Println("work")
	for g := range 2 {
		go func() {
			rng := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(g)))
			for {
				proofStep(table, rng, 300)
			}
		}()
	}
	select {}
}

// TestKill kills a process at any instant, again and again over one arena: no entry torn, none lost
// to the books, the lock free.
func TestKill(t *testing.T) {
	a, err := shm.Create(shm.Config{Bytes: 4 << 20, Shards: 1, Layout: layout()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(a, killConfig()); err != nil {
		t.Fatal(err)
	}
	dup := func(f *os.File) *os.File {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return os.NewFile(uintptr(fd), "arena")
	}
	file := dup(a.File())
	defer file.Close()
	used := a.Shared().UsedBytes()
	a.Close()

	entries := 0
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
		a, table, err := adopt(dup(file))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		n, _ := table.MemInfo()
		entries += n / EntryBytes
		if got := a.Shared().UsedBytes(); got != used {
			t.Fatalf("round %d: %d bytes of the arena in use, %d at the beginning", round, got, used)
		}
		a.Close()
	}
	if entries == 0 {
		t.Error("no entry survived: the test proves nothing")
	}
	t.Logf("%d entries judged", entries)
}

// TestAdopt: the next process has the entries; with another size it has them too; without the table
// the memory comes back.
func TestAdopt(t *testing.T) {
	a := testArena(t)
	empty := a.Shared().UsedBytes()
	c := killConfig()
	table, err := New(a, c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint32(150) {
		x := proofAddr(i)
		table.Add(netio.UDP, x, Cause{Reasons: Timeout, TTL: proofTTL(i%2 == 0), Owner: proofOwner(x, i%2 == 0)},
			proofSince(x))
	}
	for i := range byte(2) {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, i}), 16)
		n := netio.AddrFrom(netip.AddrPortFrom(p.Addr(), 0))
		table.AddNetwork(netio.UDP, p, 0, Cause{Reasons: Timeout, TTL: proofTTL(i == 0), Owner: proofOwner(&n, i == 0)},
			proofSince(&n))
	}
	perm := addr("203.0.113.9:9")
	table.AddWaiting(AnyProto, perm,
		Cause{Reasons: Prohibited | Permanent, TTL: proofTTL(true), Owner: proofOwner(perm, true)}, proofSince(perm))
	f := func(memEntries, wantEntries int) {
		t.Helper()
		c.MemBytes = memEntries*EntryBytes + 1
		table, err := New(a, c)
		if err != nil {
			t.Fatal(err)
		}
		if used, _ := table.MemInfo(); used != wantEntries*EntryBytes {
			t.Errorf("room for %d: %d entries", memEntries, used/EntryBytes)
		}
		if !table.Listed(netio.UDP, addr("10.1.2.3:4"), 0) || table.root.networksUsed != 2 {
			t.Errorf("room for %d: %d networks", memEntries, table.root.networksUsed)
		}
		if err := judge(table); err != nil {
			t.Error(err)
		}
	}
	f(199, 151)  // the same
	f(3000, 151) // larger
	f(160, 151)  // smaller
	f(100, 100)  // too small for all
	f(5000, 100)
	c.Init, c.Use = false, false
	if _, err := New(a, c); err != nil || a.Shared().UsedBytes() != empty {
		t.Errorf("%v: %d bytes in use, %d at the beginning", err, a.Shared().UsedBytes(), empty)
	}
	if _, err := New(a, DefaultConfig()); err != nil { // and again
		t.Fatal(err)
	}
}

// TestAdoptBoth: the process died between publishing the new table and freeing the old one.
func TestAdoptBoth(t *testing.T) {
	a := testArena(t)
	x, y := proofAddr(1), proofAddr(2)
	add := func(memEntries uint32, addrs ...*netio.Addr) {
		table := &Table{}
		table.settings.set(&Config{Use: true, MemBytes: 1 << 20})
		if err := table.allocate(a, memEntries, max(memEntries, blockLen)); err != nil {
			t.Fatal(err)
		}
		for _, x := range addrs {
			table.Add(netio.UDP, x, Cause{Reasons: Timeout, TTL: proofTTL(true), Owner: proofOwner(x, true)},
				proofSince(x))
		}
	}
	add(256, x, y)
	add(128, x)
	table, err := New(a, killConfig())
	if err != nil {
		t.Fatal(err)
	}
	if used, _ := table.MemInfo(); used != 2*EntryBytes || !table.Listed(netio.UDP, x, 0) ||
		!table.Listed(netio.UDP, y, 0) {
		t.Errorf("%d bytes", used)
	}
	if err := judge(table); err != nil {
		t.Error(err)
	}
}
