package route

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"viaduct/shard/route/syntax"
)

// transportParams declares the core parameters of UDP and of which transports there are.
func transportParams(m *Module) {
	c := &m.set.Core
	m.BoolVar(&c.DisableTCP, "disable_tcp", "Whether there are no streams.")
	m.BoolVar(&c.EnableTLS, "enable_tls", "Whether there is TLS.")
	m.alsoParam("enable_tls", "tls_enable")
	m.notVar(&c.EnableTLS, "disable_tls", "Whether there is no TLS.")
	m.alsoParam("disable_tls", "tls_disable")
	m.portVar(&c.TLSPort, "tls_port_no", "The port of listen lines of TLS without one.")
	m.IntVar(&c.EnableSCTP, "enable_sctp", 0, 2, "1 wants SCTP, which is not there; 2: if it can.")
	m.param("disable_sctp", "Whether there is no SCTP.", &paramDef{max: 1,
		set: func(v syntax.Literal) { c.EnableSCTP = 1 - int(v.Num) }},
		func() any { return c.EnableSCTP == 0 })
	m.BoolVar(&c.MHomed, "mhomed",
		"Whether the kernel's routes say which listener a message leaves by.")
	m.IntVar(&m.set.Proxy.UDPMTU, "udp_mtu", 0, 65535,
		"Requests with more bytes leave over a stream (RFC 3261 "+
			"§18.1.1 says 1300); 0: none.")
	proto := &paramDef{any: true,
		set: func(v syntax.Literal) { c.UDPMTUTryProto, _ = transportWord(v.Str) }}
	proto.problem = func(v syntax.Literal) string {
		switch t, _ := transportWord(v.Str); t {
		case UDP, TCP, TLS, SCTP:
			return ""
		}
		return fmt.Sprintf("is %s; it is one of UDP, TCP, TLS and SCTP", quote(clip(v.Str)))
	}
	m.param("udp_mtu_try_proto", "The transport that they leave by: UDP, TCP, TLS or SCTP.", proto,
		func() any {
			if c.UDPMTUTryProto == AnyTransport {
				return nil
			}
			return c.UDPMTUTryProto.String()
		})
	m.IntVar(&c.RecvBufferBytes, "maxbuffer", 0, 1<<31-1,
		"The most bytes that a socket's receive buffer may have.")
	m.IntVar(&c.SendBufferBytes, "maxsndbuffer", 0, 1<<31-1,
		"The most bytes that a socket's send buffer may have; 0: as the kernel has it.")
	bind(m, &c.TOS, "tos", "The byte TOS of what is sent, as a number or as IPTOS_LOWDELAY, "+
		"IPTOS_THROUGHPUT, IPTOS_RELIABILITY or IPTOS_MINCOST.", &paramDef{any: true}, tosValue)
	m.NotYet("maxsndbuffer", "tos")
	m.IntVar(&c.UDPWQMaxBytes, "udp_wq_max", 0, 16<<20, "Of ours: the bytes that may wait for one "+
		"socket of one shard whose buffer is full; 0: nothing waits.")

	m.IdleAny("SCTP is not there", "sctp_children", "sctp_socket_rcvbuf",
		"sctp_socket_receive_buffer", "sctp_socket_sndbuf", "sctp_socket_send_buffer",
		"sctp_autoclose", "sctp_send_ttl", "sctp_send_retries", "sctp_assoc_tracking",
		"sctp_assoc_reuse", "sctp_max_assocs", "sctp_srto_initial", "sctp_srto_max",
		"sctp_srto_min", "sctp_asocmaxrxt", "sctp_init_max_attempts", "sctp_init_max_timeo",
		"sctp_hbinterval", "sctp_pathmaxrxt", "sctp_sack_delay", "sctp_sack_freq", "sctp_max_burst")
	m.IdleAny("datagrams leave in batches already", "udp4_raw", "udp4_raw_mtu", "udp4_raw_ttl")
	m.IdleAny("listen on the address itself", "auto_bind_ipv6", "bind_ipv6_link_local",
		"ip_free_bind", "ipfreebind", "ip_nonlocal_bind")
}

// tosValue returns the TOS byte for a number or one of the kernel's names (netinet/ip.h).
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

// streamParams declares the core parameters of streams.
func streamParams(m *Module) {
	s := &m.set.Stream
	m.IntVar(&s.Children, "tcp_children", 0, 4096, "The number of event loops for streams.")
	m.IntVar(&s.MaxConnections, "tcp_max_connections", 0, 1<<24, "The most connections.")
	m.IntVar(&s.TLSMaxConnections, "tls_max_connections", 0, 1<<24,
		"The most connections with TLS.")
	m.timeoutVar(&s.ConnectTimeout, "tcp_connect_timeout", 10*time.Second,
		"The time in seconds for a connection to be made.")
	m.timeoutVar(&s.SendTimeout, "tcp_send_timeout", 10*time.Second,
		"The time in seconds in which a peer takes no byte of what waits for it.")
	m.timeoutVar(&s.Lifetime, "tcp_connection_lifetime", maxSeconds*time.Second,
		"The time in seconds after which a connection is closed on which nothing came or went.")
	m.DurationVar(&s.WaitData, "tcp_wait_data", time.Millisecond, 0, maxMillis,
		"The time in milliseconds for the PROXY header.")
	m.DurationVar(&s.MsgReadTimeout, "tcp_msg_read_timeout", time.Second, 1, maxSeconds,
		"The time in seconds for a message, from its first byte to its last.")
	m.BoolVar(&s.AcceptAliases, "tcp_accept_aliases",
		"Whether each request with ;alias in its Via "+
			"makes an alias of its connection (RFC 5923 §5).")
	m.IntVar(&s.AcceptIPLimit, "tcp_accept_iplimit", 0, 1<<24,
		"The most connections from one address; 0: no limit of its own.")
	m.BoolVar(&s.AcceptUnique, "tcp_accept_unique",
		"Whether a further connection from an address and port that has one is closed.")
	m.BoolVar(&s.AcceptNoCL, "tcp_accept_no_cl",
		"Whether a message without Content-Length is taken, as one without body.")
	m.BoolVar(&s.AcceptHAProxy, "tcp_accept_haproxy",
		"Whether each connection begins with a PROXY header.")
	nets := &paramDef{kind: stringParam,
		set: func(v syntax.Literal) { s.ProxyFrom, _ = prefixes(v.Str) }}
	nets.problem = func(v syntax.Literal) string { _, why := prefixes(v.Str); return why }
	m.param("tcp_proxy_from", "Of ours: the addresses and networks that send one; empty: everyone.",
		nets, func() any { return strings.Trim(fmt.Sprint(s.ProxyFrom), "[]") })
	m.BoolVar(&s.Async, "tcp_async",
		"Whether what a socket does not take is queued; it is always so.")
	m.Note("tcp_async", func(_ string, n int64) string {
		if n == 0 {
			return "has no effect: what a socket does not take is queued always, since nobody " +
				"may wait for it"
		}
		return ""
	})
	m.alsoParam("tcp_async", "tcp_buf_write")
	m.IntVar(&s.ConnWQMaxBytes, "tcp_conn_wq_max", 0, 1<<20,
		"The bytes that may wait for one connection.")
	m.IntVar(&s.WQMaxBytes, "tcp_wq_max", 0, 1<<30, "The bytes that may wait for all of them.")
	m.IntVar(&s.ReadBufferBytes, "tcp_rd_buf_size", 512, 16777216, "The most bytes of a message.")
	m.BoolVar(&s.CRLFPing, "tcp_crlf_ping",
		"Whether CRLFCRLF is answered with CRLF (RFC 5626 §4.4.1).")
	socketParams(m, s)
	m.IntVar(&s.ConnMatch, "tcp_connection_match", 0, 1,
		"Whether a connection is found by our port, too; it is always so.")
	m.Note("tcp_connection_match", func(_ string, n int64) string {
		if n == 0 {
			return "is always 1: connections belong to a listener, and so to its address and port"
		}
		return ""
	})
	m.IntVar(&s.ScriptMode, "tcp_script_mode", 0, 1,
		"1 keeps a connection whose message the script refused.")
	m.NotYet("tcp_script_mode")
	m.IntVar(&s.PerDestination, "tcp_connections_per_destination", 1, 64,
		"Of ours: how many connections a shard keeps to one destination.")
	m.IntVar(&s.HandshakeMax, "tcp_handshake_max", 1, 65536,
		"Of ours: how many accepted connections may be before the end of their PROXY header and "+
			"handshake.")
	m.IntVar(&s.AcceptRate, "tcp_accept_rate", 0, 1<<24,
		"Of ours: the most new connections from one address in a second; 0: no limit.")

	m.IdleAny("the queue has no blocks", "tcp_wq_blk_size")
	m.IdleAny("a connection belongs to one event loop: there is no descriptor to pass",
		"tcp_fd_cache")
	m.IdleAny("connections are polled with epoll", "tcp_poll_method")
	m.IdleAny("a message is copied once as it is", "tcp_clone_rcvbuf")
	m.IdleAny("HEP is not spoken", "tcp_accept_hep3")
	m.IdleAny("tcp_msg_read_timeout is for a message from its first byte to its last",
		"tcp_msg_data_timeout")
	m.IdleAny("the parameters of module tls take its place", "tls_verify",
		"tls_require_certificate",
		"tls_handshake_timeout", "tls_send_timeout", "tls_certificate", "tls_private_key",
		"tls_method", "tls_ca_list", "tls_log")
}

// socketParams declares the stream parameters that become socket options.
func socketParams(m *Module, s *StreamSettings) {
	m.BoolVar(&s.Keepalive, "tcp_keepalive", "Whether the kernel probes idle peers.")
	m.DurationVar(&s.KeepIdle, "tcp_keepidle", time.Second, 0, maxSeconds,
		"After how many seconds it does; 0: as the kernel has it.")
	m.DurationVar(&s.KeepInterval, "tcp_keepintvl", time.Second, 0, maxSeconds,
		"The seconds between its probes; 0: as the kernel has it.")
	m.IntVar(&s.KeepCount, "tcp_keepcnt", 0, 1<<31-1,
		"After how many probes the connection has ended; 0: as the kernel has it.")
	m.IntVar(&s.DeferAccept, "tcp_defer_accept", 0, 3600,
		"The seconds that a connection may be without data before it is accepted; 0: none.")
	m.BoolVar(&s.DelayedAck, "tcp_delayed_ack", "0 acknowledges at once.")
	m.IntVar(&s.SynCount, "tcp_syncnt", 0, 1024, "How often SYN is sent; 0: as the kernel has it.")
	m.IntVar(&s.Linger2, "tcp_linger2", 0, 3600,
		"The seconds of an orphan in FIN_WAIT2; 0: as the kernel has it.")
	m.BoolVar(&s.NoConnect, "tcp_no_connect", "Whether no connection is ever made.")
	m.BoolVar(&s.ReusePort, "tcp_reuse_port",
		"Whether connections leave from the listener's port, where it is free.")
	m.sourceVar(&s.SourceIPv4, false, "tcp_source_ipv4",
		"The address that connections of IPv4 come from; without it the listener's.")
	m.sourceVar(&s.SourceIPv6, true, "tcp_source_ipv6",
		"The address that connections of IPv6 come from; without it the listener's.")
}

// prefixes reads a list of addresses and networks separated by commas, semicolons or white space.
// If the list is bad, why says what is wrong with it.
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
