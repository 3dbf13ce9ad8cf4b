package proxy

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/txn"
	"viaduct/shm"
)

// Egress chooses the listener a message to dst leaves by, given the one its request came in by. It
// says -1 if none has that family and transport.
type Egress interface {
	Egress(dst *netio.Addr, receivedBy int) int
}

// Alias is a name that is ours besides the listeners' own.
type Alias struct {
	Host string // lower case; IPv6 in brackets
	Port int    // 0 means every port
	// Protos are the transports that it is ours for, bit 1<<Proto; 0 means all
	Protos uint8
	Below  bool // the names below it are ours as well
}

// Config is what a Core is made of. It is read once; Configure replaces it.
type Config struct {
	Settings

	Listeners []*netio.Listener
	Aliases   []Alias
	Egress    Egress
	Resolver  Resolver  // nil means a name leads nowhere
	Names     NameAsker // nil means nothing waits for a name
	// Connected tells whether a listener has a connection with a peer; nil means none has. It does
	// not wait.
	Connected func(listener int, peer *netio.Addr) bool
	Blocked   Blocked // nil means every destination may be sent to
	Sender    txn.Sender
	Arena     *shm.Arena
	Counters  *shm.Counters

	ServerHeader string // "Server: …" line for responses made here, without CRLF; "": none
	// secret for the mark of SignRoutes
	RouteKey []byte
	// ServerParam is a parameter of our Via, for requests that ask for it; nil means none
	ServerParam    []byte
	StatelessReply bool // responses to requests sent without a transaction are ours to forward
	// responses repeat control characters of the request as they are: it was not refused for them
	AcceptControl bool

	// AdvertisedHost and AdvertisedPort are what our Via shows of every listener, in place of its
	// own and of what it advertises, and nothing else does (advertised_address, advertised_port);
	// "" and 0 leave that part.
	AdvertisedHost string
	AdvertisedPort int

	Script Script // the operator's routes; nil means none
	// OnsendRequests and OnsendReplies say that Script.Onsend is to be asked.
	OnsendRequests, OnsendReplies bool
	// Program is the hash of the routing program that new requests meet.
	Program uint64

	// Warning makes finals of ours say why, in a Warning row (sip_warning).
	Warning bool
	// OnFailure is told of each final response of 300 or more that is made here, and of each branch
	// that failed. It may be nil, and must not block.
	OnFailure func(f *Failure)

	// Held is told of a run that is held: again says that it is to ask again, else its deadline is
	// over. nil means no run is ever held.
	Held func(w Waiting, question uint64, again bool)
	// HeldReply is the same of a run that is held with its response. Without begun the response only
	// waited behind another one, and it is its turn.
	HeldReply func(w Waiting, question uint64, begun, again bool)
	// HeldBranch is the same of a run that is held with the branch that it is about to make.
	HeldBranch func(w Waiting, question uint64, again bool)

	// Finished is told what became of a request of ours, see BeginOurs. It must not block, and copies
	// what it needs.
	Finished func(f *Finished)

	// Trace is told each step of each call, by its Call-ID, with names and values in turn. If it
	// is nil, nothing is spent on it. It must not block, and callID is valid during the call.
	Trace func(callID []byte, step string, attrs ...any)

	// HTTP takes the responses to HTTP requests; nil means there are none. It may be called from any
	// goroutine, and must not block.
	HTTP HTTPAnswer

	// OnTarget is told that a destination went down or came back, or with NoEvent that the program
	// set its state; why is "call". It must not block.
	OnTarget func(t *balance.Target, e balance.Event, why string)
}

// shown is a sent-by and its parts.
type shown struct {
	sentBy, host []byte
	port         int // 0 means none
}

// listenerText is what is written about a listener into messages.
type listenerText struct {
	via    []byte // "Via: SIP/2.0/UDP host:port;branch="
	shown  shown  // the sent-by in it
	sentBy []byte // that of Record-Route and Path
	param  []byte // ";transport=tcp" of its Record-Route; empty: none is needed
	host   []byte // lower case, of the advertised name or the address
	proto  netio.Proto
	port   int
	addr   netio.Addr
	// nothing new leaves by it: it is gone, or will be; what comes over it still is for us
	leaving, gone bool
}

// Core makes the proxy's decisions for one shard. See the package comment.
type Core struct {
	cfg       Config
	tx        *txn.Table
	out       txn.Sender
	count     *shm.Counters
	listeners []listenerText
	protos    uint8 // bit 1<<Proto of each listener
	families  uint8 // 1 for IPv4, 2 for IPv6
	endpoints [MaxEndpoints]Endpoint
	waiting   waitingRelay // of the request that resume read last
	losing    losing       // see branchLost
	saving    []byte       // what writeSaved writes
	// of a failover; here and not on the stack, which an interface call would make it leave
	query NameQuery
	// sent-bys that the program shows instead of the listeners', see SetAdvertised
	advertised    [][]byte
	Reply         Reply // the response under way
	Outgoing      Outgoing
	table         *balance.Table
	suspects      map[uint16]int64 // since when a destination has let a call time out, by UID; ms
	sockets       map[uint16]int   // listener forced by a destination's socket attribute, by UID
	timeouts      map[uint16]StreamTimeouts
	now           int64
	plan          Plan
	stored        parser.Message // for messages read back from the arena
	shared        edits          // fork: what all its branches have
	resumed       parser.Message // the request of a failure route
	parting       parting        // of the 2xx that is ended
	mended        parser.Message // a response that lacks what forwarding needs, with it
	failedRequest parser.Message // what OnFailure is told of
	failure       Failure        // the same
	// why what a branch sent did not arrive, while BranchFailed is told
	failing Cause
	detail  string            // the same in words
	tracing bool              // Config.Trace is there
	calls   map[uint64]string // Call-IDs of transactions, while tracing
	atHand  *parser.Message   // the response under way, while a transaction is concluded
	scratch []byte
	status  newStatus  // see Reply.PassOn
	replyTo netio.Addr // of the response forwarded without a transaction: it would escape
	segs    [3][]byte
	markBuf []byte // secret and Call-ID, to be hashed
	Request Request
	// the transaction whose run was held and goes on: what it holds is not waited for any more
	running    *txn.Tx
	replying   shm.Off         // the Held of the response that goes on
	branching  shm.Off         // the same of the branch
	aside      *aside          // see RequestOf
	ourOwn     *Request        // see BeginOurs
	finalOf    *parser.Message // the response that Finished is told of; nil: made here
	concluding *txn.Tx         // a transaction whose last branches a CANCEL ended, see Finish
	dataTo     netio.Addr      // of the Data that is sent
	lateData   atomic.Int32    // Data that wait for a name
}

// New makes a Core. SetTable must be called before the first message.
func New(cfg Config) *Core {
	c := &Core{out: cfg.Sender, count: cfg.Counters, sockets: map[uint16]int{},
		timeouts: map[uint16]StreamTimeouts{}, suspects: map[uint16]int64{},
		scratch: make([]byte, 0, scratchBytes),
		saving:  make([]byte, 0, savingBytes)}
	c.Request.core, c.Reply.core = c, c
	c.Reply.listener = -1
	c.Configure(cfg)
	return c
}

// Configure replaces the settings, between two messages; Sender, Arena and Counters stay those that
// New was given. It counts for what is done from then on, of requests under way as well. What Via
// showed before is still taken for ours in responses.
func (c *Core) Configure(cfg Config) {
	shown := c.listeners
	c.cfg, c.listeners, c.protos, c.families, c.tracing = cfg, nil, 0, 0, cfg.Trace != nil
	for _, l := range cfg.Listeners {
		t := listenerText{
			sentBy: l.SentBy, addr: l.Addr, port: int(l.Addr.Port), proto: l.Proto,
			param: l.Proto.Param(), leaving: l.Leaving || l.Gone, gone: l.Gone,
		}
		t.host = l.Addr.AppendHost(nil)
		if l.AdvertiseHost != "" {
			t.host, t.port = appendLower(nil, []byte(l.AdvertiseHost)), int(l.AdvertisePort)
		}
		cfg.show(&t)
		t.via = append([]byte("Via: SIP/2.0/"+l.Proto.String()+" "), t.shown.sentBy...)
		if cfg.LocalRPort {
			t.via = append(t.via, ";rport"...)
		}
		t.via = append(t.via, ";branch="...)
		c.listeners = append(c.listeners, t)
		if t.leaving {
			continue
		}
		c.protos |= 1 << l.Proto
		c.families |= 1 << ((l.Addr.Family - 4) / 2)
	}
	for i := range shown {
		c.remember(shown[i].shown.sentBy)
	}
}

// show fills in what Via shows of a listener.
func (cfg *Config) show(t *listenerText) {
	t.shown = shown{t.sentBy, t.host, t.port}
	if cfg.AdvertisedHost == "" && cfg.AdvertisedPort == 0 {
		return
	}
	if cfg.AdvertisedHost != "" {
		t.shown.host = []byte(cfg.AdvertisedHost)
	}
	if cfg.AdvertisedPort != 0 {
		t.shown.port = cfg.AdvertisedPort
	}
	t.shown.sentBy = append([]byte(nil), t.shown.host...)
	if t.shown.port != 0 {
		t.shown.sentBy = appendInt(append(t.shown.sentBy, ':'), t.shown.port)
	}
}

// SentBy is what Via shows of a listener. It is not to be written to.
func (c *Core) SentBy(listener int) []byte { return c.listeners[listener].shown.sentBy }

// SetTable gives the Core the transactions it works on: they need each other.
func (c *Core) SetTable(t *txn.Table) {
	c.tx = t
	shards, bytes := uint64(c.cfg.Arena.Shards()), c.cfg.Arena.TotalBytes()
	pool := min(max(bytes/reserveShare, shards*reserveLeast), bytes/2)
	t.SetReserve(pool, pool/shards/recordClasses)
}

// SetTargets replaces the destination sets. With nil there are none.
func (c *Core) SetTargets(t *balance.Table) {
	c.table = t
	clear(c.sockets)
	clear(c.timeouts)
	clear(c.suspects)
	if t == nil {
		return
	}
	for _, set := range t.Sets() {
		for _, target := range set.Targets {
			if by, ok := c.socketNamed(target.Attrs.Socket); ok {
				c.sockets[target.UID] = by
			}
			if a := &target.Attrs; a.ConnectTimeoutMs|a.SendTimeoutMs != 0 {
				c.timeouts[target.UID] = StreamTimeouts{
					Connect: time.Duration(a.ConnectTimeoutMs) * time.Millisecond,
					Send:    time.Duration(a.SendTimeoutMs) * time.Millisecond,
				}
			}
		}
	}
}

// StreamTimeouts is how long a destination's connection may take to be made, and may take no byte.
// 0 means as long as any other's.
type StreamTimeouts struct{ Connect, Send time.Duration }

// StreamTimeouts is that of the destination that the message with that token goes to.
func (c *Core) StreamTimeouts(token uint64) (p StreamTimeouts) {
	if len(c.timeouts) > 0 {
		if br := c.tx.Sent(token); br != nil {
			p = c.timeouts[br.Target()]
		}
	}
	return p
}

// socketNamed is the listener that a destination's socket attribute
// ("udp:host:port") names.
func (c *Core) socketNamed(name string) (listener int, ok bool) {
	proto, hostPort, found := strings.Cut(name, ":")
	if !found {
		return 0, false
	}
	for i := range c.listeners {
		l := &c.listeners[i]
		if !l.leaving && strings.EqualFold(proto, l.proto.String()) &&
			(equalFold([]byte(hostPort), l.sentBy) || hostPort == l.addr.String()) {
			return i, true
		}
	}
	return 0, false
}

// ProbeBy is the listener a probe of t leaves by: its ping_socket, else its socket, else the choice
// of Egress. It is -1 if there is none.
func (c *Core) ProbeBy(t *balance.Target) int {
	if by, ok := c.socketNamed(t.Attrs.PingSocket); ok {
		return by
	}
	return c.leavesBy(&t.PingAddr, t.UID, 0)
}

// leavesBy is the listener a request to a destination leaves by: the one its socket attribute
// names, else the choice of Egress. It is -1 if there is none.
func (c *Core) leavesBy(to *netio.Addr, target uint16, receivedBy int) int {
	if target != 0 && len(c.sockets) > 0 {
		if by, ok := c.sockets[target]; ok && c.listeners[by].proto == to.Proto {
			return by
		}
	}
	return c.cfg.Egress.Egress(to, receivedBy)
}

// Now is the time told last, in ns.
func (c *Core) Now() int64 { return c.now }

// SetNow tells the time, once per batch, in ns.
func (c *Core) SetNow(now int64) { c.now = now }

// Release forgets what was made for the batch. Call it after the send queue was
// flushed.
func (c *Core) Release() { c.scratch, c.atHand = c.scratch[:0], nil }

// take is n bytes that last until Release.
func (c *Core) take(n int) []byte {
	used := len(c.scratch)
	if used+n > cap(c.scratch) {
		// Slow path: an unusually large batch of unusually large inserts.
		c.count[CountScratchMiss]++
		return make([]byte, 0, n)
	}
	c.scratch = c.scratch[:used+n]
	return c.scratch[used : used : used+n]
}

// IsMyself tells whether host (a name, or an address with IPv6 in brackets) and
// port (0: none written, which means the transport's own; AnyPort: whichever it is) name this
// proxy: a listener of one of the transports protos (bit 1<<Proto), what it advertises, or an
// alias.
func (c *Core) IsMyself(host []byte, port int, protos uint8) bool {
	// What we wrote ourselves comes back letter by letter: most often no address is read.
	for i := range c.listeners {
		l := &c.listeners[i]
		if !l.gone && equalFold(host, l.host) && protos>>l.proto&1 != 0 &&
			(l.port == 0 || l.samePort(port, l.port)) {
			return true
		}
	}
	var a netio.Addr
	if numeric := parseIP(host, &a); numeric {
		for i := range c.listeners {
			l := &c.listeners[i]
			if !l.gone && l.addr.SameIP(&a) && protos>>l.proto&1 != 0 &&
				l.samePort(port, int(l.addr.Port)) {
				return true
			}
		}
	}
	for i := range c.cfg.Aliases {
		a := &c.cfg.Aliases[i]
		if a.names(host) && (a.Port == 0 || samePort(port, a.Port)) &&
			(a.Protos == 0 || a.Protos&protos != 0) {
			return true
		}
	}
	return false
}

// names tells whether host is a's, or below it.
func (a *Alias) names(host []byte) bool {
	if n := len(host) - len(a.Host); a.Below && n > 0 && host[n-1] == '.' {
		host = host[n:]
	}
	return equalFold(host, []byte(a.Host))
}

// AnyProto asks IsMyself for all transports, AnyPort for all ports.
const (
	AnyProto = 0xff
	AnyPort  = -1
)

// samePort compares a port as written, 0 for none, with one of the listener's.
func (l *listenerText) samePort(written, ours int) bool {
	if written == 0 {
		return int(l.proto.DefaultPort()) == ours
	}
	return written == ours || written == AnyPort
}

func samePort(written, ours int) bool {
	if written == 0 {
		written = defaultPort
	}
	return written == ours || written == AnyPort
}

// ours tells whether a URI names this proxy.
func (c *Core) ours(u *parser.URI) bool {
	if u.Scheme != parser.SIP && u.Scheme != parser.SIPS {
		return false
	}
	return c.IsMyself(u.HostBytes(), int(u.Port), AnyProto)
}

// viaIsOurs tells whether a sent-by is one we write. Without the check anybody
// could have us forward responses (matrix of RFC 3261 §18.1.2).
func (c *Core) viaIsOurs(sentBy []byte) bool {
	for i := range c.listeners {
		if equalFold(sentBy, c.listeners[i].shown.sentBy) ||
			equalFold(sentBy, c.listeners[i].sentBy) {
			return true
		}
	}
	for _, shown := range c.advertised {
		if equalFold(sentBy, shown) {
			return true
		}
	}
	return false
}

func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	if string(a) == string(b) {
		return true
	}
	for i := range a {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

func appendLower(b, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}

func appendInt(b []byte, v int) []byte { return strconv.AppendInt(b, int64(v), 10) }
