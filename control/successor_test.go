package control

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The variable that turns the test binary into a process that drains, and the address it drains on.
const drainingEnv = "VIADUCT_TEST_DRAINING"

func TestMain(m *testing.M) {
	if a := os.Getenv(drainingEnv); a != "" {
		r, err := OfferRelease([]string{a})
		fmt.Println("offered", err)
		select {
		case <-r.Asked():
		case <-time.After(20 * time.Second):
		}
		time.Sleep(100 * time.Millisecond) // sockets are being closed
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A successor that asks has the address when the answer is there: the other process has ended by
// then.
func TestRelease(t *testing.T) {
	address := fmt.Sprintf("udp:192.0.2.1:%d", os.Getpid())
	if gone, err := AskForRelease([]string{address}); len(gone) != 0 || err != nil {
		t.Fatalf("nobody drains: %v, %v", gone, err)
	}
	draining := exec.Command(os.Args[0])
	draining.Env = append(os.Environ(), drainingEnv+"="+address)
	out, err := draining.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := draining.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	n, _ := out.Read(b)
	if !strings.HasPrefix(string(b[:n]), "offered <nil>") {
		t.Fatalf("%q", b[:n])
	}
	gone, err := AskForRelease([]string{"udp:192.0.2.1:1", address, "tcp:192.0.2.1:1"})
	if err != nil || len(gone) != 1 || gone[0] != draining.Process.Pid || lives(gone[0]) {
		t.Errorf("%v, %v; process %d", gone, err, draining.Process.Pid)
	}
	if err := draining.Wait(); err != nil {
		t.Error(err)
	}
}

// An address that is offered already is told, and does not keep others from being offered.
func TestReleaseOfAnAddressOfAnother(t *testing.T) {
	a, b := fmt.Sprintf("udp:192.0.2.2:%d", os.Getpid()), fmt.Sprintf("udp:192.0.2.3:%d", os.Getpid())
	first, err := OfferRelease([]string{a})
	if err != nil {
		t.Fatal(err)
	}
	second, err := OfferRelease([]string{a, b})
	if err == nil || !strings.Contains(err.Error(), a) || len(second.listeners) != 1 {
		t.Errorf("%v", err)
	}
	for _, l := range append(first.listeners, second.listeners...) {
		l.Close()
	}
	var none *Release
	if none.Asked() != nil {
		t.Error("somebody can ask a process that does not drain")
	}
}
