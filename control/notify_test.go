package control

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNotifier(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "2000000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	n, err := OpenNotifier()
	if err != nil {
		t.Fatal(err)
	}
	if got := n.WatchdogInterval(); got != time.Second {
		t.Errorf("watchdog every %v, want half of 2 s", got)
	}
	heard := func() string {
		b := make([]byte, 4096)
		manager.SetReadDeadline(time.Now().Add(5 * time.Second))
		size, err := manager.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:size])
	}
	n.Ready("serving")
	if got := heard(); !strings.HasPrefix(got, "READY=1\n") ||
		!strings.Contains(got, fmt.Sprintf("MAINPID=%d\n", os.Getpid())) {
		t.Errorf("ready: %q", got)
	}
	n.Alive()
	if got := heard(); got != "WATCHDOG=1" {
		t.Errorf("alive: %q", got)
	}
	n.Stopping()
	if got := heard(); got != "STOPPING=1" {
		t.Errorf("stopping: %q", got)
	}
	t.Setenv("WATCHDOG_PID", "1")
	other, err := OpenNotifier()
	if err != nil || other.WatchdogInterval() != 0 {
		t.Errorf("another process's watchdog: %v, %v", other.WatchdogInterval(), err)
	}
}

func TestNoNotifier(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n, err := OpenNotifier()
	if n != nil || err != nil {
		t.Fatalf("%v %v", n, err)
	}
	n.Ready("") // the nil Notifier tells nobody
	n.Stopping()
	if n.WatchdogInterval() != 0 {
		t.Error("watchdog without manager")
	}
	t.Setenv("NOTIFY_SOCKET", "relative")
	if _, err := OpenNotifier(); err == nil {
		t.Error("a relative socket name was taken")
	}
}
