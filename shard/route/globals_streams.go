package route

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"viaduct/shard/blocklist"
	"viaduct/shard/route/syntax"
)

// streamGlobals are the core parameters about streams (core cookbook 5.6, "TCP Parameters", "TLS
// Parameters").
func streamGlobals() map[string]*paramDef {
	num := func(min, max int64, f func(*StreamSettings) *int) *paramDef {
		return number(min, max, func(s *Settings) *int { return f(&s.Stream) })
	}
	flag := func(f func(*StreamSettings) *bool) *paramDef {
		return toggle(func(s *Settings) *bool { return f(&s.Stream) })
	}
	seconds := func(min int64, f func(*StreamSettings) *time.Duration) *paramDef {
		return span(time.Second, min, maxSeconds,
			func(s *Settings) *time.Duration { return f(&s.Stream) })
	}
	// Below 0 Kamailio takes its default.
	timeout := func(def time.Duration, f func(*StreamSettings) *time.Duration) *paramDef {
		return &paramDef{min: -1, max: maxSeconds, set: func(s *Settings, v syntax.Literal) {
			if *f(&s.Stream) = time.Duration(v.Num) * time.Second; v.Num < 0 {
				*f(&s.Stream) = def
			}
		}}
	}
	source := func(is6 bool, f func(*StreamSettings) *netip.Addr) *paramDef {
		return &paramDef{any: true, problem: func(v syntax.Literal) string {
			if a, err := netip.ParseAddr(unbracket(v.Str)); err != nil || a.Is6() != is6 {
				return fmt.Sprintf("is no IPv%d address: %s", map[bool]int{true: 6, false: 4}[is6],
					quote(clip(v.Str)))
			}
			return ""
		}, set: func(s *Settings, v syntax.Literal) {
			*f(&s.Stream), _ = netip.ParseAddr(unbracket(v.Str))
		}}
	}
	async := flag(func(s *StreamSettings) *bool { return &s.Async })
	async.note = func(v syntax.Literal) string {
		if v.Num == 0 {
			return "has no effect: what a socket does not take is queued always, since nobody " +
				"may wait for it"
		}
		return ""
	}
	match := num(0, 1, func(s *StreamSettings) *int { return &s.ConnMatch })
	match.note = func(v syntax.Literal) string {
		if v.Num == 0 {
			return "is always 1: connections belong to a listener, and so to its address and port"
		}
		return ""
	}
	return map[string]*paramDef{
		"tcp_children": num(0, 4096,
			func(s *StreamSettings) *int { return &s.Children }),
		"tcp_max_connections": num(0, 1<<24,
			func(s *StreamSettings) *int { return &s.MaxConnections }),
		"tls_max_connections": num(0, 1<<24,
			func(s *StreamSettings) *int { return &s.TLSMaxConnections }),
		"tcp_connect_timeout": timeout(10*time.Second,
			func(s *StreamSettings) *time.Duration { return &s.ConnectTimeout }),
		"tcp_send_timeout": timeout(10*time.Second,
			func(s *StreamSettings) *time.Duration { return &s.SendTimeout }),
		"tcp_connection_lifetime": timeout(maxSeconds*time.Second,
			func(s *StreamSettings) *time.Duration { return &s.Lifetime }),
		"tcp_wait_data": span(time.Millisecond, 0, maxMillis,
			func(s *Settings) *time.Duration { return &s.Stream.WaitData }),
		"tcp_msg_read_timeout": seconds(1,
			func(s *StreamSettings) *time.Duration { return &s.MsgReadTimeout }),
		"tcp_accept_aliases": flag(func(s *StreamSettings) *bool { return &s.AcceptAliases }),
		"tcp_accept_iplimit": num(0, 1<<24,
			func(s *StreamSettings) *int { return &s.AcceptIPLimit }),
		"tcp_accept_unique":  flag(func(s *StreamSettings) *bool { return &s.AcceptUnique }),
		"tcp_accept_no_cl":   flag(func(s *StreamSettings) *bool { return &s.AcceptNoCL }),
		"tcp_accept_haproxy": flag(func(s *StreamSettings) *bool { return &s.AcceptHAProxy }),
		"tcp_async":          async,
		"tcp_conn_wq_max": num(0, 1<<20,
			func(s *StreamSettings) *int { return &s.ConnWQMaxBytes }),
		"tcp_wq_max": num(0, 1<<30,
			func(s *StreamSettings) *int { return &s.WQMaxBytes }),
		"tcp_rd_buf_size": num(512, 16777216,
			func(s *StreamSettings) *int { return &s.ReadBufferBytes }),
		"tcp_crlf_ping": flag(func(s *StreamSettings) *bool { return &s.CRLFPing }),
		"tcp_keepalive": flag(func(s *StreamSettings) *bool { return &s.Keepalive }),
		"tcp_keepidle": seconds(0,
			func(s *StreamSettings) *time.Duration { return &s.KeepIdle }),
		"tcp_keepintvl": seconds(0,
			func(s *StreamSettings) *time.Duration { return &s.KeepInterval }),
		"tcp_keepcnt": num(0, 1<<31-1,
			func(s *StreamSettings) *int { return &s.KeepCount }),
		"tcp_defer_accept": num(0, 3600,
			func(s *StreamSettings) *int { return &s.DeferAccept }),
		"tcp_delayed_ack": flag(func(s *StreamSettings) *bool { return &s.DelayedAck }),
		"tcp_syncnt": num(0, 1024,
			func(s *StreamSettings) *int { return &s.SynCount }),
		"tcp_linger2":    num(0, 3600, func(s *StreamSettings) *int { return &s.Linger2 }),
		"tcp_no_connect": flag(func(s *StreamSettings) *bool { return &s.NoConnect }),
		"tcp_reuse_port": flag(func(s *StreamSettings) *bool { return &s.ReusePort }),
		"tcp_source_ipv4": source(false,
			func(s *StreamSettings) *netip.Addr { return &s.SourceIPv4 }),
		"tcp_source_ipv6": source(true,
			func(s *StreamSettings) *netip.Addr { return &s.SourceIPv6 }),
		"tcp_connection_match": match,
		"tcp_script_mode":      num(0, 1, func(s *StreamSettings) *int { return &s.ScriptMode }),
		"tls_port_no": {min: 1, max: 65535, set: func(s *Settings, v syntax.Literal) {
			s.Core.TLSPort = uint16(v.Num)
		}},

		"tcp_wq_blk_size": idleAny("the queue has no blocks"),
		"tcp_fd_cache": idleAny("a connection belongs to one event loop: there is no " +
			"descriptor to pass"),
		"tcp_poll_method":  idleAny("connections are polled with epoll"),
		"tcp_clone_rcvbuf": idleAny("a message is copied once as it is"),
		"tcp_accept_hep3":  idleAny("HEP is not spoken"),
		"tcp_msg_data_timeout": idleAny("tcp_msg_read_timeout is for a message from its first " +
			"byte to its last"),

		"tls_verify": idleAny(byModuleTLS), "tls_require_certificate": idleAny(byModuleTLS),
		"tls_handshake_timeout": idleAny(byModuleTLS),
		"tls_send_timeout":      idleAny(byModuleTLS), "tls_certificate": idleAny(byModuleTLS),
		"tls_private_key": idleAny(byModuleTLS),
		"tls_method":      idleAny(byModuleTLS), "tls_ca_list": idleAny(byModuleTLS),
		"tls_log": idleAny(byModuleTLS),

		// Parameters of ours.
		"tcp_connections_per_destination": num(1, 64,
			func(s *StreamSettings) *int { return &s.PerDestination }),
		"tcp_handshake_max": num(1, 65536,
			func(s *StreamSettings) *int { return &s.HandshakeMax }),
		"udp_wq_max": number(0, 16<<20,
			func(s *Settings) *int { return &s.Core.UDPWQMaxBytes }),
		"tcp_accept_rate": num(0, 1<<24,
			func(s *StreamSettings) *int { return &s.AcceptRate }),
		"tcp_proxy_from": {kind: stringParam, problem: func(v syntax.Literal) string {
			_, why := prefixes(v.Str)
			return why
		}, set: func(s *Settings, v syntax.Literal) { s.Stream.ProxyFrom, _ = prefixes(v.Str) }},
	}
}

// byModuleTLS is about globals that nothing has read since there is a module.
const byModuleTLS = "the parameters of module tls take its place"

// unbracket takes the brackets off an IPv6 address.
func unbracket(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, "["), "]") }

// prefixes reads a list of addresses and networks, with commas or white space between them.
func prefixes(s string) (list []netip.Prefix, why string) {
	for _, w := range strings.FieldsFunc(s,
		func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' }) {
		p, ok := parseNet(w)
		if !ok {
			return nil, fmt.Sprintf("is a list of addresses and networks such as \"10.0.0.0/8, "+
				"2001:db8::1\"; %s is neither", quote(clip(w)))
		}
		if len(list) == maxProxyNets {
			return nil, fmt.Sprintf("has more than %d networks", maxProxyNets)
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, "is empty: write the addresses and networks that may send the PROXY protocol"
	}
	return list, ""
}

// dnsGlobals are those about the resolver (core cookbook 5.6, "DNS Parameters").
func dnsGlobals() map[string]*paramDef {
	num := func(min, max int64, f func(*DNSSettings) *int) *paramDef {
		return number(min, max, func(s *Settings) *int { return f(&s.DNS) })
	}
	flag := func(f func(*DNSSettings) *bool) *paramDef {
		return toggle(func(s *Settings) *bool { return f(&s.DNS) })
	}
	seconds := func(min int64, f func(*DNSSettings) *time.Duration) *paramDef {
		return span(time.Second, min, maxSeconds,
			func(s *Settings) *time.Duration { return f(&s.DNS) })
	}
	// Below 0 there is no bound, as with 0.
	unbounded := func(f func(*DNSSettings) *time.Duration) *paramDef {
		return &paramDef{min: -1, max: 1<<32 - 1, set: func(s *Settings, v syntax.Literal) {
			*f(&s.DNS) = time.Duration(min(max(v.Num, 0), maxSeconds)) * time.Second
		}}
	}
	file := func(f func(*DNSSettings) *string) *paramDef {
		return text(func(s *Settings) *string { return f(&s.DNS) })
	}
	sctp := num(-10, 1<<30, func(s *DNSSettings) *int { return &s.SCTPPref })
	sctp.note = func(v syntax.Literal) string {
		if v.Num >= 0 {
			return "has no effect: SCTP is not there"
		}
		return ""
	}
	return map[string]*paramDef{
		"dns_retr_time": seconds(-1,
			func(s *DNSSettings) *time.Duration { return &s.RetryTime }),
		"dns_retr_no":    num(-1, 100, func(s *DNSSettings) *int { return &s.RetryCount }),
		"dns_servers_no": num(-1, 100, func(s *DNSSettings) *int { return &s.Servers }),
		"dns_slow_query_ms": span(time.Millisecond, 0, maxMillis,
			func(s *Settings) *time.Duration { return &s.DNS.SlowQuery }),
		"dns_use_search_list":   flag(func(s *DNSSettings) *bool { return &s.SearchList }),
		"dns_search_full_match": flag(func(s *DNSSettings) *bool { return &s.SearchFullMatch }),
		"dns_try_ipv6":          flag(func(s *DNSSettings) *bool { return &s.TryIPv6 }),
		"dns_try_naptr":         flag(func(s *DNSSettings) *bool { return &s.TryNAPTR }),
		"dns_naptr_ignore_rfc":  flag(func(s *DNSSettings) *bool { return &s.NAPTRIgnoreRFC }),
		"dns_udp_pref":          num(-10, 1<<30, func(s *DNSSettings) *int { return &s.UDPPref }),
		"dns_tcp_pref":          num(-10, 1<<30, func(s *DNSSettings) *int { return &s.TCPPref }),
		"dns_tls_pref":          num(-10, 1<<30, func(s *DNSSettings) *int { return &s.TLSPref }),
		"dns_sctp_pref":         sctp,
		"dns_srv_lb":            flag(func(s *DNSSettings) *bool { return &s.SRVLB }),
		"use_dns_failover":      flag(func(s *DNSSettings) *bool { return &s.Failover }),
		"use_dns_cache":         flag(func(s *DNSSettings) *bool { return &s.Cache }),
		"dns_cache_init":        flag(func(s *DNSSettings) *bool { return &s.CacheInit }),
		"dns_cache_flags":       num(0, 7, func(s *DNSSettings) *int { return &s.CacheFlags }),
		"dns_cache_negative_ttl": seconds(0,
			func(s *DNSSettings) *time.Duration { return &s.NegativeTTL }),
		"dns_cache_min_ttl": seconds(0,
			func(s *DNSSettings) *time.Duration { return &s.MinTTL }),
		"dns_cache_max_ttl": unbounded(func(s *DNSSettings) *time.Duration {
			return &s.MaxTTL
		}),
		"dns_cache_mem":        num(0, 1<<22, func(s *DNSSettings) *int { return &s.CacheKB }),
		"dns_cache_del_nonexp": flag(func(s *DNSSettings) *bool { return &s.DelNonExp }),
		"dns_cache_gc_interval": seconds(0,
			func(s *DNSSettings) *time.Duration { return &s.GCInterval }),
		"dns_cache_rec_pref": num(0, 3, func(s *DNSSettings) *int { return &s.RecPref }),

		// Parameters of ours.
		"dns_timeout": span(time.Second, 1, 60,
			func(s *Settings) *time.Duration { return &s.DNS.Timeout }),
		"dns_cache_stale_ttl": seconds(0,
			func(s *DNSSettings) *time.Duration { return &s.StaleTTL }),
		"dns_resolv_conf": file(func(s *DNSSettings) *string { return &s.ResolvConf }),
		"dns_hosts_file":  file(func(s *DNSSettings) *string { return &s.HostsFile }),
	}
}

// blocklistGlobals are those about the destination blocklist, by their names before and since
// Kamailio 5.5.
func blocklistGlobals() map[string]*paramDef {
	seconds := func(f func(*BlocklistSettings) *time.Duration) *paramDef {
		return span(time.Second, 0, maxSeconds,
			func(s *Settings) *time.Duration { return f(&s.Blocklist) })
	}
	mask := func(f func(*BlocklistSettings) *blocklist.Reason) *paramDef {
		return &paramDef{max: 255, set: func(s *Settings, v syntax.Literal) {
			*f(&s.Blocklist) = blocklist.Reason(v.Num)
		}}
	}
	sctp := mask(func(b *BlocklistSettings) *blocklist.Reason { return &b.SCTPIgnore })
	sctp.note = func(syntax.Literal) string { return "has no effect: SCTP is not there" }
	expire := seconds(func(b *BlocklistSettings) *time.Duration { return &b.Expire })
	named := map[string]*paramDef{
		"use_dst_%s":    toggle(func(s *Settings) *bool { return &s.Blocklist.Use }),
		"dst_%s_init":   toggle(func(s *Settings) *bool { return &s.Blocklist.Init }),
		"dst_%s_expire": expire,
		"dst_%s_ttl":    expire,
		"dst_%s_mem": number(0, 1<<22,
			func(s *Settings) *int { return &s.Blocklist.MemKB }),
		"dst_%s_gc_interval": seconds(func(b *BlocklistSettings) *time.Duration {
			return &b.GCInterval
		}),
		"dst_%s_udp_imask": mask(func(b *BlocklistSettings) *blocklist.Reason {
			return &b.UDPIgnore
		}),
		"dst_%s_tcp_imask": mask(func(b *BlocklistSettings) *blocklist.Reason {
			return &b.TCPIgnore
		}),
		"dst_%s_tls_imask": mask(func(b *BlocklistSettings) *blocklist.Reason {
			return &b.TLSIgnore
		}),
		"dst_%s_sctp_imask": sctp,
		// Of ours.
		"dst_%s_icmp": toggle(func(s *Settings) *bool { return &s.Blocklist.ICMP }),
	}
	defs := map[string]*paramDef{}
	for pattern, d := range named {
		for _, word := range []string{"blocklist", "blacklist"} {
			defs[fmt.Sprintf(pattern, word)] = d
		}
	}
	return defs
}
