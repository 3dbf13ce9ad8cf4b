package shard

import (
	"io"
	"log/slog"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"viaduct/netio"
	"viaduct/shard/modules"
	"viaduct/shard/route"
	"viaduct/shm"
)

// anonymousBytes is what the process has of memory without a file.
func anonymousBytes(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\nRssAnon:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestStopGivesMemoryBack: of servers that have stopped nothing is left outside the Go heap. Of
// each, the index of transactions alone takes 32 MiB.
func TestStopGivesMemoryBack(t *testing.T) {
	const servers, most = 4, 32 << 20
	before := anonymousBytes(t)
	for range servers {
		program, settings, _, err := route.Load("lb.cfg", []byte(defaultConfig(t)), route.Options{Modules: modules.All})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Start(Config{Shards: 1, Program: program, Settings: settings,
			Listens: []netio.ListenConfig{{Addr: netip.MustParseAddrPort("127.0.0.1:0")}},
			Arena:   shm.Config{Bytes: 1 << 30}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		s.Stop()
	}
	if left := anonymousBytes(t) - before; left > most {
		t.Errorf("%d servers have left %d MiB, want %d at most", servers, left>>20, most>>20)
	}
}
