package control

import (
	"bufio"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func testService(t *testing.T) (s *StatusService, logged func() string) {
	var mu sync.Mutex
	var out strings.Builder
	log := testLog(3, false, func(_ severity, line []byte) error {
		mu.Lock()
		defer mu.Unlock()
		out.Write(line)
		return nil
	})
	s = NewStatusService(Commands{"status": func() any { return map[string]int{"shards": 2} }}, log)
	return s, func() string { mu.Lock(); defer mu.Unlock(); return out.String() }
}

// ask sends one line and gives the answer.
func ask(t *testing.T, conn net.Conn, line string) map[string]any {
	t.Helper()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(answer), &v); err != nil {
		t.Fatalf("%q: %v", answer, err)
	}
	return v
}

func TestStatusSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, _ := testService(t)
	if err := s.ListenUnix(path, nil); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o660 || st.Mode()&fs.ModeSocket == 0 {
		t.Errorf("%v %v, want a socket of mode 0660", st.Mode(), err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if v := ask(t, conn, "status"); v["shards"] != 2.0 {
		t.Errorf("status: %v", v)
	}
	if v := ask(t, conn, "reboot"); !strings.Contains(v["error"].(string), "reboot") {
		t.Errorf("unknown command: %v", v)
	}
	if v := ask(t, conn, " status\r"); v["shards"] != 2.0 {
		t.Errorf("status again on the same connection: %v", v)
	}

	long := filepath.Join(filepath.Dir(path), strings.Repeat("s", maxSocketPath))
	if err := s.ListenUnix(long, nil); err == nil || !strings.Contains(err.Error(), long) ||
		!strings.Contains(err.Error(), "takes 107") {
		t.Errorf("a long path: %v", err)
	}

	second, _ := testService(t)
	if err := second.ListenUnix(path, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("live socket: %v, want it refused", err)
	}
	second.Close()
	s.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("socket is left behind: %v", err)
	}
}

// TestStatusCommandPanics: it costs its answer, and the next is given.
func TestStatusCommandPanics(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, logged := testService(t)
	s.commands["stats"] = func() any { panic("no stats") }
	s.commands["bad"] = func() any { return make(chan int) } // no JSON
	if err := s.ListenUnix(path, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, command := range []string{"stats", "bad"} {
		if v := ask(t, conn, command); v["error"] == nil {
			t.Errorf("%s: the answer is %v", command, v)
		}
	}
	if v := ask(t, conn, "status"); v["shards"] != 2.0 {
		t.Errorf("the answer is %v", v)
	}
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(logged(),
		"no stats") || !strings.Contains(logged(), "TestStatusCommandPanics"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log says %q", logged())
		}
	}
}

// TestSlowCommand: one that takes longer than a client may for its first line is answered, to lines
// and to packets, and the connection goes on.
func TestSlowCommand(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	s, _ := testService(t)
	r := NewRPC()
	r.Register(&Method{Name: "slow", Help: "Takes its time.", Call: func(Args) (any, error) {
		time.Sleep(statusFirstLine + 200*time.Millisecond)
		return "late", nil
	}})
	s.Serve(r)
	if err := s.ListenUnix(path, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var clients sync.WaitGroup
	f := func(call, want string) {
		clients.Go(func() {
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			for range 2 {
				if _, err := conn.Write([]byte(call)); err != nil {
					t.Errorf("%q: %v", call, err)
				}
				got := make([]byte, len(want))
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
					t.Errorf("%q: %q %v, want %q", call, got, err, want)
				}
			}
		})
	}
	f("slow\n", "\"late\"\n")
	f("\xa1\x03\x07\x12\x34\x56\x78\x91\x05slow\x00", "\xa1\x13\x06\x12\x34\x56\x78\x51late\x00")
	clients.Wait()
}

// TestLogWriterPanics: the line is lost, and counted, and the next is written.
func TestLogWriterPanics(t *testing.T) {
	out := make(chan string, 3)
	log := testLog(3, false, func(_ severity, line []byte) error {
		if strings.Contains(string(line), "first") {
			panic("write")
		}
		out <- string(line)
		return nil
	})
	log.Info("first")
	log.Info("second")
	for range 2 {
		select {
		case <-out: // the loss, and the second
		case <-time.After(5 * time.Second):
			t.Fatal("nothing was written")
		}
	}
	if log.Lost() != 1 {
		t.Errorf("%d lines are counted as lost", log.Lost())
	}
}

func TestStatusSocketOverlongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, _ := testService(t)
	if err := s.ListenUnix(path, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	conn.Write([]byte(strings.Repeat("x", 10*MaxCommandBytes)))
	if b, _ := io.ReadAll(conn); string(b) != `{"error":{"code":413,"message":"the line is too long: `+
		"65536 bytes are taken at most, its line feed included\"}}\n" {
		t.Errorf("an endless line was answered: %q", b)
	}
}

func TestStatusSocketStaleIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	s, _ := testService(t)
	if err := s.ListenUnix(path, nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestStatusPathsThatAreSomethingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, _ := testService(t)
	defer s.Close()
	if err := s.ListenUnix(path, nil); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("socket over a file: %v", err)
	}
	for _, long := range []string{strings.Repeat("a/", 2048),
		filepath.Join(filepath.Dir(path), strings.Repeat("f", 256))} {
		if err := s.ListenFIFO(long, nil); err == nil || !strings.Contains(err.Error(), "the kernel takes") {
			t.Errorf("a long path of a FIFO: %v", err)
		}
	}
	if err := s.ListenFIFO(path, nil); err == nil || !strings.Contains(err.Error(), "is no FIFO") {
		t.Errorf("FIFO over a file: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file now holds %q", b)
	}
}

func TestStatusFIFO(t *testing.T) {
	dir := t.TempDir()
	path, replyPath := filepath.Join(dir, "f"), filepath.Join(dir, "reply")
	if err := unix.Mkfifo(path, 0o600); err != nil { // stale: nobody reads it
		t.Fatal(err)
	}
	s, logged := testService(t)
	if err := s.ListenFIFO(path, nil); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o660 || st.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("%v %v, want a FIFO of mode 0660", st.Mode(), err)
	}
	second, _ := testService(t)
	if err := second.ListenFIFO(path, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("live FIFO: %v, want it refused", err)
	}
	second.Close()

	if err := unix.Mkfifo(replyPath, 0o600); err != nil {
		t.Fatal(err)
	}
	reply, err := os.OpenFile(replyPath, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Close()
	say := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	say("status reply\n")
	reply.SetReadDeadline(time.Now().Add(5 * time.Second))
	line, err := bufio.NewReader(reply).ReadString('\n')
	if err != nil || line != "{\"shards\":2}\n" {
		t.Errorf("answered %q, %v", line, err)
	}

	waitFor := func(text string) {
		t.Helper()
		for range 500 {
			if strings.Contains(logged(), text) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%q was not logged:\n%s", text, logged())
	}
	say("status\n")
	waitFor(`{"shards":2}`)
	say("status ../elsewhere\n")
	waitFor("give a name in")
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	say("status plain\n")
	waitFor("plain is no FIFO")
	say(strings.Repeat("x", 20*MaxCommandBytes) + "\n")
	waitFor("too long")
	say("status plain2\n")
	waitFor("plain2") // and nothing of the long line is left
	if n := strings.Count(logged(), "too long"); n != 1 {
		t.Errorf("one long line is logged %d times", n)
	}

	s.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("FIFO is left behind: %v", err)
	}
}

// Close waits for a command that runs and ends connections that are idle: nobody looks at the
// shards afterwards.
func TestStatusCloseEndsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	entered, release := make(chan struct{}), make(chan struct{})
	finished := false
	s := NewStatusService(Commands{"slow": func() any { close(entered); <-release; finished = true; return 1 }}, nil)
	if err := s.ListenUnix(path, nil); err != nil {
		t.Fatal(err)
	}
	idle, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	busy, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	busy.Write([]byte("slow\n"))
	<-entered
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	select {
	case <-closed:
		t.Error("Close did not wait for the command")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Fatal("Close hangs")
	}
	if !finished {
		t.Error("the command did not finish")
	}
	idle.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err == nil {
		t.Error("the idle connection is still open")
	}
}
