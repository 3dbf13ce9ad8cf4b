package route

import (
	"time"

	"viaduct/shard/blocklist"
	"viaduct/shard/route/syntax"
)

// nameParams declares the core parameters of the resolver and its cache.
func nameParams(m *Module) {
	s := &m.set.DNS
	seconds := func(p *time.Duration, name string, min int, doc string) {
		m.DurationVar(p, name, time.Second, min, maxSeconds, doc)
	}
	seconds(&s.RetryTime, "dns_retr_time", -1,
		"How many seconds a server has to answer; below 0: as resolv.conf says.")
	m.IntVar(&s.RetryCount, "dns_retr_no", -1, 100,
		"How often the servers are asked again; below 0: as resolv.conf says.")
	m.IntVar(&s.Servers, "dns_servers_no", -1, 100,
		"How many servers of resolv.conf are asked; below 0: all.")
	m.DurationVar(&s.SlowQuery, "dns_slow_query_ms", time.Millisecond, 0, maxMillis,
		"A look-up that takes more milliseconds is logged; 0: none is.")
	m.BoolVar(&s.SearchList, "dns_use_search_list",
		"Whether names with few dots are completed by the search list of resolv.conf.")
	m.BoolVar(&s.SearchFullMatch, "dns_search_full_match",
		"Whether an answer must be for the whole name.")
	m.BoolVar(&s.TryIPv6, "dns_try_ipv6", "Whether AAAA records are asked for.")
	m.BoolVar(&s.TryNAPTR, "dns_try_naptr", "Whether NAPTR records are asked for (RFC 3263 §4.1).")
	m.BoolVar(&s.NAPTRIgnoreRFC, "dns_naptr_ignore_rfc",
		"Whether our preferences come before the order of the records (RFC 3403 §4.1).")
	for _, t := range []struct {
		pref        *int
		proto, name string
	}{{&s.UDPPref, "udp", "UDP"}, {&s.TCPPref, "tcp", "TCP"}, {&s.TLSPref, "tls", "TLS"},
		{&s.SCTPPref, "sctp", "SCTP"}} {
		m.IntVar(t.pref, "dns_"+t.proto+"_pref", -10, 1<<30,
			"The rank of "+t.name+"; the highest is tried first, and one below 0 never.")
		m.alsoParam("dns_"+t.proto+"_pref", "dns_"+t.proto+"_preference")
	}
	m.Note("dns_sctp_pref", func(_ string, n int64) string {
		if n >= 0 {
			return "has no effect: SCTP is not there"
		}
		return ""
	})
	m.BoolVar(&s.SRVLB, "dns_srv_lb", "Whether calls are spread by the weights of SRV records "+
		"(RFC 2782).")
	m.alsoParam("dns_srv_lb", "dns_srv_loadbalancing")
	m.BoolVar(&s.Failover, "use_dns_failover",
		"Whether the next address is tried when one fails (RFC 3263 §4.3).")
	m.BoolVar(&s.Cache, "use_dns_cache", "Whether answers are kept.")
	m.BoolVar(&s.CacheInit, "dns_cache_init", "0: answers are never kept.")
	m.IntVar(&s.CacheFlags, "dns_cache_flags", 0, 7, "1: IPv4 only. 2: IPv6 only. 4: IPv6 first.")
	seconds(&s.NegativeTTL, "dns_cache_negative_ttl", 0,
		"How many seconds the absence of a name is remembered.")
	seconds(&s.MinTTL, "dns_cache_min_ttl", 0, "How many seconds an answer is kept at least.")
	// Below 0 there is no bound, as with 0.
	bind(m, &s.MaxTTL, "dns_cache_max_ttl", "How many seconds an answer is kept at most; 0: no "+
		"limit.",
		&paramDef{min: -1, max: 1<<32 - 1}, func(v syntax.Literal) time.Duration {
			return time.Duration(min(max(v.Num, 0), maxSeconds)) * time.Second
		})
	m.IntVar(&s.CacheKB, "dns_cache_mem", 0, 1<<22, "How many KiB all answers may take.")
	m.BoolVar(&s.DelNonExp, "dns_cache_del_nonexp",
		"Whether answers that have not expired make room for new ones.")
	m.alsoParam("dns_cache_del_nonexp", "dns_cache_delete_nonexpired")
	seconds(&s.GCInterval, "dns_cache_gc_interval", 0,
		"Seconds between sweeps for expired entries; 0: no sweeps.")
	m.IntVar(&s.RecPref, "dns_cache_rec_pref", 0, 3,
		"Which of two answers is kept: 0 either, 1 the old, 2 the new, 3 the longer.")
	m.NotYet("dns_slow_query_ms", "dns_cache_del_nonexp", "dns_cache_rec_pref")

	m.DurationVar(&s.Timeout, "dns_timeout", time.Second, 1, 60,
		"Viaduct's own: how many seconds a look-up may take, with all its questions.")
	seconds(&s.StaleTTL, "dns_cache_stale_ttl", 0,
		"Viaduct's own: how many seconds an expired answer may serve while the servers fail (RFC "+
			"8767).")
	m.TextVar(&s.ResolvConf, "dns_resolv_conf", "Viaduct's own: the file read in place of "+
		"resolv.conf(5).")
	m.TextVar(&s.HostsFile, "dns_hosts_file", "Viaduct's own: the file read in place of hosts(5).")
}

// blocklistParams declares the core parameters of the destination blocklist, under their names
// before and since Kamailio 5.5.
func blocklistParams(m *Module) {
	s := &m.set.Blocklist
	const sctp = "has no effect: SCTP is not there"
	both := func(before, behind string, declare func(name string)) {
		declare(before + "blocklist" + behind)
		m.alsoParam(before+"blocklist"+behind, before+"blacklist"+behind)
	}
	flag := func(p *bool, before, behind, doc string) {
		both(before, behind, func(n string) { m.BoolVar(p, n, doc) })
	}
	flag(&s.Use, "use_dst_", "", "Whether destinations that failed are avoided for a time.")
	flag(&s.Init, "dst_", "_init", "0: the list can never be switched on.")
	flag(&s.ICMP, "dst_", "_icmp",
		"Viaduct's own: whether a destination is listed when an ICMP error says that it is "+
			"unreachable.")
	both("dst_", "_expire", func(n string) {
		m.DurationVar(&s.Expire, n, time.Second, 0, maxSeconds, "How many seconds an entry lasts.")
		m.alsoParam(n, "dst_blocklist_ttl", "dst_blacklist_ttl")
	})
	both("dst_", "_mem", func(n string) {
		m.param(n, "How many KiB all entries may take.", &paramDef{max: 1 << 22,
			set: func(v syntax.Literal) { s.MemBytes = int(v.Num) << 10 }},
			func() any { return s.MemBytes >> 10 })
	})
	both("dst_", "_gc_interval", func(n string) {
		m.DurationVar(&s.GCInterval, n, time.Second, 0, maxSeconds,
			"Seconds between sweeps for expired entries; 0: no sweeps.")
	})
	masks := &s.IMask
	for proto, of := range map[string][]*blocklist.Reason{"udp": {&masks[UDP]},
		"tcp": {&masks[TCP], &masks[WS]}, "tls": {&masks[TLS], &masks[WSS]}, "sctp": nil} {
		both("dst_", "_"+proto+"_imask", func(n string) {
			held := new(blocklist.Reason)
			m.param(n, "The reasons for which no destination is listed, "+
				"as bits.", &paramDef{max: 255,
				set: func(v syntax.Literal) {
					*held = blocklist.Reason(v.Num)
					for _, p := range of {
						*p = *held
					}
				}}, func() any { return *held })
			if of == nil {
				m.Note(n, func(string, int64) string { return sctp })
			}
		})
	}
}
