package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/bench/procfs"
	"viaduct/bench/traffic"
)

// contender is one server in one configuration.
type contender struct {
	key, name string
	kind      kind
	cfg       string // configuration file in the folder of peers; "" means none
	batched   bool   // the forwarder with batches
	group     int    // colour in plots
	apart     bool   // only in scenarios that name it
	transport traffic.Transport
}

type kind uint8

const (
	kindForwarder kind = iota
	kindKamailio
	kindViaduct
)

// contenders in the order of a round.
var contenders = slices.Concat(mainContenders, pair("stock"), pair("sbc"), pair("htable"),
	pair("table"), pair("wait")[1:])

// pair is both servers with a file of bench/peers that one scenario is about.
func pair(file string) []contender {
	cfg := file + ".cfg"
	return []contender{
		{key: "kamailio-" + file, name: "Kamailio " + cfg, kind: kindKamailio, cfg: cfg, group: 1,
			apart: true},
		{key: "viaduct-" + file, name: "Viaduct " + cfg, kind: kindViaduct, cfg: cfg, group: 2,
			apart: true},
	}
}

var mainContenders = []contender{
	{key: "forwarder", name: "raw forwarder, C", kind: kindForwarder},
	{key: "forwarder-batched", name: "the same, 64 per system call", kind: kindForwarder,
		batched: true},
	{key: "kamailio-stateless", name: "Kamailio stateless.cfg", kind: kindKamailio,
		cfg: "stateless.cfg", group: 1},
	{key: "viaduct-stateless", name: "Viaduct stateless.cfg", kind: kindViaduct,
		cfg: "stateless.cfg", group: 2},
	{key: "kamailio-stateful", name: "Kamailio stateful.cfg", kind: kindKamailio,
		cfg: "stateful.cfg", group: 1},
	{key: "viaduct-stateful", name: "Viaduct stateful.cfg", kind: kindViaduct, cfg: "stateful.cfg",
		group: 2},
	{key: "kamailio-lb", name: "Kamailio lb.cfg", kind: kindKamailio, cfg: "lb.cfg", group: 1},
	{key: "viaduct-lb", name: "Viaduct lb.cfg", kind: kindViaduct, cfg: "lb.cfg", group: 2},
	{key: "viaduct-built-in", name: "Viaduct, built-in program", kind: kindViaduct, group: 2,
		apart: true},
	{key: "kamailio-tcp", name: "Kamailio stateful-tcp.cfg", kind: kindKamailio,
		cfg: "stateful-tcp.cfg", group: 1, transport: traffic.TCP},
	{key: "viaduct-tcp", name: "Viaduct stateful-tcp.cfg", kind: kindViaduct,
		cfg: "stateful-tcp.cfg", group: 2, transport: traffic.TCP},
	{key: "kamailio-tls", name: "Kamailio stateful-tls.cfg", kind: kindKamailio,
		cfg: "stateful-tls.cfg", group: 1, transport: traffic.TLS},
	{key: "viaduct-tls", name: "Viaduct stateful-tls.cfg", kind: kindViaduct,
		cfg: "stateful-tls.cfg", group: 2, transport: traffic.TLS},
	{key: "kamailio-all", name: "Kamailio stateful-all.cfg", kind: kindKamailio,
		cfg: "stateful-all.cfg", group: 1, transport: traffic.TCP},
	{key: "viaduct-all", name: "Viaduct stateful-all.cfg", kind: kindViaduct,
		cfg: "stateful-all.cfg", group: 2, transport: traffic.TCP},
}

// address is where c serves its transport.
func (c *contender) address() string {
	if c.transport == traffic.TLS {
		return secureAddress
	}
	return serverAddress
}

func contenderKeys() []string {
	var keys []string
	for _, c := range contenders {
		keys = append(keys, c.key)
	}
	return keys
}

// field gives those of the keys that are installed and chosen; all of UDP if none are given.
func (b *bench) field(keys ...string) []contender {
	have := [...]string{kindForwarder: b.forwarder, kindKamailio: b.kamailio,
		kindViaduct: b.viaduct}
	var out []contender
	for _, c := range contenders {
		if have[c.kind] != "" &&
			(len(keys) == 0 && c.transport == traffic.UDP && !c.apart || contains(keys, c.key)) &&
			(len(b.cfg.Contenders) == 0 || contains(b.cfg.Contenders, c.key)) {
			out = append(out, c)
		}
	}
	return out
}

// serverOptions are what scenarios vary.
type serverOptions struct {
	workers int    // shards or children; 0 means 1 for Viaduct, 2 for Kamailio, as in bench/peers
	memory  int    // -m, MB; 0 means viaductMB, or kamailioMB
	steady  bool   // warm up until as many transactions end as begin, with memory for them
	cores   []int  // processors; nil means Config.ServerCore
	dir     string // folder of the configuration; "" means bench/peers
	defines []string
	flags   []string // more of them, at the end
}

// arguments is the command line of a contender, without the program.
func (c *contender) arguments(o serverOptions) []string {
	workers, memory := o.workers, o.memory
	if memory == 0 {
		memory = viaductMB
		switch {
		case c.kind == kindKamailio:
			memory = kamailioMB
		case o.steady:
			memory = viaductFullMB
		}
	}
	switch c.kind {
	case kindForwarder:
		host, port, _ := strings.Cut(serverAddress, ":")
		args := []string{host, port, strconv.Itoa(firstCaller), strconv.Itoa(firstAnswerer),
			strconv.Itoa(portCount)}
		if c.batched {
			args = append([]string{"-b"}, args...)
		}
		return args
	case kindKamailio:
		if workers == 0 {
			workers = 2
		}
		// Without tlsf the Debian package runs a debug allocator, ten times slower.
		return append([]string{"-f", c.cfg, "-DD", "-E", "-w", o.dir, "-n", strconv.Itoa(workers),
			"-m", strconv.Itoa(memory), "-M", "16", "-x", "tlsf", "-X", "tlsf"},
			o.definitions()...)
	default:
		if workers == 0 {
			workers = 1
		}
		args := []string{"-D", "-E", "-w", o.dir, "-n", strconv.Itoa(workers), "-m",
			strconv.Itoa(memory)}
		if c.cfg != "" {
			args = append([]string{"-f", c.cfg}, args...)
		}
		return append(args, append(o.definitions(), o.flags...)...)
	}
}

func (o *serverOptions) definitions() []string {
	var out []string
	for _, d := range o.defines {
		out = append(out, "-A", d)
	}
	return out
}

// server is one that runs.
type server struct {
	contender contender
	cores     []int
	cmd       *exec.Cmd
	log       *logFile
	exited    chan struct{}
	err       error
}

// start starts c and waits until it serves. The caller must call stop.
func (b *bench) start(ctx context.Context, c contender, o serverOptions) (*server, error) {
	if o.dir == "" {
		o.dir = b.peers
	}
	if o.cores == nil {
		o.cores = []int{b.cfg.ServerCore}
	}
	if err := portsFree(c.transport); err != nil {
		return nil, err
	}
	if c.transport != traffic.UDP {
		var err error
		if o.defines, err = b.certificate(); err != nil {
			return nil, err
		}
	}
	program := [...]string{kindForwarder: b.forwarder, kindKamailio: b.kamailio,
		kindViaduct: b.viaduct}[c.kind]
	log, err := newLogFile(filepath.Join(b.dir, c.key+".log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, c.arguments(o)...)
	cmd.Dir = o.dir
	cmd.Stdout, cmd.Stderr = log.file, log.file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its children end with it
	if err := startOn(cmd, o.cores); err != nil {
		log.close()
		return nil, fmt.Errorf("cannot start %s: %w", c.name, err)
	}
	s := &server{contender: c, cores: o.cores, cmd: cmd, log: log, exited: make(chan struct{})}
	go func() {
		s.err = cmd.Wait()
		close(s.exited)
	}()
	if err := s.ready(ctx); err != nil {
		tail := s.log.tail()
		s.stop()
		return nil, fmt.Errorf("%s: %w; its last words:\n%s", c.name, err, tail)
	}
	return s, nil
}

// startOn starts cmd on the given processors: the child inherits the mask of the thread that forks
// it.
func startOn(cmd *exec.Cmd, cores []int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("cannot read the processor mask: %w", err)
	}
	for _, c := range cores {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("cannot pin to processors %v: %w", cores, err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }() // the mask it had is allowed again
	return cmd.Start()
}

// ready waits for the line the program promises and, for a SIP server, for an answer: OPTIONS with
// Max-Forwards 0 gets 483 from every configuration of the bench.
func (s *server) ready(ctx context.Context) error {
	line := [...]string{kindForwarder: "forwarder ready", kindKamailio: "",
		kindViaduct: "viaduct ready"}[s.contender.kind]
	deadline := time.Now().Add(readyTime)
	for time.Now().Before(deadline) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.exited:
			return fmt.Errorf("ended at once: %w", errors.Join(s.err))
		case <-time.After(20 * time.Millisecond):
		}
		if line != "" && !bytes.Contains(s.log.text(), []byte(line)) {
			continue
		}
		if s.contender.kind == kindForwarder || answers(&s.contender) {
			return nil
		}
	}
	return fmt.Errorf("not ready after %v", readyTime)
}

func answers(c *contender) bool {
	conn, err := dialServer(c.transport)
	if err != nil {
		return false
	}
	defer conn.Close()
	local := conn.LocalAddr().String()
	id := strconv.FormatInt(time.Now().UnixNano(), 36)
	fmt.Fprintf(conn, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bKr%s\r\n"+
		"Max-Forwards: 0\r\nFrom: <sip:bench@%s>;tag=r%s\r\nTo: <sip:%s>\r\n"+
		"Call-ID: r%s@127.0.0.1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		serverAddress, c.transport, local, id, local, id, serverAddress, id)
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	reply := make([]byte, 2048)
	n, err := conn.Read(reply)
	return err == nil && bytes.HasPrefix(reply[:n], []byte("SIP/2.0 483"))
}

func dialServer(t traffic.Transport) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Second}
	switch t {
	case traffic.TCP:
		return d.Dial("tcp", serverAddress)
	case traffic.TLS:
		// our own certificate, on loopback
		return tls.DialWithDialer(&d, "tcp", secureAddress, &tls.Config{InsecureSkipVerify: true})
	}
	return d.Dial("udp", serverAddress)
}

// stop ends the server and everything it started, by process group, and waits for it.
func (s *server) stop() {
	pid := s.cmd.Process.Pid
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // one that has ended already is as wanted
	select {
	case <-s.exited:
	case <-time.After(stopTime):
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	<-s.exited
	for end := time.Now().Add(stopTime); groupAlive(pid) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	s.log.close()
}

func groupAlive(pgid int) bool { return syscall.Kill(-pgid, 0) == nil }

func (s *server) pids() []int { return procfs.Tree(s.cmd.Process.Pid) }

// portsFree says which port of the bench is taken, before a server fails with less to say.
func portsFree(t traffic.Transport) error {
	check := []int{5060}
	for i := range portCount {
		check = append(check, firstCaller+i, firstAnswerer+i)
	}
	taken := func(network string, port int, err error) error {
		return fmt.Errorf("%s 127.0.0.1:%d is needed and taken (%w): stop what uses it (ss "+
			"-lunpt), or give -isolate", network, port, err)
	}
	for _, port := range check {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return taken("UDP", port, err)
		}
		conn.Close()
	}
	if t == traffic.UDP {
		return nil
	}
	for _, port := range append(check, 5061) {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return taken("TCP", port, err)
		}
		l.Close()
	}
	return nil
}

// logFile takes a server's output.
type logFile struct {
	path string
	file *os.File
}

func newLogFile(path string) (*logFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write a log: %w", err)
	}
	return &logFile{path, f}, nil
}

func (l *logFile) text() []byte {
	b, _ := os.ReadFile(l.path) // ours, and there
	return b
}

func (l *logFile) tail() string {
	lines := strings.Split(strings.TrimSpace(string(l.text())), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

func (l *logFile) close() { l.file.Close() }
