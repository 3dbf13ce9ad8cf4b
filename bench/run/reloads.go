package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"viaduct/bench/traffic"
)

// Of the scenario reload.
const (
	reloadTimes      = 100
	reloadTime       = 60 * time.Second
	reloadQuickTimes = 10
	reloadQuickTime  = 3 * time.Second
	largeRoutes      = 500 // of the large file, each of largeStatements statements
	largeStatements  = 20
)

// reloads loads one configuration after the other while calls run, half of them broken, and then a
// large one.
func reloads(ctx context.Context, b *bench, r *Results) error {
	field := b.field("viaduct-stateful")
	if len(field) == 0 {
		return errAbsent
	}
	dir, err := b.folder("reload", "stateful.cfg")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "stateful.cfg")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	found := &Reloads{Times: reloadTimes, Within: reloadTime}
	if b.cfg.Quick {
		found.Times, found.Within = reloadQuickTimes, reloadQuickTime
	}
	for round := range b.cfg.Rounds {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		if err := b.reloadRound(ctx, field[0], path, string(text), found); err != nil {
			return err
		}
		b.say("reload round %d: p99 of 180 with %.0f µs, without %.0f µs; failed %d; a good one "+
			"takes %.1f ms, a broken one %.1f ms, a large one %.0f ms", round+1,
			found.With[round].Ringing.P99Us, found.Alone[round].Ringing.P99Us,
			notCompleted(&found.With[round]), median(found.GoodMs), median(found.BrokenMs),
			median(found.LargeMs))
	}
	r.Reloads = found
	return nil
}

// reloadRound does all of it with one server.
func (b *bench) reloadRound(ctx context.Context, c contender, path, text string,
	found *Reloads) error {
	s, err := b.start(ctx, c, serverOptions{dir: filepath.Dir(path), flags: b.control()})
	if err != nil {
		return err
	}
	defer s.stop()
	// load loads a file, and returns how long that took in milliseconds.
	load := func(text string, broken bool) (float64, error) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return 0, err
		}
		began := time.Now()
		err := b.command(nil, "reload")
		took := time.Since(began).Seconds() * 1e3
		switch {
		case broken && err == nil:
			return 0, errors.New("a broken configuration was loaded")
		case broken:
			err = nil // its mistakes
		}
		return took, err
	}
	l, err := b.beside(ctx, s, found.Within)
	if err != nil {
		return err
	}
	defer l.cancel()
	alone, err := l.wait()
	if err != nil {
		return err
	}
	if l, err = b.beside(ctx, s, found.Within); err != nil {
		return err
	}
	defer l.cancel()
	for i := range found.Times {
		if err := pause(ctx, found.Within/time.Duration(found.Times)); err != nil {
			return err
		}
		broken, to := i%2 == 0, &found.GoodMs
		extra := fmt.Sprintf("\nroute[GENERATION%d] {\n\t$var(x) = %d;\n\treturn;\n}\n", i, i)
		if broken {
			to, extra = &found.BrokenMs, extra+"route[BROKEN] {\n\tno_such_function();\n\tif (\n}\n"
		}
		took, err := load(text+extra, broken)
		if err != nil {
			return fmt.Errorf("reload %d: %w", i, err)
		}
		*to = append(*to, took)
	}
	with, err := l.wait()
	if err != nil {
		return err
	}
	found.Alone, found.With = append(found.Alone, alone), append(found.With, with)
	large := text + largeText()
	found.LargeBytes, found.LargeLines = len(large), strings.Count(large, "\n")
	for range 5 {
		large += "# once more\n" // a file that has not changed would be known
		took, err := load(large, false)
		if err != nil {
			return fmt.Errorf("the large file: %w", err)
		}
		found.LargeMs = append(found.LargeMs, took)
	}
	return nil
}

// largeText is many routes with statements of all kinds.
func largeText() string {
	var s strings.Builder
	for i := range largeRoutes {
		fmt.Fprintf(&s, "\nroute[LARGE%d] {\n", i)
		for j := range largeStatements / 4 {
			fmt.Fprintf(&s, "\tif (is_method(\"INVITE|BYE\") && $rU =~ \"^\\+?49%d[0-9]{%d,}\") {\n",
				i, j+1)
			fmt.Fprintf(&s, "\t\t$var(x%d) = $(rU{s.substr,%d,0}) + \"-$fU-%d\";\n", j, j, i)
			fmt.Fprintf(&s, "\t\tappend_hf(\"X-Large: $var(x%d);$si:$sp\\r\\n\");\n\t}\n", j)
			fmt.Fprintf(&s, "\t$avp(y%d) = $var(x%d);\n", j, j)
		}
		if i > 0 {
			fmt.Fprintf(&s, "\tif ($rU == \"%d\") {\n\t\troute(LARGE%d);\n\t}\n", i, i/2)
		}
		s.WriteString("}\n")
	}
	return s.String()
}

// Reloads is what the scenario reload found, by round.
type Reloads struct {
	Times                     int
	Within                    time.Duration
	With, Alone               []traffic.Outcome
	GoodMs, BrokenMs, LargeMs []float64 // from the command to its answer
	LargeBytes, LargeLines    int
}

func (r *Results) printReloads(p *printer) {
	x := r.Reloads
	if x == nil {
		return
	}
	with, alone := Row{Runs: x.With}, Row{Runs: x.Alone}
	p.f("\n## Reload\n\n%d reloads of Viaduct's `stateful.cfg` in %.0f s at %s calls/s, each of "+
		"another file, every second of one with\nmistakes; and as long without.\n", x.Times,
		x.Within.Seconds(), thousands(besideRate, 0))
	p.table("| | with reloads | without |", "|---|---|---|")
	p.f("| p99 INVITE→180 µs | %s | %s |\n", triple(with.values(ringP99), 0),
		triple(alone.values(ringP99), 0))
	p.f("| failed | %d | %d |\n", with.sum(notCompleted), alone.sum(notCompleted))
	repeated := func(o *traffic.Outcome) uint64 { return o.Retransmitted }
	p.f("| messages repeated | %d | %d |\n", with.sum(repeated), alone.sum(repeated))
	p.f("| CPU µs per call | %s | %s |\n", triple(with.values(cpuPerCall), 1),
		triple(alone.values(cpuPerCall), 1))
	p.f("\nOne reload takes, from the command to its answer, in milliseconds:\n")
	p.table("| | ms |", "|---|---|")
	p.f("| a good file | %s |\n", triple(x.GoodMs, 1))
	p.f("| one with mistakes | %s |\n", triple(x.BrokenMs, 1))
	p.f("| a large one, %s lines, %s bytes, without calls | %s |\n",
		thousands(float64(x.LargeLines), 0), thousands(float64(x.LargeBytes), 0),
		triple(x.LargeMs, 0))
}
