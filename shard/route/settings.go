package route

import (
	"net/netip"
	"time"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/blocklist"
	"viaduct/shard/proxy"
	"viaduct/shard/route/syntax"
	"viaduct/shard/txn"
)

// Settings is what the globals and modparam lines of a file ask for of what stands outside of the
// language: a module binds its parameters to fields of the configuration that they fill. What only
// the module itself looks at is not here. Load starts from DefaultSettings and overwrites what the
// file names. It is immutable after Load.
type Settings struct {
	Core       CoreSettings
	Proxy      proxy.Settings // the core, tm, rr, path and sanity
	Txn        txn.Settings   // the core and tm
	Dispatcher DispatcherSettings
	Stream     StreamSettings
	DNS        DNSSettings
	Blocklist  blocklist.Config // the core and tm
	TLS        TLSSettings
	WebSocket  WebSocketSettings
	Control    ControlSettings
	Modules    []LoadModule // as loaded, in file order
}

// ControlSettings are the ctl module's parameters: where commands come by, besides -x and -i.
type ControlSettings struct {
	// Sockets are the addresses of `binrpc`. Without one, Usual is tried.
	Sockets []ControlSocket
	// Usual is where kamcmd(8) asks if nobody tells it otherwise; zero: the module is not loaded.
	Usual ControlSocket
	// Mode are the permissions of Unix sockets (`mode`), User and Group whose they are (`user`,
	// `group`: a name or a number); empty means those of the process.
	Mode        int
	User, Group string
}

// ControlSocket is where commands come by: Network is unix, unixgram, tcp or udp, Address a path, or
// host and port.
type ControlSocket struct{ Network, Address string }

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
	Below     bool   // the names below it are ours as well (alias_subdomains of corex)
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
	// MaxRecursion caps nested route() calls (`max_recursive_level`); default 256.
	MaxRecursion int
	// MaxWhileLoops caps the iterations of one while (`max_while_loops`); default 100; 0 means no
	// limit.
	MaxWhileLoops int
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

// DispatcherSettings are the dispatcher module's parameters that others act on.
type DispatcherSettings struct {
	// ListFile is the destination list (list_file); a relative path starts at the working
	// directory.
	ListFile string
	// ListOptional: a missing ListFile is an empty list, not a start error. It is a parameter of
	// ours (list_optional), for the embedded default script; Kamailio does not know it.
	ListOptional bool
	List         balance.Config // what its tables are made of; the Resolver is for who reads it
	Probes       balance.ProbeConfig
	// ReloadDelta is the least time between reloads (reload_delta).
	ReloadDelta time.Duration
}

// DefaultSettings are the settings of an empty configuration file.
func DefaultSettings() *Settings {
	s := &Settings{
		Core: CoreSettings{
			Port: 5060, UDPMTUTryProto: AnyTransport, Fork: true, ServerSignature: true,
			MaxRecursion: defaultRecursion, MaxWhileLoops: defaultWhileLoops,
			RecvBufferBytes: 16 << 20, UDPWQMaxBytes: 256 << 10,
			ExitTimeout: 60 * time.Second, EnableSCTP: 2, TLSPort: 5061,
		},
		Proxy: proxy.DefaultSettings(), Txn: txn.DefaultSettings(),
		Dispatcher: DispatcherSettings{
			ListFile: "dispatcher.list", ReloadDelta: 5 * time.Second,
			List: balance.Config{ProbingThreshold: 1, InactiveThreshold: 1, LatencyKept: 900},
			// a destination that calls found dead is asked once a second whether it is back
			Probes: balance.ProbeConfig{Method: "OPTIONS", From: "sip:dispatcher@localhost",
				Recover: time.Second},
		},
	}
	s.streamDefaults()
	return s
}
