package outside

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take that should take no time. The machines that run this are
// shared.
const patience = 10 * time.Second

// socketBytes is the receive buffer of proxy and peers: room for the second or so that a busy
// machine may not run them at all. A 180 that is lost in a full buffer is lost for good.
const socketBytes = "4194304"

// binary is the program under test, built once as `make build` builds it.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "viaduct-outside-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "viaduct")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../../cmd/viaduct")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the program under test: %v\n%s", err, out)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	// Most tests wait: for timers of others, or for their turn to load the processors. Hence many
	// more of them at a time than there are processors.
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", "16")
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// watchSources looks at every folder of the sources, while tests run. `go test` repeats an earlier
// result until something changes that a test itself has looked at (`go help cache`), and the
// program under test is built by another process.
var watchSources = sync.OnceValue(func() error {
	return filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		return err
	})
})

// processors are what the tests that load them take turns with, two shares in all; the others,
// which mostly wait, go on beside them.
var (
	processors = make(chan struct{}, 2)
	bothShares sync.Mutex // who waits for both: one at a time, or two would wait for each other
)

// loads is for a test that takes all the processors it can get.
func loads(t *testing.T) {
	bothShares.Lock()
	loadsHalf(t)
	loadsHalf(t)
	bothShares.Unlock()
}

// loadsHalf is for one that keeps a processor busy, as some hundred calls a second do.
func loadsHalf(t *testing.T) {
	processors <- struct{}{}
	t.Cleanup(func() { <-processors })
}

// setup says how to start the program under test. The zero value is the load balancer on 127.0.0.1,
// one shard.
type setup struct {
	config string // a file of bench/peers; "": lb.cfg
	// routes of its own instead of lb.cfg's, below the same globals and modules
	program   string
	advertise string // what the listener says of itself: host:port
	// attributes of each target in the list; {other} stands for the address of the last -l flag
	targetAttrs string
	transport   string // of each target's URI; "": none
	// the timers are the test's own; else by-hand tests repeat late, see patient
	timers  bool
	builtIn bool             // run without -f
	edits   []string         // old, new, … texts in it; each old one must be there
	targets []netip.AddrPort // set 1
	listen  netip.AddrPort   // zero: a free port of 127.0.0.1
	shards  int              // 0: 1
	arenaMB int              // 0: 64
	flags   []string
}

// params is an edit that puts module parameters behind those of lb.cfg.
func params(lines ...string) []string {
	const anchor = `modparam("rr", "append_fromtag", 0)`
	return []string{anchor, anchor + "\n" + strings.Join(lines, "\n")}
}

// folder writes the configuration and gives the folder it is in. The same folder serves Kamailio.
func (s *setup) folder(t *testing.T) string {
	t.Helper()
	if s.config == "" {
		s.config = "lb.cfg"
	}
	if !s.listen.IsValid() {
		s.listen = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(freePort(t)))
	}
	b, err := os.ReadFile(filepath.Join("../../bench/peers", s.config))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if s.program != "" {
		globals, _, ok := strings.Cut(text, "request_route {")
		if !ok {
			t.Fatalf("%s has no request_route", s.config)
		}
		text = globals + s.program
	}
	edits := append([]string{"listen=udp:127.0.0.1:5060", listenLine(s)}, s.edits...)
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("%s has no %q to replace", s.config, edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	var list strings.Builder
	for _, a := range s.targets {
		fmt.Fprintf(&list, "1 sip:%s", a)
		if s.transport != "" {
			list.WriteString(";transport=" + s.transport)
		}
		if s.targetAttrs != "" {
			attrs := s.targetAttrs
			if len(s.flags) > 0 {
				attrs = strings.ReplaceAll(attrs, "{other}", strings.TrimPrefix(s.flags[len(s.flags)-1], "udp:"))
			}
			fmt.Fprintf(&list, " 0 0 %s", attrs)
		}
		list.WriteString("\n")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{s.config: text, "dispatcher.list": list.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func listenLine(s *setup) string {
	line := "listen=udp:" + s.listen.String()
	if s.advertise != "" {
		line += " advertise " + s.advertise
	}
	return line
}

// server is a program under test, running.
type server struct {
	*process
	setup
	addr netip.AddrPort
	dir  string
}

// start runs viaduct and waits until it serves. It is stopped when the test ends, and the test
// fails if it ended by itself or complained of itself.
func start(t *testing.T, s setup) *server {
	t.Helper()
	return startIn(t, s.folder(t), s)
}

// startIn is start with a folder that is there already.
func startIn(t *testing.T, dir string, s setup) *server {
	t.Helper()
	if err := watchSources(); err != nil {
		t.Fatal(err)
	}
	s.shards = max(s.shards, 1)
	if s.arenaMB == 0 {
		s.arenaMB = 64
	}
	from := []string{"-f", s.config}
	if s.builtIn {
		from = []string{"-l", "udp:" + s.listen.String()}
	}
	args := append(append(from, "-D", "-E", "-w", dir, "-n", strconv.Itoa(s.shards), "-m", strconv.Itoa(s.arenaMB),
		"-b", socketBytes), s.flags...)
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	srv := &server{process: run(t, "viaduct", cmd), setup: s, addr: s.listen, dir: dir}
	srv.waitLine(t, 0, "viaduct ready")
	t.Cleanup(func() {
		if srv.ended() {
			if !srv.expected {
				t.Errorf("viaduct ended by itself: %v\n%s", srv.err, srv.tail())
			}
		} else {
			// A second one stops at once; sent too early it would melt into the first.
			for end := time.Now().Add(patience); !srv.ended() && time.Now().Before(end); srv.wait(100 * time.Millisecond) {
				srv.cmd.Process.Signal(syscall.SIGTERM)
			}
			if !srv.ended() {
				t.Errorf("viaduct does not end at SIGTERM\n%s", srv.tail())
			} else if srv.err != nil {
				t.Errorf("viaduct ended with %v at SIGTERM\n%s", srv.err, srv.tail())
			}
		}
		if text := srv.text(); strings.Contains(text, "panicked") || strings.Contains(text, "goroutine ") {
			t.Errorf("viaduct complains of itself:\n%s", text)
		}
	})
	return srv
}

// startKamailio runs Kamailio with the same configuration, one worker: with more it swaps a 180 and
// a 200 that follow each other closely.
func startKamailio(t *testing.T, s setup) *server {
	t.Helper()
	return startKamailioIn(t, s.folder(t), s)
}

// startKamailioIn is startKamailio with a folder that is there already.
func startKamailioIn(t *testing.T, dir string, s setup) *server {
	t.Helper()
	cmd := exec.Command(needs(t, "kamailio", "kamailio"), "-f", s.config, "-DD", "-E", "-w", dir, "-Y", dir, "-n", "1",
		"-b", socketBytes, "-m", strconv.Itoa(max(s.arenaMB, 64)), "-M", "16", "-x", "tlsf", "-X", "tlsf")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	srv := &server{process: run(t, "kamailio", cmd), setup: s, addr: s.listen, dir: dir}
	// Its first process stops the others at SIGTERM; SIGKILL would leave them. With TLS it happens
	// that it waits for them for ever: then the whole group.
	t.Cleanup(func() {
		srv.cmd.Process.Signal(syscall.SIGTERM)
		if !srv.wait(patience) {
			syscall.Kill(-srv.cmd.Process.Pid, syscall.SIGKILL)
		}
	})
	srv.awaitBound(t, s.listen)
	return srv
}

// counters are one shard's numbers at SIGUSR1.
type counters struct {
	Shard   int               `json:"shard"`
	Dropped map[string]uint64 `json:"dropped"`
	Refused map[string]uint64 `json:"refused"`

	Failed         map[string]uint64 `json:"failed"`
	BranchesFailed map[string]uint64 `json:"branches_failed"`

	count map[string]uint64
}

// stats asks for the counters of every shard.
func (s *server) stats(t *testing.T) []counters {
	t.Helper()
	from := s.lines()
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	out := make([]counters, s.shards)
	for i := range out {
		line := s.waitLine(t, from, fmt.Sprintf(`{"shard":%d,`, i))
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &out[i]); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if err := json.Unmarshal([]byte(line), &all); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		out[i].count = map[string]uint64{}
		for name, raw := range all {
			if v, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
				out[i].count[name] = v
			}
		}
		for _, name := range []string{"datagrams_in", "datagrams_out", "requests", "replies", "transactions",
			"retransmissions_absorbed", "handed_off", "arena_used_bytes"} {
			if _, ok := out[i].count[name]; !ok {
				t.Errorf("the counters of shard %d lack %s: %s", i, name, line)
			}
		}
	}
	return out
}

// sum adds a counter up over the shards.
func sum(all []counters, name string) (n uint64) {
	for i := range all {
		n += all[i].count[name]
	}
	return n
}

// dropped adds up what was dropped for a reason.
func dropped(all []counters, reason string) (n uint64) {
	for i := range all {
		n += all[i].Dropped[reason]
	}
	return n
}

// residentBytes is the memory the process has, shared memory it touched included.
func (s *server) residentBytes(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b))
	pages, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// steering is what the program said about it at start.
func (s *server) steering(t *testing.T) string {
	t.Helper()
	line := s.waitLine(t, 0, "viaduct ready")
	_, after, ok := strings.Cut(line, "steering=")
	if !ok {
		t.Fatalf("no steering in %q", line)
	}
	return after
}
