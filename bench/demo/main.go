// Command demo stands beside the packet's path: it shows Viaduct at work on this machine, with
// nothing but Go installed.
//
//	demo                       # ten seconds of calls through bin/viaduct
//	demo -rate 2000 -time 30s
//
// It starts Viaduct on free ports of the loopback interface with a small load balancer's
// configuration in a folder of its own, shows one call message by message, then calls through it at
// a steady rate, and shows what happens. It leaves nothing behind.
//
// Exit status: 0 every call completed; 1 the demonstration could not be given; 2 the command line
// is wrong; 3 calls were lost or failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"viaduct/bench/traffic"
)

// Config is what the command line decides.
type Config struct {
	// Viaduct is the binary.
	Viaduct string
	// Rate is in calls per second, 1 to 20,000. Time is how long to call, 1 s to 10 min.
	Rate float64
	Time time.Duration
	// Plain writes one line a second even to a terminal.
	Plain bool
}

// Validate says what is wrong.
func (c *Config) Validate() error {
	if c.Rate < 1 || c.Rate > 20000 {
		return fmt.Errorf("-rate %g: want 1 to 20000 calls per second", c.Rate)
	}
	if c.Time < time.Second || c.Time > 10*time.Minute {
		return fmt.Errorf("-time %v: want 1s to 10m", c.Time)
	}
	return nil
}

func main() {
	c := Config{}
	flag.StringVar(&c.Viaduct, "viaduct", "bin/viaduct", "the Viaduct binary (make build makes it)")
	flag.Float64Var(&c.Rate, "rate", 500, "calls per second")
	flag.DurationVar(&c.Time, "time", 10*time.Second, "how long to call")
	flag.BoolVar(&c.Plain, "plain", false, "one line a second, also on a terminal")
	flag.Parse()
	if err := c.Validate(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	report, err := show(ctx, &c, os.Stdout, !c.Plain && isTerminal(os.Stdout))
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	case report.Completed != report.Started || report.Lost > 0:
		os.Exit(3)
	}
}

// show gives the demonstration and returns the account of its calls.
func show(ctx context.Context, c *Config, out io.Writer, live bool) (traffic.Report, error) {
	s, err := startServer(ctx, c.Viaduct)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return traffic.Report{}, fmt.Errorf("there is no %s: make build builds it", c.Viaduct)
	}
	if err != nil {
		return traffic.Report{}, err
	}
	defer s.stop()
	fmt.Fprintf(out, "Viaduct balances calls on %s over two ends, %s and %s (process %d, "+
		"configuration %s).\n\n", s.address, s.ends[0], s.ends[1], s.cmd.Process.Pid,
		"bench/demo/demo.cfg")
	if err := s.oneCall(out); err != nil {
		return traffic.Report{}, err
	}
	fmt.Fprintf(out, "\n%g calls a second for %v:\n\n", c.Rate, c.Time)
	d := &display{out: out, live: live, total: c.Time, rate: c.Rate}
	report, err := s.run(ctx, traffic.Config{
		Rate: c.Rate, Duration: c.Time, OnTick: d.tick, TickEvery: d.every(),
		Drain: 5 * time.Second,
	})
	if err != nil {
		return report, err
	}
	d.end()
	summary(out, s, &report)
	return report, s.alive()
}

// run places calls from one port per end; Viaduct decides where each goes.
func (s *demoServer) run(ctx context.Context, c traffic.Config) (traffic.Report, error) {
	stop := make(chan struct{})
	defer context.AfterFunc(ctx, func() { close(stop) })()
	c.Server, c.Callers, c.Answerers, c.Sleep, c.Stop = s.address, s.callers, s.ends, true, stop
	c.Targets = []string{"sip:bob@" + s.address.String()} // calls the balancer: it knows the ends
	e, err := traffic.New(c)
	if err != nil {
		return traffic.Report{}, err
	}
	defer e.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return e.Run(), nil
}

// oneCall places a single call and prints each message where it arrives.
func (s *demoServer) oneCall(out io.Writer) error {
	var lines []string
	report, err := s.run(context.Background(),
		traffic.Config{Concurrent: 1, Calls: 1, GiveUp: 3 * time.Second,
			OnArrival: func(atAnswerer bool, place int, b []byte) {
				line := ladder(atAnswerer, place, b)
				if n := len(lines); n > 0 && atAnswerer && strings.Contains(lines[n-1], "── 100") {
					// both arrived in one batch: the request caused the 100
					lines = append(lines[:n-1], line, lines[n-1])
					return
				}
				lines = append(lines, line)
			}})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "One call:\n\n  caller            Viaduct            end\n%s\n",
		strings.Join(lines, "\n"))
	if report.Completed != 1 {
		return fmt.Errorf("the first call did not complete; the server's last words:\n%s", s.tail())
	}
	return nil
}

// ladder draws one message as an arrow: a request on its way to an end, a response on its way back;
// 100 is the proxy's own.
func ladder(atAnswerer bool, place int, b []byte) string {
	first, _, _ := strings.Cut(string(b), "\r\n")
	if atAnswerer {
		method, _, _ := strings.Cut(first, " ")
		return fmt.Sprintf("    │ ── %-9s ──▶ │ ── %-9s ──▶ │ %d", method, method,
			place+1)
	}
	status := strings.TrimPrefix(first, "SIP/2.0 ")
	if strings.HasPrefix(status, "100") {
		return fmt.Sprintf("    │ ◀── %-9s ── │                  │", "100")
	}
	return fmt.Sprintf("    │ ◀── %-9s ── │ ◀── %-9s ── │ %s", status[:3], status[:3],
		status[min(4, len(status)):])
}

func summary(out io.Writer, s *demoServer, r *traffic.Report) {
	fmt.Fprintf(out, "\n%d calls started, %d completed, %d failed, %d given up; %.0f a second.\n",
		r.Started, r.Completed, r.Failed, r.Abandoned+r.Unfinished, r.CallsPerSecond)
	fmt.Fprintf(out, "Messages: %d lost, %d sent again, %d wrong.\n\n", r.Lost, r.Retransmitted,
		r.Faulty)
	fmt.Fprintf(out, "                p50       p99       max   µs\n")
	for _, l := range []struct {
		name string
		traffic.Latency
	}{{"INVITE to 180", r.Ringing}, {"INVITE to 200", r.Answered}, {"BYE to 200", r.Ended}} {
		fmt.Fprintf(out, "  %-13s %6.0f    %6.0f    %6.0f\n", l.name, l.P50Us, l.P99Us, l.MaxUs)
	}
	fmt.Fprintln(out)
	for i, n := range r.PerAnswerer {
		fmt.Fprintf(out, "  end %d, %s  %6d calls  %4.1f %%\n", i+1, s.ends[i], n,
			100*float64(n)/float64(max(r.Started, 1)))
	}
	fmt.Fprint(out, `
Try next:

  make demo ARGS="-rate 4000"      more calls
  make run                         serve on port 5060 with the built-in configuration
  bin/viaduct -c -f kamailio.cfg   check your own routing script
  make bench                       measure against Kamailio and a raw forwarder
`)
}
