package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Ports of the two ends, as the configuration files expect them.
const (
	serverAddress = "127.0.0.1:5060"
	secureAddress = "127.0.0.1:5061"
	callerPorts   = "6000-6007"
	answererPorts = "7000-7007"
	firstCaller   = 6000
	firstAnswerer = 7000
	portCount     = 8
	stoppedPort   = 7003 // the destination that the scenario stop takes away
	callsUnderWay = 128
	fixedRate     = 4000
	viaductMB     = 2048
	viaductFullMB = 4096 // 32 s of 65,000 calls/s are 2.1 GB of finished transactions
	// resident memory is to stay within 3.0 GiB with a million INVITE transactions held open
	viaductHoldMB  = 2048
	kamailioHoldMB = 8192
	// kamailioMB keeps Kamailio from refusing calls for want of memory: at 15,000 calls/s it has
	// 2.4 GB of finished transactions.
	kamailioMB = 4096
)

// bench is what the scenarios share: the tools built, a folder of its own, and who is here to be
// measured.
type bench struct {
	cfg       *Config
	dir       string // temporary, removed at the end
	peers     string // absolute
	load      string
	forwarder string // "" if there is no C compiler
	viaduct   string
	kamailio  string
	missing   []string
	certified bool // the servers' certificate is made
	began     time.Time
}

func newBench(ctx context.Context, c *Config) (*bench, error) {
	b := &bench{cfg: c, began: time.Now()}
	var err error
	if b.peers, err = filepath.Abs(c.Peers); err != nil {
		return nil, fmt.Errorf("cannot find %s: %w", c.Peers, err)
	}
	if b.dir, err = os.MkdirTemp("", "viaduct-bench-"); err != nil {
		return nil, fmt.Errorf("cannot make a folder: %w", err)
	}
	b.load = filepath.Join(b.dir, "load")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", b.load,
		"viaduct/bench/load").CombinedOutput(); err != nil {
		b.close()
		return nil, fmt.Errorf("cannot build bench/load: %w\n%s", err, out)
	}
	if cc, err := exec.LookPath("cc"); err != nil {
		b.lack("raw forwarder: no C compiler (cc)")
	} else {
		source := filepath.Join(filepath.Dir(b.peers), "forwarder", "forwarder.c")
		b.forwarder = filepath.Join(b.dir, "forwarder")
		if out, err := exec.CommandContext(ctx, cc, "-O2", "-o", b.forwarder,
			source).CombinedOutput(); err != nil {
			b.close()
			return nil, fmt.Errorf("cannot build the raw forwarder: %w\n%s", err, out)
		}
	}
	if b.kamailio, err = exec.LookPath(c.Kamailio); err != nil {
		b.lack("Kamailio: %q is not installed", c.Kamailio)
	}
	if path, err := exec.LookPath(c.Viaduct); err != nil {
		b.lack("Viaduct: %q does not exist; build it with make build", c.Viaduct)
	} else if b.viaduct, err = filepath.Abs(path); err != nil {
		b.close()
		return nil, fmt.Errorf("cannot find %s: %w", path, err)
	}
	return b, nil
}

func (b *bench) lack(format string, args ...any) {
	b.missing = append(b.missing, fmt.Sprintf(format, args...))
	b.say("left out: "+format, args...)
}

func (b *bench) close() { _ = os.RemoveAll(b.dir) }

// say tells the person waiting, on standard error, what happens.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%7.1fs  %s\n", time.Since(b.began).Seconds(),
		fmt.Sprintf(format, args...))
}

// versions gives one line per program that took part.
func (b *bench) versions() []string {
	var out []string
	line := func(name, path string, args ...string) {
		if path == "" {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		text, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
		first, _, _ := strings.Cut(string(text), "\n")
		if err != nil || first == "" {
			first = "version unknown"
		}
		out = append(out, name+": "+strings.TrimSpace(first))
	}
	line("Viaduct", b.viaduct, "-V")
	line("Kamailio", b.kamailio, "-v")
	line("Go", "go", "version")
	if b.forwarder != "" {
		line("C compiler", "cc", "--version")
	}
	return out
}

func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	if changes, err := exec.Command("git", "status", "--porcelain").Output(); err == nil &&
		len(changes) > 0 {
		id += " with changes"
	}
	return id
}
