package route

import (
	"net/netip"
	"time"

	"viaduct/control/tlsdomains"
	"viaduct/netio/stream"
	"viaduct/shard/blocklist"
)

// StreamSettings are the globals about TCP, and about TLS and WebSocket connections as far as these
// are TCP connections. CoreSettings.DisableTCP and EnableTLS say whether there are any. Times and
// sizes are Kamailio's where nothing else is said.
type StreamSettings struct {
	// Children is the number of event loops (`tcp_children`, -N); 0 means not set.
	Children int
	// MaxConnections caps all connections (`tcp_max_connections`), TLSMaxConnections those with TLS
	// (`tls_max_connections`); default 2048. Beyond: an incoming one is closed at once, an outgoing
	// one is not made.
	MaxConnections, TLSMaxConnections int
	// ConnectTimeout is for the TCP handshake (`tcp_connect_timeout`), SendTimeout for queued bytes
	// none of which the peer takes (`tcp_send_timeout`), Lifetime for a connection on which nothing
	// happens (`tcp_connection_lifetime`): 10 s, 10 s, 120 s.
	ConnectTimeout, SendTimeout, Lifetime time.Duration
	// WaitData is how long a connection may take for its first bytes where something must come
	// first: the PROXY header (`tcp_wait_data`, milliseconds); default 5 s. MsgReadTimeout is for a
	// message that has begun (`tcp_msg_read_timeout`, seconds); default 20 s.
	WaitData, MsgReadTimeout time.Duration
	// AcceptAliases: every request with ;alias in its Via makes an alias of its connection
	// (`tcp_accept_aliases`, RFC 5923 §5); default false.
	AcceptAliases bool
	// AcceptIPLimit caps the connections from one address (`tcp_accept_iplimit`); 0 means no cap of
	// its own. Default 1024 (Kamailio from 5.8 on).
	AcceptIPLimit int
	// AcceptUnique: a further connection from an address and port that has one is closed
	// (`tcp_accept_unique`); default false.
	AcceptUnique bool
	// AcceptNoCL: a message without Content-Length has no body (`tcp_accept_no_cl`), against RFC
	// 3261 §18.3; default false.
	AcceptNoCL bool
	// AcceptHAProxy: each connection begins with a PROXY header (`tcp_accept_haproxy`); default
	// false. ProxyFrom are the networks it is taken from (tcp_proxy_from, a parameter of ours: a
	// list of addresses and networks); empty means from everyone.
	AcceptHAProxy bool
	ProxyFrom     []netip.Prefix
	// Async queues what the socket does not take (`tcp_async`, `tcp_buf_write`); default true. It
	// is always so here: false is warned of.
	Async bool
	// ConnWQMaxBytes caps the queue of one connection (`tcp_conn_wq_max`, 0..1 MiB), WQMaxBytes all
	// queues (`tcp_wq_max`, 0..1 GiB): 32768, 10 MiB.
	ConnWQMaxBytes, WQMaxBytes int
	// ReadBufferBytes is the longest message (`tcp_rd_buf_size`, 512..16 MiB); default 65535
	// (Kamailio 16384), as long as a datagram can be.
	ReadBufferBytes int
	// CRLFPing answers CRLFCRLF with CRLF (`tcp_crlf_ping`, RFC 5626 §4.4.1); default true.
	CRLFPing bool
	// Keepalive sets SO_KEEPALIVE (`tcp_keepalive`); default true. KeepIdle, KeepInterval and
	// KeepCount are the socket options of that name (`tcp_keepidle`, `tcp_keepintvl`,
	// `tcp_keepcnt`); 0 means the kernel's.
	Keepalive              bool
	KeepIdle, KeepInterval time.Duration
	KeepCount              int
	// DeferAccept is TCP_DEFER_ACCEPT in seconds (`tcp_defer_accept`), SynCount TCP_SYNCNT
	// (`tcp_syncnt`), Linger2 TCP_LINGER2 in seconds (`tcp_linger2`); 0 means the kernel's.
	// DelayedAck false acknowledges at once (TCP_QUICKACK; `tcp_delayed_ack`); default true.
	DeferAccept, SynCount, Linger2 int
	DelayedAck                     bool
	// NoConnect: no connection is ever made (`tcp_no_connect`); default false.
	NoConnect bool
	// ReusePort lets outgoing connections leave from the listener's port (`tcp_reuse_port`), where
	// it is not in use for the same destination; default false.
	ReusePort bool
	// SourceIPv4 and SourceIPv6 are where outgoing connections come from (`tcp_source_ipv4`,
	// `tcp_source_ipv6`); invalid: the listener's.
	SourceIPv4, SourceIPv6 netip.Addr
	// ConnMatch 1 looks for a connection that has the local port, too, and not only both addresses
	// and the peer's port (`tcp_connection_match`). It is always so here: 0 is warned of.
	ConnMatch int
	// ScriptMode 1 keeps a connection whose message the script refused (`tcp_script_mode`), 0
	// closes it. Default 0.
	ScriptMode int
	// PerDestination is how many connections one shard keeps to one destination
	// (tcp_connections_per_destination, of ours; 1..64), default 1.
	PerDestination int
	// HandshakeMax is how many accepted connections may be before the end of their PROXY header and
	// TLS handshake (tcp_handshake_max, of ours; 1..65536), default 1024. Beyond: a new one is
	// closed at once, so that of a storm of peers that come back some get through. Half of the
	// processors work for them.
	HandshakeMax int
	// AcceptRate caps new connections per second from one address (tcp_accept_rate, of ours); 0
	// (default): no cap.
	AcceptRate int
}

// DNSSettings are the globals about the resolver and its cache (RFC 3263). What a caller has to
// wait for has a limit in time; names are looked up outside the call path.
type DNSSettings struct {
	// ResolvConf and HostsFile are read at start (dns_resolv_conf, dns_hosts_file, of ours);
	// /etc/resolv.conf and /etc/hosts.
	ResolvConf, HostsFile string
	// RetryTime is how long one server has for an answer (`dns_retr_time`, seconds), RetryCount how
	// often it is asked again (`dns_retr_no`); below 0 (default): as resolv.conf says (5 s and 2
	// attempts).
	RetryTime  time.Duration
	RetryCount int
	// Servers is how many of resolv.conf's are used (`dns_servers_no`); below 0 (default): all.
	Servers int
	// SlowQuery logs a look-up that takes longer (`dns_slow_query_ms`); 0 (default): none.
	SlowQuery time.Duration
	// SearchList: names with few dots are tried with resolv.conf's search domains
	// (`dns_use_search_list`); SearchFullMatch: an answer must be for such a name
	// (`dns_search_full_match`). Default false for ours, since a SIP host is a full name (Kamailio
	// yes); true.
	SearchList, SearchFullMatch bool
	// TryIPv6 asks for AAAA (`dns_try_ipv6`), TryNAPTR for NAPTR (`dns_try_naptr`); default true
	// (Kamailio: NAPTR no; RFC 3263 §4.1 wants it).
	TryIPv6, TryNAPTR bool
	// NAPTRIgnoreRFC: our own preferences below come before the order of the NAPTR records
	// (`dns_naptr_ignore_rfc`); default false (Kamailio yes; RFC 3403 §4.1 says the order rules).
	NAPTRIgnoreRFC bool
	// UDPPref and so on rank the protocols (`dns_udp_pref`, …): higher is better, below 0 never.
	// 30, 20, 10; SCTP -1, which we do not speak (Kamailio 20).
	UDPPref, TCPPref, TLSPref, SCTPPref int
	// SRVLB spreads by the weights of RFC 2782 (`dns_srv_lb`); default true (Kamailio no).
	SRVLB bool
	// Failover tries the next address when one fails (`use_dns_failover`, RFC 3263 §4.3); default
	// true (Kamailio no).
	Failover bool
	// Cache keeps answers (`use_dns_cache`), CacheInit false (`dns_cache_init`) keeps it off for
	// good; default true.
	Cache, CacheInit bool
	// CacheFlags: 1 IPv4 only, 2 IPv6 only, 4 IPv6 first (`dns_cache_flags`); default 0.
	CacheFlags int
	// NegativeTTL is how long the absence of a name is kept (`dns_cache_negative_ttl`), MinTTL and
	// MaxTTL bound the time of an answer (`dns_cache_min_ttl`, `dns_cache_max_ttl`); 60 s, 0, no
	// bound (0).
	NegativeTTL, MinTTL, MaxTTL time.Duration
	// CacheKB caps the cache (`dns_cache_mem`); default 500. Beyond: what expires first goes, or
	// with DelNonExp (`dns_cache_del_nonexp`) also what has not expired; else the answer is used
	// and not kept. GCInterval is `dns_cache_gc_interval`, 120 s; 0 means never.
	CacheKB    int
	DelNonExp  bool
	GCInterval time.Duration
	// RecPref is what stays when an answer is there already (`dns_cache_rec_pref`): 0 (default)
	// nobody looks, 1 the old, 2 the new, 3 the one with the longer life.
	RecPref int
	// Timeout bounds a look-up over all its questions (dns_timeout, of ours; 1..60 s), default 10
	// s. StaleTTL is how long past its end an answer may serve while the servers fail
	// (dns_cache_stale_ttl, of ours; RFC 8767), default a day; 0 means not at all.
	Timeout, StaleTTL time.Duration
}

// TLSSettings are the tls module's parameters.
type TLSSettings struct {
	// Domains are the profiles of servers and clients: File is a path that, where it starts with
	// neither "." nor "/", is relative to the folder of the main configuration file. Who reads them
	// fills in Dir and Listeners.
	Domains tlsdomains.Options
	// ConnectionTimeout is for a connection on which nothing ever came (connection_timeout);
	// default 600 s; below 0 means none.
	ConnectionTimeout time.Duration
	// SendCloseNotify says goodbye (send_close_notify, RFC 8446 §6.1); default true (Kamailio no).
	SendCloseNotify bool
}

// WebSocketSettings are the websocket module's parameters. Loaded says that WebSocket handshakes
// are answered on TCP and TLS listeners, too; a listener of kind ws or wss does so in any case.
type WebSocketSettings struct {
	Loaded bool
	stream.WebSocket
}

// streamDefaults are the defaults of all of them.
func (s *Settings) streamDefaults() {
	s.Stream = StreamSettings{
		MaxConnections: 2048, TLSMaxConnections: 2048, ConnectTimeout: 10 * time.Second,
		SendTimeout: 10 * time.Second, Lifetime: 120 * time.Second,
		WaitData: 5 * time.Second, MsgReadTimeout: 20 * time.Second, AcceptIPLimit: 1024,
		Async:          true,
		ConnWQMaxBytes: 32 << 10, WQMaxBytes: 10 << 20, ReadBufferBytes: 65535, CRLFPing: true,
		Keepalive:  true,
		DelayedAck: true, PerDestination: 1, HandshakeMax: 1024,
	}
	s.DNS = DNSSettings{
		ResolvConf: "/etc/resolv.conf", HostsFile: "/etc/hosts", RetryTime: -1, RetryCount: -1,
		Servers: -1, SearchFullMatch: true,
		TryIPv6: true, TryNAPTR: true, UDPPref: 30, TCPPref: 20, TLSPref: 10, SCTPPref: -1,
		SRVLB: true, Failover: true, Cache: true, CacheInit: true,
		NegativeTTL: 60 * time.Second, CacheKB: 500, GCInterval: 120 * time.Second,
		Timeout: 10 * time.Second, StaleTTL: 24 * time.Hour,
	}
	s.Blocklist = blocklist.DefaultConfig()
	s.TLS = TLSSettings{
		Domains: tlsdomains.Options{Default: tlsdomains.Settings{VerifyDepth: 9,
			Method: "TLSv1.2+"}}, // Kamailio TLSv1+; RFC 8996 forbids what is older
		ConnectionTimeout: 600 * time.Second, SendCloseNotify: true,
	}
	s.WebSocket.WebSocket = stream.WebSocket{Frames: stream.Pings, KeepAlive: 180 * time.Second}
}
