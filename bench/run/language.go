package main

import (
	"context"
	"strconv"

	"viaduct/bench/traffic"
)

// languageFiles are the configurations of the scenario language, in bench/peers, without ".cfg":
// what a script costs that does more than to relay.
var languageFiles = []struct{ name, about string }{
	{"stock", "the statements of Kamailio's stock request_route, without registrar and database"},
	{"sbc", "some twenty statements on each message that edit headers: subst, append_hf, " +
		"remove_hf_re, $hdr, transformations"},
	{"htable", "$sht read, written and counted with each call"},
}

// language measures the files on both servers, one after the other within a round.
func language(ctx context.Context, b *bench, r *Results) error {
	var keys []string
	for _, f := range languageFiles {
		keys = append(keys, "kamailio-"+f.name, "viaduct-"+f.name)
	}
	c, err := b.compare(ctx, "language", b.field(keys...), serverOptions{steady: true},
		b.bundled("-concurrent", strconv.Itoa(callsUnderWay)))
	r.Language = c
	return err
}

func (r *Results) printLanguage(p *printer) {
	c := r.Language
	if c == nil {
		return
	}
	p.f("\n## The language\n\nSaturation with files that do more than to relay:\n\n")
	for _, f := range languageFiles {
		p.f("- `%s.cfg`: %s\n", f.name, f.about)
	}
	p.command(c.Args)
	p.table("| | calls/s | CPU µs per call | against Kamailio | processor used | lost | resent | "+
		"failed |", "|---|---|---|---|---|---|---|---|")
	for _, f := range languageFiles {
		k := c.row("kamailio-" + f.name)
		for _, row := range []*Row{k, c.row("viaduct-" + f.name)} {
			if row == nil {
				continue
			}
			share := median(row.values(func(o *traffic.Outcome) float64 { return o.ServerCPUShare }))
			p.f("| %s | %s | %s | %s | %.0f %% | %d | %d | %d |\n", row.Name,
				triple(row.values(callsPerSecond), 0), triple(row.values(cpuPerCall), 1),
				ratioText(c.ratio(row, k, cpuPerCall)), 100*share,
				row.sum(func(o *traffic.Outcome) uint64 { return o.Lost }),
				row.sum(func(o *traffic.Outcome) uint64 { return o.Retransmitted }),
				row.sum(notCompleted))
		}
	}
	p.disturbed(c)
}
