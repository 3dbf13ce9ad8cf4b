package route

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"viaduct/shard/route/syntax"
)

// hostNames holds the host names that addresses are compared with, as in src_ip == sip.example.com.
// Shards must not wait for a resolver, so the names are looked up at the start, and beside the
// shards from then on.
type hostNames struct {
	every  time.Duration // 0 as long as there are none
	list   []*hostName
	logger *slog.Logger
}

// hostName is one such name and its addresses.
type hostName struct {
	name  string
	addrs atomic.Pointer[[]netip.Addr]
}

func newHostNames(m *Module) *hostNames {
	h := &hostNames{}
	m.Open(func(s *State) error {
		h.logger = s.Logger
		h.resolve()
		return nil
	})
	m.Beside(&h.every, func(int64) { h.resolve() })
	return h
}

// named returns the host called name, and adds it if it is new.
func (h *hostNames) named(name string) *hostName {
	i := slices.IndexFunc(h.list, func(n *hostName) bool { return n.name == name })
	if i >= 0 {
		return h.list[i]
	}
	h.every = hostInterval
	n := &hostName{name: name}
	n.addrs.Store(new([]netip.Addr))
	h.list = append(h.list, n)
	return n
}

// resolve looks up all names. A name whose look-up fails keeps its addresses.
func (h *hostNames) resolve() {
	ctx, cancel := context.WithTimeout(context.Background(), maxHostTime)
	defer cancel()
	for _, n := range h.list {
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", n.name)
		if err != nil {
			if h.logger != nil {
				h.logger.Warn("cannot resolve a name that addresses are compared with", "name",
					n.name, "error", err)
			}
			continue
		}
		for i := range addrs {
			addrs[i] = addrs[i].Unmap().WithZone("")
		}
		n.addrs.Store(&addrs)
	}
}

// has tells whether ip is an address of the name.
func (n *hostName) has(ip netip.Addr) bool { return slices.Contains(*n.addrs.Load(), ip) }

// addrNamed compiles src_ip == sip.example.com.
func (cc *compiler) addrNamed(d *coreValue, x *syntax.Binary, name string, not bool) testFn {
	cc.ld.warnf(x.R.At(), "%s is looked up at the start and every minute: the comparison is true "+
		"for each of its addresses", quote(clip(name)))
	hosts, _ := provided[*hostNames](cc.defs.loaded[core])
	host, addr := hosts.named(name), d.addr
	return func(c *Ctx) Result {
		return answer(host.has(addr(c).Addr().Unmap().WithZone("")), not)
	}
}

// isHostName tells whether s can be a host name: labels, the last of which has a letter.
func isHostName(s string) bool {
	letter := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			letter = false
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letter = true
		case c != '-' && c != '_' && (c < '0' || c > '9'):
			return false
		}
	}
	return letter && len(s) <= maxAdvertisedName
}
