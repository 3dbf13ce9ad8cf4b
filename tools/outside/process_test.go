package outside

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var ports struct {
	sync.Mutex
	next int
}

// firstPort is above the ports of README's snippets, which the tests of package tools play at the
// same time.
const firstPort = 18100

// freePort gives a port that nobody has on any address, over UDP and TCP, and gives none twice. It
// stays below the range from which the kernel picks (net.ipv4.ip_local_port_range), so that no
// socket of another test can take it before it is used.
func freePort(t *testing.T) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.next == 0 {
		ports.next = firstPort + rand.IntN(10000)
	}
	for range 1000 {
		ports.next += 4 // SIPp takes the three above its media port too
		if ports.next > 32000 {
			ports.next = firstPort
		}
		if !inUse("127.0.0.1", ports.next) && !inUse("0.0.0.0", ports.next) && !inUse("::1", ports.next) &&
			!tcpInUse(ports.next) {
			return ports.next
		}
	}
	t.Fatal("no free port found")
	return 0
}

// tcpInUse tells whether somebody listens at the port, on any address.
func tcpInUse(port int) bool {
	ln, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err == nil {
		ln.Close()
	}
	return err != nil
}

// inUse tells whether somebody has the port; an address that this machine has not is in nobody's
// way.
func inUse(ip string, port int) bool {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip), Port: port})
	if err == nil {
		conn.Close()
	}
	return err != nil && strings.Contains(err.Error(), "in use")
}

// process is a program that was started, and what it wrote.
type process struct {
	name     string
	cmd      *exec.Cmd
	done     chan struct{}
	err      error  // after done
	expected bool   // the test ends it itself
	errors   string // a file it writes its errors to; "": none

	mu   sync.Mutex
	out  []string
	more chan struct{} // closed and replaced with each line
}

// run starts a program. It is killed when the test ends if it is still there then.
func run(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, done: make(chan struct{}), more: make(chan struct{})}
	r, w := io.Pipe()
	cmd.Stderr = w
	if cmd.Stdout == nil {
		cmd.Stdout = w
	}
	cmd.WaitDelay = time.Second
	if cmd.SysProcAttr == nil {
		// a test run that is killed cleans nothing up
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		in := bufio.NewReader(r)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				p.add(strings.TrimRight(line, "\n"))
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		p.err = cmd.Wait()
		w.Close()
		<-read
		close(p.done)
	}()
	t.Cleanup(func() {
		if !p.ended() {
			cmd.Process.Kill()
			cmd.Process.Signal(syscall.SIGCONT)
			p.wait(patience)
		}
	})
	return p
}

func (p *process) add(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, line)
	close(p.more)
	p.more = make(chan struct{})
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait reports whether the program has ended within the time.
func (p *process) wait(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}

// lines is how many it wrote so far.
func (p *process) lines() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.out)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.out, "\n")
}

// errorFile is the beginning of that file.
func (p *process) errorFile() string {
	if p.errors == "" {
		return ""
	}
	b, err := os.ReadFile(p.errors)
	if err != nil {
		return "(no error file)"
	}
	return string(b[:min(len(b), 3000)])
}

// tail is the end of what it wrote.
func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.out[max(0, len(p.out)-30):], "\n")
}

// waitLine waits for a line with text in it, from line number from on.
func (p *process) waitLine(t *testing.T, from int, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for ended := false; ; {
		p.mu.Lock()
		lines, more := p.out[from:], p.more
		p.mu.Unlock()
		for _, line := range lines {
			if strings.Contains(line, text) {
				return line
			}
		}
		if ended {
			t.Fatalf("%s ended (%v) without writing %q:\n%s", p.name, p.err, text, p.tail())
		}
		select {
		case <-more:
		case <-p.done:
			ended = true // one more look: its last lines came before
		case <-deadline:
			t.Fatalf("%s does not write %q:\n%s", p.name, text, p.tail())
		}
	}
}

// awaitBound waits until somebody has the address.
func (p *process) awaitBound(t *testing.T, a netip.AddrPort) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if bound(t, a) {
			return
		}
		if p.ended() {
			t.Fatalf("%s ended (%v) before it had its port:\n%s\n%s", p.name, p.err, p.tail(), p.errorFile())
		}
	}
	t.Fatalf("%s does not take port %d:\n%s", p.name, a.Port(), p.tail())
}

// bound asks the kernel's table: to try the address would take it from the program that is about
// to.
func bound(t *testing.T, a netip.AddrPort) bool {
	t.Helper()
	table := "/proc/net/udp"
	if a.Addr().Is6() {
		table = "/proc/net/udp6"
	}
	b, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	// local port, then the remote address of no connection
	return strings.Contains(string(b), fmt.Sprintf(":%04X 0000", a.Port()))
}

// needs gives the path of a program that was not written here, or skips.
func needs(t *testing.T, program, debian string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, program)
		if st, err := os.Stat(path); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Skipf("needs %s (package %s)", program, debian)
	return ""
}
