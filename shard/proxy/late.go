package proxy

import (
	"github.com/cespare/xxhash/v2"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
)

// A branch that was given up on may still answer. A 2xx from it is a call (§16.7 step 5), and the
// caller gets it if no other 2xx went up. Otherwise nobody wants it, since the caller talks to
// somebody else by now; the phone that answered would wait for an ACK, and then for somebody to
// speak. So the call is ended here, as a caller who forks ends the calls that it does not want:
// ACK, then BYE (§13.2.2.4).

// late handles a 2xx of a branch that was given up on, or of the copy of an INVITE. It returns
// false if the 2xx goes up. Slow path.
func (c *Core) late(tx *txn.Tx, br *txn.Branch, m *parser.Message) bool {
	again, tag := br.Dismissed(), tagHash(m)
	if !again {
		if !tx.Replicated() {
			c.count[CountLate]++
		}
		if !tx.Replicated() && (tx.Status() < 200 || tx.Status() >= 300) {
			br.Find() // its repetitions go up as well
			return false
		}
		br.SetDismissed(0)
	}
	d := &c.parting
	if !d.read(c, m, c.tx.Answered()) || !c.whereTo(br, d) {
		return true
	}
	if c.tracing {
		c.traceBranch(br, "the call of a late answer is ended", "again",
			again && tag == br.DismissedTag())
	}
	var branch [len(statelessPrefix) + 17]byte
	ack := d.appendRequest(c, m, parser.ACK, c.appendAckBranch(branch[:0], m))
	c.setStreamOptions(d.to.Proto, d.host, 0)
	c.segs[0] = ack
	c.send(d.by, &d.to, c.segs[:1])
	if again {
		if tag != br.DismissedTag() {
			// Another fork downstream answered too, or there was no room: a BYE without a
			// transaction, each time that 2xx comes.
			c.setStreamOptions(d.to.Proto, d.host, 0)
			c.segs[0] = d.appendRequest(c, m, parser.BYE,
				append(c.appendAckBranch(branch[:0], m), 'b'))
			c.send(d.by, &d.to, c.segs[:1])
		}
		return true
	}
	bye := c.tx.NewBye(br, &d.to, uint16(d.by))
	if bye == nil {
		return true
	}
	b := d.appendRequest(c, m, parser.BYE, c.tx.AppendBranch(c.take(txn.BranchBytes), bye))
	room := c.tx.Room(bye, len(b))
	if room == nil {
		c.tx.Discard(bye)
		return true
	}
	copy(room, b)
	c.setStreamOptions(d.to.Proto, d.host, 0)
	br.SetDismissed(tag)
	c.tx.Dismiss(br, bye)
	c.count[CountLateEnded]++
	return true
}

// tagHash tells apart the dialogs that the 2xx of one branch make (§12.1.2); it is never 0.
func tagHash(m *parser.Message) uint32 {
	to, _ := m.To()
	return uint32(xxhash.Sum64(to.Tag.Of(m.Raw))) | 1
}

// parting is what ending a dialog needs of the 2xx that made it (§12.1.2): views of the message.
type parting struct {
	remote []byte                   // the remote target: Contact of the 2xx
	auth   []byte                   // rows with credentials, for the ACK (§13.2.2.4)
	routes [maxPartingRoutes][]byte // the route set downstream of us, nearest first
	n      int
	to     netio.Addr
	by     int
	host   []byte // the host that to was found by
}

// read fills d in from a 2xx and the request that it answers. The Record-Routes of the proxies
// downstream stand in front of those that the request had already (§16.6 step 4). It returns false
// if there is no way to the other side.
func (d *parting) read(c *Core, m *parser.Message, sent []byte) bool {
	d.n = 0
	if sent == nil || c.stored.Parse(sent) != parser.OK {
		return false
	}
	ours, all := 0, 0
	for v := c.stored.Values(parser.KindRecordRoute); v.Next(); {
		ours++
	}
	for v := m.Values(parser.KindRecordRoute); v.Next(); {
		all++
	}
	if all-ours > maxPartingRoutes {
		return false
	}
	for v := m.Values(parser.KindRecordRoute); v.Next() && d.n < all-ours; d.n++ {
		copy(d.routes[1:], d.routes[:d.n])
		d.routes[0] = v.Value.Of(m.Raw)
	}
	d.auth = nil
	for i := range c.stored.Headers {
		switch h := &c.stored.Headers[i]; h.Kind {
		case parser.KindAuthorization, parser.KindProxyAuthorization:
			if d.auth == nil {
				d.auth = c.take(len(sent))
			}
			d.auth = append(d.auth, h.Line.Of(sent)...)
		}
	}
	var a parser.NameAddr
	v := m.Values(parser.KindContact)
	if !v.Next() || m.NameAddr(v.Value, &a) != parser.OK {
		return false
	}
	d.remote = a.URI.Of(m.Raw)
	return true
}

// whereTo finds where the requests of d go: to its first Route, else to the remote target
// (§12.2.1.1). A name is looked up in the cache alone; if it is not there, the requests go where
// the INVITE went, which led to the same call.
func (c *Core) whereTo(br *txn.Branch, d *parting) bool {
	uri := d.remote
	if d.n > 0 {
		var a parser.NameAddr
		if parser.ParseNameAddr(d.routes[0], parser.Span{Len: uint32(len(d.routes[0]))},
			&a) != parser.OK {
			return false
		}
		uri = a.URI.Of(d.routes[0])
	}
	var u parser.URI
	if parser.ParseURI(uri, &u) != parser.OK || u.Scheme != parser.SIP && u.Scheme != parser.SIPS {
		return false
	}
	secure := hasScheme(d.remote, "sips:") // RFC 5630 §3.3: on each hop
	proto, given, ok := protoOf(&u, secure)
	if !ok {
		return false
	}
	d.host = u.HostBytes()
	switch {
	case destination(&u, &d.to):
		d.to.Proto = proto
		if u.Port == 0 {
			d.to.Port = proto.DefaultPort()
		}
	default:
		d.to = br.Addr()
		q := NameQuery{
			Host: d.host, Port: u.Port, Proto: proto, HasProto: given,
			Secure: secure || u.Scheme == parser.SIPS, Protos: c.protos, Families: c.families,
		}
		if c.cfg.Resolver != nil {
			if n, answer := c.cfg.Resolver.Lookup(&q, c.endpoints[:]); answer == Resolved && n > 0 {
				d.to = c.endpoints[0].Addr
				d.to.Proto = c.endpoints[0].Proto
			}
		}
	}
	if broadcast(&d.to) {
		return false
	}
	d.by = c.leavesBy(&d.to, 0, br.Listener())
	return d.by >= 0
}

// appendRequest appends a request within d. Its Request-URI is the remote target, unless the first
// Route is a strict router's (§12.2.1.1).
func (d *parting) appendRequest(c *Core, m *parser.Message, method parser.Method,
	branch []byte) []byte {
	uri, strict := d.remote, false
	if d.n > 0 {
		var a parser.NameAddr
		var u parser.URI
		if parser.ParseNameAddr(d.routes[0], parser.Span{Len: uint32(len(d.routes[0]))},
			&a) == parser.OK && parser.ParseURI(a.URI.Of(d.routes[0]), &u) == parser.OK && !u.LR() {
			uri, strict = a.URI.Of(d.routes[0]), true
		}
	}
	cseq, _ := m.CSeq()
	auth := d.auth
	if method == parser.BYE {
		cseq.Number++
		auth = nil
	}
	b := c.take(len(m.Raw) + len(auth) + 1024)
	b = append(append(append(b, method.String()...), ' '), uri...)
	b = append(b, " SIP/2.0\r\n"...)
	b = append(append(append(b, c.listeners[d.by].via...), branch...),
		"\r\nMax-Forwards: 70\r\n"...)
	for i, route := range d.routes[:d.n] {
		if i > 0 || !strict {
			b = append(append(append(b, "Route: "...), route...), "\r\n"...)
		}
	}
	if strict {
		b = append(append(append(b, "Route: <"...), d.remote...), ">\r\n"...)
	}
	for _, kind := range [...]parser.Kind{parser.KindFrom, parser.KindTo, parser.KindCallID} {
		if i := m.First(kind); i >= 0 {
			b = append(b, m.Headers[i].Line.Of(m.Raw)...)
		}
	}
	b = appendInt(append(b, "CSeq: "...), int(cseq.Number))
	b = append(append(append(b, ' '), method.String()...), "\r\n"...)
	return append(append(b, auth...), "Content-Length: 0\r\n\r\n"...)
}

// appendAckBranch appends the branch of the ACK to a 2xx: one of its own (§17.1.1.3), the same for
// each repetition of the 2xx.
func (c *Core) appendAckBranch(b []byte, m *parser.Message) []byte {
	cseq, _ := m.CSeq()
	h := (xxhash.Sum64(m.CallID())^uint64(cseq.Number))*0x9e3779b97f4a7c15 ^
		xxhash.Sum64(m.ValueOf(parser.KindTo))
	b = append(b, statelessPrefix...)
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[h>>shift&15])
	}
	return b
}
