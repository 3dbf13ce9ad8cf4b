package control

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	if Drains([]string{address}) {
		t.Error("nobody drains, and somebody is seen")
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
	if !Drains([]string{"udp:192.0.2.1:1", address}) || Drains([]string{address + "1"}) {
		t.Error("who drains is not seen, or takes another address for its own")
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

// A process that drains in a pid namespace that we do not see has number 0: the end of file tells
// that it has ended.
func TestReleaseByAnotherNamespace(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "successor")
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		time.Sleep(20 * time.Millisecond)
		unix.Close(fds[1])
	}()
	begin := time.Now()
	if pid, err := askOne(conn.(*net.UnixConn), &unix.Ucred{}); pid != 0 || err != nil ||
		time.Since(begin) > releaseTimeout/2 {
		t.Errorf("process %d, %v after %s", pid, err, time.Since(begin))
	}
}

// The name of an abstract socket can be taken by any user, who must not delay a start.
func TestReleaseByAStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	address := fmt.Sprintf("udp:192.0.2.4:%d", os.Getpid())
	listening := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			listening <- errno
			return
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: releasePrefix + address})
		}
		if err == nil {
			err = unix.Listen(fd, 1)
		}
		listening <- err
	}()
	if err := <-listening; err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if gone, err := AskForRelease([]string{address}); len(gone) != 0 || err != nil ||
		time.Since(begin) > releaseTimeout/2 {
		t.Errorf("%v, %v after %s", gone, err, time.Since(begin))
	}
}
