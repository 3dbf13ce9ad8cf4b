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

// Config is what Start makes a Server from.
type Config struct {
	Shards  int                  // 1 to MaxShards
	Listens []netio.ListenConfig // for datagrams
	// Streams is for connections. Its Listeners count; there must be at least one of them or of
	// Listens. The server fills in numbers, owner and bells.
	Streams  stream.Config
	Program  *route.Program
	Settings *route.Settings
	Targets  *balance.Table // nil means no destination sets
	Resolver proxy.Resolver // nil means names lead nowhere
	// Blocklist configures the destination blocklist; nil means that there is none, and that it
	// cannot be switched on.
	Blocklist *blocklist.Config
	Arena     shm.Config      // Bytes must be set; Start sets Shards and Layout
	Steer     netio.SteerMode // how the kernel steers datagrams to their owner
	// NoSegment sends each datagram by itself even where several could leave together
	// (UDP_SEGMENT), and receives each by itself (no UDP_GRO).
	NoSegment bool
	// NoShed takes every new call, however long the queues of the sockets are. With false some are
	// refused in overload, so that the others succeed.
	NoShed bool
	// Commands calls operators' commands for programs that use them; nil means there are none.
	Commands command.Caller
	// BeforeBind is called when everything but the sockets is made; if it returns an error the
	// start ends with that. nil means nothing is called.
	BeforeBind func() error
	// CPUs are those that shards are pinned to, in turn; empty means those that this process may
	// use.
	CPUs   []int
	Logger *slog.Logger // nil means slog.Default()
}

// Validate returns an error that names a field out of its range and says what to change.
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

// reachable returns an error if no listener can reach one of the destinations, since it would be
// sent what it does not understand.
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
