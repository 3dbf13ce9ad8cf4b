package main

import (
	"strings"

	"viaduct/bench/traffic"
)

func (r *Results) printShards(p *printer) {
	if t := r.Shards; t != nil {
		p.f("\n## Shards\n\n`lb.cfg` with `-n` shards (Kamailio: children), server on both " +
			"processors, generator on one of them: what sharding costs where\n")
		p.f("there are fewer processors than shards, not how far it scales. %d calls under way "+
			"for each shard: a\n", callsUnderWay)
		p.f("batch is what has arrived meanwhile, and shards that share few calls have none. The " +
			"generator sleeps between messages and does not\n")
		p.f("bundle them, and the servers warm up for %d s, so compare with no other table.\n",
			int(statefulWarmup.Seconds()))
		p.table("| | -n | calls/s | CPU µs per call | swapped | failed |",
			"|---|---|---|---|---|---|")
		for i := range t.Rows {
			s := &t.Rows[i]
			row := Row{Runs: s.Runs}
			p.f("| %s | %d | %s | %s | %d | %d |\n", s.Name, s.Shards,
				triple(row.values(callsPerSecond), 0), triple(row.values(cpuPerCall), 1),
				row.sum(func(o *traffic.Outcome) uint64 {
					return o.Faults["swapped"]
				}), row.sum(notCompleted))
		}
	}
	if s := r.Spread; s != nil {
		p.f("\n## One source port\n\nAll calls from one port against %d shards of Viaduct. The "+
			"busiest shard worked on %s messages, the mean is %s: **%.3f** times.\n",
			s.Shards, thousands(s.Busiest, 0), thousands(s.Mean, 0), s.Busiest/s.Mean)
		p.f("%s messages were handed from one shard to another; %s calls/s; lost %d, resent %d, "+
			"swapped %d.\n", thousands(float64(s.HandedOff), 0),
			thousands(s.Run.CallsPerSecond, 0), s.Run.Lost, s.Run.Retransmitted,
			s.Run.Faults["swapped"])
	}
}

func (r *Results) printMemory(p *printer) {
	if len(r.Held) == 0 {
		return
	}
	p.f("\n## Memory\n\nINVITE transactions opened, left ringing, then ended by CANCEL. `lb.cfg` " +
		"with `fr_inv_timer` raised. Before / held / after.\n")
	p.table("| | transactions | resident MiB | arena bytes | Go heap MiB | bytes per transaction "+
		"| failed |", "|---|---|---|---|---|---|---|")
	for i := range r.Held {
		h := &r.Held[i]
		arena, heap := "–", "–"
		if h.ArenaHeld > 0 {
			arena = thousands(float64(h.ArenaBefore), 0) + " / " +
				thousands(float64(h.ArenaHeld), 0) + " / " + thousands(float64(h.ArenaAfter), 0)
		}
		if h.HeapHeld > 0 {
			heap = thousands(mb(int64(h.HeapBefore)), 1) + " / " +
				thousands(mb(int64(h.HeapHeld)), 1) + " / " + thousands(mb(int64(h.HeapAfter)), 1)
		}
		p.f("| %s, -m %d | %s | %s / %s / %s | %s | %s | %s | %d |\n", h.Name, h.MemoryMB,
			thousands(float64(h.Calls), 0), thousands(mb(h.ResidentBefore), 0),
			thousands(mb(h.ResidentHeld), 0), thousands(mb(h.ResidentAfter), 0), arena, heap,
			thousands(h.perCall(), 0), notCompleted(&h.Run))
	}
	p.f("\nResident is VmRSS; for several processes the sum of their shares. Viaduct touches its " +
		"arena at the start, so it does not grow.\n")
	for i := range r.Held {
		h := &r.Held[i]
		if h.ArenaHeld == 0 {
			continue
		}
		verdict := "returned to the byte"
		if h.ArenaAfter != h.ArenaBefore {
			verdict = "**not** returned in full: " +
				thousands(float64(h.ArenaAfter)-float64(h.ArenaBefore), 0) + " bytes remain"
		}
		p.f("%s: the arena was %s.\n", h.Name, verdict)
	}
}

func (r *Results) printSoak(p *printer) {
	if len(r.Loss) == 0 {
		return
	}
	p.f("\n## Loss\n\nAt 80 %% of the saturation measured just before, on the same process and " +
		"in the same way.\n")
	p.table("| | calls/s | for | calls | lost | resent | duplicated | swapped | failed | "+
		"INVITE→180 p99 µs |", "|---|---|---|---|---|---|---|---|---|---|")
	for i := range r.Loss {
		s := &r.Loss[i]
		p.f("| %s | %s | %.0f s | %s | %d | %d | %d | %d | %d | %s |\n", s.Name,
			thousands(s.Rate, 0), s.Seconds, thousands(float64(s.Run.Started), 0), s.Run.Lost,
			s.Run.Retransmitted, s.Run.Duplicated, s.Run.Faults["swapped"], notCompleted(&s.Run),
			thousands(s.Run.Ringing.P99Us, 0))
	}
}

func (r *Results) printOverload(p *printer) {
	if len(r.Overload) == 0 {
		return
	}
	p.f("\n## Overload\n\n%g times the saturation measured just before, on the same process; the "+
		"generator bundles nothing and gives calls up after 8 s. Refused is 503.\n", overloadFactor)
	p.table("| | offered calls/s | for | completed calls/s | of saturation | refused | lost | "+
		"resent | given up | INVITE→180 p99 µs |", "|---|---|---|---|---|---|---|---|---|---|")
	for i := range r.Overload {
		s := &r.Overload[i]
		p.f("| %s | %s | %.0f s | %s | %.0f %% | %d | %d | %d | %d | %s |\n", s.Name,
			thousands(s.Rate, 0), s.Seconds, thousands(s.Run.CallsPerSecond, 0),
			100*s.Run.CallsPerSecond/max(s.Saturation, 1), s.Run.Finals[503], s.Run.Lost,
			s.Run.Retransmitted, s.Run.Abandoned+s.Run.Unfinished,
			thousands(s.Run.Ringing.P99Us, 0))
	}
}

func (r *Results) printStopped(p *printer) {
	if len(r.Stopped) == 0 {
		return
	}
	p.f("\n## A stopped destination\n\n4,000 calls/s over eight destinations; one is a process " +
		"of its own and in the second run is stopped (SIGSTOP) a second after\n")
	p.f("the calls began. `lb.cfg` does not probe, so the calls sent there are lost: the " +
		"question is what the others notice.\n")
	p.table("| | p99 INVITE→180 µs, all answering | one stopped | not completed | sent to the "+
		"stopped one | lost elsewhere |", "|---|---|---|---|---|---|")
	for i := range r.Stopped {
		s := &r.Stopped[i]
		p.f("| %s | %s | %s | %d of %d | %d | %d |\n", s.Name, thousands(s.All.Ringing.P99Us, 0),
			thousands(s.One.Ringing.P99Us, 0), s.notCompleted(), s.One.Started,
			s.expected(), s.One.Lost)
	}
}

func (r *Results) printCommands(p *printer) {
	p.f("\n## Commands\n\nThe whole page:\n\n    make bench\n\n"+
		"The servers, in `bench/peers`, pinned to processor %d:\n\n", r.Config.ServerCore)
	for _, c := range []contender{contenders[0], findContender("kamailio-lb"),
		findContender("viaduct-lb"), findContender("kamailio-tcp"), findContender("viaduct-tcp")} {
		program := [...]string{kindForwarder: "forwarder", kindKamailio: "kamailio",
			kindViaduct: "viaduct"}[c.kind]
		p.f("    %s %s\n", program, strings.Join(c.arguments(serverOptions{dir: "$PWD"}), " "))
	}
	p.f("\nWhere it is filled with finished transactions first, Viaduct has `-m %d`.\n",
		viaductFullMB)
	p.f("\nThe generator alone, against a server on %s:\n\n"+
		"    go run ./bench/load -concurrent %d\n    go run ./bench/load -rate %d\n", serverAddress,
		callsUnderWay, fixedRate)
}

func findContender(key string) contender {
	for _, c := range contenders {
		if c.key == key {
			return c
		}
	}
	panic("BUG: no contender " + key)
}
