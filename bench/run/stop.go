package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"viaduct/bench/traffic"
)

// stopDestination runs the same load twice against one server: with all destinations answering, and
// with one of them, a process of its own, stopped by SIGSTOP soon after the calls began. Calls to
// that one wait in vain; the question is what the others notice.
func stopDestination(ctx context.Context, b *bench, r *Results) error {
	field := b.field("kamailio-lb", "viaduct-lb")
	if len(field) == 0 {
		return errAbsent
	}
	for _, c := range field {
		row := Stopped{Name: c.name}
		if err := b.stopOne(ctx, c, &row); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.Stopped = append(r.Stopped, row)
		b.say("stop %s: p99 of 180 %.0f µs with all, %.0f µs with one stopped; %d of %d calls "+
			"not completed (%d expected)", c.name,
			row.All.Ringing.P99Us, row.One.Ringing.P99Us, row.notCompleted(), row.One.Started,
			row.expected())
	}
	return nil
}

func (b *bench) stopOne(ctx context.Context, c contender, row *Stopped) error {
	s, err := b.start(ctx, c, serverOptions{})
	if err != nil {
		return err
	}
	defer s.stop()
	answerer, err := b.startAnswerer(stoppedPort)
	if err != nil {
		return err
	}
	defer answerer.stop()
	_, measure := b.times(c, false)
	var others []string
	for i := range portCount {
		if port := firstAnswerer + i; port != stoppedPort {
			others = append(others, strconv.Itoa(port))
		}
	}
	args := b.loadArgs(s, "-answerers", strings.Join(others, ","), "-targets", answererPorts,
		"-rate", strconv.Itoa(fixedRate), "-warmup", stopWarmup.String(),
		"-duration", measure.String(), "-give-up", "4s", "-drain", "6s")
	if row.All, err = b.runLoad(ctx, measure, args); err != nil {
		return err
	}
	l, err := b.startLoad(ctx, measure, args)
	if err != nil {
		return err
	}
	defer l.cancel()
	select {
	case <-ctx.Done():
	case <-time.After(stopWarmup / 2): // under load, and before the window opens
	}
	if err := answerer.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	row.One, err = l.wait()
	return err
}

// answerer is a load process that only answers.
type answerer struct {
	cmd  *exec.Cmd
	done chan struct{}
	out  bytes.Buffer
}

func (b *bench) startAnswerer(port int) (*answerer, error) {
	a := &answerer{done: make(chan struct{})}
	a.cmd = exec.Command(b.load, "-role", "answerer", "-server", serverAddress, "-answerers",
		strconv.Itoa(port), "-sleep", "-json")
	a.cmd.Stdout, a.cmd.Stderr = &a.out, &a.out
	if err := startOn(a.cmd, []int{b.cfg.LoadCore}); err != nil {
		return nil, fmt.Errorf("cannot start the answerer on port %d: %w", port, err)
	}
	go func() {
		_ = a.cmd.Wait() // ended by us, whatever its status
		close(a.done)
	}()
	return a, nil
}

func (a *answerer) signal(sig syscall.Signal) error {
	select {
	case <-a.done:
		return fmt.Errorf("the answerer ended: %s", strings.TrimSpace(a.out.String()))
	default:
		return a.cmd.Process.Signal(sig)
	}
}

func (a *answerer) stop() {
	_ = a.cmd.Process.Signal(syscall.SIGCONT)
	_ = a.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-a.done:
	case <-time.After(stopTime):
		_ = a.cmd.Process.Kill()
		<-a.done
	}
}

// notCompleted counts calls without their end, expected those of them that the stopped destination
// explains.
func (s *Stopped) notCompleted() uint64 { return notCompleted(&s.One) }

func notCompleted(o *traffic.Outcome) uint64 { return o.Failed + o.Abandoned + o.Unfinished }

// expected is every call that went to none of the destinations that kept answering; a few of them
// were answered before the stop.
func (s *Stopped) expected() uint64 {
	var reached uint64
	for _, n := range s.One.PerAnswerer {
		reached += n
	}
	return s.One.Started - min(reached, s.One.Started)
}
