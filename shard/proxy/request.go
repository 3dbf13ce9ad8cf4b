package proxy

import (
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/txn"
)

// Request is the request under way: as it came, what was decided about it so far, and what was done
// about it so far. A Core has one. It is valid from one Begin to the next, which resets the first
// three parts as wholes.
type Request struct {
	core *Core
	received
	decided
	undertaken
	uncleared
}

// received is the request as it came, and what follows from that alone.
type received struct {
	M        *parser.Message
	Src      netio.Addr
	Listener int // the one that received it

	// Program is the hash of the routing program that decides about the request. Routes armed for
	// it are numbers of that program.
	Program uint64

	Key txn.Key // the key its transaction was looked up by; zero before that
	// Invite is, for a CANCEL, the transaction it cancels, nil if that is not here. One of another
	// method than INVITE is not changed by the CANCEL.
	Invite *txn.Tx

	via           *parser.Via
	replyTo       netio.Addr
	writeReceived bool   // the top Via gets received=
	routesRead    bool   // routes, topRoute and topOurs are those of this request
	topOurs       bool   // topRoute is a Record-Route that this proxy wrote
	asReceived    []byte // M's bytes as they came, if Apply has changed them
	unfit         bool   // see BeginMalformed
	resumed       bool   // the request was read back from the arena, for a failure route
	maxBreadth    int    // Max-Breadth as received; -1 means absent
	http          HTTP   // which HTTP request it is, if it is one
}

// decided is what was decided about the request, most of it by the routing program.
type decided struct {
	course
	picks      balance.Picks
	lastTarget uint16 // the destination of a set that was chosen last, for MarkTarget
	// fresh says that the Request-URI is a target of the next Relay: it is as received, or was set
	// since the last Relay.
	fresh bool
	// again makes the Request-URI a target also if it is not fresh, where no other target was added
	// (Again).
	again bool
	// symmetric sends responses to the source address and port, and marks the Via as if it had
	// asked for that (force_rport).
	symmetric bool
	// forceProto is 1 + the Proto that t_relay_to_tcp() and its like ask for; 0 means that the URI
	// decides.
	forceProto   uint8
	mtuProto     uint8             // likewise for udp_mtu_try_proto(); 0 means the Core's
	replyOptions txn.StreamOptions // for responses to the request
	no100        bool              // this Relay sends no 100
	switches     Switches
	lifetime     time.Duration // see SetLifetime
	based        bool          // KeepDecisions has filled in base
	sips         bool          // a Request-URI that a strict router's Route set held was sips

	loadedAt, nLoaded uint8 // the next of contacts for NextContacts, and how many there are
	nMore             int   // how many of more are used

	// What a transaction keeps for the routes that run later, see saved.go.
	armed  armed
	timers finalTimers
	retr   retransmits
	Flags  uint32 // the message flags of the routing program
	// restores says in which headers responses get back what the request had, see restore.go.
	restores Restores
	// BranchFlags are the branch flags of the branch that the Request-URI makes: see BranchFlagsOf.
	BranchFlags uint32
	Keeper      Keeper // keeps the program's variables; nil means that there are none
}

// course is where and how the request leaves. A failure route begins with the course of
// request_route, see decisions.
type course struct {
	// uri is the new Request-URI, nil while it is as received. dst is the outbound URI ($du), nil
	// if there is none.
	uri, dst    []byte
	appendRoute []byte     // for a strict router downstream: goes to the end of the Route set
	dstAddr     netio.Addr // where dst points, if it was chosen from a set
	target      uint16     // the UID of that destination
	pickURI     bool       // the set's choice replaces the Request-URI
	rr          recordRoute
	routed      []byte // see Routed
	toRoute     bool   // LooseRoute found a value behind our own Route
	hasMF       bool   // the message has Max-Forwards
	maxForwards int    // its new value; -1 means not decided yet
	// side is the listener that the second of two Routes of ours names, by which the request leaves
	// (RFC 5658 §3); -1 if none does.
	side  int
	nCuts int // how many of cuts are used
	leave leaving
}

// changes belong to a course. They are apart from it because of their size.
type changes struct {
	cuts  [8]parser.Span // taken out of the message; nCuts of them
	edits edits          // what the routing program changes
}

// decisions are a course with its changes: what Saved keeps.
type decisions struct {
	course
	changes
}

// undertaken is what was done about the request.
type undertaken struct {
	Tx         *txn.Tx // its server transaction, if it has one by now
	done       bool    // a final response left, or the request itself without a transaction
	relayed    bool    // a Relay made branches since Begin
	branching  bool    // in a branch route: Request-URI and outbound URI are the branch's
	forking    bool    // in fork: the Request-URI is a branch's, base is what all share
	looking    bool    // for where: only look whether a name is unknown, and count nothing
	unresolved bool    // set by where: the name in query is being looked up
	unsent     Cause   // set by where: why the target cannot be sent to
	lastCause  Cause   // the cause that ReplyError answers with
	waits      int     // how often this relay has waited for a name
	wasHeld    bool    // its run was held
	alone      bool    // the transaction exists only because its run was held
	own        bool    // made here to run a program, sent by nobody: see BeginOwn
	// note is not nil if the request is sent from here, see BeginOurs.
	note    []byte
	refused bool // for such a request: the program answered it instead of sending it
	// startedEarlier says that the failure route began with a best response of earlier branches.
	startedEarlier bool
	// In a branch route: the branch's share of Max-Breadth, the reply route armed before it, and
	// whether Hold has held it before.
	share       int
	replyBefore uint16
	heldBefore  bool
}

// uncleared is memory that Begin does not clear, since that would cost more than the rest of Begin:
// the other parts say what of it counts. What a single step works on is here as well and not on the
// stack, since interface calls would move it to the heap.
//
// Receipt: Begin takes 40 ns so, 66 ns with changes cleared as well (Xeon 2.5 GHz, go1.26.8,
// 2026-11-30).
type uncleared struct {
	changes // edits are emptied
	// base is what a failure route or a fork began with.
	base           decisions
	routes         parser.Values   // behind the first Route value, if routesRead
	topRoute       parser.URI      // the URI of the first Route value
	scratchURI     parser.URI      // uri or dst, parsed
	to             txn.Destination // where it goes
	ways           ways            // more of where it goes: names and transports
	query          NameQuery
	more           [maxTargets]target     // further targets of the next Relay, in order
	contacts       [maxTargets + 1]target // the targets that LoadContacts took, best first
	uriBuf, dstBuf [1024]byte             // of uri and dst
}

// Begin starts on the request m that came from src by listener. It returns false if its top Via
// does not say where responses go, so that nothing can be answered. A Via that is malformed behind
// its sent-by still says so: the 400 about it finds its way (RFC 4475 §3.1.2.1).
func (r *Request) Begin(m *parser.Message, src *netio.Addr, listener int) bool {
	c := r.core
	c.concluding, c.running, c.losing.br = nil, nil, nil
	// Each is cleared by itself and set below: a tuple, or a literal with values, would be made on
	// the stack and copied.
	r.received = received{}
	r.decided = decided{}
	r.undertaken = undertaken{}
	r.edits.n, r.edits.body = 0, false
	r.M, r.Src, r.Listener, r.maxBreadth = m, *src, listener, -1
	r.Program = c.cfg.Program
	r.fresh, r.symmetric = true, c.cfg.ForceRPort
	r.maxForwards, r.side, r.leave.forced = -1, -1, -1
	via, reason := m.TopVia()
	if reason != parser.OK && via.SentBy.Empty() {
		return false
	}
	r.via = via
	r.responseTarget()
	if reason != parser.OK {
		// Where the parameters of such a Via end is not sure, so it goes back as it came.
		r.writeReceived = false
	}
	return true
}

// BeginMalformed begins on a malformed message, for a program that handles those. The message may
// be answered, without a transaction, and is never sent on.
func (r *Request) BeginMalformed(m *parser.Message, src *netio.Addr, listener int) {
	if !r.Begin(m, src, listener) || !m.IsRequest {
		r.via = nil // so it cannot be answered
	}
	r.unfit = true
}

// BeginOwn begins on a request that nobody sent, for a program that runs without a message. It
// returns false if Begin does.
func (r *Request) BeginOwn(m *parser.Message, src *netio.Addr) bool {
	r.core.tx.Begin()
	if !r.Begin(m, src, 0) {
		return false
	}
	r.own = true
	r.Key = r.core.tx.Key(m, m.Method)
	return true
}

// EndOwn ends the transaction of a request that BeginOwn began and whose run was held, since nobody
// waits for an answer. It returns false if the request is another one.
func (r *Request) EndOwn() bool {
	if r.own && r.Tx != nil {
		r.core.tx.Terminate(r.Tx)
	}
	return r.own
}

// responseTarget works out where responses to the request go, and what the top Via must say about
// it (§18.2.1, §18.2.2; RFC 3581 §4). It does not follow maddr, which would let anybody have our
// answers, and their repetitions, sent to anybody else. maddr was made for multicast, which is not
// served.
func (r *Request) responseTarget() {
	via := r.via
	r.replyTo = r.Src
	var host netio.Addr
	literal := parseIP(via.Host.Of(r.M.Raw), &host)
	r.writeReceived = !literal || !host.SameIP(&r.Src)
	if r.Src.Proto.Reliable() {
		// Responses go back over the connection that the request came by. If that is gone, the
		// Sender knows what to do. RFC 3581 §4 names no transport.
		r.writeReceived = r.writeReceived || !via.RPortParam.Empty() || r.core.cfg.ForceRPort
		return
	}
	if !via.RPortParam.Empty() || r.symmetric {
		r.writeReceived = true // RFC 3581 §4: with rport always
	} else {
		r.replyTo.Port = via.Port
		if via.Port == 0 {
			r.replyTo.Port = defaultPort
		}
	}
}

// broadcast reports whether an address stands for many hosts: nothing is sent there on a stranger's
// word.
func broadcast(a *netio.Addr) bool {
	if a.Family == 4 {
		return a.IP[0] >= 224 || a.IP[0] == 0
	}
	return a.IP[0] == 0xff
}

// end returns the offset behind the message: the datagram may go on with noise (§18.3).
func end(m *parser.Message) int { return int(m.BodyStart) + len(m.Body()) }

// planVia edits the top Via as §18.2.1 and RFC 3581 §4 ask: received and rport.
func (r *Request) planVia(p *Plan) {
	if !r.writeReceived {
		return
	}
	via, c := r.via, r.core
	b := c.take(80)
	b = append(b, ";received="...)
	if r.Src.Family == 6 {
		host := r.Src.AppendHost(b)
		b = append(b, host[len(b)+1:len(host)-1]...) // no brackets (RFC 5118 §4.5)
	} else {
		b = r.Src.AppendHost(b)
	}
	if !via.RPortParam.Empty() || r.symmetric {
		b = append(b, ";rport="...)
		b = appendInt(b, int(r.Src.Port))
		if !via.RPortParam.Empty() {
			from := via.RPortParam.Off
			for from > 0 && blank(r.M.Raw[from-1]) {
				// A fold before it would leave a line of blanks, which some take for the end of the
				// headers.
				from--
			}
			p.Cut(from, via.RPortParam.End()-from)
		}
	}
	if !via.ReceivedParam.Empty() {
		p.Cut(via.ReceivedParam.Off, via.ReceivedParam.Len)
	}
	p.Insert(via.ParamsEnd(), b)
}

// Resumed reports whether the message was read back from the arena, for a route that runs later.
func (r *Request) Resumed() bool { return r.resumed }

// RequestURI is the Request-URI as it stands now.
func (r *Request) RequestURI() []byte {
	if r.uri != nil {
		return r.uri
	}
	return r.M.Bytes(r.M.URI)
}

// parsedURI returns the current Request-URI, parsed. It returns nil if that is no URI. The
// Request-URI as received was parsed when the message was checked.
func (r *Request) parsedURI() *parser.URI {
	if r.uri == nil {
		u, reason := r.M.RequestURI()
		if reason != parser.OK {
			return nil
		}
		return u
	}
	if parser.ParseURI(r.uri, &r.scratchURI) != parser.OK {
		return nil
	}
	return &r.scratchURI
}

// SetRequestURI replaces the Request-URI with a copy of uri. It returns false if uri is too long,
// or no URI.
func (r *Request) SetRequestURI(uri []byte) bool {
	var u parser.URI
	if len(uri) > len(r.uriBuf) || parser.ParseURI(uri, &u) != parser.OK {
		return false
	}
	r.uri = append(r.uriBuf[:0], uri...)
	r.fresh = true
	if r.pickURI {
		// The program overrides what a set put into the Request-URI.
		r.dstAddr.Family, r.target, r.picks.N, r.pickURI = 0, 0, 0, false
	}
	return true
}

// DstURI returns the outbound URI, nil if none is set.
func (r *Request) DstURI() []byte { return r.dst }

// SetDstURI replaces the outbound URI with a copy of uri, or removes it if uri is empty. It returns
// false if uri is too long, or no URI.
func (r *Request) SetDstURI(uri []byte) bool {
	var u parser.URI
	if len(uri) > len(r.dstBuf) || len(uri) > 0 && parser.ParseURI(uri, &u) != parser.OK {
		return false
	}
	r.dstAddr.Family, r.target, r.picks.N = 0, 0, 0
	if len(uri) == 0 {
		r.dst = nil
		return true
	}
	r.fresh = true // as Kamailio has it: t_relay in a failure route follows a new $du
	r.dst = append(r.dstBuf[:0], uri...)
	return true
}

// SetNextHop makes host and port (0 means none) the destination of the next Relay, whatever the
// Request-URI says. It returns false if host is too long, or no URI can be made of it.
func (r *Request) SetNextHop(host []byte, port int) bool {
	b := append(append(r.core.take(len(host)+16), "sip:"...), host...)
	if port != 0 {
		b = appendInt(append(b, ':'), port)
	}
	return r.SetDstURI(b)
}

// ForceProto makes the next Relay use a transport, whatever the URI says. With -1 the URI decides.
func (r *Request) ForceProto(proto int) { r.forceProto = uint8(proto + 1) }

// TryProto says by which transport the request leaves if it is too long for a datagram, in place of
// the Core's setting. With netio.UDP it leaves as a datagram all the same.
func (r *Request) TryProto(proto netio.Proto) { r.mtuProto = uint8(proto) + 1 }

// Quiet keeps the next Relay from sending a 100.
func (r *Request) Quiet(on bool) { r.no100 = on }

// planMaxForwards plans the value that MaxForwards decided.
func (r *Request) planMaxForwards(p *Plan) {
	if !r.hasMF {
		return // the row goes in with the rows in front
	}
	row := &r.M.Headers[r.M.First(parser.KindMaxForwards)]
	p.Replace(row.Value.Off, row.Value.Len, decimals[r.maxForwards])
}

// decimals are the texts of 0 to 255.
var decimals = func() (d [256][]byte) {
	for i := range d {
		d[i] = appendInt(nil, i)
	}
	return d
}()

// HasToTag reports whether the request has a To tag, and so claims to be within a dialog.
func (r *Request) HasToTag() bool {
	return r.M.HasToTag()
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
