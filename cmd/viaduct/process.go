package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/control"
	"viaduct/control/resolve"
	"viaduct/control/tlsdomains"
	"viaduct/netio/stream"
	"viaduct/shard"
)

// process is the running program around the shards. Its steps stand in the order they are taken.
type process struct {
	config  *Config         // of the start
	options *options        // the same
	daemon  *control.Daemon // nil in the foreground

	log       *control.Log
	logStderr bool // where log goes: as configured, or since there is no syslog
	notifier  *control.Notifier
	resolver  *resolve.Resolver
	tls       atomic.Pointer[tlsdomains.Store] // nil while there is no TLS
	limits    *stream.Limits                   // of streams, changed by cfg.set_now_int
	server    *shard.Server
	status    *control.StatusService
	http      *control.HTTP               // nil without http_listen
	tokens    *control.Tokens             // of who asks over HTTP; nil without http_tokens
	commands  atomic.Pointer[control.RPC] // nil until the start is nearly over
	// documents are who answers documents of JSON-RPC now; nil where nobody does
	documents atomic.Pointer[control.Documents]
	pidFile   string // to remove; "" until written
	groupFile string // the same
	signals   chan os.Signal

	reloading   sync.Mutex // guards the three below
	inForce     *Config    // since the last reload
	targetsRead time.Time  // by dispatcher.reload, last
	ending      bool
	exitTimeout atomic.Int64
	life        context.Context // until close
	endLife     context.CancelFunc

	started  time.Time
	serving  bool        // the start is over
	draining atomic.Bool // set by the main goroutine, read by status clients
}

// start runs open, and writes what went wrong into a log that is not the terminal too.
func (p *process) start() error {
	err := p.open()
	if err != nil && p.log != nil && !p.logStderr {
		p.log.Always.Error("start failed", "error", err)
	}
	return err
}

// open goes from a Config to bound sockets and working shards. The order is ser(8)'s: bind, chroot,
// working folder, pid file, then group and user; whatever needs the world outside a chroot is
// opened before it.
func (p *process) open() (err error) {
	c := p.config
	p.started = time.Now()

	// A reader of our log that went away must not take the calls with it.
	signal.Ignore(syscall.SIGPIPE)
	p.inForce = c
	p.life, p.endLife = context.WithCancel(context.Background())
	p.exitTimeout.Store(int64(c.ExitTimeout))
	if p.options.home, err = os.Getwd(); err != nil {
		p.options.home = "" // relative paths count from where we are
	}
	p.signals = make(chan os.Signal, 8)
	signal.Notify(p.signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGHUP)

	// Before the arena is made, which takes its time and its memory. Who drains on our addresses
	// will be asked to go: that is for succeed.
	if c.PIDFile != "" && !control.Drains(c.addresses()) {
		if err := control.CheckPIDFile(c.hostPath(c.PIDFile)); err != nil {
			return err
		}
	}
	p.openLog()
	for _, note := range c.Notes {
		p.log.Warn(note)
	}
	identity, err := control.LookupIdentity(c.User, c.Group)
	if err != nil {
		return err
	}
	if p.notifier, err = control.OpenNotifier(); err != nil {
		p.log.Warn("readiness will not be announced", "error", err)
	}
	setRuntime(c.Shards, c.streamLoops())

	if err := p.openServices(); err != nil {
		return err
	}
	if p.server, err = p.startShards(); err != nil {
		return err
	}
	if err := p.enter(); err != nil {
		return err
	}
	if c.PIDFile != "" {
		if err := control.CreatePIDFile(c.PIDFile); err != nil {
			return err
		}
		p.pidFile = c.PIDFile
		if err := identity.Own(c.PIDFile); err != nil {
			return err
		}
	}
	if c.GroupFile != "" {
		if err := control.WriteGroupFile(c.GroupFile); err != nil {
			return err
		}
		p.groupFile = c.GroupFile
		if err := identity.Own(c.GroupFile); err != nil {
			return err
		}
	}
	if err := p.openStatus(identity); err != nil {
		return err
	}
	if err := identity.Become(); err != nil {
		return err
	}
	return p.ready()
}

// succeed is the last step before binding: a process that drains on our addresses is asked to let
// go of them, and the pid file must name nobody who lives.
func (p *process) succeed() error {
	gone, err := control.AskForRelease(p.config.addresses())
	for _, pid := range gone {
		p.log.Always.Info("a draining process has let go of its ports", "pid", pid)
	}
	if err != nil {
		p.log.Warn(err.Error()) // binding will tell
	}
	if file := p.config.PIDFile; file != "" {
		return control.CheckPIDFile(p.config.hostPath(file))
	}
	return nil
}

// openLog never fails: without syslog it is standard error.
func (p *process) openLog() {
	c := control.LogConfig{
		Stderr: p.config.LogStderr, Debug: p.config.LogDebug, Ident: p.config.LogIdent,
		Facility: p.config.LogFacility, Form: p.config.LogForm, To: p.config.LogTo,
	}
	var err error
	// no syslog on this machine is no reason to refuse calls
	if p.log, err = control.OpenLog(c); err != nil {
		c.Stderr, c.Form = true, control.LogText
		p.log, _ = control.OpenLog(c)
		p.log.Warn("logging to standard error", "reason", err)
	}
	p.logStderr = c.Stderr
}

// setRuntime fits the Go runtime to pinned shards. Each shard keeps a P for good, so others must
// remain for the rest of the process: GOMAXPROCS is the shards + 2. An event loop of streams sleeps
// in a system call with its P; where no other is idle, the runtime takes it away and looks every 20
// µs whether to. With two more for each loop it does not: 111 against 130 µs of CPU per call over
// TCP at 4,000 calls/s on one core (medians of three, alternating; load -transport tcp -rate 4000,
// Xeon 2.5 GHz, Linux 6.18, 2026-11-26), and the same at saturation. Call state is outside the Go
// heap, so the heap is small and nearly still; collecting it at five times its live size instead of
// twice costs a few megabytes and makes collections, whose workers would compete with the shards,
// that much rarer. GOGC and GOMEMLIMIT in the environment win.
func setRuntime(shards, loops int) {
	if want := leastThreads(shards, loops); runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// leastThreads is the least GOMAXPROCS, see setRuntime.
func leastThreads(shards, loops int) int { return shards + 2 + 2*loops }

// gcPercent is GOGC when the environment has none.
const gcPercent = 400

// enter goes into the chroot and the working folder.
func (p *process) enter() error {
	if dir := p.config.Chroot; dir != "" {
		if err := unix.Chroot(dir); err != nil {
			return fmt.Errorf("cannot chroot to %s (root may): %w", dir, err)
		}
		if err := os.Chdir("/"); err != nil {
			return fmt.Errorf("cannot enter the chroot: %w", err)
		}
	}
	if dir := p.config.workDir(); dir != "" {
		if err := os.Chdir(dir); err != nil {
			return fmt.Errorf("cannot change to the working folder: %w", err)
		}
	}
	return nil
}

// ready tells everybody who waits: the log, the service manager, the parent of a daemon.
func (p *process) ready() error {
	p.log.Always.Info("viaduct ready", "version", version, "commit", commitID(), "pid", os.Getpid(),
		"shards", p.config.Shards,
		"listen", p.listens(), "steering", p.server.Steering(), "arena_mb", p.config.ArenaMB,
		"config", configName(p.config.ConfigFile))
	if err := p.daemon.Ready(p.config.LogStderr); err != nil {
		return fmt.Errorf("the start was interrupted: %w", err)
	}
	p.notifier.Ready("serving")
	p.serving = true
	return nil
}

func configName(file string) string {
	if file == "" {
		return builtInName
	}
	return file
}

// drainLook is how often a draining process looks whether calls are left.
const drainLook = 50 * time.Millisecond

// wait is the rest of the life: signals and the watchdog, until a signal ends it. Everything that
// touches the shards runs in this goroutine, or in the status service, which close ends first: they
// unmap their memory when they stop.
func (p *process) wait() {
	var watchdog, look <-chan time.Time // look: nil until a stop was asked for
	if every := p.notifier.WatchdogInterval(); every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		watchdog = ticker.C
	}
	var deadline time.Time
	var release *control.Release // nil until a stop was asked for
	for {
		select {
		case <-release.Asked():
			p.log.Always.Info("viaduct lets a successor have its ports", "transactions_left",
				p.server.Drain(0))
			return
		case <-watchdog:
			p.notifier.Alive()
		case <-look:
			left := p.server.Drain(0)
			if left == 0 || !time.Now().Before(deadline) {
				p.log.Always.Info("viaduct drained", "transactions_left", left)
				return
			}
		case sig := <-p.signals:
			switch {
			case sig == syscall.SIGHUP:
				go p.reloadBySignal() // names may take their time
			case sig == syscall.SIGUSR1:
				for _, line := range control.StatsLines(p.server.Stats()) {
					p.log.Raw(line)
				}
				if line, err := json.Marshal(p.commonStats()); err == nil {
					p.log.Raw(line)
				}
			case look != nil || sig == syscall.SIGUSR2:
				p.log.Always.Warn("viaduct stops at once", "signal", sig.String(),
					"transactions_left", p.server.Drain(0))
				return
			default:
				p.log.Always.Info("viaduct draining", "signal", sig.String(), "timeout",
					time.Duration(p.exitTimeout.Load()))
				p.notifier.Stopping()
				p.draining.Store(true)
				p.server.Drain(0)
				deadline = time.Now().Add(time.Duration(p.exitTimeout.Load()))
				var err error
				if release, err = control.OfferRelease(p.listens()); err != nil {
					p.log.Warn(err.Error())
				}
				ticker := time.NewTicker(drainLook)
				defer ticker.Stop()
				look = ticker.C
			}
		}
	}
}

// closeWithin is how long a close waits for a reload or another command that is under way. Reached:
// it ends without it. A file on a server that is gone may be read for ever.
const closeWithin = 5 * time.Second

// stop ends the shards and the resolver, when nobody looks at them any more.
func (p *process) stop() {
	if p.server != nil {
		p.server.Stop()
		if p.serving {
			p.log.Always.Info("viaduct stopped")
		}
	}
	if p.resolver != nil {
		p.resolver.Close()
	}
}

// close takes back what start made, in the opposite order, as far as it got.
func (p *process) close() {
	if p.endLife != nil {
		p.endLife() // a reload that waits for names does not
	}
	idle := make(chan struct{})
	go func() {
		p.reloading.Lock()
		p.ending = true
		p.reloading.Unlock()
		if p.http != nil {
			p.http.Close()
		}
		if p.status != nil {
			p.status.Close()
		}
		close(idle)
	}()
	select {
	case <-idle:
		p.stop()
	case <-time.After(closeWithin):
		// Shards and memory stay as they are until the process ends: the reload may look at them.
		p.log.Warn("viaduct stops although a reload hangs, in a file that cannot be read to " +
			"its end")
	}
	for _, file := range []string{p.pidFile, p.groupFile} {
		if file == "" {
			continue
		}
		if err := os.Remove(file); err != nil && p.log != nil {
			// The user we became may not write that folder. The next start replaces a stale file.
			p.log.Debug("pid file stays behind", "file", filepath.Base(file), "error", err)
		}
	}
	if p.log != nil {
		p.log.Close()
	}
}
