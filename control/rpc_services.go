package control

import (
	"strings"
)

// oldSpellings returns the names from before Kamailio 5.5, and those with the older word for
// expire.
func oldSpellings(name string) (old []string) {
	if s := strings.Replace(name, "blocklist", "blacklist", 1); s != name {
		old = append(old, s)
		if t, ok := strings.CutSuffix(s, "_expire"); ok {
			old = append(old, t+"_ttl")
		}
	}
	return old
}

// RegisterReload adds core.reload, which viaductctl also calls as reload, and dispatcher.reload.
// all returns the answer; if it returns an error, its text is the answer.
func RegisterReload(r *RPC, all func() (any, error), targets func() error) {
	r.Register(
		&Method{Name: "core.reload",
			Help: "Reads the configuration again, all files of it, and puts it in force; after " +
				"an error all is as it was.",
			Call: func(Args) (any, error) { return all() }},
		&Method{Name: "dispatcher.reload",
			Help: "Reads the list of destinations again; those that stay keep their state.",
			Call: func(Args) (any, error) {
				if err := targets(); err != nil {
					return nil, err
				}
				return "Ok. Dispatcher successfully reloaded.", nil
			}},
	)
	r.Alias("reload", "core.reload")
}

// TCPInfo is the answer to core.tcp_info, Kamailio's fields.
type TCPInfo struct {
	Readers              int    `json:"readers"`
	MaxConnections       int    `json:"max_connections"`
	MaxTLSConnections    int    `json:"max_tls_connections"`
	OpenedConnections    int    `json:"opened_connections"`
	OpenedTLSConnections int    `json:"opened_tls_connections"`
	WriteQueuedBytes     uint64 `json:"write_queued_bytes"`
}

// TCPConn is one row of core.tcp_list, Kamailio's fields.
type TCPConn struct {
	ID   uint64 `json:"id"`
	Type string `json:"type"` // TCP, TLS, WS, WSS
	// CONN_OK, CONN_ACCEPT, CONN_CONNECT, CONN_EOF, CONN_BAD, CONN_ERROR, CONN_INIT
	State    string `json:"state"`
	Timeout  int64  `json:"timeout"`  // seconds till it is closed for idleness
	Lifetime int64  `json:"lifetime"` // seconds it may be idle
	RefCount int    `json:"ref_count"`
	SrcIP    string `json:"src_ip"`
	SrcPort  uint16 `json:"src_port"`
	DstIP    string `json:"dst_ip"`
	DstPort  uint16 `json:"dst_port"`
}

// TCP is what the methods core.tcp_* need. Its methods are called from any goroutine.
type TCP interface {
	TCPInfo() TCPInfo
	TCPOptions() map[string]int64
	// TCPList returns most connections at most; more says that there are others.
	TCPList(most int) (all []TCPConn, more bool)
}

// RegisterTCP adds the methods core.tcp_*. If now returns nil, each says that TCP support is
// disabled.
func RegisterTCP(r *RPC, now func() TCP) {
	register := func(name, help string, call func(tcp TCP) any) {
		r.Register(&Method{Name: name, Help: help, Call: func(Args) (any, error) {
			tcp := now()
			if tcp == nil {
				return nil, Faultf(500, "tcp support disabled")
			}
			return call(tcp), nil
		}})
	}
	register("core.tcp_info", "Tells how many connections there are, and may be.", func(tcp TCP) any {
		return tcp.TCPInfo()
	})
	register("core.tcp_options", "Shows the settings of streams.", func(tcp TCP) any {
		return tcp.TCPOptions()
	})
	register("core.tcp_list", "Lists the connections.", func(tcp TCP) any {
		rows, more := tcp.TCPList(viewRecords)
		all := make([]any, 0, len(rows)+1)
		for _, row := range rows {
			all = append(all, row)
		}
		if more {
			all = append(all, map[string]bool{"more": true})
		}
		return all
	})
}

// TLSInfo is the answer to tls.info, Kamailio's fields.
type TLSInfo struct {
	MaxConnections            int    `json:"max_connections"`
	OpenedConnections         int    `json:"opened_connections"`
	ClearTextWriteQueuedBytes uint64 `json:"clear_text_write_queued_bytes"`
}

// TLS is what the methods tls.* need. Its methods are called from any goroutine.
type TLS interface {
	// Reload reads certificates and keys again. If it returns an error the old ones stay in use.
	Reload() error
	TLSInfo() TLSInfo
}

// RegisterTLS adds the methods tls.*. If now returns nil, each says that TLS support is disabled.
func RegisterTLS(r *RPC, now func() TLS) {
	register := func(name, help string, call func(tls TLS) (any, error)) {
		r.Register(&Method{Name: name, Help: help, Call: func(Args) (any, error) {
			tls := now()
			if tls == nil {
				return nil, Faultf(500, "tls support disabled")
			}
			return call(tls)
		}})
	}
	register("tls.info", "Tells how many TLS connections there are, and may be.",
		func(tls TLS) (any, error) {
			return tls.TLSInfo(), nil
		})
	register("tls.reload", "Reads certificates and keys again; connections there are keep theirs.",
		func(tls TLS) (any, error) {
			if err := tls.Reload(); err != nil {
				return nil, Faultf(500, "TLS configuration not reloaded: %s", err)
			}
			return "Ok. TLS configuration reloaded.", nil
		})
}

// DNSEntry is one entry of the resolver's cache.
type DNSEntry struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`           // A, AAAA, SRV, NAPTR, CNAME
	ExpiresS int64    `json:"expires in (s)"` // 0 or less if the entry has expired
	Negative bool     `json:"negative"`       // the name has no such records
	Records  []string `json:"records"`        // as in a zone file
}

// DNS is what the methods dns.* need. Its methods are called from any goroutine.
type DNS interface {
	// DNSView returns most entries at most; more says that there are others.
	DNSView(most int) (all []DNSEntry, more bool)
	// DNSLookup returns what the cache holds, or else what the servers say.
	DNSLookup(kind, name string) (DNSEntry, bool)
	DNSDelete(kind, name string) bool
	DNSDeleteAll() int
	DNSMemInfo() (usedBytes, maxBytes int)
}

// RegisterDNS adds the methods dns.*. If dns is nil, each says that there is no cache.
func RegisterDNS(r *RPC, dns DNS) {
	register := func(name, help string, params []Param, call func(Args) (any, error)) {
		r.Register(&Method{Name: name, Help: help, Params: params, Call: func(a Args) (any, error) {
			if dns == nil {
				return nil, Faultf(500, "dns cache support disabled")
			}
			return call(a)
		}})
	}
	key := []Param{{Name: "type"}, {Name: "name"}}
	types := []string{"A", "AAAA", "CNAME", "NAPTR", "SRV"}
	kind := func(a Args) (string, error) {
		k := strings.ToUpper(a.Text(0))
		for _, t := range types {
			if k == t {
				return k, nil
			}
		}
		return "", Faultf(400, "there is no type %q of records; %s are cached", a.Text(0),
			strings.Join(types, ", "))
	}
	register("dns.view", "Shows the resolver's cache.", nil, func(Args) (any, error) {
		rows, more := dns.DNSView(viewRecords)
		all := make([]any, 0, len(rows)+1)
		for _, row := range rows {
			all = append(all, row)
		}
		if more {
			all = append(all, map[string]bool{"more": true})
		}
		return all, nil
	})
	register("dns.lookup", "Tells what the cache holds of a name, and asks the servers where it "+
		"holds nothing.", key, func(a Args) (any, error) {
		k, err := kind(a)
		if err != nil {
			return nil, err
		}
		e, ok := dns.DNSLookup(k, a.Text(1))
		if !ok {
			return nil, Faultf(404, "Not found")
		}
		return e, nil
	})
	register("dns.delete", "Takes one entry out of the cache.", key, func(a Args) (any, error) {
		k, err := kind(a)
		if err != nil {
			return nil, err
		}
		if !dns.DNSDelete(k, a.Text(1)) {
			return nil, Faultf(404, "Not found")
		}
		return nil, nil
	})
	register("dns.delete_all", "Empties the cache.", nil, func(Args) (any, error) {
		return map[string]int{"deleted": dns.DNSDeleteAll()}, nil
	})
	register("dns.mem_info", "Tells the bytes that the cache uses, and may use.", nil,
		func(Args) (any, error) {
			used, most := dns.DNSMemInfo()
			return map[string]int{"used": used, "max": most}, nil
		})
}
