package main

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	"viaduct/control"
	"viaduct/shard/blocklist"
)

// statusReport answers "status": who we are and how we do, one object.
func (p *process) statusReport() any {
	state := "serving"
	if p.draining.Load() {
		state = "draining"
	}
	return struct {
		Name          string   `json:"name"`
		Version       string   `json:"version"`
		Commit        string   `json:"commit"`
		PID           int      `json:"pid"`
		State         string   `json:"state"` // serving, draining
		UptimeSeconds int64    `json:"uptime_seconds"`
		Shards        int      `json:"shards"`
		Listen        []string `json:"listen"`
		Steering      string   `json:"steering"`
		ArenaMB       int      `json:"arena_mb"`
		LogLinesLost  uint64   `json:"log_lines_lost"`
		GoHeapBytes   uint64   `json:"go_heap_bytes"`
	}{
		"viaduct", version, commitID(), os.Getpid(), state, int64(time.Since(p.started).Seconds()), p.config.Shards,
		p.listens(), p.server.Steering(), p.config.ArenaMB, p.log.Lost(), control.GoHeapBytes(),
	}
}

// statsReport answers "stats": the counters of every shard, the same objects that SIGUSR1 logs one
// a line.
func (p *process) statsReport() any {
	lines := control.StatsLines(p.server.Stats())
	shards := make([]json.RawMessage, len(lines))
	for i := range lines {
		shards[i] = lines[i]
	}
	all := p.commonStats()
	all["shards"] = shards
	return all
}

// commonStats are the counters of what the shards share: streams, names, the blacklist.
func (p *process) commonStats() map[string]any {
	all := map[string]any{"dns": p.resolver.Stats()}
	if engine := p.server.Streams(); engine != nil {
		all["tcp"] = control.StreamCounters(engine)
	}
	if list := p.server.Blocklist(); list != nil {
		counts, _ := list.StatsGet(blocklist.AllStats, false)
		all["dst_blocklist"] = counts
	}
	return all
}

// listens are the addresses as bound, "udp:127.0.0.1:5060".
func (p *process) listens() (all []string) {
	for _, l := range p.server.Listeners() {
		all = append(all, strings.ToLower(l.Proto.String())+":"+l.Addr.AddrPort().String())
	}
	return all
}
