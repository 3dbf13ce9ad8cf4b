package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"viaduct/control"
	"viaduct/shard"
	"viaduct/shard/blocklist"
)

// statusReport answers "status": who we are and how we do, one object.
func (p *process) statusReport() any {
	state := "serving"
	if p.draining.Load() {
		state = "draining"
	}
	programs := p.server.Programs()
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
		Program       string   `json:"program"`       // its hash
		ProgramsKept  int      `json:"programs_kept"` // earlier ones, for transactions they began
		LogLinesLost  uint64   `json:"log_lines_lost"`
		GoHeapBytes   uint64   `json:"go_heap_bytes"`
	}{
		"viaduct", version, commitID(), os.Getpid(), state, int64(time.Since(p.started).Seconds()),
		p.config.Shards,
		p.listens(), p.server.Steering(), p.config.ArenaMB, fmt.Sprintf("%016x", programs[0]),
		len(programs) - 1, p.log.Lost(), control.GoHeapBytes(),
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

// commonStats are the counters of what the shards share: streams, names, the blacklist, the kernel
// program that steers datagrams.
func (p *process) commonStats() map[string]any {
	all := map[string]any{"dns": p.resolver.Stats()}
	if engine := p.server.Streams(); engine != nil {
		all["tcp"] = control.StreamCounters(engine)
	}
	if list := p.server.Blocklist(); list != nil {
		counts, _ := list.StatsGet(blocklist.AllStats, false)
		all["dst_blocklist"] = counts
	}
	if n, err := p.server.SteerStats(); err == nil {
		all["steering"] = map[string]uint64{"steered": n.Steered, "no_key": n.NoKey,
			"no_slot": n.NoSlot}
	}
	return all
}

// statistics are the counters under Kamailio's names, the memory of call state, the counters of the
// modules that are loaded, and all of ours as group viaduct. Shards are added up.
func (p *process) statistics() (all []control.Statistic) {
	shards := p.server.Stats()
	sum := func(name string) (n uint64) {
		for i := range shards {
			n += shards[i].Value(name)
		}
		return n
	}
	for i := range shard.Statistics {
		x := &shard.Statistics[i]
		n := p.server.Statistic(x)
		if x.Name == "failed_dns_request" {
			n = p.resolver.Stats().Failed
		}
		all = append(all, control.Statistic{Group: x.Group, Name: x.Name, Value: n})
	}
	for _, k := range p.server.Program().Counters() {
		all = append(all, control.Statistic{Group: k.Module, Name: k.Name, Value: sum(k.String())})
	}
	for _, c := range shards[0].Counters {
		if !strings.Contains(c.Name, ":") {
			all = append(all, control.Statistic{Group: "viaduct", Name: c.Name, Value: sum(c.Name)})
		}
	}
	return all
}

// transactionReport answers "tm.stats": the counters of transactions under Kamailio's names. Those
// that wait are answered.
func (p *process) transactionReport() any {
	shards := p.server.Stats()
	sum := func(name string) (n uint64) {
		for i := range shards {
			n += shards[i].Value(name)
		}
		return n
	}
	current, open := sum("transactions"), sum("transactions_unanswered")
	own := sum("replies_own")
	return struct {
		Current      uint64 `json:"current"`
		Waiting      uint64 `json:"waiting"`
		Total        uint64 `json:"total"`
		TotalLocal   uint64 `json:"total_local"`
		RplReceived  uint64 `json:"rpl_received"`
		RplGenerated uint64 `json:"rpl_generated"`
		RplSent      uint64 `json:"rpl_sent"`
		Final6       uint64 `json:"6xx"`
		Final5       uint64 `json:"5xx"`
		Final4       uint64 `json:"4xx"`
		Final3       uint64 `json:"3xx"`
		Final2       uint64 `json:"2xx"`
		Created      uint64 `json:"created"`
		Freed        uint64 `json:"freed"`
		DelayedFree  uint64 `json:"delayed_free"`
	}{current, current - min(open, current), sum("transactions_created"), sum("transactions_local"),
		sum("replies"), own, own + sum("replies_forwarded"), sum("final_6xx"), sum("final_5xx"),
		sum("final_4xx"), sum("final_3xx"), sum("final_2xx"), sum("transactions_created"),
		sum("transactions_freed"), 0}
}

// listens are the addresses as bound, "udp:127.0.0.1:5060".
func (p *process) listens() (all []string) {
	for _, l := range p.server.Listeners() {
		all = append(all, strings.ToLower(l.Proto.String())+":"+l.Addr.AddrPort().String())
	}
	return all
}
