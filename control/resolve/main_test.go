package resolve

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails a run that leaves goroutines or descriptors behind, and prints where they stand.
func TestMain(m *testing.M) {
	if pc, err := net.ListenPacket("udp", "127.0.0.1:0"); err == nil {
		pc.Close() // so that the runtime's poller has its descriptors
	}
	before, open := runtime.NumGoroutine(), descriptors()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" { // the engine has goroutines of its own
		os.Exit(code)
	}
	leaked := func() bool { return runtime.NumGoroutine() > before || descriptors() > open }
	for end := time.Now().Add(30 * time.Second); leaked() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if code == 0 && leaked() {
		buf := make([]byte, 1<<18)
		fmt.Printf("goroutines: %d before, %d after; descriptors: %d, %d\n%s\n", before, runtime.NumGoroutine(), open,
			descriptors(), buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}
