// Command run stands beside the packet's path: it is the harness behind BENCHMARKS.md.
//
//	run -viaduct bin/viaduct              # all, an hour; writes BENCHMARKS.md, bench/plots
//	run -viaduct bin/viaduct -quick       # seconds each; writes only what -out names
//	run -only saturation,fixed -rounds 5  # some scenarios
//	run -isolate                          # in a network namespace of its own: no port can be taken
//
// Run it at the top of the checkout. It builds the generator and the raw forwarder, starts one
// server at a time on one processor, loads it from another, and stops what it started. A contender
// that is not installed is left out, and the report says so.
//
// Exit status: 0 all chosen scenarios were measured; 1 one could not be; 2 the command line is
// wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"viaduct/bench/trouble"
)

// Config is what the command line decides.
type Config struct {
	// Viaduct and Kamailio are paths or names of the servers; one that does not exist is left out.
	Viaduct, Kamailio string
	// Peers is the folder of the configuration files, Out where BENCHMARKS.md goes; "" writes
	// nothing.
	Peers, Out string
	// ServerCore and LoadCore are processor numbers.
	ServerCore, LoadCore int
	// Only lists the scenarios to run, empty for all; Contenders the keys of the contenders, empty
	// for all.
	Only, Contenders []string
	// Rounds is how often each contender is measured, in turn.
	Rounds int
	// Quick takes seconds where the full form takes minutes.
	Quick bool
	// Segment lets the generator use UDP_SEGMENT at saturation with a single shard.
	Segment bool
	// HeldCalls is how many INVITE transactions the memory scenario holds open; 0 means one
	// million, or 20,000 with Quick.
	HeldCalls int
	// IdleConnections is how many the idle scenario opens; 0 means 100,000, or 2,000 with Quick.
	// Limits of the machine lower it.
	IdleConnections int
	// Peer measures Kamailio in the idle scenario, too.
	Peer bool
	// SoakTime is how long the loss scenario lasts; 0 means 60 s, or 4 s with Quick.
	SoakTime time.Duration
}

// Validate says what is wrong.
func (c *Config) Validate() error {
	if c.Rounds < 1 || c.Rounds > 100 {
		return fmt.Errorf("-rounds %d: want 1 to 100", c.Rounds)
	}
	if c.ServerCore == c.LoadCore {
		return errors.New("-server-core and -load-core must differ: a server that shares its " +
			"processor with the load is measured wrongly")
	}
	if c.IdleConnections < 0 || c.IdleConnections > trouble.MaxConnections {
		return fmt.Errorf("-idle %d: want 1 to %d", c.IdleConnections, trouble.MaxConnections)
	}
	for _, name := range c.Only {
		if findScenario(name) == nil {
			return fmt.Errorf("-only %s: no such scenario; there are %s", name,
				strings.Join(scenarioNames(), ", "))
		}
	}
	if _, err := os.Stat(filepath.Join(c.Peers, "lb.cfg")); err != nil {
		return fmt.Errorf("%w: run this at the top of the checkout, or give -peers", err)
	}
	return nil
}

func main() {
	os.Exit(mainStatus())
}

func mainStatus() int {
	var c Config
	var only, contenders string
	var list, isolate bool
	flag.StringVar(&c.Viaduct, "viaduct", "bin/viaduct", "the Viaduct binary")
	flag.StringVar(&c.Kamailio, "kamailio", "kamailio", "the Kamailio binary")
	flag.StringVar(&c.Peers, "peers", "bench/peers", "folder of the configuration files")
	flag.StringVar(&c.Out, "out", "",
		"folder for BENCHMARKS.md and bench/plots; default: here, or nowhere with -quick or -only")
	flag.IntVar(&c.ServerCore, "server-core", 0, "processor of the server")
	flag.IntVar(&c.LoadCore, "load-core", 1, "processor of the load")
	flag.StringVar(&only, "only", "",
		"scenarios to run, separated by commas: "+strings.Join(scenarioNames(), ", "))
	flag.StringVar(&contenders, "contenders", "",
		"contenders to run, by key, separated by commas: "+strings.Join(contenderKeys(), ", "))
	flag.IntVar(&c.Rounds, "rounds", 0, "rounds of each comparison; default 5, 1 with -quick")
	flag.BoolVar(&c.Quick, "quick", false,
		"a few seconds each: shows that it works, measures little")
	flag.BoolVar(&c.Segment, "segment", true,
		"at saturation of one shard, let the generator cut up sends in the kernel (UDP_SEGMENT)")
	flag.IntVar(&c.HeldCalls, "held", 0,
		"INVITE transactions held open in the memory scenario; default 1,000,000, 20,000 with "+
			"-quick")
	flag.IntVar(&c.IdleConnections, "idle", 0,
		"connections of the idle scenario; default 100,000, 2,000 with -quick; lowered to what "+
			"limits allow")
	flag.BoolVar(&c.Peer, "peer", false, "measure Kamailio in the idle scenario, too")
	flag.DurationVar(&c.SoakTime, "soak", 0,
		"length of the loss scenario; default 60s, 4s with -quick")
	flag.BoolVar(&list, "list", false, "list the scenarios and end")
	flag.BoolVar(&isolate, "isolate", false,
		"run in a network namespace of its own (needs the right to make one)")
	flag.Parse()
	if list {
		for _, s := range scenarios {
			fmt.Printf("%-12s %s\n", s.name, s.about)
		}
		return 0
	}
	if isolate {
		if status, done := runIsolated(); done {
			return status
		}
	}
	c.Only, c.Contenders = splitList(only), splitList(contenders)
	if c.Rounds == 0 {
		c.Rounds = 5
		if c.Quick {
			c.Rounds = 1
		}
	}
	if c.Out == "" && !c.Quick && len(c.Only) == 0 && len(c.Contenders) == 0 {
		c.Out = "."
	}
	if err := c.Validate(); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &c); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		return 1
	}
	return 0
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func run(ctx context.Context, c *Config) error {
	b, err := newBench(ctx, c)
	if err != nil {
		return err
	}
	defer b.close()
	results := &Results{
		Machine: readMachine(), Commit: commit(), Date: time.Now().UTC().Format("2006-01-02"),
		Versions: b.versions(), Missing: b.missing, Config: *c,
	}
	var failed []error
	for _, s := range scenarios {
		if len(c.Only) > 0 && !contains(c.Only, s.name) {
			continue
		}
		b.say("%s: %s", s.name, s.about)
		if err := s.run(ctx, b, results); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("interrupted in %s", s.name)
			}
			if !errors.Is(err, errAbsent) && !errors.Is(err, errSame) {
				failed = append(failed, fmt.Errorf("scenario %s: %w", s.name, err))
			}
			b.say("scenario %s: %v", s.name, err)
			results.Missing = append(results.Missing, fmt.Sprintf("scenario %s: %v", s.name, err))
		}
	}
	if err := results.Print(os.Stdout); err != nil {
		return err
	}
	if c.Out != "" {
		if err := results.WriteFiles(c.Out); err != nil {
			return err
		}
		b.say("wrote %s and %s", filepath.Join(c.Out, "BENCHMARKS.md"),
			filepath.Join(c.Out, plotFolder))
	}
	return errors.Join(failed...)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
