package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"

	"viaduct/control"
)

// features is what every build serves.
var features = []string{"UDP", "TCP", "TLS", "WS", "WSS", "IPv6", "REUSEPORT", "EPOLL",
	"UDP_SEGMENT", "DNS_CACHE", "DNS_FAILOVER", "NAPTR", "DST_BLOCKLIST", "HUGE_PAGES"}

// told is what the commands core.* tell of the process.
func (p *process) told() *control.Process {
	return &control.Process{
		Name: "viaduct", Version: version, Commit: commitID(), Compiler: runtime.Version(),
		Features: features, Started: p.started,
		Modules: func() (all []string) {
			for _, m := range p.server.Settings().Modules {
				all = append(all, m.Name)
			}
			return all
		},
		Defines: p.defines, Sockets: p.sockets, Aliases: p.aliases,
		Threads: func() (all []control.Thread) {
			for i, id := range p.server.Threads() {
				all = append(all, control.Thread{ID: id, What: fmt.Sprintf("shard %d", i)})
			}
			return all
		},
		Memory: p.server.ArenaBytes,
	}
}

func (p *process) defines() (all []control.Define) {
	names := p.server.Program().Defines()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		v := names[name]
		all = append(all, control.Define{Name: name, Value: v, HasValue: v != ""})
	}
	return all
}

func (p *process) sockets() (all []control.Socket) {
	for _, l := range p.server.Listeners() {
		if l.Gone {
			continue
		}
		at := l.Addr.AddrPort()
		all = append(all, control.Socket{Proto: string(l.Proto.Lower()), Address: at.Addr().String(),
			Port: at.Port(), Multicast: at.Addr().IsMulticast(),
			MultiHomed: p.server.Settings().Core.MHomed})
	}
	return all
}

func (p *process) aliases() (all []control.Name) {
	for _, a := range p.server.Settings().Core.Alias {
		all = append(all, control.Name{Proto: transportName(a.Transport), Host: a.Host, Port: a.Port})
	}
	return all
}
