package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"viaduct/control"
)

// droppedStatus is what the caller of a call that an operator drops gets (RFC 3261 §21.4.18).
const (
	droppedStatus = 480
	droppedReason = "Temporarily Unavailable"
)

// traffic is what the commands viaduct.* see and steer.
func (p *process) traffic() *control.Traffic {
	dir, err := os.Getwd()
	if err != nil || dir == "/" {
		dir = os.TempDir()
	}
	return &control.Traffic{
		Log: p.log, SnapshotDir: dir, State: p.state, Config: p.configText,
		Calls: func(which string, most int) ([]any, bool, error) {
			calls, more, err := p.server.Calls(which, most)
			return anys(calls), more, err
		},
		Message: p.message,
		Concurrency: func(n int) int {
			runtime.GOMAXPROCS(max(n, leastThreads(p.config.Shards, p.config.streamLoops())))
			return runtime.GOMAXPROCS(0)
		},
		Drop: func(which string) (int, error) {
			return p.server.Drop(which, droppedStatus, droppedReason)
		},
		Stuck: func(within time.Duration) (stuck []control.Thread, all int) {
			threads := p.server.Threads()
			for _, i := range p.server.Stuck(within) {
				stuck = append(stuck, control.Thread{ID: threads[i], What: fmt.Sprintf("shard %d", i)})
			}
			return stuck, len(threads)
		},
	}
}

// configText returns the files in force, each behind a line with its name, and the hash of the
// program.
func (p *process) configText() (text, hash string) {
	program := p.server.Program()
	var b strings.Builder
	for _, f := range program.Sources() {
		fmt.Fprintf(&b, "# %s\n%s", f.Name, f.Text)
		if !strings.HasSuffix(f.Text, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String(), fmt.Sprintf("%016x", program.Hash())
}

// state is what a snapshot has of the process.
func (p *process) state() map[string]any {
	all := map[string]any{"status": p.statusReport(), "stats": p.statsReport(),
		"command_line": os.Args}
	if table := p.server.Targets(); table != nil {
		var list []map[string]any
		for _, t := range table.Targets() {
			list = append(list, map[string]any{"set": t.SetID, "uri": t.URI, "duid": t.Attrs.DUID,
				"state": t.State().String(), "calls": t.Load(), "latency_ms": t.Latency().EstMs})
		}
		all["destinations"] = list
	}
	return all
}

// transactions is what the commands tm.* see and steer.
func (p *process) transactions() *control.Transactions {
	return &control.Transactions{
		Stats: p.transactionReport, Cancel: p.server.Cancel, Send: p.send,
		List: func(most int) ([]any, bool, error) {
			all, more, err := p.server.Transactions(most)
			return anys(all), more, err
		},
	}
}

func anys[T any](list []T) (all []any) {
	for _, x := range list {
		all = append(all, x)
	}
	return all
}
