package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"viaduct/bench/traffic"
)

// loadArgs is the command line of the generator for a running server.
func (b *bench) loadArgs(s *server, args ...string) []string {
	out := []string{"-json", "-server", s.contender.address(), "-transport",
		strings.ToLower(s.contender.transport.String()), "-callers", callerPorts, "-answerers",
		answererPorts, "-watch", strconv.Itoa(s.cmd.Process.Pid)}
	if len(s.cores) == 1 {
		out = append(out, "-watch-core", strconv.Itoa(s.cores[0]))
	}
	if s.contender.kind == kindForwarder {
		out = append(out, "-path", "raw")
	}
	return append(out, args...)
}

// runLoad runs the generator to its end and returns its report. longest bounds it.
func (b *bench) runLoad(ctx context.Context, longest time.Duration,
	args []string) (traffic.Outcome, error) {
	l, err := b.startLoad(ctx, longest, args)
	if err != nil {
		return traffic.Outcome{}, err
	}
	return l.wait()
}

// loader is a generator that runs.
type loader struct {
	cancel context.CancelFunc
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	errors bytes.Buffer
	phases chan string
	done   chan struct{}
	result traffic.Outcome
	last   []byte // the line that result was read from
	err    error
	once   sync.Once
}

func (b *bench) startLoad(ctx context.Context, longest time.Duration,
	args []string) (*loader, error) {
	ctx, cancel := context.WithTimeout(ctx, longest+loadGrace)
	l := &loader{cancel: cancel, phases: make(chan string, 8), done: make(chan struct{})}
	l.cmd = exec.CommandContext(ctx, b.load, args...)
	l.cmd.Stderr = &l.errors
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if l.stdin, err = l.cmd.StdinPipe(); err != nil {
		cancel()
		return nil, err
	}
	if err := startOn(l.cmd, []int{b.cfg.LoadCore}); err != nil {
		cancel()
		return nil, fmt.Errorf("cannot start the generator: %w", err)
	}
	go l.read(out)
	return l, nil
}

// read takes the generator's lines: phases while it runs, its report at the end.
func (l *loader) read(out io.Reader) {
	defer close(l.done)
	defer l.cancel()
	reported := false
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for lines.Scan() {
		var phase struct{ Phase string }
		if json.Unmarshal(lines.Bytes(), &phase) == nil && phase.Phase != "" {
			l.phases <- phase.Phase
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &l.result); err == nil {
			reported, l.last = true, bytes.Clone(lines.Bytes())
		}
	}
	close(l.phases)
	err := l.cmd.Wait()
	var exit *exec.ExitError
	// Status 3 says that the calls went wrong, which is for the scenario to judge.
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 3) || !reported {
		l.err = fmt.Errorf("generator: %w: %s", errors.Join(err, scanError(lines)),
			strings.TrimSpace(l.errors.String()))
	}
}

func scanError(s *bufio.Scanner) error {
	if s.Err() != nil {
		return s.Err()
	}
	return errors.New("no report")
}

// goOn ends the holding of a generator in mode hold.
func (l *loader) goOn() { l.once.Do(func() { l.stdin.Close() }) }

// phase waits for the generator to say name.
func (l *loader) phase(name string) error {
	for p := range l.phases {
		if p == name {
			return nil
		}
	}
	<-l.done
	return fmt.Errorf("generator ended before it was %q: %w", name, l.err)
}

func (l *loader) wait() (traffic.Outcome, error) {
	<-l.done
	l.goOn()
	return l.result, l.err
}
