package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ringing starts the program with a call under way: the caller is us, the callee took the INVITE
// and stays silent.
func ringing(t *testing.T, args ...string) *running {
	t.Helper()
	callee, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { callee.Close() })
	dir := t.TempDir()
	list := fmt.Sprintf("1 sip:%s\n", callee.LocalAddr())
	if err := os.WriteFile(filepath.Join(dir, "dispatcher.list"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	r := startBinary(t, nil, append([]string{"-w", dir}, args...)...)
	invite(t, r.port, "first")
	callee.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 65536)
	n, _, err := callee.ReadFrom(b)
	if err != nil || !strings.HasPrefix(string(b[:n]), "INVITE ") {
		t.Fatalf("the callee got %q, %v", b[:n], err)
	}
	return r
}

// invite sends one INVITE and gives the status lines that come back within a moment.
func invite(t *testing.T, port, callID string) (answers []string) {
	t.Helper()
	conn, err := net.Dial("udp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	self := conn.LocalAddr().String()
	fmt.Fprintf(conn, strings.ReplaceAll(`INVITE sip:callee@127.0.0.1:%[1]s SIP/2.0
Via: SIP/2.0/UDP %[2]s;branch=z9hG4bK%[3]s
From: <sip:caller@%[2]s>;tag=%[3]s
To: <sip:callee@127.0.0.1:%[1]s>
Call-ID: %[3]s
CSeq: 1 INVITE
Contact: <sip:caller@%[2]s>
Max-Forwards: 70
Content-Length: 0

`, "\n", "\r\n"), port, self, callID)
	b := make([]byte, 65536)
	for {
		conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := conn.Read(b)
		if err != nil {
			return answers
		}
		line, _, _ := strings.Cut(string(b[:n]), "\r\n")
		answers = append(answers, line)
	}
}

func TestDrainWaitsForCalls(t *testing.T) {
	r := ringing(t)
	r.signal(syscall.SIGTERM)
	r.waitLog("viaduct draining", 1)
	// The call under way holds the process; a new one is left to a successor, and sent elsewhere
	// when none has come.
	if got := invite(t, r.port, "second"); len(got) != 0 {
		t.Errorf("a new call at the beginning of the drain got %q, want no answer", got)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		got := invite(t, r.port, "second") // and again
		if len(got) == 1 && strings.HasPrefix(got[0], "SIP/2.0 503 ") {
			break
		}
		if len(got) != 0 || time.Now().After(deadline) {
			t.Fatalf("a new call while draining got %q, want 503", got)
		}
	}
	select {
	case <-r.done:
		t.Fatal("it stopped with a call under way")
	default:
	}
	start := time.Now()
	r.signal(syscall.SIGTERM)
	if code := r.ended(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("the second signal took %v to stop it", d)
	}
	r.waitLog("viaduct stops at once", 1)
}

func TestDrainIsBoundedByExitTimeout(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "shard", "route", "default.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	r := ringing(t, "-f", writeConfig(t, "exit_timeout=1\n"+string(b)))
	start := time.Now()
	r.signal(syscall.SIGINT)
	if code := r.ended(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if d := time.Since(start); d < 900*time.Millisecond || d > 5*time.Second {
		t.Errorf("stopped after %v, want exit_timeout, 1 s", d)
	}
	r.waitLog("transactions_left=1", 1)
}

// A supervisor whose second signal follows at once means it.
func TestSecondSignalAtOnceCounts(t *testing.T) {
	r := ringing(t)
	r.signal(syscall.SIGTERM)
	r.waitLog("viaduct draining", 1)
	r.signal(syscall.SIGINT)
	if code := r.ended(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r.waitLog("viaduct stops at once", 1)
}

// USR2 is for a service manager that starts a successor next: calls under way do not hold the
// process.
func TestUSR2StopsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.pid")
	r := ringing(t, "-P", path)
	r.signal(syscall.SIGUSR2)
	if code := r.ended(); code != 0 || exists(path) {
		t.Errorf("exit code %d, pid file there: %v", code, exists(path))
	}
	r.waitLog("viaduct stops at once", 1)
}

// A successor does not find the ports, the pid file and the socket of a process that drains taken,
// however long a call rings.
func TestSuccessorOfADrainingProcess(t *testing.T) {
	dir := t.TempDir()
	pid, socket := filepath.Join(dir, "v.pid"), filepath.Join(dir, "v.sock")
	tcp := "tcp:127.0.0.1:" + freePort(t)
	r := ringing(t, "-P", pid, "-x", socket, "-l", tcp)
	args := []string{"-P", pid, "-x", socket, "-l", "udp:127.0.0.1:" + r.port, "-l", tcp}
	// what it leaves behind keeps nobody from listening
	client, err := net.Dial("tcp", tcp[len("tcp:"):])
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	early := runBinary(t, "", append([]string{"-D", "-E", "-n", "1", "-m", "16"}, args...)...)
	if early.code != 255 || !strings.Contains(early.stderr, "already running") {
		t.Errorf("beside a process that serves: %+v", early)
	}
	r.signal(syscall.SIGTERM)
	r.waitLog("viaduct draining", 1)
	next := startBinary(t, nil, args...)
	next.waitLog("a draining process has let go of its ports", 1)
	if code := r.ended(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r.waitLog("viaduct lets a successor have its ports", 1)
	if got := invite(t, r.port, "third"); len(got) == 0 {
		t.Error("the successor does not answer")
	}
	b, err := os.ReadFile(pid)
	if err != nil || string(b) != fmt.Sprintf("%d\n", next.pid) || !exists(socket) {
		t.Errorf("pid file %q, %v; socket there: %v", b, err, exists(socket))
	}
}
