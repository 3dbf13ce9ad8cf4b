package control

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"viaduct/netio"
	"viaduct/shard/blocklist"
	"viaduct/shard/route/command"
)

// Blocklist is what the methods dst_blocklist.* need; a *blocklist.Table is one.
type Blocklist interface {
	Enabled() bool
	View(cursor uint32, nowMs int64, out []blocklist.Entry) (n int, next uint32)
	AddWaiting(netio.Proto, *netio.Addr, blocklist.Cause, int64) blocklist.Verdict
	AddNetwork(netio.Proto, netip.Prefix, uint16, blocklist.Cause, int64) blocklist.Verdict
	Delete(netio.Proto, *netio.Addr) bool
	DeleteNetwork(netio.Proto, netip.Prefix, uint16) bool
	DeleteAll() int
	MemInfo() (usedBytes, maxBytes int)
	StatsGet(name string, reset bool) (map[string]uint64, bool)
}

// blocklistRecord is one entry of dst_blocklist.view. The first five are Kamailio's.
type blocklistRecord struct {
	Protocol  string `json:"protocol"`
	IP        string `json:"ip"`
	Port      uint16 `json:"port"`
	ExpiresIn any    `json:"expires in (s)"` // whole seconds, rounded up, or "permanent"
	Flags     uint8  `json:"flags"`
	Reasons   string `json:"reasons"`
	Owner     string `json:"owner"`
	SinceS    int64  `json:"listed for (s)"`
}

// viewRest is the last element of a view that was cut.
type viewRest struct {
	Next uint32 `json:"next"`
}

// RegisterBlocklist adds the methods dst_blocklist.*, and as aliases dst_blacklist.*, as they were
// called before Kamailio 5.5. nowMs is the clock that the shards use for the list. If the list is
// nil or switched off, every method says so.
func RegisterBlocklist(r *RPC, list Blocklist, nowMs func() int64) {
	register := func(name, help string, params []Param, call func(Args) (any, error)) {
		r.Register(&Method{Name: "dst_blocklist." + name, Help: help, Params: params,
			Call: func(a Args) (any, error) {
				if list == nil || !list.Enabled() {
					return nil, Faultf(500, "dst blocklist support disabled")
				}
				return call(a)
			}})
		r.Alias("dst_blacklist."+name, "dst_blocklist."+name)
	}
	ip, port, proto := Param{Name: "ip"}, Param{Name: "port", Kind: Int}, Param{Name: "proto"}

	register("view", "Shows the entries, each a record.",
		[]Param{{Name: "cursor", Kind: Int, Optional: true}}, func(a Args) (any, error) {
			cursor := a.Int(0, 0)
			if cursor < 0 || cursor > 1<<31 {
				return nil, Faultf(400, "cursor %d is none: leave it out, or give the next of "+
					"the view before", cursor)
			}
			now := nowMs()
			all := []any{}
			page := make([]blocklist.Entry, viewPage)
			for next := uint32(cursor); ; {
				var n int
				n, next = list.View(next, now, page[:min(viewPage, viewRecords-len(all))])
				for i := range page[:n] {
					all = append(all, recordOf(&page[i], now))
				}
				if next == 0 {
					return all, nil
				}
				if len(all) >= viewRecords {
					return append(all, viewRest{next}), nil
				}
			}
		})
	register("debug", "Shows the entries flat: protocol, ip, port, seconds, flags of each in "+
		"a row.", nil, func(Args) (any, error) {
		now := nowMs()
		all := []any{}
		page := make([]blocklist.Entry, viewPage)
		for next, first := uint32(0), true; first || next != 0; first = false {
			var n int
			n, next = list.View(next, now, page)
			for i := range page[:n] {
				e := recordOf(&page[i], now)
				all = append(all, e.Protocol, e.IP, e.Port, e.ExpiresIn, e.Flags)
			}
			if next != 0 && len(all) >= 5*viewRecords {
				return append(all, "more"), nil
			}
		}
		return all, nil
	})
	register("mem_info", "Tells the bytes that entries use, and may use.", nil,
		func(Args) (any, error) {
			used, most := list.MemInfo()
			return map[string]int{"used": used, "max": most}, nil
		})
	flags := Param{Name: "flags", Kind: Int}
	register("add", "Lists a destination, for ttl seconds or dst_blocklist_expire; ip may be a "+
		"network, 192.0.2.0/24; port 0 is every port; proto is any, udp, tcp, tls, ws, wss, or 0 "+
		"to 3.",
		[]Param{ip, port, proto, flags, {Name: "ttl", Kind: Int, Optional: true}},
		func(a Args) (any, error) {
			d, err := destinationOf(a)
			if err != nil {
				return nil, err
			}
			bits, ttl := a.Int(3, 0), a.Int(4, 0)
			if bits < 1 || bits > 255 {
				return nil, Faultf(400, "flags %d are out of range, 1 to 255: 64 lists by your "+
					"order, 128 more makes it permanent", bits)
			}
			if most := int64(blocklist.MaxTTL / time.Second); a.Len() > 4 &&
				(ttl < 1 || ttl > most) {
				return nil, Faultf(400, "ttl %d is out of range, 1 to %d seconds", ttl, most)
			}
			c := blocklist.Cause{
				Reasons: blocklist.Reason(bits), TTL: time.Duration(ttl) * time.Second,
				Owner: "rpc",
			}
			var verdict blocklist.Verdict
			if d.network {
				verdict = list.AddNetwork(d.proto, d.prefix, d.port, c, nowMs())
			} else {
				verdict = list.AddWaiting(d.proto, &d.addr, c, nowMs())
			}
			switch verdict {
			case blocklist.Added, blocklist.Updated:
				return nil, nil
			case blocklist.Off:
				return nil, Faultf(500, "dst blocklist support disabled")
			case blocklist.Full:
				if d.network {
					return nil, Faultf(400, "Failed to add the entry to the blocklist: it takes "+
						"%d networks", blocklist.MaxNetworks)
				}
			}
			return nil, Faultf(400, "Failed to add the entry to the blocklist")
		})
	register("delete", "Takes one entry out, a permanent one too; proto is the entry's own.",
		[]Param{ip, port, proto}, func(a Args) (any, error) {
			d, err := destinationOf(a)
			if err != nil {
				return nil, err
			}
			switch {
			case d.network && !list.DeleteNetwork(d.proto, d.prefix, d.port):
				return nil, Faultf(404, "there is no entry %s %s port %d",
					blocklist.ProtoName(d.proto),
					prefixText(d.prefix), d.port)
			case !d.network && !list.Delete(d.proto, &d.addr):
				return nil, Faultf(404, "there is no entry %s %s", blocklist.ProtoName(d.proto),
					d.addr)
			}
			return nil, nil
		})
	register("delete_all", "Takes every entry out but the permanent ones.", nil,
		func(Args) (any, error) {
			return map[string]int{"deleted": list.DeleteAll()}, nil
		})
	register("stats_get", "Reads a counter, or all with bkl_all_stats, and sets it to 0 if reset "+
		"is not 0.",
		[]Param{{Name: "name"}, {Name: "reset", Kind: Int, Optional: true}},
		func(a Args) (any, error) {
			got, ok := list.StatsGet(a.Text(0), a.Int(1, 0) != 0)
			if !ok {
				names := append(blocklist.StatsNames[:], blocklist.AllStats)
				return nil, Faultf(400, "there is no counter %q%s", a.Text(0),
					didYouMean(a.Text(0), names, "bkl_all_stats shows them"))
			}
			return got, nil
		})
}

// destination is what an entry is for: one address and port, or all of a network.
type destination struct {
	proto   netio.Proto
	addr    netio.Addr
	network bool
	prefix  netip.Prefix
	port    uint16 // port of the network's addresses; 0 means all
}

// destinationOf reads ip, port and proto, the first three arguments.
func destinationOf(a Args) (d destination, err error) {
	text := a.Text(0)
	if n := len(text); n > 2 && text[0] == '[' && text[n-1] == ']' {
		text = text[1 : n-1]
	}
	port := a.Int(1, 0)
	if port < 0 || port > 65535 {
		return d, Faultf(400, "port %d is out of range, 1 to 65535, or 0 for all", port)
	}
	known := false
	if d.proto, known = protoOf(a.Text(2)); !known {
		return d, Faultf(400, "Unknown protocol")
	}
	d.port = uint16(port)
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return d, Faultf(400, "Malformed ip address")
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p != p.Masked() {
			return d, Faultf(400, "%s has bits behind its prefix: write %s", p, p.Masked())
		}
		d.network, d.prefix = true, p
		return d, nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return d, Faultf(400, "Malformed ip address")
	}
	d.addr = netio.AddrFrom(netip.AddrPortFrom(ip, uint16(port)))
	if port == 0 {
		ip = d.addr.AddrPort().Addr() // an IPv4-mapped IPv6 address is an IPv4 address
		d.network, d.prefix = true, netip.PrefixFrom(ip, ip.BitLen())
	}
	return d, nil
}

// prefixText returns a network as it was given: a single address has no length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// protoOf reads a name or Kamailio's number: 0 any, 1 UDP, 2 TCP, 3 TLS. 4 is SCTP, which is not
// served.
func protoOf(word string) (netio.Proto, bool) {
	if n, err := command.ParseInt(word); err == nil {
		if n < 0 || n > 3 {
			return 0, false
		}
		return [...]netio.Proto{blocklist.AnyProto, netio.UDP, netio.TCP, netio.TLS}[n], true
	}
	return blocklist.ParseProto(word)
}

func recordOf(e *blocklist.Entry, nowMs int64) blocklistRecord {
	var expires any = (e.ExpiresMs - nowMs + 999) / 1000
	if e.Reasons&blocklist.Permanent != 0 {
		expires = "permanent"
	}
	ip := e.Addr.AddrPort().Addr().String()
	if e.Network {
		ip = prefixText(e.Prefix())
	}
	return blocklistRecord{
		blocklist.ProtoName(e.Proto), ip, e.Addr.Port, expires, uint8(e.Reasons),
		e.Reasons.String(), e.Owner.String(),
		max(nowMs-e.SinceMs, 0) / 1000,
	}
}

// BlocklistVars returns the settings of a table as variables of groups core and tm, under both
// spellings. Times are in seconds.
func BlocklistVars(t *blocklist.Table) []Var {
	var one sync.Mutex
	number := func(group, name, help string, low, high int64, get func(*blocklist.Config) int64,
		set func(*blocklist.Config, int64)) Var {
		v := Var{
			Group: group, Name: name, Aliases: oldSpellings(name), Help: help, Min: low, Max: high,
		}
		v.Get = func() any {
			c := t.Settings()
			return get(&c)
		}
		if set != nil {
			v.Set = func(n any) error {
				// Otherwise two clients that set different variables would undo each other's.
				one.Lock()
				defer one.Unlock()
				c := t.Settings()
				set(&c, n.(int64))
				return t.Apply(c)
			}
		}
		return v
	}
	flag := func(group, name, help string, field func(*blocklist.Config) *bool, writable bool) Var {
		set := func(c *blocklist.Config, n int64) { *field(c) = n != 0 }
		if !writable {
			set = nil
		}
		return number(group, name, help, 0, 1, func(c *blocklist.Config) int64 {
			return oneIf(*field(c))
		}, set)
	}
	seconds := func(group, name, help string, low int64,
		field func(*blocklist.Config) *time.Duration, writable bool) Var {
		set := func(c *blocklist.Config, n int64) { *field(c) = time.Duration(n) * time.Second }
		if !writable {
			set = nil
		}
		return number(group, name, help, low, int64(blocklist.MaxTTL/time.Second),
			func(c *blocklist.Config) int64 {
				return int64(*field(c) / time.Second)
			}, set)
	}
	methods := func(name, help string, field func(*blocklist.Config) *uint32) Var {
		return number("tm", name, help, 0, 1<<32-1, func(c *blocklist.Config) int64 {
			return int64(*field(c))
		},
			func(c *blocklist.Config, n int64) { *field(c) = uint32(n) })
	}
	type config = blocklist.Config
	vars := []Var{
		flag("core", "use_dst_blocklist",
			"Whether destinations that do not answer are listed and spared.",
			func(c *config) *bool {
				return &c.Use
			}, true),
		flag("core", "dst_blocklist_init", "Whether the list has memory at all.",
			func(c *config) *bool {
				return &c.Init
			}, false),
		flag("core", "dst_blocklist_icmp", "Whether an ICMP error lists its destination.",
			func(c *config) *bool {
				return &c.ICMP
			}, true),
		seconds("core", "dst_blocklist_expire", "Seconds an entry lives that is not listed again.",
			1, func(c *config) *time.Duration {
				return &c.Expire
			}, true),
		seconds("core", "dst_blocklist_gc_interval",
			"Seconds between two rounds of giving ended entries back; 0: none.", 0,
			func(c *config) *time.Duration {
				return &c.GCInterval
			}, false),
		number("core", "dst_blocklist_mem",
			"KB that entries may take; not above the value at start.", 1, blocklist.MaxMemBytes>>10,
			func(c *config) int64 {
				return int64(c.MemBytes >> 10)
			}, func(c *config, n int64) { c.MemBytes = int(n) << 10 }),
		flag("tm", "blst_503", "Whether the source of a 503 is listed.", func(c *config) *bool {
			return &c.Use503
		}, true),
		seconds("tm", "blst_503_def_timeout",
			"Seconds a 503 without Retry-After lists; 0: not at all.", 0,
			func(c *config) *time.Duration {
				return &c.Def503
			}, true),
		seconds("tm", "blst_503_min_timeout", "Least seconds a Retry-After lists.", 0,
			func(c *config) *time.Duration {
				return &c.Min503
			}, true),
		seconds("tm", "blst_503_max_timeout", "Most seconds a Retry-After lists.", 0,
			func(c *config) *time.Duration {
				return &c.Max503
			}, true),
		methods("blst_methods_add", "Methods whose timeout lists, a sum of tm's method bits.",
			func(c *config) *uint32 {
				return &c.MethodsAdd
			}),
		methods("blst_methods_lookup",
			"Methods that are checked before they are sent, a sum of tm's method bits.",
			func(c *config) *uint32 {
				return &c.MethodsLookup
			}),
	}
	for p := range (config{}).IMask {
		name := blocklist.ProtoName(netio.Proto(p))
		vars = append(vars, number("core", "dst_blocklist_"+name+"_imask",
			fmt.Sprintf("Reasons that do not list a destination over %s, a sum of flags.", name), 0,
			255,
			func(c *config) int64 {
				return int64(c.IMask[p])
			}, func(c *config, n int64) { c.IMask[p] = blocklist.Reason(n) }))
	}
	return vars
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
