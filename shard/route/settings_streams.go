package route

import (
	"net/netip"
	"time"

	"viaduct/control/tlsdomains"
	"viaduct/netio/stream"
	"viaduct/shard/blocklist"
)

// StreamSettings are the core parameters of TCP, which also concern TLS and WebSocket as far as
// they run over TCP. CoreSettings.DisableTCP and EnableTLS say whether there are any. Times and
// sizes are Kamailio's unless stated otherwise.
type StreamSettings struct {
	// Children is the number of event loops (`tcp_children`, -N); 0 means not set.
	Children int
	// MaxConnections bounds all connections (`tcp_max_connections`), and TLSMaxConnections those
	// with TLS (`tls_max_connections`); default 2048. Beyond: an incoming connection is closed at
	// once, and an outgoing one is not made.
	MaxConnections, TLSMaxConnections int
	// ConnectTimeout is the time for the TCP handshake (`tcp_connect_timeout`), SendTimeout the
	// time in which the peer takes none of the queued bytes (`tcp_send_timeout`), and Lifetime the
	// time in which nothing happens on a connection (`tcp_connection_lifetime`). Defaults: 10 s, 10
	// s, 120 s.
	ConnectTimeout, SendTimeout, Lifetime time.Duration
	// WaitData is how long a new connection may take to send a PROXY header where one is required
	// (`tcp_wait_data`, milliseconds); default 5 s. MsgReadTimeout is how long a message may take
	// from its first byte to its last (`tcp_msg_read_timeout`, seconds); default 20 s.
	WaitData, MsgReadTimeout time.Duration
	// AcceptAliases makes an alias of the connection of every request with ;alias in its Via
	// (`tcp_accept_aliases`, RFC 5923 §5); default false.
	AcceptAliases bool
	// AcceptIPLimit bounds the connections from one address (`tcp_accept_iplimit`); 0 means no such
	// bound. Default 1024 (Kamailio from 5.8 on).
	AcceptIPLimit int
	// AcceptUnique closes a further connection from an address and port that already has one
	// (`tcp_accept_unique`); default false.
	AcceptUnique bool
	// AcceptNoCL accepts a message without Content-Length as one without body (`tcp_accept_no_cl`),
	// against RFC 3261 §18.3; default false.
	AcceptNoCL bool
	// AcceptHAProxy requires each connection to begin with a PROXY header (`tcp_accept_haproxy`);
	// default false. ProxyFrom are the addresses and networks that may send one (tcp_proxy_from,
	// Viaduct's own); empty means everyone.
	AcceptHAProxy bool
	ProxyFrom     []netip.Prefix
	// Async queues what the socket does not accept (`tcp_async`, `tcp_buf_write`); default true.
	// Viaduct always does so, and warns about false.
	Async bool
	// ConnWQMaxBytes bounds the queue of one connection (`tcp_conn_wq_max`, 0 to 1 MiB), and
	// WQMaxBytes all queues together (`tcp_wq_max`, 0 to 1 GiB). Defaults: 32768 bytes, 10 MiB.
	ConnWQMaxBytes, WQMaxBytes int
	// ReadBufferBytes is the longest message (`tcp_rd_buf_size`, 512 bytes to 16 MiB); default
	// 65535 (Kamailio 16384), as long as a datagram can be.
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
	// (`tcp_syncnt`), and Linger2 TCP_LINGER2 in seconds (`tcp_linger2`); 0 means the kernel's. If
	// DelayedAck is false, data is acknowledged at once (TCP_QUICKACK; `tcp_delayed_ack`); default
	// true.
	DeferAccept, SynCount, Linger2 int
	DelayedAck                     bool
	// NoConnect forbids outgoing connections (`tcp_no_connect`); default false.
	NoConnect bool
	// ReusePort makes outgoing connections from the listener's port (`tcp_reuse_port`), unless it
	// is in use for the same destination; default false.
	ReusePort bool
	// SourceIPv4 and SourceIPv6 are the addresses that outgoing connections come from
	// (`tcp_source_ipv4`, `tcp_source_ipv6`). An invalid one stands for the listener's.
	SourceIPv4, SourceIPv6 netip.Addr
	// ConnMatch is 1 to find a connection by the local port as well, and not only by both addresses
	// and the peer's port (`tcp_connection_match`). Viaduct always does so, and warns about 0.
	ConnMatch int
	// KeepRefused keeps the connection of a request whose request_route ends with a result below 0
	// (`tcp_script_mode`); default false.
	KeepRefused bool
	// PerDestination is how many connections one shard keeps to one destination
	// (tcp_connections_per_destination, Viaduct's own; 1 to 64); default 1.
	PerDestination int
	// HandshakeMax is how many accepted connections may still be in their PROXY header or TLS
	// handshake (tcp_handshake_max, Viaduct's own; 1 to 65536); default 1024. Beyond: a new
	// connection is closed at once, so that when many peers reconnect at the same time some of them
	// succeed. Half of the processors work on handshakes.
	HandshakeMax int
	// AcceptRate bounds the new connections per second from one address (tcp_accept_rate, Viaduct's
	// own); 0, the default, means no bound.
	AcceptRate int
}

// DNSSettings are the core parameters of the resolver and its cache (RFC 3263). Whatever a caller
// has to wait for has a time limit. Names are looked up outside the call path.
type DNSSettings struct {
	// ResolvConf and HostsFile are read at the start (dns_resolv_conf, dns_hosts_file, Viaduct's
	// own). The defaults are /etc/resolv.conf and /etc/hosts.
	ResolvConf, HostsFile string
	// RetryTime is how long one server may take for an answer (`dns_retr_time`, seconds), and
	// RetryCount how often it is asked again (`dns_retr_no`). Below 0, the default, they are as in
	// resolv.conf (5 s and 2 attempts).
	RetryTime  time.Duration
	RetryCount int
	// Servers is how many servers of resolv.conf are used (`dns_servers_no`); below 0, the default,
	// all.
	Servers int
	// SlowQuery is the time beyond which a look-up is logged (`dns_slow_query_ms`); with 0, the
	// default, none is.
	SlowQuery time.Duration
	// SearchList completes names with few dots by the search domains of resolv.conf
	// (`dns_use_search_list`). Default false, since a SIP host is a full name (Kamailio true).
	// SearchFullMatch accepts only answers for the completed name (`dns_search_full_match`);
	// default true.
	SearchList, SearchFullMatch bool
	// TryIPv6 asks for AAAA (`dns_try_ipv6`), and TryNAPTR for NAPTR (`dns_try_naptr`); default
	// true (Kamailio: no NAPTR, which RFC 3263 §4.1 wants).
	TryIPv6, TryNAPTR bool
	// NAPTRIgnoreRFC puts the preferences below before the order of the NAPTR records
	// (`dns_naptr_ignore_rfc`); default false (Kamailio true; RFC 3403 §4.1 says that the order
	// rules).
	NAPTRIgnoreRFC bool
	// UDPPref and so on rank the transports (`dns_udp_pref`, …): the highest comes first, and one
	// below 0 is never used. Defaults: 30, 20, 10, and -1 for SCTP, which Viaduct does not speak
	// (Kamailio 20).
	UDPPref, TCPPref, TLSPref, SCTPPref int
	// SRVLB spreads calls by the weights of RFC 2782 (`dns_srv_lb`); default true (Kamailio false).
	SRVLB bool
	// Failover tries the next address if one fails (`use_dns_failover`, RFC 3263 §4.3); default
	// true (Kamailio false).
	Failover bool
	// Cache keeps answers (`use_dns_cache`). If CacheInit is false, the cache can never be switched
	// on (`dns_cache_init`). Default true for both.
	Cache, CacheInit bool
	// CacheFlags is 1 for IPv4 only, 2 for IPv6 only, 4 for IPv6 first (`dns_cache_flags`); default
	// 0.
	CacheFlags int
	// NegativeTTL is how long the absence of a name is kept (`dns_cache_negative_ttl`). MinTTL and
	// MaxTTL bound how long an answer is kept (`dns_cache_min_ttl`, `dns_cache_max_ttl`). Defaults:
	// 60 s, 0, and 0 for no upper bound.
	NegativeTTL, MinTTL, MaxTTL time.Duration
	// CacheKB is the size of the cache in KiB (`dns_cache_mem`); default 500. Beyond: the answer
	// that expires first goes, or with DelNonExp (`dns_cache_del_nonexp`) also one that has not
	// expired; else the new answer is used and not kept. GCInterval is the time between sweeps
	// (`dns_cache_gc_interval`), 120 s by default; 0 means never.
	CacheKB    int
	DelNonExp  bool
	GCInterval time.Duration
	// RecPref says which of two answers for a name stays (`dns_cache_rec_pref`): 0, the default,
	// either, 1 the old, 2 the new, 3 the one with the longer life.
	RecPref int
	// Timeout bounds a look-up with all its questions (dns_timeout, Viaduct's own; 1 to 60 s);
	// default 10 s. StaleTTL is how long past its end an answer may be used while the servers fail
	// (dns_cache_stale_ttl, Viaduct's own; RFC 8767); default one day, 0 means not at all.
	Timeout, StaleTTL time.Duration
}

// TLSSettings are the parameters of module tls.
type TLSSettings struct {
	// Domains are the profiles of servers and clients. A path in File that begins with neither "."
	// nor "/" is relative to the folder of the main configuration file. The caller that reads them
	// fills in Dir and Listeners.
	Domains tlsdomains.Options
	// ConnectionTimeout closes a connection on which nothing ever came (connection_timeout);
	// default 600 s, below 0 means never.
	ConnectionTimeout time.Duration
	// SendCloseNotify announces the end of a connection (send_close_notify, RFC 8446 §6.1); default
	// true (Kamailio false).
	SendCloseNotify bool
}

// WebSocketSettings are the parameters of module websocket. Loaded says that TCP and TLS listeners
// answer WebSocket handshakes too. A listener of kind ws or wss does so in any case.
type WebSocketSettings struct {
	Loaded bool
	stream.WebSocket
}

// streamDefaults sets the defaults of the settings in this file.
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
