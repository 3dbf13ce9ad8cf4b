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

// ringing starts the program with a call under way: the caller is us, the callee took the INVITE and stays silent.
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
	// The call under way holds the process; a new one is sent elsewhere.
	if got := invite(t, r.port, "second"); len(got) != 1 || !strings.HasPrefix(got[0], "SIP/2.0 503 ") {
		t.Errorf("a new call while draining got %q, want 503", got)
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
