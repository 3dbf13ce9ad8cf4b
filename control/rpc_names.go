package control

import (
	"context"
	"strings"
	"time"

	"github.com/miekg/dns"

	"viaduct/control/resolve"
)

// Names answers dns.* for a resolver.
type Names struct{ Resolver *resolve.Resolver }

// queryTimeout bounds dns.lookup of a name that is not in the cache.
const queryTimeout = 10 * time.Second

func dnsEntry(e *resolve.Entry) DNSEntry {
	return DNSEntry{
		Name: e.Name, Type: e.Type, ExpiresS: int64(e.Left / time.Second),
		Negative: e.State != "present", Records: e.Records,
	}
}

func dnsType(kind string) uint16 { return dns.StringToType[strings.ToUpper(kind)] }

// DNSView is dns.view.
func (n *Names) DNSView(most int) (all []DNSEntry, more bool) {
	list, more := n.Resolver.View(most)
	for i := range list {
		all = append(all, dnsEntry(&list[i]))
	}
	return all, more
}

// DNSLookup is dns.lookup: from the cache, else from the servers.
func (n *Names) DNSLookup(kind, name string) (DNSEntry, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	e, err := n.Resolver.Query(ctx, name, dnsType(kind))
	if err != nil {
		return DNSEntry{}, false
	}
	return dnsEntry(&e), true
}

// DNSDelete is dns.delete.
func (n *Names) DNSDelete(kind, name string) bool { return n.Resolver.Delete(name, dnsType(kind)) }

// DNSDeleteAll is dns.delete_all; what the operator entered stays.
func (n *Names) DNSDeleteAll() int { return n.Resolver.DeleteAll() }

// DNSMemInfo is dns.mem_info.
func (n *Names) DNSMemInfo() (usedBytes, maxBytes int) {
	m := n.Resolver.MemInfo()
	return m.UsedBytes, m.LimitBytes
}
