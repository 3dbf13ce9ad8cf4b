package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"viaduct/bench/traffic"
)

// tableKeys is how many entries the scenario tables looks up: 5 hexadecimal digits of a Call-ID.
const tableKeys = 1 << 20

// tablesMB is room for two tables, and in Kamailio, whose entries cost more, too.
const tablesMB = 1024

// tableCases are what table.cfg does with each request; the first is what the others are held
// against.
var tableCases = []struct {
	name    string
	defines []string
	shards  int
}{
	{name: "answered, no table"},
	{name: "looked up", defines: []string{"READ"}},
	{name: "looked up, one of 16 writes", defines: []string{"READ", "WRITE"}},
	{name: "looked up, each writes one that ends after 3 s", defines: []string{"READ", "EXPIRE"}},
	{name: "looked up by two shards, one of 16 writes", defines: []string{"READ", "WRITE"},
		shards: 2},
}

// tables has a million entries looked up and changed by requests, and asks shm/table's own
// benchmarks what a look-up costs besides.
func tables(ctx context.Context, b *bench, r *Results) error {
	field := b.field("kamailio-table", "viaduct-table")
	if len(field) == 0 {
		return errAbsent
	}
	dir, err := b.tableFolder()
	if err != nil {
		return err
	}
	t := &Tables{}
	for range tableCases {
		for range field {
			t.Rows = append(t.Rows, TableRow{})
		}
	}
	for round := range b.cfg.Rounds {
		for i, k := range tableCases {
			for j, c := range field {
				row := &t.Rows[i*len(field)+j]
				row.Name, row.Case = c.name, k.name
				if err := b.tableRound(ctx, c, i, dir, row, t); err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, k.name, err)
				}
				b.say("tables round %d  %-20s %-50s %s", round+1, c.name, k.name,
					brief(&row.Runs[round]))
			}
		}
	}
	if t.Lines, err = b.tableBenchmarks(ctx); err != nil {
		return err
	}
	r.Tables = t
	return nil
}

// tableRound measures one server with case i.
func (b *bench) tableRound(ctx context.Context, c contender, i int, dir string, row *TableRow,
	t *Tables) error {
	k := &tableCases[i]
	o := serverOptions{dir: dir, defines: k.defines, memory: tablesMB}
	args := b.bundled("-mode", "options", "-concurrent", strconv.Itoa(callsUnderWay))
	if k.shards > 1 {
		o.workers, o.cores = k.shards, []int{b.cfg.ServerCore, b.cfg.LoadCore}
		args = []string{"-mode", "options", "-sleep",
			"-concurrent", strconv.Itoa(callsUnderWay * k.shards)}
	}
	if c.kind == kindViaduct {
		o.flags = b.control()
	}
	s, err := b.start(ctx, c, o)
	if err != nil {
		return err
	}
	defer s.stop()
	warmup, measure := b.times(c, false)
	out, err := b.runLoad(ctx, warmup+measure, b.loadArgs(s, append(args,
		"-warmup", warmup.String(), "-duration", measure.String())...))
	if err != nil {
		return err
	}
	row.Runs = append(row.Runs, out)
	if c.kind == kindViaduct {
		var all []TableFigures
		if err := b.command(&all, "htable.stats"); err != nil {
			return err
		}
		for _, f := range all {
			if f.Name == "gateway" && f.All != tableKeys {
				return fmt.Errorf("the table has %d entries, want %d", f.All, tableKeys)
			}
			if f.Name == "gateway" {
				t.Gateway = f
			} else if len(k.defines) > 1 && k.defines[1] == "EXPIRE" {
				t.Brief = f
			}
		}
	}
	return nil
}

// tableFolder has table.cfg and the entries that Viaduct reads; Kamailio, which reads them from
// databases only, makes them in an event_route.
func (b *bench) tableFolder() (dir string, err error) {
	if dir, err = b.folder("tables", "table.cfg"); err != nil {
		return "", err
	}
	f, err := os.Create(filepath.Join(dir, "entries"))
	if err != nil {
		return "", err
	}
	w := bufio.NewWriter(f)
	for i := range tableKeys {
		fmt.Fprintf(w, "%05x => sip:gw%02d.example.com\n", i, i%100)
	}
	return dir, errors.Join(w.Flush(), f.Close())
}

// benchLine is a line that go test -bench prints.
var benchLine = regexp.MustCompile(`(?m)^Benchmark(\S+)\s+\d+\s+(.*)$`)

// tableBenchmarks are the figures of shm/table itself.
func (b *bench) tableBenchmarks(ctx context.Context) ([]TableLine, error) {
	length := "1s"
	if b.cfg.Quick {
		length = "1x"
	}
	out, err := exec.CommandContext(ctx, "go", "test", "./shm/table", "-run", "^$",
		"-bench", "Get$|Attach$", "-benchtime", length).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test ./shm/table: %w\n%s", err, out)
	}
	var lines []TableLine
	for _, m := range benchLine.FindAllStringSubmatch(string(out), -1) {
		lines = append(lines, TableLine{m[1], strings.Join(strings.Fields(m[2]), " ")})
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("go test ./shm/table measured nothing:\n%s", out)
	}
	return lines, nil
}

// Tables is what the scenario tables found.
type Tables struct {
	Rows           []TableRow
	Gateway, Brief TableFigures // of the last run
	Lines          []TableLine
}

// TableRow is one server with one case, by round.
type TableRow struct {
	Name, Case string
	Runs       []traffic.Outcome
}

// TableFigures are what htable.stats says of a table.
type TableFigures struct {
	Name                    string
	All, Most, Bytes, Ended uint64
}

// TableLine is a benchmark of package shm/table.
type TableLine struct{ Name, Figures string }

func (r *Results) printTables(p *printer) {
	t := r.Tables
	if t == nil {
		return
	}
	p.f("\n## Tables\n\nOPTIONS answered by `table.cfg`, whose table has %s entries. The key is in "+
		"the Call-ID, so that each\nrequest looks up another one. Rows with two shards are measured "+
		"on both processors, with a generator that\nsleeps: compare them with each other.\n",
		thousands(tableKeys, 0))
	p.table("| | each request is | requests/s | CPU µs per request | p99 µs | failed |",
		"|---|---|---|---|---|---|")
	p99 := func(o *traffic.Outcome) float64 { return o.Ended.P99Us }
	for i := range t.Rows {
		row := Row{Runs: t.Rows[i].Runs}
		p.f("| %s | %s | %s | %s | %s | %d |\n", t.Rows[i].Name, t.Rows[i].Case,
			triple(row.values(callsPerSecond), 0), triple(row.values(cpuPerCall), 2),
			triple(row.values(p99), 0), row.sum(notCompleted))
	}
	if g := &t.Gateway; g.All > 0 {
		p.f("\nThe %s entries take %s bytes of the arena, %.0f each, besides a bucket of 8. Of "+
			"those that end after 3 s,\n%s had been taken out, a page at a time, between "+
			"requests.\n", thousands(float64(g.All), 0), thousands(float64(g.Bytes), 0),
			float64(g.Bytes)/float64(g.All), thousands(float64(t.Brief.Ended), 0))
	}
	p.f("\nThe table by itself (`go test ./shm/table -run '^$' -bench 'Get$|Attach$'`): look-ups " +
		"among 1,000,000 entries, by\none goroutine and by one for each processor, at rest and " +
		"with a writer beside; and to take over the arena\nof a process that was killed.\n")
	p.table("| benchmark | |", "|---|---|")
	for _, l := range t.Lines {
		p.f("| %s | %s |\n", l.Name, l.Figures)
	}
}
