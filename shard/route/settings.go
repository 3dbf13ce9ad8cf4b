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

// Settings is what a file asks of the rest of Viaduct, outside of the language, by core parameters
// and modparam lines. A module binds its parameters to the fields that they fill. What only the
// module itself uses is not here. Load starts from DefaultSettings and overwrites what the file
// sets. Settings are immutable after Load.
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
	// HTTP is where metrics are served, a loopback address and a port (http_listen of the core,
	// Viaduct's own); empty means nowhere.
	HTTP string
	// Tokens is the file of who may call commands over HTTP (http_tokens of the core, Viaduct's own),
	// relative to the configuration; empty means that everybody may call those that change nothing.
	Tokens string
	// RunDir is the folder that relative paths of Documents count from (run_dir of the core).
	RunDir    string
	Documents DocumentSettings
}

// DocumentSettings are the jsonrpcs module's parameters: where documents of JSON-RPC come by,
// besides HTTP.
type DocumentSettings struct {
	// Answer answers a document; nil means that the module is not loaded. See control.Documents.
	Answer         func(doc []byte) (answer []byte, replyName, wrong string)
	FIFO, Datagram DocumentDoor
	ReplyDir       string        // where the FIFOs of clients are (fifo_reply_dir)
	Timeout        time.Duration // how long an answer may take to be written (dgram_timeout)
	Workers        int           // how many answer datagrams (dgram_workers)
}

// DocumentDoor is a FIFO or a socket; without a Network there is none.
type DocumentDoor struct {
	ControlSocket
	Usual bool // it is where clients ask unless they are told otherwise: the file does not name it
	// Mode, User and Group are as in ControlSettings.
	Mode        int
	User, Group string
}

// ControlSocket is where commands come by: Network is unix, unixgram, tcp or udp, Address a path,
// or host and port.
type ControlSocket struct{ Network, Address string }

// LoadModule is one loadmodule line.
type LoadModule struct {
	Name string // without .so
	Pos  Pos
}

// Listen is one `listen=` line.
type Listen struct {
	Transport Transport // AnyTransport if none is written, which means UDP and TCP
	// Host is an address, a host name or an interface name, brackets removed.
	Host string
	// Port is 1 to 65535, or 0 if none is written; see CoreSettings.PortOf.
	Port uint16
	// AdvertiseHost is what Via and Record-Route show instead of Host. It is empty if nothing is
	// advertised. IPv6 keeps its brackets.
	AdvertiseHost string
	// AdvertisePort is shown with AdvertiseHost. It is 0 if no port is written, so that NAPTR and
	// SRV apply (RFC 3263 §4.2).
	AdvertisePort uint16
	// Name is the name of the socket (`listen=… name "s1"`), empty if it has none.
	Name string
	Pos  Pos
}

// listenOn returns what a listen or alias line says.
func listenOn(s *syntax.Socket) Listen {
	t, _ := transportWord(s.Proto)
	return Listen{
		Transport: t, Host: s.Host, Port: s.Port, AdvertiseHost: s.AdvertiseHost,
		AdvertisePort: s.AdvertisePort, Name: s.Name, Pos: s.Pos,
	}
}

// Addr returns the address to listen on, with defaultPort if no port is written. It returns false
// if Host is not an IP address.
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

// PortOf returns the port of a listen line: the one written, or that of its protocol. WebSocket has
// the port that a URI without port means (RFC 7118 §5.2).
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
	Transport Transport // AnyTransport if it is every protocol
	Host      string
	Port      uint16 // 0 if it is every port
	Below     bool   // IsMyself accepts the names below it as well (alias_subdomains of corex)
	Pos       Pos
}

// CoreSettings are the core parameters.
type CoreSettings struct {
	Listen []Listen // if empty, all IPv4 interfaces (ser(8) -l)
	Alias  []Alias
	Port   uint16 // port: for listen lines without one; default 5060
	// TLSPort is for TLS listeners without port (`tls_port_no`); default 5061.
	TLSPort uint16
	// Children is the number of UDP workers asked for (`children`), 0 if not set. Viaduct has
	// shards instead, whose number is set by ser(8) -n.
	Children int
	// Debug is the log level -5..3 and above; default 0 (`debug`).
	Debug int
	// LogStderr logs to standard error instead of syslog (`log_stderror`).
	LogStderr bool
	// LogName is syslog's ident (`log_name`); empty means the program's name.
	LogName string
	// LogPrefix is a text with variables in front of each line (`log_prefix`); empty means none.
	LogPrefix string
	// Fork is false if the process stays in the foreground (`fork`, -D); default true.
	Fork bool
	// DisableTCP turns stream listeners off (`disable_tcp`, -T); default false.
	DisableTCP bool
	// EnableTLS is `enable_tls`. EnableSCTP is `enable_sctp` (0 no, 1 yes, 2 if possible).
	EnableTLS  bool
	EnableSCTP int
	// AutoAliases makes the names of the listen addresses in reverse DNS aliases (`auto_aliases`).
	// Kamailio's default is yes. Viaduct's is no, since it makes the start wait for DNS.
	AutoAliases bool
	// DNS and RevDNS check by DNS whether the host in Via is the source, and if so leave `received`
	// out (`dns`, `rev_dns`, -r, -R). Default false: RFC 3261 §18.2.1 compares text only.
	DNS, RevDNS bool
	// AcceptControl accepts messages with control characters in a start line or header, or with LF
	// alone as a line end, which are otherwise malformed (accept_ctrl_chars, Viaduct's own);
	// default false.
	AcceptControl bool
	// CheckVia drops responses whose topmost Via is not Viaduct's (`check_via`, -v); default false.
	CheckVia bool
	// MHomed chooses the sending socket by the kernel's routes (`mhomed`); default false.
	MHomed bool
	// UDPWQMaxBytes bounds the bytes that wait for one socket of one shard while its buffer is full
	// (udp_wq_max, Viaduct's own; 0 to 16 MiB); default 256 KiB. 0 means that nothing waits.
	// Beyond: sending fails.
	UDPWQMaxBytes int
	// AdvertisedAddress and AdvertisedPort are shown in Via only (`advertised_address`,
	// `advertised_port`); empty and 0 mean unset.
	AdvertisedAddress string
	AdvertisedPort    uint16
	// ServerHeader and UserAgentHeader are whole header lines (`server_header`,
	// `user_agent_header`); empty means the default.
	ServerHeader, UserAgentHeader string
	// ServerSignature adds Server to replies made here (`server_signature`); default true.
	ServerSignature bool
	// SIPWarning is 1 to add Warning to replies made here (`sip_warning`); default 0.
	SIPWarning int
	// MaxRecursion bounds the depth of nested route() calls (`max_recursive_level`); default 256.
	MaxRecursion int
	// MaxWhileLoops bounds the iterations of one while (`max_while_loops`); default 100. 0 means no
	// limit.
	MaxWhileLoops int
	// OnsendReplies runs onsend_route also for responses that are passed on (`onsend_route_reply`).
	OnsendReplies bool
	// UDPMTUTryProto is the transport of requests longer than Proxy.UDPMTU (`udp_mtu_try_proto`);
	// AnyTransport means that none is set.
	UDPMTUTryProto Transport
	// RecvBufferBytes bounds the receive buffer of a socket (`maxbuffer`, -b); default 16777216.
	// Kamailio's default of 262144 holds about a hundred datagrams.
	RecvBufferBytes int
	// SendBufferBytes is the send buffer of a UDP socket (`maxsndbuffer`); 0 means 1 MiB.
	SendBufferBytes int
	// TOS is the IP TOS byte of everything sent (`tos`); default 16, as Kamailio's.
	TOS int
	// ShmMB is the size of the arena in MiB (`shm_mem_size`, -m); 0 means the default of the
	// command line.
	ShmMB int
	// ShmForceAlloc pre-faults the arena (`shm_force_alloc`), and MlockPages locks it in memory
	// (`mlock_pages`); default false.
	ShmForceAlloc, MlockPages bool
	// User, Group, Chroot and WorkDir are as in ser(8) (`user`, `group`, `chroot`, `workdir`);
	// empty means unset.
	User, Group, Chroot, WorkDir string
	// ExitTimeout is how long a stop may take before the process is killed (`exit_timeout`,
	// `ser_kill_timeout`); default 60 s.
	ExitTimeout time.Duration
	// ServerID names this node (`server_id`); default 0.
	ServerID int
	// XavpViaParams and XavpViaFields name the $xavp whose fields are parameters of our Via, and
	// those that are its address and port (`xavp_via_params`, `xavp_via_fields`).
	XavpViaParams, XavpViaFields string
}

// DispatcherSettings are the parameters of module dispatcher that others act on.
type DispatcherSettings struct {
	// ListFile is the destination list (list_file); a relative path starts at the working
	// directory.
	ListFile string
	// ListOptional makes a missing ListFile an empty list instead of an error at the start. It is
	// Viaduct's own parameter list_optional, for the embedded default script. Kamailio does not
	// know it.
	ListOptional bool
	List         balance.Config // how the lists are built; who reads them adds the Resolver
	Probes       balance.ProbeConfig
	// ReloadDelta is the least time between reloads (reload_delta).
	ReloadDelta time.Duration
}

// DefaultSettings returns the settings of an empty configuration file.
func DefaultSettings() *Settings {
	s := &Settings{
		Core: CoreSettings{
			Port: 5060, UDPMTUTryProto: AnyTransport, Fork: true, ServerSignature: true,
			MaxRecursion: defaultRecursion, MaxWhileLoops: defaultWhileLoops,
			RecvBufferBytes: 16 << 20, UDPWQMaxBytes: 256 << 10, TOS: 0x10,
			ExitTimeout: 60 * time.Second, EnableSCTP: 2, TLSPort: 5061,
		},
		Proxy: proxy.DefaultSettings(), Txn: txn.DefaultSettings(),
		Dispatcher: DispatcherSettings{
			ListFile: "dispatcher.list", ReloadDelta: 5 * time.Second,
			List: balance.Config{ProbingThreshold: 1, InactiveThreshold: 1, LatencyKept: 900},
			// a destination that calls found dead is probed once a second until it is back
			Probes: balance.ProbeConfig{Method: "OPTIONS", From: "sip:dispatcher@localhost",
				Recover: time.Second},
		},
	}
	s.Control.RunDir = "/run/kamailio"
	s.streamDefaults()
	return s
}
