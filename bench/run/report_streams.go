package main

import (
	"fmt"

	"viaduct/bench/plot"
	"viaduct/bench/traffic"
)

// streamCharts adds the plots of the calls over TCP and TLS.
func (r *Results) streamCharts(charts map[string]*plot.Chart, note string) {
	add := func(name, title, unit string, digits int, pick func(*Streams) *Comparison,
		figure func(*traffic.Outcome) float64) {
		chart := &plot.Chart{Title: title, Unit: unit, Note: note, Digits: digits}
		for _, s := range []*Streams{r.TCP, r.TLS} {
			if s == nil || pick(s) == nil {
				continue
			}
			rows := pick(s).Rows
			for i := range rows {
				v := rows[i].values(figure)
				chart.Bars = append(chart.Bars, plot.Bar{
					Name: rows[i].Name, Min: lowest(v), Median: median(v), Max: highest(v),
					Group: rows[i].Group,
				})
			}
		}
		if len(chart.Bars) > 0 {
			charts[name] = chart
		}
	}
	saturation := func(s *Streams) *Comparison { return s.Saturation }
	fixed := func(s *Streams) *Comparison { return s.Fixed }
	add("calls-streams", "Calls at saturation over TCP and TLS",
		"calls/s on one core, more is better", 0, saturation, callsPerSecond)
	add("cpu-streams", "CPU per call at 4,000 calls/s over TCP and TLS", "µs, less is better", 1,
		fixed, cpuPerCall)
}

func (r *Results) printStreams(p *printer) {
	if r.TCP == nil && r.TLS == nil {
		return
	}
	p.f("\n## TCP and TLS\n\nThe same call over connections: one from each of eight caller " +
		"ports, and those the server opens to eight answerers. Over TLS every connection\n")
	p.f("makes a full handshake, before the window opens, with an ECDSA P-256 certificate made " +
		"for the run. No message is sent twice by a caller here\n")
	p.f("(RFC 3261 §17.1.1.2); an answerer repeats its 200 until the ACK comes.\n")
	p.f("\n![calls](%s/calls-streams.svg)\n![cpu](%s/cpu-streams.svg)\n", plotFolder, plotFolder)
	for _, s := range []struct {
		name string
		key  string
		*Streams
	}{{"TCP", "tcp", r.TCP}, {"TLS", "tls", r.TLS}} {
		if s.Streams == nil {
			continue
		}
		p.f("\n### %s\n", s.name)
		printAgreed(p, s.Saturation)
		r.printStreamRows(p, s.key, s.Saturation, false)
		r.printStreamRows(p, s.key, s.Fixed, true)
	}
}

// printAgreed says what each server's connections used: the choice is the server's, and suites do
// not cost the same.
func printAgreed(p *printer, c *Comparison) {
	if c == nil {
		return
	}
	for i := range c.Rows {
		if row := &c.Rows[i]; len(row.Runs) > 0 && row.Runs[0].TLS != "" {
			p.f("\n- %s: %s with callers, %s with answerers", row.Name, row.Runs[0].TLS,
				row.Runs[0].TLSOut)
		}
	}
	p.f("\n")
}

func (r *Results) printStreamRows(p *printer, key string, c *Comparison, latency bool) {
	if c == nil {
		return
	}
	p.command(append([]string{"-transport", key}, c.Args...))
	if latency {
		p.table("| | CPU µs per call | INVITE→180 p50 µs | p99 µs | lost | resent | swapped | "+
			"failed | connections lost |", "|---|---|---|---|---|---|---|---|---|")
	} else {
		p.table("| | calls/s | CPU µs per call | processor used | lost | resent | swapped | "+
			"failed | connections lost |", "|---|---|---|---|---|---|---|---|---|")
	}
	for i := range c.Rows {
		row := &c.Rows[i]
		cpu := triple(row.values(cpuPerCall), 1)
		if latency {
			p.f("| %s | %s | %s | %s |", row.Name, cpu, triple(row.values(ringP50), 0),
				triple(row.values(ringP99), 0))
		} else {
			share := median(row.values(func(o *traffic.Outcome) float64 {
				return o.ServerCPUShare
			}))
			p.f("| %s | %s | %s | %.0f %% |", row.Name, triple(row.values(callsPerSecond), 0), cpu,
				100*share)
		}
		p.f(" %d | %d | %d | %d | %d |\n", row.sum(func(o *traffic.Outcome) uint64 {
			return o.Lost
		}), row.sum(func(o *traffic.Outcome) uint64 { return o.Retransmitted }),
			row.sum(func(o *traffic.Outcome) uint64 {
				return o.Faults["swapped"]
			}), row.sum(notCompleted), row.sum(func(o *traffic.Outcome) uint64 {
				return o.Sockets.Closed
			}))
	}
	p.disturbed(c)
	k, v := c.row("kamailio-"+key), c.row("viaduct-"+key)
	if k == nil || v == nil {
		return
	}
	line := fmt.Sprintf("Kamailio uses %s times Viaduct's CPU per call",
		ratioText(c.ratio(k, v, cpuPerCall)))
	if latency {
		line += fmt.Sprintf("; its p99 is %s times Viaduct's", ratioText(c.ratio(k, v, ringP99)))
	} else {
		line += fmt.Sprintf("; Viaduct completes %s times its calls per second",
			ratioText(c.ratio(v, k, callsPerSecond)))
	}
	p.f("\n%s.\n", line)
}
