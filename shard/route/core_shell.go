package route

import (
	"context"
	"log/slog"
	"os/exec"
	"time"

	"viaduct/shard/route/syntax"
)

// shell runs the command lines of exec() one at a time. It runs them beside the shards, because no
// shard may wait for a process.
type shell struct {
	every   time.Duration // 0 as long as the file has no exec()
	lines   chan string
	dropped *Counter
	logger  *slog.Logger
}

// shellFuncs declares exec().
func shellFuncs(m *Module) {
	sh := &shell{lines: make(chan string, maxShellLines)}
	sh.dropped = m.Count("exec_dropped",
		"Command lines of exec() that were not run because too many were waiting.")
	m.Open(func(s *State) error { sh.logger = s.Logger; return nil })
	m.Beside(&sh.every, func(int64) { sh.run() })
	coreFunc(m, beforeSending, sh.exec, []AnyArg{Special("command", "a line for sh(1)")},
		"Runs a command line beside the shards. It is true at once and does not wait for the end.",
		"exec")
}

// exec compiles exec("command").
func (sh *shell) exec(cc *compiler, x *syntax.Call) callFn {
	line, ok := cc.textKnown(x, 0, "a command line")
	if !ok {
		return nil
	}
	sh.every = shellInterval
	return func(c *Ctx) int {
		select {
		case sh.lines <- line:
		default:
			sh.dropped.Add(c)
		}
		return 1
	}
}

// run runs the queued command lines.
func (sh *shell) run() {
	for len(sh.lines) > 0 {
		line := <-sh.lines
		ctx, cancel := context.WithTimeout(context.Background(), maxShellTime)
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
		cmd.WaitDelay = time.Second
		if err := cmd.Run(); err != nil && sh.logger != nil {
			sh.logger.Warn("exec() failed", "command", line, "error", err)
		}
		cancel()
	}
}
