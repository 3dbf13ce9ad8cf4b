package route

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"viaduct/shard/route/syntax"
)

// transportParams declares the core parameters of UDP and of which transports there are.
func transportParams(m *Module) {
	c := &m.set.Core
	m.BoolVar(&c.DisableTCP, "disable_tcp", "Switches streams off: TCP, TLS and WebSocket.")
	m.BoolVar(&c.EnableTLS, "enable_tls", "Switches TLS on.")
	m.alsoParam("enable_tls", "tls_enable")
	m.notVar(&c.EnableTLS, "disable_tls", "Switches TLS off.")
	m.alsoParam("disable_tls", "tls_disable")
	m.portVar(&c.TLSPort, "tls_port_no", "The port of listen lines of TLS without one.")
	m.IntVar(&c.EnableSCTP, "enable_sctp", 0, 2, "1 wants SCTP, which is not there; 2: if it can.")
	m.param("disable_sctp", "Switches SCTP off.", &paramDef{max: 1,
		set: func(v syntax.Literal) { c.EnableSCTP = 1 - int(v.Num) }},
		func() any { return c.EnableSCTP == 0 })
	m.BoolVar(&c.MHomed, "mhomed",
		"Whether the kernel's routing table decides which listener a message leaves by.")
	m.IntVar(&m.set.Proxy.UDPMTU, "udp_mtu", 0, 65535,
		"Longer requests, in bytes, leave over a stream (RFC 3261 §18.1.1 says 1300); 0: none do.")
	proto := &paramDef{any: true,
		set: func(v syntax.Literal) { c.UDPMTUTryProto, _ = transportWord(v.Str) }}
	proto.problem = func(v syntax.Literal) string {
		switch t, _ := transportWord(v.Str); t {
		case UDP, TCP, TLS, SCTP:
			return ""
		}
		return fmt.Sprintf("is %s; it is one of UDP, TCP, TLS and SCTP", quote(clip(v.Str)))
	}
	m.param("udp_mtu_try_proto", "The transport that such requests leave by: UDP, TCP, TLS or "+
		"SCTP.", proto,
		func() any {
			if c.UDPMTUTryProto == AnyTransport {
				return nil
			}
			return c.UDPMTUTryProto.String()
		})
	m.IntVar(&c.RecvBufferBytes, "maxbuffer", 0, 1<<31-1,
		"The maximum size of a socket's receive buffer, in bytes.")
	m.IntVar(&c.SendBufferBytes, "maxsndbuffer", 0, 1<<30,
		"The bytes of a UDP socket's send buffer, as the kernel counts them; 0: 1 MiB.")
	tos := &paramDef{any: true}
	tos.problem = func(v syntax.Literal) string {
		if n := tosValue(v); n < 0 || n > 255 {
			given := quote(clip(v.Str))
			if v.Kind == syntax.IntLiteral {
				given = strconv.FormatInt(v.Num, 10)
			}
			return "is " + given + "; write a number from 0 to 255, or IPTOS_LOWDELAY, " +
				"IPTOS_THROUGHPUT, IPTOS_RELIABILITY or IPTOS_MINCOST"
		}
		return ""
	}
	bind(m, &c.TOS, "tos", "The byte TOS (for IPv6 the traffic class) of what is sent by UDP and "+
		"streams, as a number or as IPTOS_LOWDELAY, IPTOS_THROUGHPUT, IPTOS_RELIABILITY or "+
		"IPTOS_MINCOST. Kamailio 5.6 takes the word for another than it is, and 300 for 44.", tos,
		tosValue)
	m.IntVar(&c.UDPWQMaxBytes, "udp_wq_max", 0, 16<<20, "Viaduct's own: how many bytes may wait "+
		"for one socket of a shard when its buffer is full; 0: nothing waits.")

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

// tosValue returns the TOS byte for a number or one of the kernel's names (netinet/ip.h). It
// returns -1 for another word.
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
	if v.Kind != syntax.IntLiteral {
		return -1
	}
	return int(v.Num)
}

// streamParams declares the core parameters of streams.
func streamParams(m *Module) {
	s := &m.set.Stream
	m.IntVar(&s.Children, "tcp_children", 0, 4096, "The number of event loops for streams.")
	m.IntVar(&s.MaxConnections, "tcp_max_connections", 0, 1<<24, "The maximum number of "+
		"connections.")
	m.IntVar(&s.TLSMaxConnections, "tls_max_connections", 0, 1<<24,
		"The maximum number of TLS connections.")
	m.timeoutVar(&s.ConnectTimeout, "tcp_connect_timeout", 10*time.Second,
		"How many seconds connecting may take.")
	m.timeoutVar(&s.SendTimeout, "tcp_send_timeout", 10*time.Second,
		"A connection is closed if its peer takes none of the waiting bytes for this many seconds.")
	m.timeoutVar(&s.Lifetime, "tcp_connection_lifetime", maxSeconds*time.Second,
		"A connection without traffic is closed after this many seconds.")
	m.DurationVar(&s.WaitData, "tcp_wait_data", time.Millisecond, 0, maxMillis,
		"How many milliseconds the PROXY header may take.")
	m.DurationVar(&s.MsgReadTimeout, "tcp_msg_read_timeout", time.Second, 1, maxSeconds,
		"How many seconds a message may take, from its first byte to its last.")
	m.BoolVar(&s.AcceptAliases, "tcp_accept_aliases",
		"Whether a request with ;alias in its Via makes its connection an alias (RFC 5923 §5).")
	m.IntVar(&s.AcceptIPLimit, "tcp_accept_iplimit", 0, 1<<24,
		"The maximum number of connections from one address; 0: no limit per address.")
	m.BoolVar(&s.AcceptUnique, "tcp_accept_unique",
		"Whether a second connection from the same address and port is closed.")
	m.BoolVar(&s.AcceptNoCL, "tcp_accept_no_cl",
		"Whether a message without Content-Length is accepted, as one without a body.")
	m.BoolVar(&s.AcceptHAProxy, "tcp_accept_haproxy",
		"Whether each connection begins with a PROXY header.")
	nets := &paramDef{kind: stringParam,
		set: func(v syntax.Literal) { s.ProxyFrom, _ = prefixes(v.Str) }}
	nets.problem = func(v syntax.Literal) string { _, why := prefixes(v.Str); return why }
	m.param("tcp_proxy_from", "Viaduct's own: the addresses and networks that send a PROXY "+
		"header; empty: all.",
		nets, func() any { return strings.Trim(fmt.Sprint(s.ProxyFrom), "[]") })
	m.BoolVar(&s.Async, "tcp_async",
		"Whether bytes that a socket does not take are queued; they always are.")
	m.Note("tcp_async", func(_ string, n int64) string {
		if n == 0 {
			return "has no effect: what a socket does not take is queued always, since nobody " +
				"may wait for it"
		}
		return ""
	})
	m.alsoParam("tcp_async", "tcp_buf_write")
	m.IntVar(&s.ConnWQMaxBytes, "tcp_conn_wq_max", 0, 1<<20,
		"How many bytes may wait for one connection.")
	m.IntVar(&s.WQMaxBytes, "tcp_wq_max", 0, 1<<30, "How many bytes may wait for all connections "+
		"together.")
	m.IntVar(&s.ReadBufferBytes, "tcp_rd_buf_size", 512, 16777216, "The maximum size of a "+
		"message, in bytes.")
	m.BoolVar(&s.CRLFPing, "tcp_crlf_ping",
		"Whether CRLFCRLF is answered with CRLF (RFC 5626 §4.4.1).")
	socketParams(m, s)
	m.IntVar(&s.ConnMatch, "tcp_connection_match", 0, 1,
		"Whether a connection is also looked up by our port; it always is.")
	m.Note("tcp_connection_match", func(_ string, n int64) string {
		if n == 0 {
			return "is always 1: connections belong to a listener, and so to its address and port"
		}
		return ""
	})
	m.BoolVar(&s.KeepRefused, "tcp_script_mode",
		"0 closes the connection of a request whose request_route ends with a result below 0: by "+
			"`return` with one, or because its last statement was false. What was queued is sent "+
			"before.")
	m.IntVar(&s.PerDestination, "tcp_connections_per_destination", 1, 64,
		"Viaduct's own: how many connections a shard keeps to one destination.")
	m.IntVar(&s.HandshakeMax, "tcp_handshake_max", 1, 65536,
		"Viaduct's own: how many accepted connections may have their PROXY header or handshake "+
			"under way.")
	m.IntVar(&s.AcceptRate, "tcp_accept_rate", 0, 1<<24,
		"Viaduct's own: how many new connections one address may open in a second; 0: no limit.")

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
		"After how many idle seconds the kernel begins to probe; 0: the kernel's default.")
	m.DurationVar(&s.KeepInterval, "tcp_keepintvl", time.Second, 0, maxSeconds,
		"Seconds between probes; 0: the kernel's default.")
	m.IntVar(&s.KeepCount, "tcp_keepcnt", 0, 1<<31-1,
		"After how many unanswered probes the connection ends; 0: the kernel's default.")
	m.IntVar(&s.DeferAccept, "tcp_defer_accept", 0, 3600,
		"How many seconds the kernel waits for data before a connection is accepted; 0: it does "+
			"not wait.")
	m.BoolVar(&s.DelayedAck, "tcp_delayed_ack", "0: received data is acknowledged at once.")
	m.IntVar(&s.SynCount, "tcp_syncnt", 0, 1024, "How often SYN is sent; 0: the kernel's default.")
	m.IntVar(&s.Linger2, "tcp_linger2", 0, 3600,
		"How many seconds a closed connection stays in FIN_WAIT2; 0: the kernel's default.")
	m.BoolVar(&s.NoConnect, "tcp_no_connect", "Whether Viaduct never opens a connection.")
	m.BoolVar(&s.ReusePort, "tcp_reuse_port",
		"Whether connections are opened from the listener's port if it is free.")
	m.sourceVar(&s.SourceIPv4, false, "tcp_source_ipv4",
		"The address that IPv4 connections are opened from; without it, the listener's.")
	m.sourceVar(&s.SourceIPv6, true, "tcp_source_ipv6",
		"The address that IPv6 connections are opened from; without it, the listener's.")
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
