package route

import (
	"net/netip"
	"time"

	"viaduct/parser"
	"viaduct/shard/route/syntax"
)

// Settings is what the globals and modparam lines of a file ask for. Load starts from
// DefaultSettings and overwrites what the file names. It is immutable after Load.
type Settings struct {
	Core       CoreSettings
	TM         TMSettings
	RR         RRSettings
	SL         SLSettings
	Dispatcher DispatcherSettings
	Stream     StreamSettings
	DNS        DNSSettings
	Blocklist  BlocklistSettings
	TLS        TLSSettings
	WebSocket  WebSocketSettings
	Path       PathSettings
	Extensions []string     // the option tags that Proxy-Require may ask for
	Modules    []LoadModule // as loaded, in file order
}

// LoadModule is one loadmodule line.
type LoadModule struct {
	Name string // without .so
	Pos  Pos
}

// Listen is one `listen=` line.
type Listen struct {
	Transport Transport // AnyTransport: none written, hence UDP and TCP
	// Host is an address, a host name or an interface name, brackets removed.
	Host string
	// Port is 1..65535; 0 means none written, see CoreSettings.PortOf.
	Port uint16
	// AdvertiseHost is what Via and Record-Route show instead of Host; empty means nothing
	// advertised. IPv6 keeps its brackets.
	AdvertiseHost string
	// AdvertisePort is shown with it; 0 means no port is written, so that NAPTR and SRV apply (RFC
	// 3263 §4.2).
	AdvertisePort uint16
	// Name is the socket's name (`listen=… name "s1"`); empty means none.
	Name string
	Pos  Pos
}

// listenOn is what a listen or alias line says.
func listenOn(s *syntax.Socket) Listen {
	t, _ := transportWord(s.Proto)
	return Listen{
		Transport: t, Host: s.Host, Port: s.Port, AdvertiseHost: s.AdvertiseHost,
		AdvertisePort: s.AdvertisePort, Name: s.Name, Pos: s.Pos,
	}
}

// Addr is the listen address when Host is an IP literal; defaultPort replaces a missing port.
func (l *Listen) Addr(defaultPort uint16) (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(l.Host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	port := l.Port
	if port == 0 {
		port = defaultPort
	}
	return netip.AddrPortFrom(ip, port), true
}

// PortOf is the port of a listen line: the one written, or that of its protocol. WebSocket has
// those a URI without port means (RFC 7118 §5.2).
func (c *CoreSettings) PortOf(l *Listen) uint16 {
	switch {
	case l.Port != 0:
		return l.Port
	case l.Transport == TLS:
		return c.TLSPort
	case l.Transport == WS || l.Transport == WSS:
		return parser.DefaultPort(parser.SIP, l.Transport)
	}
	return c.Port
}

// Alias is one `alias=` line: a name that IsMyself accepts.
type Alias struct {
	Transport Transport // AnyTransport: every protocol
	Host      string
	Port      uint16 // 0 means every port
	Pos       Pos
}

// CoreSettings are the globals.
type CoreSettings struct {
	Listen []Listen // empty means all IPv4 interfaces (ser(8) -l)
	Alias  []Alias
	Port   uint16 // port: for listen lines without one; default 5060
	// TLSPort is for TLS listeners without port (`tls_port_no`); default 5061.
	TLSPort uint16
	// Children is the number of UDP workers asked for (`children`); 0 means not set. Viaduct's
	// shards stand for them; ser(8) -n counts.
	Children int
	// Debug is the log level -5..3 and above; default 0 (`debug`).
	Debug int
	// LogStderr: log to standard error instead of syslog (`log_stderror`).
	LogStderr bool
	// LogName is syslog's ident (`log_name`); empty means the program's name.
	LogName string
	// LogPrefix is a pv format put before each line (`log_prefix`); empty means none.
	LogPrefix string
	// Fork: false keeps the process in the foreground (`fork`); default true. -D says the same.
	Fork bool
	// DisableTCP: no stream listeners (`disable_tcp`); default false. -T says the same.
	DisableTCP bool
	// EnableTLS is `enable_tls`, EnableSCTP is `enable_sctp` (0 no, 1 yes, 2 if possible).
	EnableTLS  bool
	EnableSCTP int
	// AutoAliases: reverse DNS of the listen addresses become aliases (`auto_aliases`); Kamailio's
	// default is yes, ours is no since it blocks the start on DNS.
	AutoAliases bool
	// DNS and RevDNS: check by DNS whether Via's host is the source, and leave `received` out if so
	// (`dns`, `rev_dns`, -r, -R). Default false: RFC 3261 §18.2.1 compares text only.
	DNS, RevDNS bool
	// AcceptControl: control characters in a start line or header, and an LF alone for a line end,
	// do not make a message malformed (accept_ctrl_chars, of ours); default false.
	AcceptControl bool
	// CheckVia: drop responses whose top Via is not ours (`check_via`, -v); default false.
	CheckVia bool
	// LocalRPort: ask for rport in our own Via (`local_rport`); default false.
	LocalRPort bool
	// MHomed: choose the sending socket by the kernel's route (`mhomed`); default false.
	MHomed bool
	// UDPWQMaxBytes caps what waits for one socket of one shard whose buffer is full (udp_wq_max,
	// of ours; 0..16 MiB), default 256 KiB; 0 means nothing waits. Beyond: sending fails.
	UDPWQMaxBytes int
	// AdvertisedAddress and AdvertisedPort go into Via only (`advertised_address`,
	// `advertised_port`); empty and 0: unset.
	AdvertisedAddress string
	AdvertisedPort    uint16
	// ServerHeader and UserAgentHeader are whole header lines (`server_header`,
	// `user_agent_header`); empty means default.
	ServerHeader, UserAgentHeader string
	// ServerSignature: put the Server header into own replies (`server_signature`); default true.
	ServerSignature bool
	// SIPWarning: Warning header in own replies (`sip_warning`); default 0.
	SIPWarning int
	// ReplyToVia: own replies go to the Via address instead of the packet source (`reply_to_via`);
	// default false.
	ReplyToVia bool
	// ForceRPort: behave as if every request carried rport (`force_rport`); default false.
	ForceRPort bool
	// MaxRecursion caps nested route() calls (`max_recursive_level`); default 256.
	MaxRecursion int
	// MaxWhileLoops caps the iterations of one while (`max_while_loops`); default 100; 0 means no
	// limit.
	MaxWhileLoops int
	// MaxBranches caps the branches of one transaction (`max_branches`); 1..30, default 12.
	MaxBranches int
	// UDPMTU: requests larger than this (bytes) go over a stream (`udp_mtu`); 0 (default): never;
	// RFC 3261 §18.1.1 says 1300.
	UDPMTU int
	// OnsendReplies has onsend_route run for responses that are passed on, too
	// (`onsend_route_reply`).
	OnsendReplies bool
	// UDPMTUTryProto is the stream protocol used then (`udp_mtu_try_proto`); AnyTransport: none.
	UDPMTUTryProto Transport
	// RecvBufferBytes caps the socket receive buffer (`maxbuffer`, -b); default 16777216 (Kamailio
	// 262144, which holds about a hundred datagrams).
	RecvBufferBytes int
	// SendBufferBytes likewise (`maxsndbuffer`); 0 means kernel default.
	SendBufferBytes int
	// TOS is the IP TOS byte of everything sent (`tos`); 0 means unset.
	TOS int
	// ShmMB is the arena (`shm_mem_size`, -m); 0 means default of the command line.
	ShmMB int
	// ShmForceAlloc pre-faults the arena (`shm_force_alloc`), MlockPages locks it (`mlock_pages`);
	// default false.
	ShmForceAlloc, MlockPages bool
	// User, Group, Chroot, WorkDir, PIDFile as in ser(8); empty means unset (`user`, `group`,
	// `chroot`, `workdir`).
	User, Group, Chroot, WorkDir string
	// ExitTimeout: kill after this long at shutdown (`exit_timeout`, `ser_kill_timeout`); default
	// 60 s.
	ExitTimeout time.Duration
	// ServerID names this node (`server_id`); default 0.
	ServerID int
}

// TMSettings are the tm module's parameters. All times have a resolution of 1 ms.
type TMSettings struct {
	T1 time.Duration // retr_timer1: RFC 3261 T1; default 500 ms
	T2 time.Duration // retr_timer2: T2; default 4 s
	T4 time.Duration // t4_timer: T4, Timers I and K; default 5 s
	// FrTimer: no reply at all to an INVITE (Timer B), no final reply to others (Timer F); default
	// 64*T1 = 32 s (Kamailio 30 s).
	FrTimer time.Duration
	// FrInvTimer: no final reply after a provisional one, Timer C; default 181 s, for §16.6 item 11
	// wants more than 3 minutes (Kamailio 120 s). Restarted by 101..199 (§16.7 item 2) as
	// FrInvRestart says.
	FrInvTimer   time.Duration // fr_inv_timer
	FrInvRestart bool          // restart_fr_on_each_reply; default true
	// MaxInvLifetime ends an INVITE transaction whatever its state (`max_inv_lifetime`); 0
	// (default): no limit but Timer C (Kamailio 180 s, which would cut a call that rings on with
	// 180s). MaxNonInvLifetime: default 64*T1 = 32 s.
	MaxInvLifetime    time.Duration
	MaxNonInvLifetime time.Duration // max_noninv_lifetime
	// WtTimer: how long a completed transaction absorbs retransmissions (`wt_timer`), Timers D, J,
	// L, M; default 64*T1 = 32 s (RFC 6026 §7.1; Kamailio 5 s).
	WtTimer time.Duration
	// AutoInv100 sends 100 Trying at t_relay (`auto_inv_100`), default true; AutoInv100Reason is
	// its phrase.
	AutoInv100       bool
	AutoInv100Reason string
	// FailureReplyMode: what failure routes see of earlier branches (`failure_reply_mode`) 0..3;
	// default 3.
	FailureReplyMode int
	// FailoverReplyCodes such as "class=5;code=408" (`failover_reply_codes`); empty means 503 and
	// silence.
	FailoverReplyCodes string
	// FakedReplyPrio: above 0 real replies beat a local 408 (`faked_reply_prio`); default 0.
	FakedReplyPrio int
	// RetryRefused sends a request whose only destination refuses it by ICMP once more before it
	// fails (`retry_refused`, of ours); default false.
	RetryRefused bool
	// Remap503 turns a forwarded 503 into 500 (§16.7 item 6; `remap_503_500`); default true.
	Remap503 bool
	// CancelBMethod: 0 fake 487, 1 wait for a provisional (§9.1, default), 2 send CANCEL at once
	// (`cancel_b_method`).
	CancelBMethod int
	// UnmatchedCancel: 0 forward statefully, 1 statelessly (default, §16.10), 2 drop
	// (`unmatched_cancel`; Kamailio 0).
	UnmatchedCancel int
	// AggregateChallenges joins the challenges of all 401/407 (§16.7 item 7;
	// `aggregate_challenges`); default true.
	AggregateChallenges bool
	// Disable6xxBlock: treat 6xx like other failures (`disable_6xx_block`); default false (§16.7
	// item 5).
	Disable6xxBlock bool
	// NoisyCTimer: answer 408 when nobody else did (`noisy_ctimer`); default true.
	NoisyCTimer bool
	// Relay100 forwards 100 (`relay_100`); default false (§16.7 item 5 forbids).
	Relay100 bool
	// PassFormerReplies passes responses to what a process before this one sent on by their Via:
	// who rang across a restart is heard. It is a parameter of ours (pass_former_replies), default
	// true.
	PassFormerReplies bool
	// ReparseInvite builds CANCEL and ACK from what was sent (`reparse_invite`); default true.
	ReparseInvite bool
	// LocalCancelReason, E2ECancelReason: Reason header in CANCEL (RFC 3326; `local_cancel_reason`,
	// `e2e_cancel_reason`); default true.
	LocalCancelReason, E2ECancelReason bool
	// ACExtraHeaders are header-name prefixes copied into local CANCEL and ACK (`ac_extra_hdrs`).
	ACExtraHeaders string
	// DefaultCode and DefaultReason answer when the script did not (`default_code`,
	// `default_reason`); 500 "Server Internal Error".
	DefaultCode   int
	DefaultReason string
	// Reply408Code replaces the local 408 (`reply_408_code`); default 408.
	Reply408Code int
	// DelayedReply leaves the error reply of a failed t_relay to the script (`delayed_reply`);
	// default true.
	DelayedReply bool
	// OnSLReply names an onreply_route for stray replies (`on_sl_reply`); empty means none.
	OnSLReply string
	// Blst503 and others list failed destinations (`blst_503`, …); 0 off.
	Blst503 bool
	// BlstDef, BlstMin, BlstMax bound how long: blst_503_def_timeout 0, blst_503_min_timeout 0,
	// blst_503_max_timeout 3600 s.
	BlstDef, BlstMin, BlstMax time.Duration
	// BlstMethodsAdd, BlstMethodsLookup are method bits (INVITE 1, CANCEL 2, ACK 4, BYE 8, …); 1,
	// and all but BYE.
	BlstMethodsAdd, BlstMethodsLookup uint32
	// Via1Matching, RURIMatching, CallIDMatching, CallIDCSeqMatching rule RFC 2543 matching; true,
	// true, false, false.
	Via1Matching, RURIMatching, CallIDMatching, CallIDCSeqMatching bool
	// PrecheckTrans is tmx's precheck_trans; default true.
	PrecheckTrans bool
}

// RRSettings are the rr module's parameters that package proxy acts on.
type RRSettings struct {
	// EnableFullLR writes ";lr=on" instead of ";lr" (`enable_full_lr`); default false.
	EnableFullLR bool
	// AppendFromtag adds ";ftag=" for is_direction (`append_fromtag`); default true.
	AppendFromtag bool
	// EnableDoubleRR: two Record-Route when the transport or socket changes (`enable_double_rr`);
	// default 1, 2 always.
	EnableDoubleRR int
	// IgnoreSips never makes it sips (`ignore_sips`); default false.
	IgnoreSips bool
	// ForceSendSocket uses the socket of a single Route too (`force_send_socket`); default false.
	ForceSendSocket bool
	// SignRoutes puts a mark into Record-Route that loose_route() asks for: only requests of calls
	// that were set up through this host follow their Route. It is a parameter of ours
	// (sign_routes), default false.
	SignRoutes bool
}

// SLSettings are the sl module's parameters.
type SLSettings struct {
	DefaultCode   int    // default_code; 500
	DefaultReason string // default_reason; "Internal Server Error"
	BindTM        bool   // bind_tm: send_reply uses the transaction; default true
}

// DispatcherSettings are the dispatcher module's parameters.
type DispatcherSettings struct {
	// ListFile is the destination list (list_file); a relative path starts at the working
	// directory. Default "dispatcher.list".
	ListFile string
	// ListOptional: a missing ListFile is an empty list, not a start error. It is a parameter of
	// ours (list_optional), for the embedded default script; Kamailio does not know it. Default
	// false.
	ListOptional bool
	// Flags: 1 hash the user part only, 2 failover (flags); default 0.
	Flags int
	// ForceDst overwrites a $du that is set already (force_dst); default true.
	ForceDst bool
	// UseDefault keeps the last destination of a set for when nothing else is left (use_default);
	// default false.
	UseDefault bool
	// HashPVar is the pv format algorithm 7 hashes (hash_pvar); empty means none.
	HashPVar string
	// PingInterval between probes (ds_ping_interval, seconds); 0 (default): no probing.
	PingInterval time.Duration
	// PingMethod, PingFrom: ds_ping_method OPTIONS, ds_ping_from sip:dispatcher@localhost.
	PingMethod, PingFrom string
	// PingReplyCodes such as "class=2;code=403" count as success (ds_ping_reply_codes); empty means
	// 2xx.
	PingReplyCodes string
	// PingLatency keeps latency figures (ds_ping_latency_stats), LatencyAlpha is their smoothing in
	// thousandths (ds_latency_estimator_alpha, 900).
	PingLatency  bool
	LatencyAlpha int
	// ProbingMode 0..3 (ds_probing_mode): which destinations are probed; default 0: those marked P.
	ProbingMode int
	// ProbingThreshold failures make inactive, InactiveThreshold successes make active
	// (ds_probing_threshold, ds_inactive_threshold); 1, 1.
	ProbingThreshold, InactiveThreshold int
	// HashSize is the exponent of the call table of algorithm 10 (ds_hash_size); 0 (default): no
	// table.
	HashSize int
	// HashExpire 7200 s, HashInitExpire 7200 s, HashCheckInterval 30 s (ds_hash_expire,
	// ds_hash_initexpire, ds_hash_check_interval) belong to that table.
	HashExpire, HashInitExpire, HashCheckInterval time.Duration
	// OutboundProxy is where probes go (outbound_proxy), DefaultSocket what they leave from
	// (ds_default_socket); empty means unset.
	OutboundProxy, DefaultSocket string
	// ReloadDelta is the least time between reloads (reload_delta); default 5 s.
	ReloadDelta time.Duration
}

// DefaultSettings are the settings of an empty configuration file.
func DefaultSettings() *Settings {
	const t1 = 500 * time.Millisecond
	s := &Settings{
		Core: CoreSettings{
			Port: 5060, UDPMTUTryProto: AnyTransport, Fork: true, ServerSignature: true,
			MaxRecursion: defaultRecursion, MaxWhileLoops: defaultWhileLoops,
			MaxBranches: 12, RecvBufferBytes: 16 << 20, UDPWQMaxBytes: 256 << 10,
			ExitTimeout: 60 * time.Second, EnableSCTP: 2, TLSPort: 5061,
		},
		TM: TMSettings{
			T1: t1, T2: 4 * time.Second, T4: 5 * time.Second, FrTimer: 64 * t1,
			FrInvTimer: 181 * time.Second, FrInvRestart: true,
			MaxNonInvLifetime: 64 * t1, WtTimer: 64 * t1,
			PassFormerReplies: true, AutoInv100: true,
			AutoInv100Reason: "trying -- your call is important to us",
			FailureReplyMode: 3, Remap503: true, CancelBMethod: 1, UnmatchedCancel: 1,
			AggregateChallenges: true,
			NoisyCTimer:         true, ReparseInvite: true, LocalCancelReason: true,
			E2ECancelReason: true,
			DefaultCode:     500, DefaultReason: "Server Internal Error", Reply408Code: 408,
			DelayedReply: true,
			BlstMax:      3600 * time.Second, BlstMethodsAdd: 1, BlstMethodsLookup: 4294967287,
			Via1Matching: true, RURIMatching: true, PrecheckTrans: true,
		},
		RR: RRSettings{AppendFromtag: true, EnableDoubleRR: 1},
		SL: SLSettings{DefaultCode: 500, DefaultReason: "Internal Server Error", BindTM: true},
		Dispatcher: DispatcherSettings{
			ListFile: "dispatcher.list", ForceDst: true, PingMethod: "OPTIONS",
			PingFrom:         "sip:dispatcher@localhost",
			ProbingThreshold: 1, InactiveThreshold: 1, HashExpire: 7200 * time.Second,
			HashInitExpire:    7200 * time.Second,
			HashCheckInterval: 30 * time.Second, ReloadDelta: 5 * time.Second, LatencyAlpha: 900,
		},
	}
	s.streamDefaults()
	return s
}
