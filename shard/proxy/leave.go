package proxy

import (
	"bytes"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// leaving is what the routing program has decided about how the request leaves, apart from its
// destination. Its texts are valid for the batch; Saved keeps them for later routes. What a branch
// route decides is for its branch alone, see fork.
type leaving struct {
	forced  int               // listener that force_send_socket() names; -1 means none
	options txn.StreamOptions // for the stream it leaves on
	ignore  blocklist.Reason  // failures that put no destination on the blocklist, see ignores
	rport   bool              // our Via asks for rport, whatever the settings say
	server  bool              // our Via has Config.ServerParam
	params  []byte            // further parameters of our Via, each with its semicolon
	port    uint16            // shown in our Via instead of the listener's; 0 means the listener's
	host    []byte            // shown in our Via; nil means the listener's
	path    []byte            // our Path rows, see AddPath; nil means none
	reply   []byte            // rows of responses made here, nil if there are none
}

// ForceListener makes the request leave by a listener, or by the one with the same address and the
// destination's transport (force_send_socket). With -1 the request leaves by a listener that suits
// the destination. What a Route of ours says counts no more.
func (r *Request) ForceListener(listener int) { r.leave.forced, r.side = listener, -1 }

// Forced returns the listener that ForceListener was given last, or that a Route of ours names. It
// returns -1 if there is none.
func (r *Request) Forced() int {
	if r.leave.forced < 0 {
		return r.side
	}
	return r.leave.forced
}

// AddStreamOptions adds to what the request asks of the stream it leaves on.
func (r *Request) AddStreamOptions(o txn.StreamOptions) { r.leave.options |= o }

// AddReplyOptions adds to what the responses to the request ask of the stream they leave on.
func (r *Request) AddReplyOptions(o txn.StreamOptions) {
	r.replyOptions |= o
	if r.Tx != nil {
		r.Tx.SetReplyOptions(r.Tx.ReplyOptions() | o)
	}
}

// Ignore sets the reasons of failure that put no destination of the request on the blocklist
// (blst_set_ignore).
func (r *Request) Ignore(mask blocklist.Reason) { r.leave.ignore = mask }

// Ignored is what Ignore was given last.
func (r *Request) Ignored() blocklist.Reason { return r.leave.ignore }

// The marks of a branch are one byte: the reasons to ignore, with the options in the place of two
// reasons that no failure has.
const (
	markNoConnect  = uint8(blocklist.IPv6)
	markCloseAfter = uint8(blocklist.Permanent)
	markIgnore     = ^(markNoConnect | markCloseAfter)
)

func (l *leaving) marks() uint8 {
	m := uint8(l.ignore) & markIgnore
	if l.options&txn.NoConnect != 0 {
		m |= markNoConnect
	}
	if l.options&txn.CloseAfter != 0 {
		m |= markCloseAfter
	}
	return m
}

func optionsOf(marks uint8) (o txn.StreamOptions) {
	if marks&markNoConnect != 0 {
		o |= txn.NoConnect
	}
	if marks&markCloseAfter != 0 {
		o |= txn.CloseAfter
	}
	return o
}

// IgnoreOf replaces the mask of reasons to ignore of a branch under way.
func IgnoreOf(br *txn.Branch, mask blocklist.Reason) {
	br.SetMarks(br.Marks()&^markIgnore | uint8(mask)&markIgnore)
}

// IgnoredOf returns the mask of reasons to ignore of a branch.
func IgnoredOf(br *txn.Branch) blocklist.Reason {
	return blocklist.Reason(br.Marks() & markIgnore)
}

// ignores reports whether a failure of br for that reason is kept from the blocklist.
func ignores(br *txn.Branch, why blocklist.Reason) bool { return IgnoredOf(br)&why != 0 }

// RPort makes our Via ask for rport (RFC 3581 §3).
func (r *Request) RPort() { r.leave.rport = true }

// NameServer adds the parameter that names this server to our Via, or removes it (via_add_srvid).
func (r *Request) NameServer(on bool) { r.leave.server = on }

// ViaParams sets the further parameters of our Via, each with a semicolon before it, in place of
// those that were set before (via_add_xavp_params). It returns false if there is no room.
func (r *Request) ViaParams(params []byte) bool {
	if len(params) > maxViaParamsBytes {
		return false
	}
	r.leave.params = r.core.keep(params)
	return true
}

// Unadvertise shows in our Via what the listener shows, whatever Advertise was given.
func (r *Request) Unadvertise() { r.leave.host, r.leave.port = nil, 0 }

// Symmetric sends responses to where the request came from, as if its Via had asked for that
// (force_rport). It returns false if the request has a transaction already that sends them
// elsewhere.
func (r *Request) Symmetric() bool {
	if r.Tx != nil && !r.symmetric || r.via == nil {
		return false
	}
	r.symmetric, r.writeReceived = true, true
	r.replyTo = r.Src
	return true
}

// Advertise shows host and port in our Via instead of the listener's; nil and 0 leave that part as
// it is. It returns false if host is too long, or too many names were shown before.
//
// A response is recognised as ours by the sent-by in its Via (§18.1.2), so every sent-by that was
// ever shown is remembered.
func (r *Request) Advertise(host []byte, port int) bool {
	l := &r.leave
	if len(host) > maxSentByHost || port < 0 || port > 65535 {
		return false
	}
	was := *l
	if host != nil {
		l.host = r.core.keep(host)
	}
	if port != 0 {
		l.port = uint16(port)
	}
	for i := range r.core.listeners {
		if !r.core.remember(l.sentBy(r.core, i)) {
			*l = was
			return false
		}
	}
	return true
}

// remember makes a sent-by count as one of ours. It returns false if there is no room.
func (c *Core) remember(sentBy []byte) bool {
	switch {
	case c.viaIsOurs(sentBy):
		return true
	case len(c.advertised) >= maxAdvertised:
		return false
	}
	c.advertised = append(c.advertised, append([]byte(nil), sentBy...))
	return true
}

// sentBy returns the sent-by that our Via shows for a listener.
func (l *leaving) sentBy(c *Core, listener int) []byte {
	t := &c.listeners[listener]
	if l.host == nil && l.port == 0 {
		return t.shown.sentBy
	}
	host, port := t.shown.host, t.shown.port
	if l.host != nil {
		host = l.host
	}
	if l.port != 0 {
		port = int(l.port)
	}
	b := append(c.take(len(host)+6), host...)
	if port != 0 {
		b = appendInt(append(b, ':'), port)
	}
	return b
}

// viaHead begins our Via row, up to its branch.
func (r *Request) viaHead(listener int) []byte {
	c, l := r.core, &r.leave
	if l.host == nil && l.port == 0 && !l.rport {
		via := c.listeners[listener].via
		return append(c.take(len(via)+512), via...)
	}
	return c.appendVia(c.take(1024), listener, l.sentBy(c, listener), l.rport) // Slow path
}

// viaLike begins our Via row for a request that is sent again: what the program had shown in the
// Via before stays.
func (c *Core) viaLike(m *parser.Message, before, listener int) []byte {
	via, reason := m.TopVia()
	if reason == parser.OK {
		sentBy, rport := via.SentBy.Of(m.Raw), !via.RPortParam.Empty()
		if own := c.listeners[before].shown.sentBy; string(own) != string(sentBy) {
			return c.appendVia(c.take(1024), listener, sentBy, rport)
		} else if rport != c.cfg.LocalRPort {
			return c.appendVia(c.take(1024), listener, c.listeners[listener].shown.sentBy, rport)
		}
	}
	v := c.listeners[listener].via
	return append(c.take(len(v)+512), v...)
}

func (c *Core) appendVia(b []byte, listener int, sentBy []byte, rport bool) []byte {
	b = append(append(b, "Via: SIP/2.0/"...), c.listeners[listener].proto.String()...)
	b = append(append(b, ' '), sentBy...)
	if rport || c.cfg.LocalRPort {
		b = append(b, ";rport"...)
	}
	return append(b, ";branch="...)
}

// AppendToReply adds header rows to the responses to the request that are made here from now on
// (append_to_reply). It returns false if they are no header rows, or there is no room.
func (r *Request) AppendToReply(rows []byte) bool {
	had, body := cutBody(r.leave.reply)
	if !HeaderRows(rows) || len(had)+len(rows)+2 > maxReplyRowsBytes {
		return false
	}
	b := append(append(r.core.take(len(had)+len(rows)+4+len(body)), had...), rows...)
	if !bytes.HasSuffix(b, crlf) {
		b = append(b, crlf...)
	}
	return r.setReply(b, body)
}

// SetReplyBody gives those responses a body with kind as its Content-Type, in place of an earlier
// body. It returns false if kind is empty or has a line end, if body is empty or too long, or if
// there is no room.
func (r *Request) SetReplyBody(body []byte, kind []byte) bool {
	had, _ := cutBody(r.leave.reply)
	if len(body) == 0 || len(body) > maxReplyBodyBytes || len(kind) == 0 ||
		bytes.ContainsAny(kind, "\r\n") ||
		len(had)+len(kind)+len(contentTypeName)+2 > maxReplyRowsBytes {
		return false
	}
	b := r.core.take(len(had) + len(contentTypeName) + len(kind) + 4 + len(body))
	for rest := had; len(rest) > 0; {
		row, next, _ := bytes.Cut(rest, crlf)
		if !bytes.HasPrefix(row, contentTypeName) {
			b = append(append(b, row...), crlf...)
		}
		rest = next
	}
	return r.setReply(append(append(append(b, contentTypeName...), kind...), crlf...), body)
}

var contentTypeName = []byte("Content-Type: ")

// setReply keeps rows, which must be at the end of what take returned last, and a body behind an
// empty line.
func (r *Request) setReply(rows, body []byte) bool {
	if len(body) > 0 {
		rows = append(append(rows, crlf...), body...)
	}
	r.leave.reply = rows
	return r.relayedSave()
}

// cutBody splits what setReply has kept.
func cutBody(kept []byte) (rows, body []byte) {
	if i := bytes.Index(kept, emptyLine); i >= 0 {
		return kept[: i+2 : i+2], kept[i+len(emptyLine):]
	}
	return kept, nil
}

var emptyLine = []byte("\r\n\r\n")

var crlf = []byte("\r\n")

// HeaderRows reports whether b is one or more rows of header fields; the last may lack its line end
// (§7.3.1).
func HeaderRows(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	for first := true; len(b) > 0; first = false {
		row, rest, _ := bytes.Cut(b, crlf)
		b = rest
		if len(row) == 0 || bytes.ContainsAny(row, "\r\n\x00") {
			return false // an empty line would end the headers
		}
		if blank(row[0]) {
			if first {
				return false
			}
			continue // folded
		}
		name, _, colon := bytes.Cut(row, []byte{':'})
		if !colon || len(name) == 0 || bytes.ContainsAny(name, " \t\"<>@,;/?=()[]{}\\") {
			return false
		}
	}
	return true
}

// Reply is what reply routes have decided about how the response under way is passed on.
type Reply struct {
	M        *parser.Message // the response as received
	Src      netio.Addr      // who sent it
	Listener int             // the one that received it
	listener int             // the one it leaves by; -1 means the one its request came by
	options  txn.StreamOptions
	goesOn   bool // whatever the route does
	wasHeld  bool // its run was held before, and Hold replaced what it wrote then
	core     *Core
	edits    edits
}

// Begin starts on the response m that came from src by listener.
func (p *Reply) Begin(m *parser.Message, src *netio.Addr, listener int) {
	p.M, p.Src, p.Listener = m, *src, listener
	p.listener, p.options, p.edits.n, p.edits.body = -1, 0, 0, false
	p.goesOn = false
}

// Forward passes the response on (forward_reply): without a transaction at once, with one when
// the reply route has ended, which can then no longer drop it. It returns false if no Via says
// where the response goes.
func (p *Reply) Forward() bool {
	if p.core.IsStray(p.M) {
		return p.PassOn(0, nil)
	}
	p.goesOn = true
	return true
}

// GoesOn tells whether Forward has said that the response is passed on.
func (p *Reply) GoesOn() bool { return p.goesOn }

// ForceListener makes the response leave by another listener, if that has the right transport and
// family. Over a stream a response leaves on its request's connection whatever is asked for
// (§18.2.2).
func (p *Reply) ForceListener(listener int) { p.listener = listener }

// Forced is what ForceListener was given last.
func (p *Reply) Forced() int { return p.listener }

// AddStreamOptions adds to what the response asks of the stream it leaves on.
func (p *Reply) AddStreamOptions(o txn.StreamOptions) { p.options |= o }

// Edit is Request.Edit for the response.
func (p *Reply) Edit(old parser.Span, text []byte) bool {
	return p.edits.put(p.core, p.M, old, text)
}

// Edited is Request.Edited for the response.
func (p *Reply) Edited(old parser.Span) ([]byte, bool) { return p.edits.of(old) }

// InsertFirst is Request.InsertFirst for the response.
func (p *Reply) InsertFirst(at uint32, text []byte) bool {
	return p.edits.insertFirst(p.core, p.M, at, text)
}

// by returns the listener that a response to that address leaves by: the forced one if it fits,
// else usual.
func (p *Reply) by(to *netio.Addr, usual int) int {
	if p.listener < 0 || to.Proto != netio.UDP {
		return usual
	}
	if l := &p.core.listeners[p.listener]; l.addr.Family != to.Family {
		return usual
	}
	if by := p.core.withProto(p.listener, to.Proto); by >= 0 {
		return by
	}
	return usual
}

// withhold ends tx after onsend_route kept a response back. A final response counts as sent, and
// the caller gets none, as from a server that is gone.
func (c *Core) withhold(tx *txn.Tx, status int) {
	if status < 200 || tx.Answered() {
		return
	}
	if c.tracing {
		c.traceTx(tx, "onsend_route kept the final response back", "status", status)
	}
	c.count[CountWithheld]++
	c.tx.Withhold(tx, status)
}

// respond passes the response planned to tx.
func (c *Core) respond(tx *txn.Tx, status int, segments [][]byte) bool {
	p := &c.Reply
	if c.cfg.OnsendReplies {
		to := tx.ReplyTo()
		if !c.letsReplyOut(&to, p.by(&to, tx.Listener())) {
			c.withhold(tx, status)
			return false
		}
	}
	if p.listener < 0 && p.options == 0 {
		return c.tx.Respond(tx, status, segments)
	}
	to := tx.ReplyTo() // Slow path: a reply route has chosen
	return c.tx.RespondBy(tx, p.by(&to, tx.Listener()), p.options, status, segments)
}
