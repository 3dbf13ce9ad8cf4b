package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"viaduct/control"
	"viaduct/control/tlsdomains"
	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard"
	"viaduct/shard/balance"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shm"
)

// Limits of the command line.
const (
	// sourceMaxBytes is the longest configuration file. Real ones have some hundred KB; this keeps
	// an endless one (a device, a pipe that never closes) from filling the memory.
	sourceMaxBytes = 16 << 20

	// arenaMaxMB is the largest -m (ser(8)'s descendants refuse more: 16 TiB).
	arenaMaxMB = 16777216

	// arenaLeastMB and arenaLeastShardMB are the least -m: what all shards share (rings, counters,
	// the blocklist), and what each needs so that new calls never take the room that requests of
	// calls in progress need (proxy.LeastArenaBytes).
	arenaLeastMB      = 1
	arenaLeastShardMB = proxy.LeastArenaBytes >> 20
	// shardsMax bounds -n.
	shardsMax = shard.MaxShards
)

// Config is everything the process needs to start, after the command line has overridden the
// configuration file. What concerns the handling of messages stays in Settings.
type Config struct {
	// ConfigFile is the routing program's file; "" means the built-in one, "-" standard input.
	ConfigFile string
	// Settings are the file's globals and module parameters with the command line's overrides;
	// never nil after configure.
	Settings *route.Settings
	// Program is the compiled routing program; never nil after configure without errors.
	Program *route.Program
	// Survey is what the configuration uses; nil unless it is only checked.
	Survey *route.Survey

	// Targets are the destination sets, nil for none.
	Targets *balance.Table
	// Listens are the addresses to bind for datagrams, Streams those for connections, expanded and
	// each there once; both empty is refused.
	Listens []netio.ListenConfig
	Streams []stream.Listen
	// Shards is the number of event loops, 1..shardsMax; 0 is refused (the default is the number of
	// usable CPUs).
	Shards int
	// CPUs are the processors shards are pinned to, round robin; empty means no pinning.
	CPUs []int
	// ArenaMB is the size of the memory for call state in MB of 2²⁰ bytes, 1..arenaMaxMB, and at
	// least arenaLeastMB and arenaLeastShardMB for each shard; 0 is refused.
	ArenaMB int
	// Steer says whether the kernel chooses the shard of a datagram. Zero means if it can.
	Steer netio.SteerMode
	// NoSegment sends each datagram by itself. If false, those to one destination leave together
	// where the kernel can cut them up, and are received so where they arrive so.
	NoSegment bool
	// NoShed takes new calls under overload as well. If false, some are refused.
	NoShed bool
	// HugePages says whether the arena asks for huge pages. Zero means no; the default is to try.
	HugePages shm.HugeMode

	// Foreground keeps the process where it was started. If false, it
	// becomes a daemon.
	Foreground bool
	// LogStderr logs to standard error, else to syslog.
	LogStderr bool
	// LogDebug is the log level in Kamailio's numbers, see control.SlogLevel. Zero means
	// warnings and errors.
	LogDebug int
	// LogIdent and LogFacility are syslog's name and facility of this process; "" means viaduct,
	// LOG_DAEMON.
	LogIdent, LogFacility string
	// LogForm and LogTo are how the log is written, and where it goes (--log).
	LogForm control.LogForm
	LogTo   string

	// User and Group are what the process becomes after binding, name or number; "" means stays.
	User, Group string
	// Chroot is the new root folder after binding; "" means none.
	Chroot string
	// WorkDir is the working folder, inside Chroot; "" means / for a daemon or in a chroot, else
	// unchanged.
	WorkDir string
	// PIDFile, FIFO and Socket are paths inside Chroot, relative ones from WorkDir; "" means none.
	PIDFile, FIFO, Socket string
	// GroupFile is the same for the number of the process group.
	GroupFile string
	// ExitTimeout bounds the draining of calls under way at a stop; 0 means stop at once.
	ExitTimeout time.Duration

	// entered: it is a reload, and the process has done with chroot and working folder
	entered bool
	life    context.Context // then: that of the process; look-ups end with it
	// then: the folder that relative paths count from, "" for where we are
	home string
	tls  *tlsdomains.Store // as read for the check, nil if there are no TLS domains

	// Notes are what an operator should know though the start goes on: settings without effect,
	// addresses not served.
	Notes []string
}

// Validate gives everything that is out of range. Names (users, hosts, interfaces) were resolved
// before, addresses are bound later.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Settings != nil && c.Program != nil, "no routing program")
	check(len(c.Listens)+len(c.Streams) > 0,
		"no address to listen on: give one with -l udp:address or listen=udp:address")
	check(c.Shards >= 1 && c.Shards <= shardsMax, "out of limits number of shards: %d (1..%d)",
		c.Shards, shardsMax)
	check(c.ArenaMB >= 1 && c.ArenaMB <= arenaMaxMB,
		"out of limits shmem size number: %d (1..%d MB)", c.ArenaMB, arenaMaxMB)
	least := arenaLeastMB + arenaLeastShardMB*c.Shards
	check(c.ArenaMB >= least,
		"%d MB are too little for -n %d: write at least -m %d (%d MB, and %d a shard, of which "+
			"one is kept for requests of calls in progress), or a smaller -n",
		c.ArenaMB, c.Shards, least, arenaLeastMB, arenaLeastShardMB)
	if c.Program != nil {
		tables := int((c.Program.ArenaBytes() + 1<<20 - 1) >> 20)
		check(tables == 0 || c.ArenaMB < least || c.ArenaMB >= least+tables,
			"the tables of the file take %d MB of the %d MB of -m, beside which calls need %d: "+
				"write at least -m %d, or give the tables fewer entries", tables, c.ArenaMB, least,
			least+tables)
	}
	check(c.ExitTimeout >= 0, "exit_timeout is negative: %s", c.ExitTimeout)
	if err := control.CheckSocketPath(c.Socket); err != nil {
		errs = append(errs, err)
	}
	if s := c.Settings; s != nil {
		for _, at := range s.Control.Sockets {
			if err := control.CheckSocketPath(at.Address); err != nil {
				errs = append(errs, err)
			}
		}
		if s.Control.HTTP != "" {
			if err := control.CheckHTTP(s.Control.HTTP); err != nil {
				errs = append(errs, err)
			}
		}
		d := &s.Control.Documents
		if err := control.CheckSocketPath(d.Datagram.Address); err != nil {
			errs = append(errs, err)
		}
		if err := control.CheckFIFOPath(d.FIFO.Address); err != nil {
			errs = append(errs, err)
		}
	}
	if err := control.CheckFIFOPath(c.FIFO); err != nil {
		errs = append(errs, err)
	}
	for _, l := range c.Listens {
		check(l.RecvBufferBytes >= 0, "receive buffer cap is negative: %d", l.RecvBufferBytes)
	}
	return errors.Join(errs...)
}
