package procfs

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	f := func(text, wantParent, wantUser, wantSystem string) {
		t.Helper()
		got, err := parseStat([]byte(text))
		if err != nil || got[ppid] != wantParent || got[utime] != wantUser || got[stime] != wantSystem {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	f("12 (kamailio) S 1 12 12 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 1", "1", "250", "31")
	// a command may hold parentheses and spaces
	f("12 (a) b) (c) R 7 12 12 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1", "7", "1", "2")
	for _, bad := range []string{"", "12 kamailio S 1", "12 (kamailio) S 1 12"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestParseCore(t *testing.T) {
	text := "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 10 20 30 40 50 60 70 80 5 6\ncpu10 1 0 0 0 0 0 0 0 0 0\n"
	if got, want := parseCore([]byte(text), 0), (Core{Busy: 270 * tick, SoftIRQ: 130 * tick}); got != want {
		t.Errorf("cpu0: %v, want %v", got, want)
	}
	if got := parseCore([]byte(text), 1); got != (Core{}) {
		t.Errorf("cpu1 is not there: %v", got)
	}
}

func TestKilobytes(t *testing.T) {
	text := []byte("Name:\tx\nVmRSS:\t   5120 kB\nPss:                  12 kB\n")
	if kilobytes(text, "VmRSS:") != 5120<<10 || kilobytes(text, "Pss:") != 12<<10 || kilobytes(text, "Rss:") != 0 {
		t.Error("wrong sizes")
	}
}

func TestThisProcess(t *testing.T) {
	child := exec.Command("sleep", "20")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	tree := Tree(os.Getpid())
	if tree[0] != os.Getpid() || !slices.Contains(tree, child.Process.Pid) {
		t.Errorf("tree %v lacks the child %d", tree, child.Process.Pid)
	}
	if RSS(tree) < RSS(tree[:1]) || RSS(tree[:1]) < 1<<20 {
		t.Errorf("resident %d of the tree, %d of this process", RSS(tree), RSS(tree[:1]))
	}
	// 200 ms of work must show as at least 100 ms, however busy the machine: process times count
	// work, not waiting.
	before := CPU([]int{os.Getpid()})
	for used, n := time.Duration(0), 0; used < 200*time.Millisecond; n++ {
		used = CPU([]int{os.Getpid()}) - before
		if n > 10_000_000 {
			t.Fatal("process time does not advance")
		}
	}
	if ReadCore(0).Busy == 0 {
		t.Error("processor 0 has never been busy")
	}
}

func TestTCPPages(t *testing.T) {
	f := func(text string, want int64) {
		t.Helper()
		if got := tcpPages(text); got != want {
			t.Errorf("%q: %d pages, want %d", text, got, want)
		}
	}
	f("sockets: used 27\nTCP: inuse 4 orphan 0 tw 1 alloc 6 mem 12\nUDP: inuse 2 mem 3\n", 12)
	f("UDP: inuse 2 mem 3\n", 0)
	f("TCP: inuse 4 mem\n", 0)
	f("", 0)
}

func TestMemoryIsThere(t *testing.T) {
	if AvailableMemory() <= 0 || KernelMemory() <= 0 {
		t.Errorf("available %d, kernel %d", AvailableMemory(), KernelMemory())
	}
}
