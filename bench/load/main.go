// Command load stands at both ends of the packet's path: it places calls through a SIP server,
// answers them, and accounts for every message.
//
//	load -server 127.0.0.1:5060 -concurrent 128 -duration 10s # closed loop: how many calls/s
//	load -server 127.0.0.1:5060 -rate 4000 -duration 10s      # open loop: how long does a call wait
//	load -path direct -concurrent 128 -duration 5s            # no server: what the generator can do
//	load -mode hold -calls 1000000 -hold 30s                  # a million INVITEs at once
//	load -transport tls -server 127.0.0.1:5061                # TLS, a connection per port
//
// and what a server has besides calls (package trouble), until a line comes on standard input:
//
//	load idle -connections 100000
//	load deaf -rate 2000
//	load storm -server 127.0.0.1:5061 -rate 200
//
// Exit status: 0 every call completed and nothing was lost, wrong or late; 1 the run could not be
// done; 2 the command line is wrong; 3 it was done and something was not as it should be.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/bench/procfs"
	"viaduct/bench/traffic"
)

func main() {
	if len(os.Args) > 1 && neighbours[os.Args[1]] != nil {
		os.Exit(neighbour(os.Args[1], os.Args[2:]))
	}
	options, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	status, err := run(options, os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	os.Exit(status)
}

type options struct {
	traffic   traffic.Config
	json      bool
	cpu       int
	watch     []int
	watchCore int
	wait      bool
}

func parse(args []string) (*options, error) {
	o := &options{}
	c := &o.traffic
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	mode := f.String("mode", "call", "what a call is: call, hold (INVITEs kept ringing), options")
	path := f.String("path", "proxy",
		"what is between the ends: proxy, raw (a forwarder that changes nothing), direct (nothing)")
	transport := f.String("transport", "udp",
		"how messages travel: udp, tcp, tls (certificates are made at the start)")
	role := f.String("role", "both", "which ends to be: both, caller, answerer")
	server := f.String("server", "127.0.0.1:5060", "address of the server")
	ip := f.String("ip", "127.0.0.1", "address of callers and answerers")
	callers := f.String("callers", "6000-6007", "ports of the callers, e.g. 6000-6007 or 6000")
	answerers := f.String("answerers", "7000-7007", "ports of the answerers")
	targets := f.String("targets", "", "ports called, if not all the answerers are ours")
	silent := f.String("silent", "", "ports of answerers that never answer")
	f.BoolVar(&c.RPort, "rport", false, "put rport (RFC 3581) into Via")
	f.BoolVar(&c.NoRecordRoute, "no-record-route", false,
		"expect a server that does not record its route")
	f.IntVar(&c.Concurrent, "concurrent", 0,
		"closed loop: so many calls always under way; default 128 if there is no -rate")
	f.Float64Var(&c.Rate, "rate", 0, "open loop: so many calls per second")
	f.IntVar(&c.Calls, "calls", 0, "end after so many calls; hold: how many to hold")
	f.DurationVar(&c.Warmup, "warmup", time.Second, "time before the measured window")
	f.DurationVar(&c.Duration, "duration", 5*time.Second,
		"length of the measured window; 0 with -calls: until they are done")
	hold := f.Duration("hold", 0, "hold: how long; 0: until a line comes on standard input")
	release := f.String("release", "cancel", "hold: how held calls end: cancel, final (486), none")
	f.BoolVar(&c.HeldByTrying, "held-by-trying", false,
		"hold: a call is held when 100 has come; else it must ring")
	f.DurationVar(&c.T1, "t1", traffic.DefaultT1,
		"T1 of RFC 3261, the first retransmission interval")
	f.DurationVar(&c.GiveUp, "give-up", 0, "abandon a call after this; default 64*T1")
	f.DurationVar(&c.Drain, "drain", 0,
		"wait so long for calls under way at the end; default -give-up and a little")
	f.BoolVar(&c.Sleep, "sleep", false, "sleep between datagrams instead of polling")
	f.BoolVar(&c.Segment, "segment", false,
		"let the kernel cut up sends (UDP_SEGMENT): less CPU here; not with a server that steers "+
			"by content")
	f.IntVar(&o.cpu, "cpu", -1, "pin to this processor; -1: do not")
	watch := f.String("watch", "",
		"process ids of the server (descendants included): report their CPU time per call")
	f.IntVar(&o.watchCore, "watch-core", -1, "processor of the server: report how busy it was")
	f.BoolVar(&o.json, "json", false, "print the report as JSON")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected %q", f.Arg(0))
	}
	var err error
	fail := func(e error) {
		if err == nil {
			err = e
		}
	}
	choose := func(name, value string, names ...string) int {
		for i, n := range names {
			if n == value {
				return i
			}
		}
		fail(fmt.Errorf("-%s %q: want one of %s", name, value, strings.Join(names, ", ")))
		return 0
	}
	c.Mode = traffic.Mode(choose("mode", *mode, "call", "hold", "options"))
	c.Path = traffic.Path(choose("path", *path, "proxy", "raw", "direct"))
	c.Transport = traffic.Transport(choose("transport", *transport, "udp", "tcp", "tls"))
	c.Release = traffic.Release(choose("release", *release, "cancel", "final", "none"))
	ports := func(name, list string) []netip.AddrPort {
		a, e := addresses(*ip, list)
		if e != nil {
			fail(fmt.Errorf("-%s %q: %w", name, list, e))
		}
		return a
	}
	switch choose("role", *role, "both", "caller", "answerer") {
	case 0:
		c.Callers, c.Answerers = ports("callers", *callers), ports("answerers", *answerers)
	case 1:
		c.Callers, c.Outside = ports("callers", *callers), true
		if *targets == "" {
			*targets = *answerers
		}
	case 2:
		c.Answerers = ports("answerers", *answerers)
	}
	if *targets != "" {
		for _, a := range ports("targets", *targets) {
			c.Targets = append(c.Targets, c.Transport.URI("bob", a))
			if !contains(c.Answerers, a) {
				c.Outside = true
			}
		}
	}
	if *silent != "" {
		c.Silent = map[int]bool{}
		for _, a := range ports("silent", *silent) {
			for i, b := range c.Answerers {
				if a == b {
					c.Silent[i] = true
				}
			}
		}
	}
	if a, e := netip.ParseAddrPort(*server); e == nil {
		c.Server = a
	} else {
		fail(fmt.Errorf("-server: %w", e))
	}
	if c.Concurrent == 0 && c.Rate == 0 {
		c.Concurrent = 128
	}
	if c.Mode == traffic.Hold {
		c.Duration, c.Warmup = *hold, 0
		o.wait = *hold == 0
	}
	for _, w := range strings.FieldsFunc(*watch, func(r rune) bool { return r == ',' }) {
		pid, e := strconv.Atoi(w)
		if e != nil {
			fail(fmt.Errorf("-watch: %w", e))
		}
		o.watch = append(o.watch, pid)
	}
	return o, err
}

func contains(list []netip.AddrPort, a netip.AddrPort) bool {
	for _, b := range list {
		if a == b {
			return true
		}
	}
	return false
}

// addresses reads a list like 7000-7002,7005.
func addresses(ip, list string) ([]netip.AddrPort, error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	for _, part := range strings.Split(list, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err := strconv.ParseUint(low, 10, 16)
		if err != nil {
			return nil, err
		}
		to, err := strconv.ParseUint(high, 10, 16)
		if err != nil {
			return nil, err
		}
		if to < from || to-from >= traffic.MaxPorts {
			return nil, fmt.Errorf("%s is not a range of at most %d ports", part, traffic.MaxPorts)
		}
		for p := from; p <= to; p++ {
			out = append(out, netip.AddrPortFrom(addr, uint16(p)))
		}
	}
	return out, nil
}

func run(o *options, in io.Reader, out io.Writer) (status int, err error) {
	// One thread does the work; with one P the others of the runtime have no reason to run.
	runtime.GOMAXPROCS(1)
	runtime.LockOSThread()
	if o.cpu >= 0 {
		var set unix.CPUSet
		set.Set(o.cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return 0, fmt.Errorf("cannot pin to processor %d: %w", o.cpu, err)
		}
	}
	result := traffic.Outcome{Polled: !o.traffic.Sleep}
	o.watchServer(&result)
	stop := make(chan struct{})
	o.traffic.Stop = stop
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		close(stop)
	}()
	if o.wait {
		over := make(chan struct{})
		o.traffic.HoldOver = over
		go func() {
			// a line, or the end of input: both mean go on
			_, _ = bufio.NewReader(in).ReadString('\n')
			close(over)
		}()
	}
	if o.traffic.Mode == traffic.Hold {
		o.traffic.OnPhase = func(phase string) { fmt.Fprintf(out, "{\"phase\":%q}\n", phase) }
	}
	e, err := traffic.New(o.traffic)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	if o.traffic.Transport != traffic.TLS {
		// nothing is allocated from here on, so there is nothing to collect; crypto/tls allocates
		// per record
		debug.SetGCPercent(-1)
	}
	result.Report = e.Run()
	if n := result.WindowCompleted; n > 0 && result.ServerCPUSeconds > 0 {
		result.ServerCPUUsPerCall = result.ServerCPUSeconds * 1e6 / float64(n)
		result.ServerCPUShare = result.ServerCPUSeconds / result.WindowSeconds
	}
	if o.json {
		err = json.NewEncoder(out).Encode(&result)
	} else {
		err = summary(out, &result)
	}
	if len(o.traffic.Callers) > 0 && !result.Clean() {
		status = 3
	}
	return status, err
}

// watchServer measures the server's processes at both ends of the window.
func (o *options) watchServer(result *traffic.Outcome) {
	if len(o.watch) == 0 {
		return
	}
	var cpu time.Duration
	var core procfs.Core
	o.traffic.OnWindow = func(open bool) {
		var pids []int
		for _, pid := range o.watch {
			pids = append(pids, procfs.Tree(pid)...)
		}
		c, now := procfs.CPU(pids), procfs.ReadCore(o.watchCore)
		if !open {
			result.ServerCPUSeconds, result.CoreSoftIRQSeconds = (c - cpu).Seconds(),
				(now.SoftIRQ - core.SoftIRQ).Seconds()
			result.CoreBusySeconds = (now.Busy - core.Busy).Seconds()
		}
		cpu, core = c, now
	}
}
