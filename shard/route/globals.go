package route

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"viaduct/shard/route/syntax"
)

// globals are the core parameters by name, aliases included (Kamailio 5.6 core cookbook). Those
// with idle are accepted with a warning.
var globals map[string]*paramDef

// globalNames lists them for suggestions.
func globalNames() []string { return append(sortedKeys(globals), "listen", "alias") }

func init() {
	word := func(f func(*Settings) *string) *paramDef {
		return &paramDef{any: true, set: func(s *Settings, v syntax.Literal) {
			if v.Kind == syntax.IntLiteral && v.Str == "" {
				v.Str = strconv.FormatInt(v.Num, 10)
			}
			*f(s) = v.Str
		}}
	}
	port := func(f func(*Settings) *uint16) *paramDef {
		return &paramDef{min: 1, max: 65535, set: func(s *Settings, v syntax.Literal) {
			*f(s) = uint16(v.Num)
		}}
	}
	negated := func(f func(*Settings) *bool) *paramDef {
		return &paramDef{max: 1, set: func(s *Settings, v syntax.Literal) { *f(s) = v.Num == 0 }}
	}
	proto := &paramDef{any: true, problem: func(v syntax.Literal) string {
		switch t, _ := transportWord(v.Str); t {
		case UDP, TCP, TLS, SCTP:
			return ""
		}
		return fmt.Sprintf("is %s; it is one of UDP, TCP, TLS and SCTP", quote(clip(v.Str)))
	}, set: func(s *Settings, v syntax.Literal) { s.Core.UDPMTUTryProto, _ = transportWord(v.Str) }}
	core := func(f func(*CoreSettings) *int, min, max int64) *paramDef {
		return number(min, max, func(s *Settings) *int { return f(&s.Core) })
	}
	flag := func(f func(*CoreSettings) *bool) *paramDef {
		return toggle(func(s *Settings) *bool { return f(&s.Core) })
	}
	seconds := func(f func(*CoreSettings) *time.Duration) *paramDef {
		return span(time.Second, 0, maxSeconds,
			func(s *Settings) *time.Duration { return f(&s.Core) })
	}
	advertised := word(func(s *Settings) *string { return &s.Core.AdvertisedAddress })
	advertised.problem = func(v syntax.Literal) string {
		if v.Kind == syntax.IntLiteral && v.Str == "" ||
			len(v.Str) <= maxAdvertisedName && v.Str != "" &&
				!strings.ContainsAny(v.Str, " \t\r\n;,?<>\"\x00") {
			return ""
		}
		return fmt.Sprintf("is %s: write a host name or an address", quote(clip(v.Str)))
	}
	globals = map[string]*paramDef{
		"port":         port(func(s *Settings) *uint16 { return &s.Core.Port }),
		"children":     core(func(c *CoreSettings) *int { return &c.Children }, 0, 4096),
		"debug":        core(func(c *CoreSettings) *int { return &c.Debug }, -100, 100),
		"log_stderror": flag(func(c *CoreSettings) *bool { return &c.LogStderr }),
		"log_name":     text(func(s *Settings) *string { return &s.Core.LogName }),
		"log_prefix":   text(func(s *Settings) *string { return &s.Core.LogPrefix }),
		"fork":         flag(func(c *CoreSettings) *bool { return &c.Fork }),
		"disable_tcp":  flag(func(c *CoreSettings) *bool { return &c.DisableTCP }),
		"enable_tls":   flag(func(c *CoreSettings) *bool { return &c.EnableTLS }),
		"disable_tls":  negated(func(s *Settings) *bool { return &s.Core.EnableTLS }),
		"enable_sctp":  core(func(c *CoreSettings) *int { return &c.EnableSCTP }, 0, 2),
		"disable_sctp": {max: 1, set: func(s *Settings, v syntax.Literal) {
			s.Core.EnableSCTP = 1 - int(v.Num)
		}},
		"auto_aliases":       flag(func(c *CoreSettings) *bool { return &c.AutoAliases }),
		"dns":                flag(func(c *CoreSettings) *bool { return &c.DNS }),
		"rev_dns":            flag(func(c *CoreSettings) *bool { return &c.RevDNS }),
		"mhomed":             flag(func(c *CoreSettings) *bool { return &c.MHomed }),
		"check_via":          flag(func(c *CoreSettings) *bool { return &c.CheckVia }),
		"accept_ctrl_chars":  flag(func(c *CoreSettings) *bool { return &c.AcceptControl }),
		"advertised_address": advertised,
		"advertised_port":    port(func(s *Settings) *uint16 { return &s.Core.AdvertisedPort }),
		"server_header":      text(func(s *Settings) *string { return &s.Core.ServerHeader }),
		"user_agent_header":  text(func(s *Settings) *string { return &s.Core.UserAgentHeader }),
		"server_signature":   flag(func(c *CoreSettings) *bool { return &c.ServerSignature }),
		"sip_warning":        core(func(c *CoreSettings) *int { return &c.SIPWarning }, 0, 1),
		"reply_to_via":       flag(func(c *CoreSettings) *bool { return &c.ReplyToVia }),
		"onsend_route_reply": flag(func(c *CoreSettings) *bool { return &c.OnsendReplies }),
		"force_rport":        flag(func(c *CoreSettings) *bool { return &c.ForceRPort }),
		"local_rport":        flag(func(c *CoreSettings) *bool { return &c.LocalRPort }),
		"max_recursive_level": core(func(c *CoreSettings) *int {
			return &c.MaxRecursion
		}, 1, 10000),
		"max_while_loops": core(func(c *CoreSettings) *int {
			return &c.MaxWhileLoops
		}, 0, 1<<31-1),
		"max_branches":      core(func(c *CoreSettings) *int { return &c.MaxBranches }, 1, 30),
		"udp_mtu":           core(func(c *CoreSettings) *int { return &c.UDPMTU }, 0, 65535),
		"udp_mtu_try_proto": proto,
		"maxbuffer": core(func(c *CoreSettings) *int {
			return &c.RecvBufferBytes
		}, 0, 1<<31-1),
		"maxsndbuffer": core(func(c *CoreSettings) *int {
			return &c.SendBufferBytes
		}, 0, 1<<31-1),
		"shm_mem_size":    core(func(c *CoreSettings) *int { return &c.ShmMB }, 1, 16777216),
		"shm_force_alloc": flag(func(c *CoreSettings) *bool { return &c.ShmForceAlloc }),
		"mlock_pages":     flag(func(c *CoreSettings) *bool { return &c.MlockPages }),
		"user":            word(func(s *Settings) *string { return &s.Core.User }),
		"group":           word(func(s *Settings) *string { return &s.Core.Group }),
		"chroot":          text(func(s *Settings) *string { return &s.Core.Chroot }),
		"workdir":         text(func(s *Settings) *string { return &s.Core.WorkDir }),
		"exit_timeout": seconds(func(c *CoreSettings) *time.Duration {
			return &c.ExitTimeout
		}),
		"server_id": core(func(c *CoreSettings) *int { return &c.ServerID }, 0, 1<<31-1),
		"tos": {any: true, set: func(s *Settings, v syntax.Literal) {
			s.Core.TOS = tosValue(v)
		}},
	}
	maps.Copy(globals, streamGlobals())
	maps.Copy(globals, dnsGlobals())
	maps.Copy(globals, blocklistGlobals())
	for alias, name := range map[string]string{"uid": "user", "gid": "group", "wdir": "workdir",
		"ser_kill_timeout": "exit_timeout",
		"tls_enable":       "enable_tls", "tls_disable": "disable_tls", "shm": "shm_mem_size",
		"shm_mem":       "shm_mem_size",
		"tcp_buf_write": "tcp_async", "dns_cache_delete_nonexpired": "dns_cache_del_nonexp",
		"dns_srv_loadbalancing": "dns_srv_lb",
		"dns_udp_preference":    "dns_udp_pref", "dns_tcp_preference": "dns_tcp_pref",
		"dns_tls_preference":  "dns_tls_pref",
		"dns_sctp_preference": "dns_sctp_pref"} {
		globals[alias] = globals[name]
	}
	for why, names := range idleGlobals {
		for _, n := range names {
			globals[n] = idleAny(why)
		}
	}
	// A chroot is a promise; what a global cannot do must not pass silently for one that can.
	for n, d := range globals {
		if d.set == nil && d.idle == "" {
			panic("BUG: global without meaning: " + n)
		}
	}
}

// tosValue reads a number or one of the kernel's names (netinet/ip.h).
func tosValue(v syntax.Literal) int {
	switch v.Str {
	case "IPTOS_LOWDELAY":
		return 0x10
	case "IPTOS_THROUGHPUT":
		return 0x08
	case "IPTOS_RELIABILITY":
		return 0x04
	case "IPTOS_MINCOST":
		return 0x02
	}
	return int(v.Num)
}

// idleGlobals are core parameters that are accepted without effect, by the reason the warning
// gives.
var idleGlobals = map[string][]string{
	"the arena has no debug allocator": {"memdbg", "mem_dbg", "memlog", "mem_log", "mem_join",
		"mem_safety", "mem_status_mode", "mem_summary"},
	"the logger of the service manager decides": {"log_facility", "log_engine_type",
		"log_engine_data", "log_prefix_mode",
		"corelog", "latency_log", "latency_cfg_log", "latency_limit_db", "latency_limit_action",
		"sip_parser_log", "verbose_startup"},
	"shards take the place of worker processes": {"socket_workers", "async_workers",
		"async_nonblock", "async_usleep", "async_workers_group",
		"fork_delay", "modinit_delay", "wait_worker1_mode", "wait_worker1_time",
		"wait_worker1_usleep", "route_locks_size",
		"real_time", "rt_policy", "rt_prio", "rt_timer1_policy", "rt_ftimer_policy",
		"rt_timer1_prio", "rt_fast_timer_prio", "rt_ftimer_prio",
		"rt_timer2_policy", "rt_stimer_policy", "rt_timer2_prio", "rt_stimer_prio"},
	"SCTP is not there": {"sctp_children", "sctp_socket_rcvbuf", "sctp_socket_receive_buffer",
		"sctp_socket_sndbuf", "sctp_socket_send_buffer",
		"sctp_autoclose", "sctp_send_ttl", "sctp_send_retries", "sctp_assoc_tracking",
		"sctp_assoc_reuse", "sctp_max_assocs",
		"sctp_srto_initial", "sctp_srto_max", "sctp_srto_min", "sctp_asocmaxrxt",
		"sctp_init_max_attempts", "sctp_init_max_timeo",
		"sctp_hbinterval", "sctp_pathmaxrxt", "sctp_sack_delay", "sctp_sack_freq",
		"sctp_max_burst"},
	"datagrams leave in batches already": {"udp4_raw", "udp4_raw_mtu", "udp4_raw_ttl"},
	"it has no meaning here": {"disable_core_dump", "open_files_limit", "pv_buffer_size",
		"pv_buffer_slots",
		"pv_cache_limit", "pv_cache_action", "sql_buffer_size", "version_table",
		"stats_name_separator",
		"rundir", "run_dir", "mcast", "mcast_loopback", "mcast_ttl", "http_reply_parse",
		"http_reply_hack",
		"received_route_mode", "ipv6_hex_style", "phone2tel", "xavp_via_params", "xavp_via_fields",
		"uri_host_extra_chars", "hdr_name_extra_chars", "sip_parser_mode", "pmtu_discovery"},
	"listen on the address itself": {"auto_bind_ipv6", "bind_ipv6_link_local", "ip_free_bind",
		"ipfreebind", "ip_nonlocal_bind"},
}
