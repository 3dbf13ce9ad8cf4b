package balance

import "viaduct/netio"

// Target is one line of the file. It is read-only after Parse except for its live state.
type Target struct {
	// names the target in Picks and probes; 1-65535; the same in every snapshot that holds it
	UID       uint16
	SetID     int         // the set it belongs to; the same URI in two sets is two targets
	URI       string      // as written; goes into Request-URI or the next hop
	Secure    bool        // scheme is sips
	User      string      // user part of the URI, empty if none
	Host      string      // host part; an IPv6 literal without brackets
	Port      uint16      // as written or the transport's default (5060, 5061 for tls and wss)
	Transport netio.Proto // of the URI's transport parameter; UDP without one, TLS for sips
	Addr      netio.Addr  // where to send; Family 0: the name is resolved when sending (flag NoDNS)
	PingAddr  netio.Addr  // where to send probes: Addr, or the obproxy attribute's
	Priority  int         // higher comes first
	Attrs     Attrs       // fifth column
	Flags     State       // third column as written; State is what holds now
	Line      int         // in the file, from 1

	PingTransport netio.Proto // of PingAddr
	params        string      // URI parameters other than transport, each with its semicolon
	identity      string      // set, URI, socket: what makes it the same target after a reload
	// of rendezvous hashing; from URI and socket alone, so that all nodes agree
	seed              uint64
	probingThreshold  uint32
	inactiveThreshold uint32
	latencyKept       float64
	live              *live
}

// Attrs is the fifth column, parsed. Strings are empty and numbers zero when absent, Weight aside.
type Attrs struct {
	Body       string // the whole column as written, opaque attributes included
	DUID       string // the operator's name for the target
	MaxLoad    int    // calls; 0 means no limit (algorithm 10)
	Weight     int    // share in algorithms 0 and 9; 0 means only when no other is left
	HasWeight  bool   // false means that Weight is the default 1
	RWeight    int    // 1-100; 0 means absent (algorithm 11)
	Socket     string // proto:host:port or proto:host to send from
	SocketName string // name of a listen socket to send from
	PingSocket string // as Socket, for probes
	PingFrom   string // URI for the From of probes
	OBProxy    string // URI probes are sent through
	LatencyMs  int    // latency assumed before the first measurement
	OCMin      int    // bounds of overload control (RFC 7339), per cent
	OCMax      int    // 100 when absent
	OCRate     int    // initial rate of loss, per cent
	CC         int    // congestion control, 0 or 1 (algorithm 11)

	// ConnectTimeoutMs and SendTimeoutMs are this target's own tcp_connect_timeout and
	// tcp_send_timeout; 0 means those of the core. Attributes of ours, Kamailio passes over them.
	ConnectTimeoutMs, SendTimeoutMs int

	proxy *Target // OBProxy taken apart
}
