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

// Egress chooses the listener by which a message to dst leaves. receivedBy is the listener by which
// its request came in. Egress returns -1 if no listener has dst's address family and transport.
type Egress interface {
	Egress(dst *netio.Addr, receivedBy int) int
}

// Alias is a name of this proxy besides those of its listeners.
type Alias struct {
	Host string // lower case; IPv6 in brackets
	Port int    // 0 means every port
	// Protos are the transports for which the name is this proxy's, bit 1<<Proto; 0 means all.
	Protos uint8
	Below  bool // subdomains of Host count as well
}

// Config is what a Core is made from. The Core reads it once; Configure replaces it.
type Config struct {
	Settings

	Listeners []*netio.Listener
	Aliases   []Alias
	Egress    Egress
	Resolver  Resolver  // nil means a name leads nowhere
	Names     NameAsker // nil means nothing waits for a name
	// Connected reports whether a listener has a connection with a peer. It must not block. nil
	// means that no listener has one.
	Connected func(listener int, peer *netio.Addr) bool
	Blocked   Blocked // nil means every destination may be sent to
	Sender    txn.Sender
	Arena     *shm.Arena
	Counters  *shm.Counters

	// ServerHeader is the "Server: …" line of responses made here, without CRLF; "" means none.
	ServerHeader string
	// RouteKey is the secret for the mark that SignRoutes puts into Record-Route.
	RouteKey []byte
	// ServerParam is a parameter for our Via, added where a request asks for it; nil means none.
	ServerParam []byte
	// StatelessReply says that responses to requests sent without a transaction are forwarded.
	StatelessReply bool
	// AcceptControl says that responses repeat control characters of the request as they are, since
	// requests are not refused for them.
	AcceptControl bool

	// AdvertisedHost and AdvertisedPort replace host and port in the Via of every listener, also
	// where the listener advertises others; they are used nowhere else (advertised_address,
	// advertised_port). "" and 0 replace nothing.
	AdvertisedHost string
	AdvertisedPort int

	Script Script // the operator's routes; nil means none
	// OnsendRequests and OnsendReplies say whether Script.Onsend is called for requests and for
	// responses.
	OnsendRequests, OnsendReplies bool
	// Responded is told of each response that is made here and has left through tx. text is valid
	// for the batch. nil means nobody wants to know.
	Responded func(tx *txn.Tx, text []byte)
	// Account is told of each final response that leaves through a transaction, of provisional ones
	// that are passed on, and of each INVITE whose destinations have failed. What it is given is
	// valid during the call. nil means nobody wants to know.
	Account func(a *Accounted)
	// AccountFlags are the message flags with which a request is kept for Account, AccountAll says
	// that every request is, and AccountAcks that Account is told of ACKs to 2xx too. The latter
	// needs the transactions' FindCalls.
	AccountFlags            uint32
	AccountAll, AccountAcks bool
	// Program is the hash of the routing program that new requests run through.
	Program uint64

	// Warning adds to each final response made here a Warning row with the cause (sip_warning).
	Warning bool
	// OnFailure is told of each final response of 300 or more that is made here, and of each branch
	// that failed. It may be nil, and must not block.
	OnFailure func(f *Failure)

	// Held is called for a run that is held. With again the run is to ask its question again;
	// otherwise its deadline has passed. nil means that no run is ever held.
	Held func(w Waiting, question uint64, again bool)
	// HeldReply is the same for a run that is held with its response. Without begun the response
	// only waited behind another one, and now it is its turn.
	HeldReply func(w Waiting, question uint64, begun, again bool)
	// HeldBranch is the same for a run that is held with the branch that it is about to make.
	HeldBranch func(w Waiting, question uint64, again bool)

	// Finished is told how a request that was made here ended, see BeginOurs. It must not block,
	// and must copy what it keeps.
	Finished func(f *Finished)

	// Trace is told each step of each call, by its Call-ID; attrs are names and values in turn. It
	// must not block. callID is valid during the call only. With nil, tracing costs nothing.
	Trace func(callID []byte, step string, attrs ...any)

	// HTTP takes the responses to HTTP requests; nil means that there are no such requests. It may
	// be called from any goroutine, and must not block.
	HTTP HTTPAnswer

	// OnTarget is told that a destination went down or came back; with NoEvent, that the program
	// set its state. why is "call". It must not block.
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
	sentBy []byte // the sent-by of Record-Route and Path
	param  []byte // for Record-Route; empty if none is needed
	host   []byte // lower case, of the advertised name or the address
	name   string // the configured one
	proto  netio.Proto
	port   int
	addr   netio.Addr
	// leaving means that nothing new leaves by it: it is gone, or will be. What comes in by it is
	// still for this proxy.
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
	waiting   waitingRelay // what the request that resume read last waits for
	losing    losing       // see branchLost
	saving    []byte       // buffer of writeSaved
	// query is that of a failover. It is not on the stack, since the interface call would move it
	// to the heap.
	query NameQuery
	// advertised are the sent-bys that the program shows instead of the listeners', see
	// SetAdvertised.
	advertised [][]byte
	Reply      Reply // the response under way
	Outgoing   Outgoing
	table      *balance.Table
	// suspects says since when calls to a destination have timed out, by UID, in ms.
	suspects      map[uint16]int64
	sockets       map[uint16]int // listener that a destination's socket attribute names, by UID
	timeouts      map[uint16]StreamTimeouts
	now           int64
	plan          Plan
	stored        parser.Message // for messages read back from the arena
	shared        edits          // the edits that all branches of a fork share
	resumed       parser.Message // the request that a failure route runs for
	parting       parting        // the call of a late 2xx that is being ended
	mended        parser.Message // a response after what it lacked was added
	failedRequest parser.Message // the message in failure
	failure       Failure        // what OnFailure is told
	// failing is why what a branch sent did not arrive, during BranchFailed.
	failing Cause
	detail  string            // failing in words
	tracing bool              // Config.Trace is not nil
	calls   map[uint64]string // Call-IDs of transactions, while tracing
	atHand  *parser.Message   // the response under way, while a transaction is concluded
	scratch []byte
	status  newStatus  // see Reply.PassOn
	replyTo netio.Addr // where the response forwarded without a transaction goes; it would escape
	segs    [3][]byte
	markBuf []byte // secret and Call-ID, to be hashed
	Request Request
	// running is the transaction whose held run goes on: the hold of its request does not count as
	// waiting any more.
	running   *txn.Tx
	replying  shm.Off         // the Held of the response whose run goes on
	branching shm.Off         // the same for a branch
	aside     *aside          // see RequestOf
	ourOwn    *Request        // see BeginOurs
	answered  []byte          // the last response that left without a transaction, for the batch
	finalOf   *parser.Message // the response that Finished is told of; nil if it was made here
	// concluding is the transaction that Finish is to conclude when the program has ended, nil if
	// none: a CANCEL ended its last branches, or nothing could be sent.
	concluding *txn.Tx
	// accounted is what Account is told of. missed is the INVITE that it was told has failed, until
	// conclude ends.
	accounted Accounted
	missed    *txn.Tx
	aborting  bool         // after a panic: the program is told of no response
	dataTo    netio.Addr   // where the Data under way goes
	lateData  atomic.Int32 // number of Data that wait for a name
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

// Configure replaces the settings. It is called between two messages. Sender, Arena and Counters
// stay those that New was given. The new settings hold for whatever is done from then on, also for
// requests under way. A sent-by that our Via showed before is still accepted in responses.
func (c *Core) Configure(cfg Config) {
	shown := c.listeners
	c.cfg, c.listeners, c.protos, c.families, c.tracing = cfg, nil, 0, 0, cfg.Trace != nil
	for _, l := range cfg.Listeners {
		t := listenerText{
			sentBy: l.SentBy, addr: l.Addr, port: int(l.Addr.Port), proto: l.Proto,
			param: l.Proto.Param(), leaving: l.Leaving || l.Gone, gone: l.Gone, name: l.Name,
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

// SentBy returns the sent-by that Via shows for a listener. The caller must not write to it.
func (c *Core) SentBy(listener int) []byte { return c.listeners[listener].shown.sentBy }

// SetTable gives the Core its table of transactions. New cannot take it, since each needs the
// other.
func (c *Core) SetTable(t *txn.Table) {
	c.tx = t
	shards, bytes := uint64(c.cfg.Arena.Shards()), c.cfg.Arena.TotalBytes()
	pool := min(max(bytes/reserveShare, shards*reserveLeast), bytes/2)
	t.SetReserve(pool, pool/shards/recordClasses)
}

// SetTargets replaces the destination sets; nil means none.
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

// StreamTimeouts are the time-outs of a destination's connection: Connect until it is made, and
// Send while it takes no byte. 0 means the default of all connections.
type StreamTimeouts struct{ Connect, Send time.Duration }

// StreamTimeouts returns the time-outs of the destination to which the message with that token
// goes.
func (c *Core) StreamTimeouts(token uint64) (p StreamTimeouts) {
	if len(c.timeouts) > 0 {
		if br := c.tx.Sent(token); br != nil {
			p = c.timeouts[br.Target()]
		}
	}
	return p
}

// socketNamed returns the listener that a destination's socket attribute ("udp:host:port") names.
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

// ProbeBy returns the listener by which a probe of t leaves: its ping_socket, else its socket, else
// the choice of Egress. It returns -1 if there is none.
func (c *Core) ProbeBy(t *balance.Target) int {
	if by, ok := c.socketNamed(t.Attrs.PingSocket); ok {
		return by
	}
	return c.leavesBy(&t.PingAddr, t.UID, 0)
}

// leavesBy returns the listener by which a request to a destination leaves: the one its socket
// attribute names, else the choice of Egress. It returns -1 if there is none.
func (c *Core) leavesBy(to *netio.Addr, target uint16, receivedBy int) int {
	if target != 0 && len(c.sockets) > 0 {
		if by, ok := c.sockets[target]; ok && c.listeners[by].proto == to.Proto {
			return by
		}
	}
	return c.cfg.Egress.Egress(to, receivedBy)
}

// Now returns the time that SetNow set last, in ns.
func (c *Core) Now() int64 { return c.now }

// SetNow sets the time, in ns, once per batch.
func (c *Core) SetNow(now int64) { c.now = now }

// Release forgets what was made for the batch. Call it after the send queue was flushed.
func (c *Core) Release() { c.scratch, c.atHand = c.scratch[:0], nil }

// take returns an empty slice with room for n bytes, valid until Release.
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

// IsMyself reports whether host (a name, or an address with IPv6 in brackets) and port (0 if none
// was written) name this proxy: a listener of one of the transports protos (bit 1<<Proto), what
// such a listener advertises, or an alias.
func (c *Core) IsMyself(host []byte, port int, protos uint8) bool {
	// What we wrote comes back letter by letter, so that most often no address needs to be parsed.
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

// names reports whether host is the alias, or a subdomain of it if Below is set.
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

// samePort compares a port as written (0 if none was) with a port of the listener's.
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

// ours reports whether a URI names this proxy.
func (c *Core) ours(u *parser.URI) bool {
	if u.Scheme != parser.SIP && u.Scheme != parser.SIPS {
		return false
	}
	return c.IsMyself(u.HostBytes(), int(u.Port), AnyProto)
}

// viaIsOurs reports whether sentBy is one that this proxy writes. Without the check anybody could
// have us forward responses (matrix of RFC 3261 §18.1.2).
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
