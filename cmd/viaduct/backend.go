package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"viaduct/control/tlsdomains"
	"viaduct/netio/stream"
	"viaduct/shard"
	"viaduct/shard/balance"
	"viaduct/shard/route"
	"viaduct/shm"
)

const (
	// arenaDefaultMB and arenaDefaultShardMB make the default of -m: ser(8)'s 64 MB, or 16 MB a
	// shard if that is more, since the rings between shards come out of it.
	arenaDefaultMB      = 64
	arenaDefaultShardMB = 16

	// resolveTimeout bounds the look-up of one destination's host name at start.
	resolveTimeout = 5 * time.Second
)

// engineConfig is streamConfig with what is the process's.
func (p *process) engineConfig(c *Config, tls *tlsdomains.Store) stream.Config {
	streams := c.streamConfig()
	streams.Limits = p.limits
	if tls != nil {
		streams.TLS = tls
	}
	streams.Fatal = func(err error) {
		p.log.Always.Error("the event loops ended: viaduct stops, since no connection would be "+
			"served any more", "error", err)
		p.signals <- syscall.SIGTERM
	}
	return streams
}

// startShards binds and serves.
func (p *process) startShards() (*shard.Server, error) {
	c := p.config
	return shard.Start(shard.Config{
		Shards:    c.Shards,
		Listens:   c.Listens,
		Streams:   p.engineConfig(c, p.tls.Load()),
		Program:   c.Program,
		Settings:  c.Settings,
		Targets:   c.Targets,
		Resolver:  p.resolver,
		Blocklist: blocklistConfig(c.Settings),
		Arena: shm.Config{
			Bytes: int64(c.ArenaMB) << 20,
			// shm_force_alloc or not: a page fault on the packet path is worse than a second at
			// start
			Prefault:  true,
			Mlock:     c.Settings.Core.MlockPages,
			HugePages: c.HugePages,
		},
		NoSegment:  c.NoSegment,
		NoShed:     c.NoShed,
		BeforeBind: p.succeed,
		Commands:   p.command,
		Steer:      c.Steer,
		CPUs:       c.CPUs,
		Logger:     p.log.Logger,
	})
}

func (c *Config) hasDispatcher() bool {
	return slices.ContainsFunc(c.Settings.Modules, func(m route.LoadModule) bool {
		return m.Name == "dispatcher"
	})
}

// loadTargets reads the dispatcher's list if the module is loaded. It returns nil without it. A
// relative path counts from -w as in Kamailio, else from the configuration file's folder.
//
// Destinations that prev has too keep their state.
func (c *Config) loadTargets(prev *balance.Table) (*balance.Table, error) {
	if !c.hasDispatcher() {
		return nil, nil
	}
	d := &c.Settings.Dispatcher
	path := d.ListFile
	switch {
	case filepath.IsAbs(path):
	case c.WorkDir != "":
		path = filepath.Join(c.hostWorkDir(), path)
	case c.ConfigFile != "" && c.ConfigFile != "-":
		path = filepath.Join(c.configDir(), path)
	}
	config := d.List
	config.Resolver = c.lookUpHost
	table, err := balance.Load(path, config, prev)
	if errors.Is(err, fs.ErrNotExist) && d.ListOptional {
		return balance.Parse(path, nil, config, prev) // dispatcher.add fills it
	}
	if err != nil {
		return nil, err
	}
	c.Notes = append(c.Notes, table.Warnings...)
	if c.Program != nil {
		// A warning: the set may come with the next list. Until then each such call fails.
		for _, s := range c.Program.Selections() {
			if err := table.Validate(s.Set, balance.Algorithm(s.Algorithm)); err != nil {
				c.Notes = append(c.Notes, s.Pos.String()+": "+err.Error())
			}
		}
	}
	return table, nil
}

// lookUpHost resolves a destination's host name, bounded, IPv4 first.
func (c *Config) lookUpHost(host string) ([]netip.Addr, error) {
	life := c.life
	if life == nil {
		life = context.Background()
	}
	ctx, cancel := context.WithTimeout(life, resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve %s: %w", host, err)
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return addrs, nil
}
