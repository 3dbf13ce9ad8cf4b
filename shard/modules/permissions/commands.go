package permissions

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// What commands answer with, in Kamailio's words.
type (
	shown struct {
		Number int  `json:"table"`
		Group  int  `json:"group"`
		Item   item `json:"item"`
	}
	shownNetwork struct {
		Number int  `json:"id"`
		Group  int  `json:"group"`
		Item   item `json:"item"`
	}
	item struct {
		IP     string `json:"ip,omitempty"`
		Domain string `json:"domain_name,omitempty"`
		Mask   int    `json:"mask,omitempty"`
		Port   int    `json:"port"`
		Tag    string `json:"tag"`
	}
)

// commands declares permissions.*.
func (p *permissions) commands(m *route.Module) {
	m.View("permissions.addressDump", "Shows the single addresses.", nil,
		func(command.Args) (any, error) {
			return show(p.list.Load().addresses, netip.Addr.Compare,
				func(ip netip.Addr, i *item) { i.IP = ip.String() }), nil
		})
	m.View("permissions.domainDump", "Shows the names.", nil,
		func(command.Args) (any, error) {
			return show(p.list.Load().domains, strings.Compare,
				func(name string, i *item) { i.Domain = name }), nil
		})
	m.View("permissions.subnetDump", "Shows the networks.", nil,
		func(command.Args) (any, error) {
			all := []shownNetwork{}
			for i, n := range p.list.Load().networks {
				all = append(all, shownNetwork{i, n.group,
					item{IP: n.of.Addr().String(), Mask: n.of.Bits(),
						Port: n.port, Tag: string(n.tag)}})
			}
			return all, nil
		})
	m.Command("permissions.addressReload",
		"Reads the addresses again. A mistake in them changes nothing.", nil,
		func(command.Args) (any, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			switch now := time.Now(); {
			case *p.file == "" && !isText(*p.url):
				return nil, command.Faultf(500, "there is no address_file and no table of addresses")
			case now.Before(p.next):
				return nil, command.Faultf(500, "ongoing reload")
			default:
				p.next = now.Add(*p.delta)
			}
			if err := p.load(); err != nil {
				return nil, command.Faultf(500, "Reload failed: %s", err)
			}
			return "Reload OK", nil
		})
	m.View("permissions.trustedDump", "Shows the trusted peers.", nil,
		func(command.Args) (any, error) { return p.trusted.Load().shown(), nil })
	m.Command("permissions.trustedReload",
		"Reads the trusted peers again. A mistake in them changes nothing.", nil,
		func(command.Args) (any, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			switch now := time.Now(); {
			case !isText(*p.url):
				return nil, command.Faultf(500, "there is no table of trusted peers")
			case now.Before(p.nextTrusted):
				return nil, command.Faultf(500, "ongoing reload")
			default:
				p.nextTrusted = now.Add(*p.delta)
			}
			if err := p.loadTrusted(); err != nil {
				return nil, command.Faultf(500, "Reload failed: %s", err)
			}
			return "Reload OK", nil
		})
}

// show lists entries by what they are under.
func show[K comparable](entries map[K][]entry, order func(a, b K) int,
	name func(K, *item)) []shown {
	keys := make([]K, 0, len(entries))
	for k := range entries {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, order)
	all := []shown{}
	for _, k := range keys {
		for _, e := range entries[k] {
			s := shown{
				Number: len(all), Group: e.group,
				Item: item{Port: e.port, Tag: cmp.Or(string(e.tag), "NULL")},
			}
			name(k, &s.Item)
			all = append(all, s)
		}
	}
	return all
}
