package shard

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/shard/balance"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shm"
)

// Config is what a Server is made of.
type Config struct {
	Shards  int                  // 1 to MaxShards
	Listens []netio.ListenConfig // of datagrams
	// of connections, of which its Listeners count; at least one of either. The server fills in
	// numbers, owner and bells
	Streams  stream.Config
	Program  *route.Program
	Settings *route.Settings
	Targets  *balance.Table // nil means no destination sets
	Resolver proxy.Resolver // nil means names lead nowhere
	// Blocklist is what the destination blacklist is to do; nil means there is none, and it cannot
	// be switched on.
	Blocklist *blocklist.Config
	Arena     shm.Config      // Bytes at least; Shards and Layout are filled in here
	Steer     netio.SteerMode // of datagrams to their owner by the kernel
	// NoSegment sends each datagram by itself even where several could leave together
	// (UDP_SEGMENT), and receives each by itself (UDP_GRO).
	NoSegment bool
	// NoShed handles every new call, however long the queues of the sockets are; false means that
	// in overload some are refused, so that the others succeed.
	NoShed bool
	// Commands calls those of operators, for programs that do; nil means there are none.
	Commands command.Caller
	// BeforeBind is called when all but the sockets is there; an error of its ends the start. nil
	// means nothing is to be done.
	BeforeBind func() error
	// shards are pinned to these in turn; empty means those this process may use
	CPUs   []int
	Logger *slog.Logger // nil means slog.Default()
}

// Validate says which field is out of its range and what to change.
func (c *Config) Validate() error {
	switch {
	case c.Shards < 1 || c.Shards > MaxShards:
		return fmt.Errorf("%d shards: 1 to %d are possible, change -n or children", c.Shards,
			MaxShards)
	case len(c.Listens) == 0 && len(c.Streams.Listeners) == 0:
		return errors.New("no address to listen on: add listen=udp:ADDRESS:PORT or -l")
	case c.Program == nil || c.Settings == nil:
		return errors.New("no routing program")
	}
	if err := c.Settings.Dispatcher.Probes.Validate(); err != nil {
		return err
	}
	return c.reachable(c.Targets)
}

// reachable refuses destinations that no listener of this build can reach, rather
// than sending them what they do not understand.
func (c *Config) reachable(targets *balance.Table) error {
	if targets == nil {
		return nil
	}
	served := map[string]bool{"UDP": len(c.Listens) > 0}
	for i := range c.Streams.Listeners {
		served[c.Streams.Listeners[i].Proto.String()] = true
	}
	for _, set := range targets.Sets() {
		for _, t := range set.Targets {
			if name := t.Transport.String(); !served[name] {
				return fmt.Errorf("dispatcher list, line %d: %s is reached by %s, and no "+
					"listener serves that: add listen=%s:ADDRESS:PORT, or write another transport",
					t.Line, t.URI, name, strings.ToLower(name))
			}
		}
	}
	return nil
}
