package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"viaduct/bench/plot"
	"viaduct/bench/traffic"
)

// plotFolder is where plots go, below the folder of BENCHMARKS.md.
const plotFolder = "bench/plots"

// WriteFiles writes BENCHMARKS.md and the plots it shows into dir.
func (r *Results) WriteFiles(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, plotFolder), 0o755); err != nil {
		return fmt.Errorf("cannot write the plots: %w", err)
	}
	for name, chart := range r.charts() {
		var s strings.Builder
		if err := chart.Write(&s); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, plotFolder, name+".svg"), []byte(s.String()),
			0o644); err != nil {
			return fmt.Errorf("cannot write a plot: %w", err)
		}
	}
	var s strings.Builder
	if err := r.Print(&s); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "BENCHMARKS.md"), []byte(s.String()),
		0o644); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// charts are the plots that the results allow, by file name.
func (r *Results) charts() map[string]*plot.Chart {
	charts := map[string]*plot.Chart{}
	add := func(name, title, unit, note string, digits int, c *Comparison,
		figure func(*traffic.Outcome) float64) {
		if c == nil || len(c.Rows) == 0 {
			return
		}
		chart := &plot.Chart{Title: title, Unit: unit, Note: note, Digits: digits}
		for i := range c.Rows {
			v := c.Rows[i].values(figure)
			chart.Bars = append(chart.Bars, plot.Bar{
				Name: c.Rows[i].Name, Min: lowest(v), Median: median(v), Max: highest(v),
				Group: c.Rows[i].Group,
			})
		}
		charts[name] = chart
	}
	const spread = "bar: median of the rounds; line: lowest to highest"
	add("calls", "Calls at saturation", "calls/s on one core, more is better", spread, 0,
		r.Saturation, callsPerSecond)
	add("cpu", "CPU per call at saturation", "µs, less is better", spread, 1, r.Saturation,
		cpuPerCall)
	add("cpu-fixed", "CPU per call at 4,000 calls/s", "µs, less is better", spread, 1, r.Fixed,
		cpuPerCall)
	add("latency", "INVITE→180 at 4,000 calls/s", "µs, 99th percentile, less is better", spread, 0,
		r.Fixed, ringP99)
	r.streamCharts(charts, spread)
	return charts
}

// Print writes the report as Markdown.
func (r *Results) Print(out io.Writer) error {
	p := &printer{out: out}
	p.f("# Benchmarks\n\n")
	p.f("Written by `make bench` (`bench/run`); do not edit. Absolute times depend on the " +
		"machine and the minute: compare ratios, which are taken\n")
	p.f("within one round. Figures are lowest / **median** / highest of %d round%s.\n\n",
		r.Config.Rounds, plural(r.Config.Rounds))
	if r.Config.Quick {
		p.f("**Quick form: a second or two per run. It shows that everything works and measures " +
			"nothing well.**\n\n")
	}
	p.f("- Date %s, commit %s\n", r.Date, r.Commit)
	p.f("- %s, %d processors, %.1f GiB, %s\n", r.Machine.Processor, r.Machine.Processors,
		r.Machine.MemoryGiB, r.Machine.Kernel)
	p.f("- Softirq work is %s\n", r.Machine.SoftIRQ)
	for _, v := range r.Versions {
		p.f("- %s\n", v)
	}
	for _, m := range r.Missing {
		p.f("- left out: %s\n", strings.ReplaceAll(m, "\n", " "))
	}
	p.f("\nThe call is INVITE (SDP), 180, 200 (SDP), ACK, BYE, 200 over UDP on loopback, from " +
		"eight ports to eight: six datagrams through the server, a\n")
	p.f("seventh (100) from a stateful one. The server has processor %d, the generator processor "+
		"%d. CPU is user and system time of all processes of\n", r.Config.ServerCore,
		r.Config.LoadCore)
	p.f("the server, per finished call. The configuration files in `bench/peers` run unchanged " +
		"on both servers. The raw forwarder moves the same\n")
	p.f("datagrams between the same sockets and reads nothing: the floor. At saturation and in " +
		"the section Loss a server is first filled with\n")
	p.f("finished transactions until as many end as begin: Kamailio keeps one 5 s (wt_timer), " +
		"Viaduct 32 s (64*T1).\n")
	r.printComparison(p, "Saturation", "calls", "cpu", r.Saturation, false)
	r.printComparison(p, "One by one", "", "", r.Single, false)
	r.printComparison(p, "Fixed rate", "cpu-fixed", "latency", r.Fixed, true)
	r.printLanguage(p)
	r.printTables(p)
	r.printWaiting(p)
	r.printReloads(p)
	if c := r.Keepalive; c != nil {
		p.f("\n## Keepalive\n\nOPTIONS to the server itself, answered 200 by `lb.cfg`.\n")
		p.command(c.Args)
		p.table("| | requests/s | CPU µs per request |", "|---|---|---|")
		for i := range c.Rows {
			row := &c.Rows[i]
			p.f("| %s | %s | %s |\n", row.Name, triple(row.values(callsPerSecond), 0),
				triple(row.values(cpuPerCall), 1))
		}
	}
	r.printStreams(p)
	r.printShards(p)
	r.printMemory(p)
	r.printSoak(p)
	r.printOverload(p)
	r.printStopped(p)
	r.printRest(p)
	r.printIdle(p)
	r.printStuck(p)
	r.printCommands(p)
	return p.err
}

func (r *Results) printComparison(p *printer, title, plotA, plotB string, c *Comparison,
	latency bool) {
	if c == nil {
		return
	}
	p.f("\n## %s\n", title)
	p.command(c.Args)
	switch {
	case c == r.Saturation && r.Config.Segment:
		p.f("\nThe generator bundles what it sends (UDP_SEGMENT), or it would not outrun the " +
			"servers. On one host a bundle arrives whole. Viaduct takes it so\n")
		p.f("(UDP_GRO); for the others the kernel cuts it up first, at the generator's cost.\n")
	case c == r.Single:
		p.f("\nSaturation with a generator that sends each datagram by itself (no `-segment`), " +
			"as peers across a network do whose card makes no bundles. Viaduct\n")
		p.f("still bundles what it sends.\n")
	}
	if plotA != "" {
		p.f("\n![%s](%s/%s.svg)\n![%s](%s/%s.svg)\n", plotA, plotFolder, plotA, plotB, plotFolder,
			plotB)
	}
	if latency {
		p.table("| | CPU µs per call | against the forwarder | INVITE→180 p50 µs | p99 µs | lost "+
			"| resent | swapped | failed |", "|---|---|---|---|---|---|---|---|---|")
	} else {
		p.table("| | calls/s | CPU µs per call | against the forwarder | processor used | lost | "+
			"resent | swapped | failed |", "|---|---|---|---|---|---|---|---|---|")
	}
	floor := c.row("forwarder")
	for i := range c.Rows {
		row := &c.Rows[i]
		lost := row.sum(func(o *traffic.Outcome) uint64 { return o.Lost })
		resent := row.sum(func(o *traffic.Outcome) uint64 { return o.Retransmitted })
		swapped := row.sum(func(o *traffic.Outcome) uint64 { return o.Faults["swapped"] })
		failed := row.sum(notCompleted)
		cpu, against := triple(row.values(cpuPerCall), 1),
			ratioText(c.ratio(row, floor, cpuPerCall))
		if latency {
			p.f("| %s | %s | %s | %s | %s | %d | %d | %d | %d |\n", row.Name, cpu, against,
				triple(row.values(ringP50), 0), triple(row.values(ringP99), 0), lost, resent,
				swapped, failed)
		} else {
			share := median(row.values(func(o *traffic.Outcome) float64 {
				return o.ServerCPUShare
			}))
			p.f("| %s | %s | %s | %s | %.0f %% | %d | %d | %d | %d |\n", row.Name,
				triple(row.values(callsPerSecond), 0), cpu, against, 100*share, lost, resent,
				swapped, failed)
		}
	}
	p.disturbed(c)
	p.f("\nMessages are sums over all rounds: lost ones never arrived, resent ones were sent " +
		"again for want of an answer, swapped ones overtook another\nof their call.\n")
	var lines []string
	for _, cfg := range []string{"stateless", "stateful", "lb"} {
		k, v := c.row("kamailio-"+cfg), c.row("viaduct-"+cfg)
		if k == nil || v == nil {
			continue
		}
		line := fmt.Sprintf("- `%s.cfg`: Kamailio uses %s times Viaduct's CPU per call", cfg,
			ratioText(c.ratio(k, v, cpuPerCall)))
		if latency {
			line += fmt.Sprintf("; its p99 is %s times Viaduct's",
				ratioText(c.ratio(k, v, ringP99)))
		} else {
			line += fmt.Sprintf("; Viaduct completes %s times its calls per second",
				ratioText(c.ratio(v, k, callsPerSecond)))
		}
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		p.f("\n%s\n", strings.Join(lines, "\n"))
	}
}

// printer keeps the first error.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format, args...)
	}
}

// disturbed says how many runs of c mean little.
func (p *printer) disturbed(c *Comparison) {
	if n := c.disturbed(); n > 0 {
		p.f("\n**Runs that had to share their processors with other work, and mean little: %d.**\n",
			n)
	}
}

func (p *printer) table(head, rule string) { p.f("\n%s\n%s\n", head, rule) }

func (p *printer) command(args []string) { p.f("\n    load %s\n", strings.Join(args, " ")) }

func triple(v []float64, digits int) string {
	return fmt.Sprintf("%s / **%s** / %s", thousands(lowest(v), digits),
		thousands(median(v), digits), thousands(highest(v), digits))
}

func thousands(v float64, digits int) string {
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', digits, 64), ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
}

func ratioText(v float64) string {
	if v == 0 {
		return "–"
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
