package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"viaduct/control"
	"viaduct/control/exposition"
	"viaduct/shard"
	"viaduct/shard/balance"
	"viaduct/shm"
)

// metricsRoom keeps the memory of an answer for the next one: growing it from nothing was a fifth
// of the work.
var metricsRoom = sync.Pool{New: func() any { return new(exposition.Writer) }}

// serveMetrics answers Prometheus.
func (p *process) serveMetrics(out http.ResponseWriter, _ *http.Request) {
	w := metricsRoom.Get().(*exposition.Writer)
	defer metricsRoom.Put(w)
	w.Reset()
	p.writeMetrics(w)
	out.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = out.Write(w.Bytes()) // its end is the client's affair
}

// writeMetrics writes what there is to measure. Each word is read whole, and nobody is stopped.
func (p *process) writeMetrics(w *exposition.Writer) {
	one := func(name, help string, v float64) {
		w.Family(name, exposition.Gauge, help)
		w.Value(v)
	}
	w.Family("viaduct_info", exposition.Gauge, "what runs; always 1")
	w.Value(1, "version", version, "commit", commitID(), "go", runtime.Version())
	one("viaduct_start_time_seconds", "when the process began, since 1970",
		float64(p.started.UnixMilli())/1000)
	draining := 0.0
	if p.draining.Load() {
		draining = 1
	}
	one("viaduct_draining", "whether new calls are turned away, since the process ends", draining)
	one("viaduct_log_lines_lost", "lines that the log did not take", float64(p.log.Lost()))
	one("viaduct_go_heap_bytes", "what Go objects take; call state is not among them",
		float64(control.GoHeapBytes()))
	used, total := p.server.ArenaBytes()
	w.Family("viaduct_arena_bytes", exposition.Gauge, "memory of call state")
	w.Value(float64(used), "state", "used")
	w.Value(float64(total-used), "state", "free")

	p.shardMetrics(w)
	p.destinationMetrics(w)
	stats := p.commonStats()
	for _, group := range slices.Sorted(maps.Keys(stats)) {
		groupMetrics(w, group, stats[group])
	}
	written := map[string]bool{} // scripts name statistics as they like, and two may become one
	for _, s := range p.statistics() {
		name := "kamailio_" + exposition.Name(s.Group+"_"+s.Name)
		if s.Group == "viaduct" || written[name] {
			continue
		}
		written[name] = true
		w.Family(name, exposition.Untyped, "Kamailio's statistic "+s.Group+":"+s.Name)
		w.Value(float64(s.Value))
	}
}

// shardMetrics writes the counters of the shards.
func (p *process) shardMetrics(w *exposition.Writer) {
	shards := p.server.Stats()
	number := make([]string, len(shards))
	for i := range shards {
		number[i] = strconv.Itoa(i)
	}
	scripts := false
	for _, c := range p.server.Counted() {
		module, name, ofModule := strings.Cut(c.Name, ":")
		switch {
		case ofModule && !scripts:
			scripts = true
			w.Family("viaduct_module_total", exposition.Counter, "what a module counts, and what "+
				"scripts count with modules statistics and counters")
		case ofModule:
		case c.Gauge:
			w.Family("viaduct_"+c.Name, exposition.Gauge, c.Help)
		default:
			w.Family("viaduct_"+c.Name+"_total", exposition.Counter, c.Help)
		}
		for i := range shards {
			v := float64(shards[i].Value(c.Name)) // by name: a reload may have come in between
			if ofModule {
				w.Value(v, "module", module, "counter", name, "shard", number[i])
			} else {
				w.Value(v, "shard", number[i])
			}
		}
	}
	by := func(name, help, label string, counts func(s *shard.ShardStats) map[string]uint64) {
		w.Family("viaduct_"+name+"_total", exposition.Counter, help)
		for i := range shards {
			all := counts(&shards[i])
			for _, k := range slices.Sorted(maps.Keys(all)) {
				w.Value(float64(all[k]), label, k, "shard", number[i])
			}
		}
	}
	by("dropped", "messages that got no answer, by reason", "reason",
		func(s *shard.ShardStats) map[string]uint64 { return s.Dropped })
	by("refused", "requests that an error of ours answered before the routing program saw them, by "+
		"reason", "reason", func(s *shard.ShardStats) map[string]uint64 { return s.Refused })
	by("requests_by_method", "requests received, by method", "method",
		func(s *shard.ShardStats) map[string]uint64 { return s.Requests })
	by("responses_by_status", "responses received, by status", "status",
		func(s *shard.ShardStats) map[string]uint64 { return s.Responses })
	latencyMetrics(w, shards, number)
	by("failed", "final responses of 300 and more that were made here, by status and cause", "cause",
		func(s *shard.ShardStats) map[string]uint64 { return s.Failed })
	by("branches_failed", "branches that failed, by status and cause", "cause",
		func(s *shard.ShardStats) map[string]uint64 { return s.BranchesFailed })
}

// latencyMetrics writes the histograms of the shards, whose names are in number.
func latencyMetrics(w *exposition.Writer, shards []shard.ShardStats, number []string) {
	for _, l := range shard.Latencies {
		w.Family("viaduct_"+l.Name+"_seconds", exposition.Histogram, l.Help)
		unit := l.Unit.Seconds()
		var bounds []float64
		for i := range shm.HistogramBuckets - 1 {
			bounds = append(bounds, float64(shm.Bound(i))*unit)
		}
		for i := range shards {
			h := shards[i].Latencies[l.Name]
			w.Histogram(bounds, h.Counts[:], float64(h.Sum)*unit, "shard", number[i])
		}
	}
}

// destinationMetrics writes the state of each destination of the dispatcher's list.
func (p *process) destinationMetrics(w *exposition.Writer) {
	table := p.server.Targets()
	if table == nil || len(table.Targets()) == 0 {
		return
	}
	type figure struct {
		name string
		kind exposition.Kind
		help string
	}
	all := [...]figure{
		{"usable", exposition.Gauge, "whether new calls may go there"},
		{"disabled", exposition.Gauge, "whether an operator has taken it out"},
		{"calls", exposition.Gauge, "calls under way that algorithm 10 counts"},
		{"latency_seconds", exposition.Gauge, "estimated time that it takes to answer a probe"},
		{"probes_answered_total", exposition.Counter, "probes that it answered"},
		{"probes_timed_out_total", exposition.Counter, "probes that it did not answer"},
	}
	for n, f := range all {
		w.Family("viaduct_destination_"+f.name, f.kind, f.help)
		for _, t := range table.Targets() {
			state, latency := t.State(), t.Latency()
			v := [...]float64{is(state.Usable()), is(state&balance.Disabled != 0), float64(t.Load()),
				latency.EstMs / 1000, float64(latency.Answers), float64(latency.Timeouts)}
			w.Value(v[n], "set", strconv.Itoa(t.SetID), "uri", t.URI, "duid", t.Attrs.DUID)
		}
	}
}

func is(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// groupMetrics writes the counters of one of what the shards share, as docs/counters.md and
// docs/streams.md have them. The gauges are those of connections: established, and what begins with
// current.
func groupMetrics(w *exposition.Writer, group string, counts any) {
	b, err := json.Marshal(counts)
	if err != nil {
		panic("BUG: counters of " + group + " are no JSON: " + err.Error())
	}
	var all map[string]any
	if json.Unmarshal(b, &all) != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		full, kind := "viaduct_"+group+"_"+exposition.Name(name), exposition.Gauge
		help := name + " of " + group + ", see docs/counters.md"
		if !strings.HasPrefix(name, "current") && name != "established" {
			full, kind = strings.TrimSuffix(full, "_cnt")+"_total", exposition.Counter
		}
		switch v := all[name].(type) {
		case float64:
			w.Family(full, kind, help)
			w.Value(v)
		case map[string]any:
			w.Family(full, kind, help)
			for _, reason := range slices.Sorted(maps.Keys(v)) {
				if n, ok := v[reason].(float64); ok {
					w.Value(n, "reason", reason)
				}
			}
		}
	}
}
