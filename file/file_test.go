package file

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("text"), []byte("12345678"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("text", at("link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fifo", "held"} {
		if err := unix.Mkfifo(at(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held, err := os.OpenFile(at("held"), os.O_RDWR, 0) // a writer that never ends
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	l, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	good := func(name string, most int64) {
		t.Helper()
		if b, err := Read(at(name), most); string(b) != "12345678" || err != nil {
			t.Errorf("%s is %q, %v", name, b, err)
		}
	}
	good("text", 8)
	good("link", 1<<20)
	bad := func(path string, most int64, want string) {
		t.Helper()
		began := time.Now()
		b, err := Read(path, most)
		if b != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is %q, %v; want %q", path, b, err, want)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%s took %v", path, d)
		}
	}
	bad(at("text"), 7, "longer than 7 bytes")
	bad(at("none"), 8, "no such file")
	bad(dir, 8, "is a folder: name a regular file")
	bad(at("fifo"), 8, "is a FIFO: name a regular file")
	bad(at("held"), 8, "is a FIFO: name a regular file")
	bad(at("socket"), 8, "no such device or address")
	bad("/dev/zero", 8, "is a device: name a regular file")
	if b, err := Read("/dev/null", 8); b == nil || len(b) > 0 || err != nil {
		t.Errorf("/dev/null is %q, %v", b, err)
	}
}
