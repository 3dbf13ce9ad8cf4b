package main

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"viaduct/bench/traffic"
	"viaduct/bench/trouble"
)

var update = flag.Bool("update", false, "rewrite testdata")

// invented is a complete set of results with made-up figures.
func invented() *Results {
	run := func(calls, cpu, p99 float64) traffic.Outcome {
		var o traffic.Outcome
		o.Started, o.Completed, o.WindowCompleted, o.WindowSeconds = 1000, 1000, 1000, 1
		o.CallsPerSecond, o.ServerCPUUsPerCall, o.ServerCPUShare, o.CPUUsPerCall = calls, cpu, calls*cpu/1e6, 1000
		o.Ringing = traffic.Latency{Count: 1000, P50Us: p99 / 4, P99Us: p99}
		o.Faults = map[string]uint64{}
		return o
	}
	row := func(key string, runs ...traffic.Outcome) Row {
		c := findContender(key)
		return Row{Key: c.key, Name: c.name, Group: c.group, Runs: runs}
	}
	secured := run(8000, 120, 9000)
	secured.TLS, secured.TLSOut = "TLS 1.3 TLS_AES_256_GCM_SHA384", "TLS 1.3 TLS_AES_128_GCM_SHA256"
	swapped := run(10500, 95.5, 900)
	swapped.Faults["swapped"] = 12
	disturbed := run(30000, 30, 200)
	disturbed.CPUUsPerCall, disturbed.Polled = 500, true
	table := &ShardTable{}
	table.add("Viaduct lb.cfg", 2, run(31000, 32, 0))
	table.add("Viaduct lb.cfg", 1, run(30000, 31, 0))
	stoppedOne := run(4000, 30, 130)
	stoppedOne.Started, stoppedOne.Completed, stoppedOne.Abandoned, stoppedOne.PerAnswerer = 1000, 875, 125,
		[]uint64{437, 438}
	return &Results{
		Machine: Machine{
			Processor: "A processor", Kernel: "Linux 6.18 x86_64", Processors: 2, MemoryGiB: 23.5,
			SoftIRQ: "part of the process that causes it",
		},
		Commit: "0123456789ab", Date: "2026-01-02", Versions: []string{"Kamailio: version 5.6.3"},
		Missing: []string{"nothing else"},
		Config:  Config{Rounds: 2, ServerCore: 0, LoadCore: 1, Segment: true},
		Saturation: &Comparison{Args: []string{"-segment", "-concurrent", "128"}, Rows: []Row{
			row("forwarder", run(60000, 15, 0), run(62000, 16, 0)),
			row("kamailio-lb", swapped, run(10000, 100, 1000)),
			row("viaduct-lb", run(45000, 20, 150), disturbed),
		}},
		Single: &Comparison{
			Args: []string{"-concurrent", "128"},
			Rows: []Row{row("forwarder", run(60000, 15, 0)), row("viaduct-lb", run(41000, 24, 150))},
		},
		Fixed: &Comparison{
			Args: []string{"-rate", "4000"},
			Rows: []Row{row("forwarder", run(4000, 30, 40)), row("kamailio-lb", run(4000, 150, 1376)),
				row("viaduct-lb", run(4000, 45, 60))},
		},
		Keepalive: &Comparison{Args: []string{"-mode", "options"}, Rows: []Row{row("viaduct-lb", run(200000, 4.2, 0))}},
		Language: &Comparison{Args: []string{"-concurrent", "128", "-segment"},
			Rows: []Row{row("kamailio-sbc", run(5000, 180, 9000)), row("viaduct-sbc", run(30000, 32, 500))}},
		Tables: &Tables{
			Rows: []TableRow{{Name: "Viaduct table.cfg", Case: tableCases[1].name,
				Runs: []traffic.Outcome{run(300000, 3.1, 0), run(310000, 3, 0)}}},
			Gateway: TableFigures{All: 1 << 20, Most: 1_100_000, Bytes: 64 << 20},
			Brief:   TableFigures{Ended: 123_456},
			Lines:   []TableLine{{"Get/int/hit-2", "50.1 ns/op"}},
		},
		Waiting: &Waiting{Calls: 100000, Bytes: 1100, With: []traffic.Outcome{run(1000, 60, 120)},
			Alone: []traffic.Outcome{run(1000, 60, 110)}, Answered: 100000,
			AtOnceUs: []float64{9.5}, WaitUs: []float64{2.25}},
		Reloads: &Reloads{Times: 100, Within: time.Minute, With: []traffic.Outcome{run(1000, 61, 130)},
			Alone: []traffic.Outcome{run(1000, 60, 110)}, GoodMs: []float64{2, 3}, BrokenMs: []float64{4},
			LargeMs: []float64{180, 200}, LargeBytes: 480000, LargeLines: 15000},
		TCP: &Streams{
			Saturation: &Comparison{
				Args: []string{"-concurrent", "128"},
				Rows: []Row{row("kamailio-tcp", run(9000, 110, 9000)), row("viaduct-tcp", run(27000, 36, 400))},
			},
			Fixed: &Comparison{
				Args: []string{"-rate", "4000"},
				Rows: []Row{row("kamailio-tcp", run(4000, 130, 2000)), row("viaduct-tcp", run(4000, 60, 90))},
			},
		},
		TLS: &Streams{
			Saturation: &Comparison{Args: []string{"-concurrent", "128"}, Rows: []Row{row("kamailio-tls", secured)}},
			Fixed: &Comparison{Args: []string{"-rate", "4000"},
				Rows: []Row{row("kamailio-tls", run(4000, 150, 3000))}},
		},
		Shards: table,
		Spread: &Spread{Shards: 4, Busiest: 1050, Mean: 1000, HandedOff: 3, Run: run(40000, 25, 0)},
		Held: []Held{
			{Name: "Viaduct lb.cfg", Calls: 1000000, MemoryMB: 3072, ResidentBefore: 3100 << 20,
				ResidentHeld: 3110 << 20, ResidentAfter: 3110 << 20, ArenaBefore: 4096, ArenaHeld: 2000004096,
				ArenaAfter: 4096, HeapBefore: 5 << 20, HeapHeld: 5 << 20, HeapAfter: 5 << 20, Run: run(1, 1, 1)},
			{Name: "Kamailio lb.cfg", Calls: 200000, MemoryMB: 8192, ResidentBefore: 10 << 20, ResidentHeld: 3000 << 20,
				ResidentAfter: 3000 << 20, Run: run(1, 1, 1)},
		},
		Overload: []Soak{{Name: "Viaduct lb.cfg", Saturation: 30000, Rate: 45000, Seconds: 20,
			Run: run(27000, 36, 50000)}},
		Loss: []Soak{{Name: "Viaduct lb.cfg", Saturation: 30000, Rate: 24000, Seconds: 60,
			Run: run(24000, 21, 95)}},
		Rest: []Rest{{Name: "Kamailio lb.cfg", Percent: []float64{0.91, 0.93},
			SleepsPerSecond: []float64{480, 500}},
			{Name: "Viaduct lb.cfg", Percent: []float64{0.08, 0.1}, SleepsPerSecond: []float64{20, 24}}},
		Idle: []Idle{{Name: "Viaduct stateful-tcp.cfg", Asked: 100000, Tried: 19500,
			Why:            "a process may open 20000 files (RLIMIT_NOFILE, ulimit -n)",
			Counts:         trouble.IdleCounts{Asked: 19500, Open: 19400, Refused: 10, Unanswered: 20, Closed: 70},
			ResidentBefore: 600 << 20, ResidentWith: 640 << 20,
			KernelBefore: 100 << 20, KernelWith: 230 << 20, Before: run(500, 60, 110), With: run(500, 60, 130)}},
		Stuck: []Stuck{
			{Name: "Viaduct stateful-all.cfg", Trouble: "none", TCP: run(500, 60, 110), UDP: run(500, 60, 100)},
			{Name: "Viaduct stateful-all.cfg", Trouble: "no descriptor left", Detail: "of 256 connections 40 served",
				TCP: run(500, 60, 150), UDP: run(500, 60, 120)},
		},
		Stopped: []Stopped{{Name: "Viaduct lb.cfg", All: run(4000, 30, 120), One: stoppedOne}},
	}
}

func TestReportGolden(t *testing.T) {
	dir := t.TempDir()
	if err := invented().WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "BENCHMARKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "BENCHMARKS.golden")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("differs from %s; if meant, run with -update and read it:\n%s", golden, got)
	}
	// Each plot the page shows must be there.
	for _, name := range []string{"calls", "cpu", "cpu-fixed", "latency", "calls-streams", "cpu-streams"} {
		path := filepath.Join(plotFolder, name+".svg")
		if !strings.Contains(string(got), "("+path+")") {
			t.Errorf("the page does not show %s", path)
		}
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Error(err)
		}
	}
}

// A bench with nothing installed must still report.
func TestReportOfNothing(t *testing.T) {
	var s strings.Builder
	r := Results{Missing: []string{"Kamailio: not installed"}, Config: Config{Rounds: 1}}
	if err := r.Print(&s); err != nil || !strings.Contains(s.String(), "left out: Kamailio") {
		t.Errorf("%v: %s", err, s.String())
	}
	if n := len(r.charts()); n != 0 {
		t.Errorf("%d charts of nothing", n)
	}
}

func TestRatioIsPerRound(t *testing.T) {
	c := invented().Saturation
	got := c.ratio(c.row("kamailio-lb"), c.row("forwarder"), cpuPerCall)
	if want := (95.5/15 + 100.0/16) / 2; math.Abs(got-want) > 1e-9 {
		t.Errorf("ratio %g, want the median of the rounds' ratios %g", got, want)
	}
	if c.ratio(c.row("kamailio-lb"), nil, cpuPerCall) != 0 {
		t.Error("a ratio to nobody")
	}
	if c.disturbed() != 1 {
		t.Errorf("%d disturbed runs, want 1", c.disturbed())
	}
}

func TestMedian(t *testing.T) {
	f := func(want float64, v ...float64) {
		t.Helper()
		if got := median(v); got != want {
			t.Errorf("median(%v) = %g, want %g", v, got, want)
		}
	}
	f(0)
	f(3, 3)
	f(2, 3, 1)
	f(2, 9, 1, 2)
	f(2.5, 4, 1, 2, 3)
}

func TestThousands(t *testing.T) {
	f := func(v float64, digits int, want string) {
		t.Helper()
		if got := thousands(v, digits); got != want {
			t.Errorf("thousands(%g, %d) = %s, want %s", v, digits, got, want)
		}
	}
	f(0, 0, "0")
	f(999, 0, "999")
	f(1234567, 0, "1,234,567")
	f(-1234, 0, "-1,234")
	f(-123, 0, "-123")
	f(12345.67, 1, "12,345.7")
}

func TestLimitLeaving(t *testing.T) {
	f := func(want, left int, open ...int) {
		t.Helper()
		if got := limitLeaving(open, left); got != want {
			t.Errorf("limitLeaving(%v, %d) = %d, want %d", open, left, got, want)
		}
	}
	f(5, 5)
	f(8, 5, 0, 1, 2)
	f(8, 5, 2, 0, 1, 251)
	f(5, 3, 0, 1, 5)
	f(7, 3, 0, 1, 5, 4)
	f(0, 0, 0, 1, 2)
}

func TestIdleRoom(t *testing.T) {
	f := func(asked int) {
		t.Helper()
		n, why := idleRoom(asked)
		if n < 1 || n > asked || (n < asked) != (why != "") {
			t.Errorf("room for %d of %d, %q", n, asked, why)
		}
	}
	f(10)
	f(trouble.MaxConnections)
}

func TestValidate(t *testing.T) {
	good := Config{Rounds: 1, ServerCore: 0, LoadCore: 1, Peers: "../peers"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := func(name string, change func(*Config)) {
		t.Helper()
		c := good
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	bad("no rounds", func(c *Config) { c.Rounds = 0 })
	bad("one processor", func(c *Config) { c.LoadCore = 0 })
	bad("unknown scenario", func(c *Config) { c.Only = []string{"saturaton"} })
	bad("too many idle connections", func(c *Config) { c.IdleConnections = trouble.MaxConnections + 1 })
	bad("wrong folder", func(c *Config) { c.Peers = "." })
}
