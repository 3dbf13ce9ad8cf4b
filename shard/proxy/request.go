package proxy

import (
	"github.com/cespare/xxhash/v2"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/txn"
)

// Request is the request under way: the message as received and what was decided
// about it so far. A Core has one; it is valid from Begin to the next Begin.
type Request struct {
	core     *Core
	M        *parser.Message
	Src      netio.Addr
	Listener int // that received it

	// Program is the hash of the routing program that decides about it, for the routes armed.
	Program uint64

	Key txn.Key // its match key, once it was looked for
	Tx  *txn.Tx // its server transaction, if it has one by now
	// CANCEL: the INVITE it cancels, if that is here, or another request, which it does not change
	Invite *txn.Tx

	via         *parser.Via
	replyTo     netio.Addr
	received    bool // the top Via gets received=
	maxForwards int  // new value; -1: not decided yet
	hasMF       bool // the message has the header
	recordRoute bool
	uri         []byte // new Request-URI; nil: as received
	uriBuf      [1024]byte
	dst         []byte // outbound URI ($du); nil: none
	dstBuf      [1024]byte
	dstAddr     netio.Addr // where dst points, if it was chosen from a set
	target      uint16     // the set's name for it
	lastTarget  uint16     // the destination of a set that was chosen last, for MarkTarget
	// the Request-URI is a target of the next Relay: as received, or set since the last one
	fresh      bool
	picks      balance.Picks
	pickURI    bool // the set's choice replaces the Request-URI
	cuts       [8]parser.Span
	nCuts      int
	routes     parser.Values // behind the first Route value, if that was read
	topRoute   parser.URI    // of that value
	routesRead bool          // it was
	// the listener that the second of two Routes of ours names: it leaves by that one (RFC 5658
	// §3); -1: none does
	side        int
	appendRoute []byte     // strict downstream: goes to the end of the Route set
	scratchURI  parser.URI // of uri or dst
	lastCause   Cause      // what ReplyError answers for
	// a final response left, or the request itself without a transaction
	done bool
	// where it goes; here and not on the stack, which an interface call would make it leave
	to         txn.Destination
	maxBreadth int // Max-Breadth as received; -1: absent

	// What a transaction takes along for the routes that run later, see saved.go.
	armed  armed
	timers finalTimers
	base   decisions // in a failure route and in fork: what it began with
	Flags  uint32    // the message flags of the routing program
	no100  bool      // this Relay sends no 100
	// Where it goes, as far as names and transports are concerned; see transport.go.
	ways       ways
	query      NameQuery
	sips       bool  // it is for a sips URI that a strict router has in Route
	looking    bool  // where: only to see whether a name is unknown; nothing is counted
	unresolved bool  // where: nobody knows yet where query leads
	unsent     Cause // where: why it cannot be sent to
	forceProto uint8 // 1 + the Proto that t_relay_to_tcp() and its like ask for; 0: the URI says it
	waits      int   // how often this relay has waited for a name
	leave      leaving
	// responses go to the source, and the Via says so, as if it had asked (force_rport)
	symmetric bool
	replyWish txn.Wishes // of responses to the request

	relayed   bool // a Relay made branches since Begin
	resumed   bool // in a failure route: the request is read back from the arena
	branching bool // in a branch route: Request-URI and outbound URI are those of the branch
	// in fork: the Request-URI is that of a branch, and base what request_route had decided
	forking bool

	more   [maxTargets]target // further targets of the next Relay, in order
	nMore  int
	loaded contacts
}

// Begin starts on the request m that came from src by listener. It reports false
// if its top Via does not say where responses go, so that nothing can be
// answered. A Via that is malformed behind its sent-by does say so: the 400 about
// it finds its way (RFC 4475 §3.1.2.1).
func (r *Request) Begin(m *parser.Message, src *netio.Addr, listener int) bool {
	r.M, r.Src, r.Listener, r.Program = m, *src, listener, r.core.cfg.Program
	r.Tx, r.Invite = nil, nil
	r.core.concluding = nil
	r.received, r.maxForwards, r.hasMF, r.recordRoute = false, -1, false, false
	r.uri, r.dst, r.target, r.pickURI, r.nCuts, r.appendRoute = nil, nil, 0, false, 0, nil
	r.dstAddr.Family = 0
	r.routesRead = false
	r.picks.N, r.picks.Next = 0, 0
	r.lastCause, r.side, r.done = NoCause, -1, false
	r.forceProto, r.waits, r.unresolved, r.unsent, r.looking, r.sips = 0, 0, false, NoCause, false, false
	r.leave.reset()
	r.symmetric, r.replyWish = r.core.cfg.ForceRPort, 0
	r.fresh, r.maxBreadth = true, -1
	r.armed, r.timers, r.Flags = armed{}, finalTimers{}, 0
	r.no100, r.resumed, r.branching, r.forking, r.relayed = false, false, false, false, false
	r.nMore, r.loaded.n, r.lastTarget = 0, 0, 0
	via, reason := m.TopVia()
	if reason != parser.OK && via.SentBy.Empty() {
		r.via = nil
		return false
	}
	r.via = via
	r.responseTarget()
	if reason != parser.OK {
		// no place in it is sure to be the end of its parameters: it goes back as it came
		r.received = false
	}
	return true
}

// responseTarget works out where responses to the request go, and what the top
// Via must say about it (§18.2.1, §18.2.2; RFC 3581 §4). maddr is not followed:
// it would let anybody have our answers, and their repetitions, sent to anybody
// else; it was made for multicast, which is not served.
func (r *Request) responseTarget() {
	via := r.via
	r.replyTo = r.Src
	var host netio.Addr
	literal := parseIP(via.Host.Of(r.M.Raw), &host)
	r.received = !literal || !host.SameIP(&r.Src)
	if r.Src.Proto.Reliable() {
		// Back over the connection it came by; what becomes of it without that, the Sender knows.
		// RFC 3581 §4 names no transport.
		r.received = r.received || !via.RPortParam.Empty() || r.core.cfg.ForceRPort
		return
	}
	if !via.RPortParam.Empty() || r.symmetric {
		r.received = true // RFC 3581 §4: with rport always
	} else {
		r.replyTo.Port = via.Port
		if via.Port == 0 {
			r.replyTo.Port = defaultPort
		}
	}
}

// broadcast tells whether an address names many hosts: nothing is sent there on
// a stranger's word.
func broadcast(a *netio.Addr) bool {
	if a.Family == 4 {
		return a.IP[0] >= 224 || a.IP[0] == 0
	}
	return a.IP[0] == 0xff
}

// end is the offset behind the message: the datagram may go on with noise
// (§18.3).
func end(m *parser.Message) int { return int(m.BodyStart) + len(m.Body()) }

// planVia edits the top Via as §18.2.1 and RFC 3581 §4 ask: received and rport.
func (r *Request) planVia(p *Plan) {
	if !r.received {
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
				// a fold that led to it would be left as a line of blanks, which some take for the
				// end of the headers
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

// Resumed tells whether the message is read back from the arena, for a route that runs later.
func (r *Request) Resumed() bool { return r.resumed }

// RequestURI is the Request-URI as it stands now.
func (r *Request) RequestURI() []byte {
	if r.uri != nil {
		return r.uri
	}
	return r.M.Bytes(r.M.URI)
}

// parsedURI is the Request-URI as it stands now, parsed; nil if it is no URI. As
// received it was parsed when the message was checked.
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

// SetRequestURI replaces it with a copy of uri; false: too long, or not a URI.
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

// DstURI is the outbound URI, nil if none is set.
func (r *Request) DstURI() []byte { return r.dst }

// SetDstURI replaces it with a copy of uri, or removes it when uri is empty;
// false: too long, or not a URI.
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

// SetNextHop makes an address the destination of the next Relay, whatever the
// Request-URI says; false: no room.
func (r *Request) SetNextHop(host []byte, port int) bool {
	b := append(append(r.core.take(len(host)+16), "sip:"...), host...)
	if port != 0 {
		b = appendInt(append(b, ':'), port)
	}
	return r.SetDstURI(b)
}

// ForceProto makes the next Relay use a transport, whatever the URI says; -1: the
// URI says it.
func (r *Request) ForceProto(proto int) { r.forceProto = uint8(proto + 1) }

// Quiet keeps the next Relay from sending a 100.
func (r *Request) Quiet(on bool) { r.no100 = on }

// MaxForwards is §16.3 step 3 and §16.6 step 3: ok is false if the value is 0; else the
// header will say one less, and no more than most, or absent where there is none (added).
func (r *Request) MaxForwards(absent, most int) (added, ok bool) {
	ok = r.countHop(absent, most)
	return ok && !r.hasMF, ok
}

// countHop is MaxForwards with a value for a request that has none, and another
// that none may exceed.
func (r *Request) countHop(absent, most int) bool {
	v, reason := r.M.MaxForwards()
	switch {
	case reason != parser.OK || v == 0:
		return false
	case v < 0:
		r.maxForwards = absent
	default:
		r.hasMF = true
		r.maxForwards = min(v-1, most)
	}
	return true
}

// planMaxForwards writes what MaxForwards decided.
func (r *Request) planMaxForwards(p *Plan) {
	if !r.hasMF {
		return // it goes in with the head
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

// HasToTag tells whether the request claims to be within a dialog.
func (r *Request) HasToTag() bool {
	return r.M.HasToTag()
}

// SelectTarget asks the balancer for a destination of a set and the list to try
// after it. It sets the outbound URI, or the host of the Request-URI if
// replaceURI.
func (r *Request) SelectTarget(set int, algorithm balance.Algorithm, limit int, replaceURI bool) bool {
	c := r.core
	if c.table == nil {
		return false
	}
	key := balance.Key{Hash: xxhash.Sum64(r.M.CallID())}
	if !c.table.Select(set, algorithm, key, limit, &r.picks) {
		return false
	}
	t := r.picks.NextTarget(c.table)
	if t != nil && r.listed(t) {
		t = r.drawAgain(t, set, algorithm, key, limit)
	}
	return r.take(t, replaceURI)
}

// NextTarget takes the next destination of the list that SelectTarget made (ds_next_dst,
// ds_next_domain), one that the blacklist does not name if there is one. It returns false if none
// is left.
func (r *Request) NextTarget(replaceURI bool) bool {
	c := r.core
	if c.table == nil {
		return false
	}
	t := r.picks.NextTarget(c.table)
	if t != nil && r.listed(t) {
		t = r.passListed(t, new(passing))
	}
	return r.take(t, replaceURI)
}

// take makes t, if it is one, the destination of the request.
func (r *Request) take(t *balance.Target, replaceURI bool) bool {
	c := r.core
	if t == nil {
		return false
	}
	r.fresh = true
	r.target, r.dstAddr, r.pickURI = t.UID, t.Addr, replaceURI
	r.lastTarget = t.UID
	if replaceURI {
		r.uri = c.targetURI(r.uriBuf[:0], r.RequestURI(), t)
		r.dst = nil
	} else {
		r.dst = append(r.dstBuf[:0], t.URI...)
	}
	return true
}

// MarkTarget sets the state of the destination that was chosen last
// (ds_mark_dst); false: none was.
func (r *Request) MarkTarget(to balance.State) bool {
	c := r.core
	if c.table == nil || r.lastTarget == 0 {
		return false
	}
	t := c.table.Target(r.lastTarget)
	if t == nil {
		return false
	}
	if e := t.Mark(to, c.now/1e6); c.cfg.OnTarget != nil {
		c.cfg.OnTarget(t, e, "call") // NoEvent as well: what is to be probed may have changed
	}
	return true
}

// targetURI is uri with the host and port of t (ds_select_domain).
func (c *Core) targetURI(b, uri []byte, t *balance.Target) []byte {
	var u parser.URI
	ok := parser.ParseURI(uri, &u) == parser.OK
	scheme := "sip:"
	if ok && u.Scheme == parser.SIPS {
		scheme = "sips:" // it stays what it was for: where leaves in clear is not taken
	}
	b = append(b, scheme...)
	if ok && !u.User.Empty() {
		// uri may lie in b's own array, but no further on than what is written.
		b = append(b, u.UserBytes()...)
		b = append(b, '@')
	}
	if t.Addr.Family == 0 {
		return appendHostOf(b, t)
	}
	b = t.Addr.AppendTo(b)
	if scheme == "sips:" {
		return appendSecureTransport(b, t.Addr.Proto)
	}
	return append(b, transportParams[t.Addr.Proto]...)
}

// appendHostOf appends host, port and transport of a destination that is a name, as they are
// written: it is looked up when the request is sent, and a port would keep SRV from it (RFC 3263
// §4.2).
func appendHostOf(b []byte, t *balance.Target) []byte {
	var u parser.URI
	if parser.ParseURI([]byte(t.URI), &u) != parser.OK {
		return append(b, t.Host...)
	}
	b = append(b, u.HostBytes()...)
	if u.Port != 0 {
		b = appendInt(append(b, ':'), int(u.Port))
	}
	return append(b, transportParams[netio.Proto(t.Transport)]...)
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
