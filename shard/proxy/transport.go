package proxy

import (
	"github.com/cespare/xxhash/v2"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// viaProto returns the transport that a Via names, or UDP for one that we do not have.
func viaProto(v *parser.Via) netio.Proto {
	if v.Transport.Served() {
		return v.Transport
	}
	return netio.UDP
}

// protoOf returns the transport that a SIP URI asks for. given says that a transport parameter or
// the scheme names it; else it is only the usual one (RFC 3263 §4.1). With secure a sip URI counts
// as a sips one (§16.6 item 7). ok is false if the transport is not served, and for sips over UDP
// (RFC 3261 §26.2.2).
func protoOf(u *parser.URI, secure bool) (proto netio.Proto, given, ok bool) {
	secure = secure || u.Scheme == parser.SIPS
	proto = u.Transport()
	switch {
	case proto == parser.TransportNone:
		if secure {
			return netio.TLS, true, true
		}
		return netio.UDP, false, true
	case !proto.Served():
		return netio.UDP, true, false
	case secure:
		proto = proto.Secured()
		return proto, true, proto.Secure()
	}
	return proto, true, true
}

// Blocked says which destinations are not to be tried: the blocklist.
type Blocked interface {
	// Blocked reports whether a request of that method may not be sent to that address now. It does
	// not wait and allocates nothing.
	Blocked(to *netio.Addr, method parser.Method) bool
	// Holds is Blocked for callers that only weigh where to send: it counts no hit.
	Holds(to *netio.Addr, method parser.Method) bool
	// Report says that a request of that method failed at that address, for one reason: Timeout,
	// Busy503, SendError, Connect or ICMP. retryAfter is the Retry-After of a 503 in seconds, below
	// 0 if it had none.
	Report(to *netio.Addr, why blocklist.Reason, method parser.Method, retryAfter int)
}

// Report tells the blocklist how the destination of br failed.
func (c *Core) Report(br *txn.Branch, why blocklist.Reason) {
	c.report(br, why, c.tx.Tx(br).Method())
}

// report tells the blocklist that the destination of br failed.
func (c *Core) report(br *txn.Branch, why blocklist.Reason, method parser.Method) {
	if c.cfg.Blocked != nil && !ignores(br, why) {
		to := br.Addr()
		c.cfg.Blocked.Report(&to, why, method, -1)
	}
}

// overloaded tells the blocklist about a 503, with its Retry-After (§20.33).
func (c *Core) overloaded(br *txn.Branch, m *parser.Message, method parser.Method) {
	if c.cfg.Blocked == nil || ignores(br, blocklist.Busy503) {
		return
	}
	seconds := -1
	if i := m.HeaderByName("Retry-After", 0); i >= 0 {
		seconds = leadingNumber(m.Headers[i].Value.Of(m.Raw))
	}
	to := br.Addr()
	c.cfg.Blocked.Report(&to, blocklist.Busy503, method, seconds)
}

// leadingNumber returns the number that b begins with; a comment or parameters may follow. It
// returns -1 if there is none, or one beyond a year of seconds.
func leadingNumber(b []byte) int {
	n := -1
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		if n = max(n, 0)*10 + int(c-'0'); n > 366*24*3600 {
			return -1
		}
	}
	return n
}

// ways are the addresses that one destination may be reached by, best first.
type ways struct {
	n      int
	list   [MaxEndpoints]netio.Addr
	domain []byte // the name they are addresses of; nil if the URI has an address
}

// where finds the destination of the request: the outbound URI, else the Request-URI. It returns
// false if the request cannot be sent there, and ReplyError knows why, or if nobody knows yet where
// the name leads (r.unresolved).
func (r *Request) where(to *txn.Destination) bool {
	r.unresolved, r.unsent = false, NoCause
	w := &r.ways
	w.n, w.domain = 0, nil
	to.Target = r.target
	if r.dstAddr.Family != 0 {
		w.n, w.list[0] = 1, r.dstAddr
		if r.dstAddr.Proto.Secure() {
			w.domain = r.domainOf()
		}
	} else if !r.lookUp(w) {
		return false
	}
	return r.choose(to)
}

// domainOf returns the host in the destination's URI.
func (r *Request) domainOf() []byte {
	if c := r.core; r.target != 0 && c.table != nil {
		if t := c.table.Target(r.target); t != nil {
			return append(c.take(len(t.Host)), t.Host...)
		}
	}
	if u := r.nextURI(); u != nil {
		return u.HostBytes()
	}
	return nil
}

// nextURI returns the URI that says where the request goes: the outbound one, else the Request-URI.
// It returns nil if that cannot be read. The result is valid until the next call.
func (r *Request) nextURI() *parser.URI {
	if r.dst == nil {
		return r.parsedURI()
	}
	if parser.ParseURI(r.dst, &r.scratchURI) != parser.OK {
		return nil
	}
	return &r.scratchURI
}

// lookUp fills w with where the URI leads (RFC 3263 §4). It returns false as where does.
func (r *Request) lookUp(w *ways) bool {
	c := r.core
	u := r.nextURI()
	switch {
	case u == nil:
		return r.fail(BadTarget)
	case !servedScheme(u):
		return r.fail(UnknownScheme)
	}
	secure := r.secure() || u.Scheme == parser.SIPS
	proto, given, ok := protoOf(u, secure)
	if r.forceProto != 0 {
		proto, given = netio.Proto(r.forceProto-1), true
		ok = ok && (!secure || proto.Secure())
	}
	if !ok {
		if secure {
			return r.cannot(InClear)
		}
		return r.cannot(TransportUnavailable)
	}
	w.domain = u.HostBytes()
	a := &w.list[0]
	if destination(u, a) {
		a.Proto = proto
		if u.Port == 0 {
			a.Port = proto.DefaultPort()
		}
		w.n = 1
		if !given && proto == netio.UDP {
			if c.protos&1 == 0 {
				r.withoutUDP(w, u.Port)
			}
			if r.side >= 0 && c.listeners[r.side].proto.Reliable() {
				r.overConnection(w, u.Port)
			}
		}
		return true
	}
	return r.resolve(w, u, proto, given, secure)
}

// secure reports whether the request may leave over TLS alone, whatever its destination says (§16.6
// item 7, RFC 5630 §5.3): it was for a sips URI when it came, or is now.
func (r *Request) secure() bool {
	return r.sips || hasScheme(r.M.Bytes(r.M.URI), "sips:") ||
		r.uri != nil && hasScheme(r.uri, "sips:")
}

// overConnection puts the connection that the other side of the dialog has open in front of what
// its URI says, which is the way once that connection is gone (RFC 3263 §4.1). Slow path: it is for
// a second Route of ours that names a stream, and a URI that names no transport.
func (r *Request) overConnection(w *ways, port uint16) {
	c := r.core
	if c.cfg.Connected == nil {
		return
	}
	a, uri := &w.list[0], w.list[0]
	if a.Proto = c.listeners[r.side].proto; port == 0 {
		a.Port = a.Proto.DefaultPort()
	}
	switch {
	case !c.cfg.Connected(r.side, a):
		*a = uri
	case c.protos&1 != 0:
		w.list[1], w.n = uri, 2
	}
}

// withoutUDP fills w for an address without transport when no listener has UDP.
func (r *Request) withoutUDP(w *ways, port uint16) {
	for _, proto := range [...]netio.Proto{netio.TCP, netio.TLS} {
		if r.core.protos>>proto&1 != 0 {
			w.list[0].Proto = proto
			if port == 0 {
				w.list[0].Port = proto.DefaultPort()
			}
			return
		}
	}
}

// resolve asks the resolver's cache.
func (r *Request) resolve(w *ways, u *parser.URI, proto netio.Proto, given, secure bool) bool {
	c := r.core
	if c.cfg.Resolver == nil {
		return r.cannot(NameUnresolved)
	}
	r.query = NameQuery{Host: u.HostBytes(), Port: u.Port, Proto: proto,
		HasProto: given && u.Transport() != parser.TransportNone || r.forceProto != 0,
		Secure:   secure,
		Protos:   c.protos, Families: c.families, Seed: r.seed()}
	if maddr, ok := u.Param("maddr"); ok {
		r.query.Host = maddr // §16.6 step 7
	}
	n, answer := c.cfg.Resolver.Lookup(&r.query, c.endpoints[:])
	switch answer {
	case Resolved:
		for i := range n {
			w.list[i] = c.endpoints[i].Addr
			w.list[i].Proto = c.endpoints[i].Proto
		}
		w.n = n
		return true
	case Unknown:
		// NameUnresolved holds unless the name becomes known, so it is not counted yet.
		r.unresolved, r.unsent, r.lastCause = true, NameUnresolved, NameUnresolved
		return false
	case Failed:
		return r.cannot(NameServersSilent)
	}
	return r.cannot(NoSuchName)
}

// seed is the same for all requests of one transaction, its retransmissions, its CANCEL and its
// ACK, so that they go to one address (RFC 3263 §4.2). Other transactions draw their own.
func (r *Request) seed() uint64 {
	cseq, _ := r.M.CSeq()
	return (xxhash.Sum64(r.M.CallID()) ^ uint64(cseq.Number)) * 0x9e3779b97f4a7c15
}

// blocks asks the blocklist, and counts the destinations it keeps from being tried.
func (c *Core) blocks(to *netio.Addr, method parser.Method) bool {
	if c.cfg.Blocked == nil || !c.cfg.Blocked.Blocked(to, method) {
		return false
	}
	c.count[CountBlocked]++
	return true
}

// blocks asks the blocklist for the request. While the request is only looking, nothing is counted.
func (r *Request) blocks(to *netio.Addr) bool {
	if c := r.core; r.looking {
		return c.cfg.Blocked != nil && c.cfg.Blocked.Holds(to, r.M.Method)
	}
	return r.core.blocks(to, r.M.Method)
}

// choose takes the first way that a listener leads to and that is not blocked; the ways behind it
// stay in r.ways.
func (r *Request) choose(to *txn.Destination) bool {
	c, w := r.core, &r.ways
	cause := AddressUnusable
	secure := r.secure()
	for i := range w.n {
		a := &w.list[i]
		if broadcast(a) {
			continue
		}
		if secure && !a.Proto.Secure() {
			cause = InClear
			continue
		}
		by := r.leavesBy(a, to.Target)
		if by < 0 {
			switch {
			case cause == Blocklisted:
			case c.protos>>a.Proto&1 != 0:
				cause = FamilyUnavailable
			case secure:
				cause = InClear
			default:
				cause = TransportUnavailable
			}
			continue
		}
		if r.M.Method != parser.ACK && r.blocks(a) { // an ACK to a 2xx goes where the call is
			cause = Blocklisted
			continue
		}
		to.Addr, to.Listener = *a, uint16(by)
		w.n = copy(w.list[:], w.list[i+1:w.n])
		return true
	}
	w.n = 0
	return r.cannot(cause)
}

// leavesBy returns the listener by which the request leaves towards a: the one that the program, or
// the second of two Routes of ours, names, else Core.leavesBy's.
func (r *Request) leavesBy(a *netio.Addr, target uint16) int {
	c := r.core
	if by := r.leave.forced; by >= 0 && c.listeners[by].addr.Family == a.Family {
		if by = c.withProto(by, a.Proto); by >= 0 {
			return by
		}
	}
	// A Route of ours says which interface to use, not which transport (RFC 3263 §4.1).
	if by := r.side; by >= 0 && c.listeners[by].addr.Family == a.Family {
		if by = c.withProto(by, a.Proto); by >= 0 {
			return by
		}
	}
	return c.leavesBy(a, target, r.Listener)
}

// sameInterface reports whether two listeners have the same address.
func (c *Core) sameInterface(a, b int) bool {
	return c.listeners[a].addr.SameIP(&c.listeners[b].addr)
}

// withProto returns the listener that has that transport and the same address as listener by, -1 if
// there is none: force_send_socket() names a socket, the destination its transport.
func (c *Core) withProto(by int, proto netio.Proto) int {
	l := &c.listeners[by]
	if l.proto == proto {
		return by
	}
	found := -1
	for i := range c.listeners {
		o := &c.listeners[i]
		if o.proto == proto && !o.leaving && o.addr.SameIP(&l.addr) {
			if o.addr.Port == l.addr.Port {
				return i
			}
			if found < 0 {
				found = i
			}
		}
	}
	return found
}

// setStreamOptions tells the Sender the options of the message begun next. Over TLS it also tells
// the domain whose certificate the receiver must show.
func (c *Core) setStreamOptions(proto netio.Proto, domain []byte, o txn.StreamOptions) {
	if !proto.Reliable() {
		return
	}
	if !proto.Secure() {
		domain = nil
	}
	if o != 0 || len(domain) > 0 {
		c.out.SetStreamOptions(o, domain)
	}
}
