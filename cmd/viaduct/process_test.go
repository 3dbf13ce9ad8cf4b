package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// running is the program in the foreground.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	port string
	pid  int
	done chan error

	mu  sync.Mutex
	log []string
}

// startBinary runs the program on a free port of 127.0.0.1 in the foreground until it says that it
// is ready.
func startBinary(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, port: freePort(t), done: make(chan error, 1)}
	r.cmd = exec.Command(binary,
		append([]string{"-D", "-E", "-n", "1", "-m", "16", "-l", "udp:127.0.0.1:" + r.port}, args...)...)
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.WaitDelay = time.Second
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.pid = r.cmd.Process.Pid
	t.Cleanup(func() { r.cmd.Process.Kill() })
	go func() {
		in := bufio.NewScanner(stderr)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			r.mu.Lock()
			r.log = append(r.log, in.Text())
			r.mu.Unlock()
		}
		r.done <- r.cmd.Wait()
	}()
	r.waitLog("viaduct ready", 1)
	return r
}

// waitLog gives the log's lines with text in them once there are n.
func (r *running) waitLog(text string, n int) []string {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		var found []string
		for _, line := range r.log {
			if strings.Contains(line, text) {
				found = append(found, line)
			}
		}
		r.mu.Unlock()
		if len(found) >= n {
			return found
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t.Fatalf("%q was not logged %d times:\n%s", text, n, strings.Join(r.log, "\n"))
	return nil
}

func (r *running) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}

// ended waits for the end and gives the exit code.
func (r *running) ended() int {
	r.t.Helper()
	select {
	case <-r.done:
		return r.cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		r.t.Fatal("still running after 20 s")
		return -1
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("needs root: changes user or root folder")
	}
}

// procStatus is one field of /proc/PID/status.
func procStatus(t *testing.T, pid int, field string) []string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if rest, found := strings.CutPrefix(line, field+":"); found {
			return strings.Fields(rest)
		}
	}
	t.Fatalf("no %s in /proc/%d/status", field, pid)
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestStopBySignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		r := startBinary(t, nil)
		r.signal(sig)
		if code := r.ended(); code != 0 {
			t.Errorf("%v: exit code %d, want 0", sig, code)
		}
		r.waitLog("viaduct draining", 1)
		r.waitLog("viaduct stopped", 1)
	}
}

func TestHangupEndsNothing(t *testing.T) {
	r := startBinary(t, nil)
	r.signal(syscall.SIGHUP)
	r.waitLog("viaduct reloaded", 1)
	r.signal(syscall.SIGUSR1)
	r.waitLog(`"shard":0`, 1) // it still lives and answers
	r.signal(syscall.SIGTERM)
	if code := r.ended(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestUSR1LogsShards(t *testing.T) {
	r := startBinary(t, nil, "-n", "2")
	r.signal(syscall.SIGUSR1)
	for i, line := range r.waitLog(`"shard":`, 2) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if v["shard"] != float64(i) {
			t.Errorf("line %d is of shard %v", i, v["shard"])
		}
		for _, key := range []string{"datagrams_in", "datagrams_out", "requests", "replies", "transactions",
			"retransmissions_absorbed", "handed_off",
			"arena_used_bytes", "go_heap_bytes"} {
			if _, number := v[key].(float64); !number {
				t.Errorf("%s is %v in %s", key, v[key], line)
			}
		}
		if _, object := v["dropped"].(map[string]any); !object {
			t.Errorf("dropped is %v, want an object by reason", v["dropped"])
		}
	}
	r.signal(syscall.SIGTERM)
	r.ended()
}

func TestPIDFileOfTheProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.pid")
	if err := os.WriteFile(path, []byte("4194304\n"), 0o644); err != nil { // above pid_max: stale
		t.Fatal(err)
	}
	group := filepath.Join(t.TempDir(), "v.pgid")
	r := startBinary(t, nil, "-P", path, "-G", group)
	pgid, err := unix.Getpgid(r.pid)
	if b, readErr := os.ReadFile(group); err != nil || readErr != nil || string(b) != fmt.Sprintf("%d\n", pgid) {
		t.Errorf("the file of the process group holds %q, %v; want %d, %v", b, readErr, pgid, err)
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != fmt.Sprintf("%d\n", r.pid) {
		t.Errorf("pid file holds %q, %v; want %d", b, err, r.pid)
	}
	second := runBinary(t, "", "-D", "-E", "-n", "1", "-m", "16", "-l", "udp:127.0.0.1:"+freePort(t), "-P", path)
	if second.code != 255 || !strings.Contains(second.stderr, "already running") {
		t.Errorf("second start: %+v", second)
	}
	r.signal(syscall.SIGTERM)
	r.ended()
	if exists(path) || exists(group) {
		t.Error("pid file is left behind")
	}
	if err := os.WriteFile(path, []byte("garbage\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	third := runBinary(t, "", "-D", "-E", "-n", "1", "-m", "16", "-l", "udp:127.0.0.1:"+freePort(t), "-P", path)
	if third.code != 255 || !strings.Contains(third.stderr, "does not hold a process number") {
		t.Errorf("garbage: %+v", third)
	}
}

// Two instances on one port would share its calls by SO_REUSEPORT: the second must not start.
func TestSecondInstanceOnThePortIsRefused(t *testing.T) {
	r := startBinary(t, nil)
	second := runBinary(t, "", "-D", "-E", "-n", "1", "-m", "16", "-l", "udp:127.0.0.1:"+r.port)
	if second.code != 255 || !strings.Contains(second.stderr, "the address is taken") {
		t.Errorf("second start: %+v", second)
	}
	r.signal(syscall.SIGTERM)
	r.ended()
}

func TestStatusSocketOfTheProgram(t *testing.T) {
	dir := t.TempDir()
	socket, fifo := filepath.Join(dir, "s"), filepath.Join(dir, "f")
	r := startBinary(t, nil, "-x", socket, "-i", fifo)
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	in := bufio.NewReader(conn)
	get := func(command string) (v map[string]any) {
		t.Helper()
		fmt.Fprintln(conn, command)
		line, err := in.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &v)
		}
		if err != nil {
			t.Fatalf("%s: %q, %v", command, line, err)
		}
		return v
	}
	if v := get("status"); v["pid"] != float64(r.pid) || v["state"] != "serving" || v["version"] != version ||
		v["shards"] != 1.0 {
		t.Errorf("status: %v", v)
	}
	if v := get("stats"); len(v["shards"].([]any)) != 1 {
		t.Errorf("stats: %v", v)
	}
	if err := os.WriteFile(fifo, []byte("status\n"), 0); err != nil {
		t.Fatal(err)
	}
	r.waitLog(`"state":"serving"`, 1)
	r.signal(syscall.SIGTERM)
	r.ended()
	if exists(socket) || exists(fifo) {
		t.Error("socket or FIFO is left behind")
	}
}

func TestServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	r := startBinary(t, []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=200000"})
	heard := func(want string) {
		t.Helper()
		for range 10 {
			b := make([]byte, 4096)
			manager.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, err := manager.Read(b)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if strings.HasPrefix(string(b[:n]), want) {
				return
			}
		}
		t.Errorf("never heard %s", want)
	}
	heard(fmt.Sprintf("READY=1\nMAINPID=%d\n", r.pid))
	heard("WATCHDOG=1")
	heard("WATCHDOG=1")
	r.signal(syscall.SIGTERM)
	heard("STOPPING=1")
	r.ended()
}

// daemonPID starts a daemon and gives its process, which is killed at the test's end.
func daemonPID(t *testing.T, stdin string, args ...string) (int, result) {
	t.Helper()
	pidFile := filepath.Join(t.TempDir(), "d.pid")
	r := runBinary(t, stdin, append([]string{"-n", "1", "-m", "16", "-P", pidFile}, args...)...)
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, r
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	return pid, r
}

func TestDaemon(t *testing.T) {
	config := strings.Replace(goodConfig, "5066", freePort(t), 1)
	for _, c := range []struct{ name, file, stdin string }{{"from a file", writeConfig(t, config), ""},
		{"from standard input", "-", config}} {
		t.Run(c.name, func(t *testing.T) {
			pid, r := daemonPID(t, c.stdin, "-f", c.file)
			if r.code != 0 || pid == 0 {
				t.Fatalf("pid %d, %+v", pid, r)
			}
			// When the command returns the daemon serves, in a session of its own, without our
			// terminal.
			if sid, err := unix.Getsid(pid); err != nil || sid != pid {
				t.Errorf("session %d, %v; want its own, %d", sid, err, pid)
			}
			for fd := range 3 {
				if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); fd < 2 &&
					(err != nil || to != "/dev/null") {
					t.Errorf("descriptor %d leads to %s, %v", fd, to, err)
				}
			}
			if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || cwd != "/" {
				t.Errorf("working folder %s, %v; want /", cwd, err)
			}
			syscall.Kill(pid, syscall.SIGTERM)
			for range 1000 {
				// The daemon is nobody's child here: it is reaped by the system, or stays a zombie
				// in a container without init.
				if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil ||
					strings.Contains(string(b), ") Z ") {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Error("the daemon did not stop")
		})
	}
}

// What goes wrong in the daemon is told by the command that started it.
func TestDaemonFailureReachesTheParent(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	config := writeConfig(t, strings.Replace(goodConfig, "5066", port, 1))
	pid, r := daemonPID(t, "", "-f", config)
	if pid != 0 || r.code != 255 || !strings.Contains(r.stderr, "the address is taken") {
		t.Errorf("pid %d, %+v", pid, r)
	}
}

func TestForkNoStaysInTheForeground(t *testing.T) {
	config := writeConfig(t, "fork=no\nlog_stderror=yes\nrequest_route { exit; }\n")
	port := freePort(t)
	cmd := exec.Command(binary, "-n", "1", "-m", "16", "-l", "udp:127.0.0.1:"+port, "-f", config)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	in := bufio.NewScanner(stderr)
	for in.Scan() {
		if strings.Contains(in.Text(), "viaduct ready") {
			if !strings.Contains(in.Text(), fmt.Sprintf("pid=%d", cmd.Process.Pid)) {
				t.Errorf("%s; want pid %d", in.Text(), cmd.Process.Pid)
			}
			cmd.Process.Signal(syscall.SIGTERM)
			for in.Scan() {
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Error("it never got ready")
}

func TestPrivilegesAreDropped(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	os.Chmod(dir, 0o777)
	for d := filepath.Dir(dir); d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755) // the test's own folders above; nobody must get through
	}
	pidFile, socket := filepath.Join(dir, "p"), filepath.Join(dir, "s")
	r := startBinary(t, nil, "-u", "nobody", "-n", "2", "-P", pidFile, "-x", socket)
	check := func(field string, want string) {
		t.Helper()
		// All threads: a shard is a thread of its own.
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", r.pid))
		if err != nil || len(tasks) < 3 {
			t.Fatalf("%d threads, %v", len(tasks), err)
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			if got := strings.Join(procStatus(t, tid, field), " "); got != want {
				t.Errorf("thread %d: %s %s, want %s", tid, field, got, want)
			}
		}
	}
	check("Uid", "65534 65534 65534 65534")
	check("Gid", "65534 65534 65534 65534")
	check("Groups", "65534")
	check("CapEff", "0000000000000000")
	for _, path := range []string{pidFile, socket} {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil || st.Uid != 65534 {
			t.Errorf("%s belongs to %d, %v; want 65534", path, st.Uid, err)
		}
	}
	r.signal(syscall.SIGTERM)
	if code := r.ended(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if exists(pidFile) || exists(socket) {
		t.Error("pid file or socket is left behind")
	}
}

func TestGroupAlone(t *testing.T) {
	needRoot(t)
	r := startBinary(t, nil, "-g", "65534")
	if got := strings.Join(procStatus(t, r.pid, "Gid"), " "); got != "65534 65534 65534 65534" {
		t.Errorf("Gid %s", got)
	}
	if got := procStatus(t, r.pid, "Uid")[0]; got != "0" {
		t.Errorf("Uid %s, want it unchanged", got)
	}
	r.signal(syscall.SIGTERM)
	r.ended()
}

func TestWithoutRootUserCannotChange(t *testing.T) {
	needRoot(t)
	cmd := exec.Command(binary, "-D", "-E", "-n", "1", "-m", "16", "-l", "udp:127.0.0.1:"+freePort(t), "-u", "root")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 255 || !strings.Contains(string(out), "root may") {
		t.Errorf("%v %s", err, out)
	}
	// It was bound by then, but never ready.
	if strings.Contains(string(out), "viaduct stopped") {
		t.Errorf("what never ran has stopped: %s", out)
	}
}

func TestChroot(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := startBinary(t, nil, "-t", dir, "-w", "/run", "-P", "v.pid", "-x", "/run/s")
	if root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", r.pid)); err != nil || root != dir {
		t.Errorf("root folder %s, %v; want %s", root, err, dir)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", r.pid)); err != nil || cwd != filepath.Join(dir, "run") {
		t.Errorf("working folder %s, %v", cwd, err)
	}
	if !exists(filepath.Join(dir, "run", "v.pid")) || !exists(filepath.Join(dir, "run", "s")) {
		t.Error("pid file or socket is not inside the chroot")
	}
	second := runBinary(t, "", "-D", "-E", "-n", "1", "-m", "16", "-l", "udp:127.0.0.1:"+freePort(t), "-t", dir, "-w",
		"/run", "-P", "v.pid")
	if second.code != 255 || !strings.Contains(second.stderr, "already running") {
		t.Errorf("second start in the same chroot: %+v", second)
	}
	r.signal(syscall.SIGTERM)
	r.ended()
	if exists(filepath.Join(dir, "run", "v.pid")) {
		t.Error("pid file is left behind")
	}
}
