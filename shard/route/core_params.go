package route

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"viaduct/shard/route/syntax"
)

// The core parameters, name=value (Kamailio 5.6 core cookbook).

// coreParams declares the core parameters except those of transports, streams and look-ups.
func coreParams(m *Module) {
	c := &m.set.Core
	m.portVar(&c.Port, "port", "The port of listen lines without one.")
	m.IntVar(&c.Children, "children", 0, 4096, "The number of UDP workers.")
	m.Note("children", func(string, int64) string {
		return "has no effect: Viaduct runs one shard per CPU; -n sets how many"
	})
	m.BoolVar(&c.AutoAliases, "auto_aliases",
		"Whether the names that DNS has for the addresses of listen lines are taken as this "+
			"server's.")
	m.BoolVar(&c.DNS, "dns",
		"Whether DNS is asked if the host of a Via names the source. If it does, the Via needs no "+
			"received parameter.")
	m.BoolVar(&c.RevDNS, "rev_dns", "The same, by the name of the source address.")
	m.BoolVar(&c.CheckVia, "check_via",
		"Whether responses whose topmost Via is not ours are dropped.")
	m.BoolVar(&c.AcceptControl, "accept_ctrl_chars",
		"Viaduct's own: control characters in a start line or header, or a line that ends in LF "+
			"alone, do not make a message malformed.")
	m.WordVar(&c.AdvertisedAddress, "advertised_address", "The address that our Via shows, "+
		"instead of the listener's.")
	m.def.params["advertised_address"].problem = notAdvertised
	m.portVar(&c.AdvertisedPort, "advertised_port", "The port that our Via shows, instead of the "+
		"listener's.")
	m.TextVar(&c.ServerHeader, "server_header",
		"The whole Server line of answers made here.")
	m.TextVar(&c.UserAgentHeader, "user_agent_header",
		"The whole User-Agent line of requests made here.")
	m.BoolVar(&c.ServerSignature, "server_signature", "Whether answers made here have a Server "+
		"line.")
	m.IntVar(&c.SIPWarning, "sip_warning", 0, 1, "1: answers made here have a Warning line.")
	m.BoolVar(new(bool), "phone2tel", "0: a sip URI with user=phone is a sip URI. It is always so: "+
		"$rz is what is written. With 1, its default, Kamailio 5.6 has tel for such a URI.")
	m.Note("phone2tel", func(_ string, n int64) string {
		if n != 0 {
			return "is always 0: the scheme of a sip URI with user=phone is sip"
		}
		return ""
	})
	m.IdleInt("responses go to the source of a request (RFC 3261 §18.2.2, RFC 3581 §4): to the "+
		"host of its Via anybody could have them sent to anybody else", "reply_to_via")
	m.BoolVar(&c.OnsendReplies, "onsend_route_reply",
		"Whether onsend_route also runs for responses that are passed on.")
	m.BoolVar(&m.set.Proxy.ForceRPort, "force_rport",
		"Whether each request is treated as if it had rport.")
	m.BoolVar(&m.set.Proxy.LocalRPort, "local_rport", "Whether our own Via asks for rport.")
	m.IntVar(&c.MaxRecursion, "max_recursive_level", 1, 10000, "How deep route() may be nested.")
	m.IntVar(&c.MaxWhileLoops, "max_while_loops", 0, 1<<31-1,
		"How often a while loop may run; 0: no limit.")
	m.IntVar(&m.set.Txn.MaxBranches, "max_branches", 1, 30,
		"How many branches a transaction may have.")
	m.IntVar(&c.ServerID, "server_id", 0, 1<<31-1, "The number of this node.")
	m.TextVar(&c.XavpViaParams, "xavp_via_params",
		"The $xavp whose fields via_add_xavp_params() makes parameters of our Via.")
	m.TextVar(&c.XavpViaFields, "xavp_via_fields",
		"The $xavp whose address and port via_use_xavp_fields() shows in our Via. (In 5.6.3 it "+
			"has the effect of xavp_via_params instead.)")
	processParams(m, c)
}

// processParams declares the parameters of the process: its log, memory and rights.
func processParams(m *Module, c *CoreSettings) {
	m.IntVar(&c.Debug, "debug", -100, 100, "The highest level that is logged: -5 to 3.")
	m.BoolVar(&c.LogStderr, "log_stderror", "Whether lines go to standard error instead of syslog.")
	m.TextVar(&c.LogName, "log_name", "The name in syslog lines; empty: that of the program.")
	m.TextVar(&c.LogPrefix, "log_prefix", "A text with variables, written in front of each line "+
		"that the script logs.")
	m.BoolVar(&c.Fork, "fork", "0 keeps the process in the foreground.")
	m.IntVar(&c.ShmMB, "shm_mem_size", 1, 16777216, "The size of the arena in MiB.")
	m.alsoParam("shm_mem_size", "shm", "shm_mem")
	m.BoolVar(&c.ShmForceAlloc, "shm_force_alloc",
		"Whether all of the arena is touched at the start.")
	m.BoolVar(&c.MlockPages, "mlock_pages", "Whether the arena is locked in memory.")
	m.TextVar(&m.set.Control.HTTP, "http_listen",
		"Viaduct's own: where metrics and commands are served over HTTP, a loopback address and a "+
			"port, as in \"127.0.0.1:9090\"; empty: nowhere. See docs/metrics.md and docs/rpc.md.")
	m.TextVar(&m.set.Control.Tokens, "http_tokens",
		"Viaduct's own: the file of who may call commands over HTTP; empty: everybody may call "+
			"those that change nothing. See docs/rpc.md.")
	m.TextVar(&m.set.Control.RunDir, "run_dir",
		"The folder that relative paths of module jsonrpcs count from.")
	m.alsoParam("run_dir", "rundir")
	m.WordVar(&c.User, "user", "The user that the process runs as: a name or a number.")
	m.alsoParam("user", "uid")
	m.WordVar(&c.Group, "group", "The group that the process runs as: a name or a number.")
	m.alsoParam("group", "gid")
	m.TextVar(&c.Chroot, "chroot", "The folder that becomes the root of the process.")
	m.TextVar(&c.WorkDir, "workdir", "The folder that relative paths start from.")
	m.alsoParam("workdir", "wdir")
	m.DurationVar(&c.ExitTimeout, "exit_timeout", time.Second, 0, maxSeconds,
		"How many seconds a stop may take.")
	m.alsoParam("exit_timeout", "ser_kill_timeout")

	m.IdleAny("the arena has no debug allocator", "memdbg", "mem_dbg", "memlog", "mem_log",
		"mem_join", "mem_safety", "mem_status_mode", "mem_summary")
	m.IdleAny("the logger of the service manager decides", "log_facility", "log_engine_type",
		"log_engine_data", "corelog", "core_log", "latency_log", "latency_cfg_log",
		"latency_limit_db", "latency_limit_cfg", "latency_limit_action", "msg_time",
		"sip_parser_log", "sip_parser_log_oneline", "verbose_startup")
	m.IdleAny("log_prefix is made anew for each line", "log_prefix_mode")
	m.IdleAny("shards take the place of worker processes", "socket_workers", "async_workers",
		"async_nonblock", "async_usleep", "async_workers_group", "fork_delay", "modinit_delay",
		"wait_worker1_mode", "wait_worker1_time", "wait_worker1_usleep", "route_locks_size",
		"real_time", "rt_policy", "rt_prio", "rt_timer1_policy", "rt_ftimer_policy",
		"rt_timer1_prio", "rt_fast_timer_prio", "rt_ftimer_prio", "rt_timer2_policy",
		"rt_stimer_policy", "rt_timer2_prio", "rt_stimer_prio")
	m.IdleAny("it has no meaning here", "disable_core_dump", "open_files_limit", "pv_buffer_size",
		"pv_buffer_slots", "pv_cache_limit", "pv_cache_action", "sql_buffer_size", "version_table",
		"stats_name_separator", "mcast", "mcast_loopback", "mcast_ttl",
		"http_reply_parse", "http_reply_hack", "ipv6_hex_style",
		"uri_host_extra_chars", "hdr_name_extra_chars",
		"sip_parser_mode", "pmtu_discovery")
}

// notAdvertised returns what is wrong with an advertised_address. It returns "" if nothing is.
func notAdvertised(v syntax.Literal) string {
	if v.Kind == syntax.IntLiteral && v.Str == "" ||
		len(v.Str) <= maxAdvertisedName && v.Str != "" &&
			!strings.ContainsAny(v.Str, " \t\r\n;,?<>\"\x00") {
		return ""
	}
	return fmt.Sprintf("is %s: write a host name or an address", quote(clip(v.Str)))
}

// coreNames returns the names of the core parameters, for suggestions.
func coreNames() []string {
	names := sortedKeys(newModule(Core(), DefaultSettings(), nil).def.params)
	return append(names, "listen", "alias")
}

// Declarations that only core parameters use.

// alsoParam gives a parameter further names.
func (m *Module) alsoParam(name string, more ...string) {
	for _, n := range more {
		if m.def.params[n] != nil {
			panic("BUG: parameter " + n + " is declared twice")
		}
		m.def.params[n] = m.def.params[name]
	}
}

// portVar declares a port.
func (m *Module) portVar(p *uint16, name, doc string) {
	bind(m, p, name, doc, &paramDef{min: 1, max: 65535},
		func(v syntax.Literal) uint16 { return uint16(v.Num) })
}

// WordVar declares a text that may also be an unquoted word or a number.
func (m *Module) WordVar(p *string, name, doc string) {
	bind(m, p, name, doc, &paramDef{any: true}, func(v syntax.Literal) string {
		if v.Kind == syntax.IntLiteral && v.Str == "" {
			return strconv.FormatInt(v.Num, 10)
		}
		return v.Str
	})
}

// notVar declares a parameter that is the opposite of the switch p.
func (m *Module) notVar(p *bool, name, doc string) {
	m.param(name, doc, &paramDef{max: 1, set: func(v syntax.Literal) { *p = v.Num == 0 }},
		func() any { return !*p })
}

// timeoutVar declares a time in seconds. A value below 0 stands for Kamailio's own, below0.
func (m *Module) timeoutVar(p *time.Duration, name string, below0 time.Duration, doc string) {
	bind(m, p, name, doc, &paramDef{min: -1, max: maxSeconds},
		func(v syntax.Literal) time.Duration {
			if v.Num < 0 {
				return below0
			}
			return time.Duration(v.Num) * time.Second
		})
}

// sourceVar declares an address that must be of one family.
func (m *Module) sourceVar(p *netip.Addr, is6 bool, name, doc string) {
	d := &paramDef{any: true,
		set: func(v syntax.Literal) { *p, _ = netip.ParseAddr(unbracket(v.Str)) }}
	d.problem = func(v syntax.Literal) string {
		if a, err := netip.ParseAddr(unbracket(v.Str)); err != nil || a.Is6() != is6 {
			return fmt.Sprintf("is no IPv%d address: %s", map[bool]int{true: 6, false: 4}[is6],
				quote(clip(v.Str)))
		}
		return ""
	}
	m.param(name, doc, d, func() any {
		if !p.IsValid() {
			return nil
		}
		return p.String()
	})
}

// unbracket removes the brackets around an IPv6 address.
func unbracket(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, "["), "]") }
