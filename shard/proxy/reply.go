package proxy

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"viaduct/parser"
	"viaduct/shard/txn"
)

// tagPrefix begins the To tags that this proxy makes, so that an ACK to one of its responses is
// recognised without state (§8.2.7).
const tagPrefix = "vd"

// appendTag appends the To tag of responses made here. The tag is a function of the request, so
// that a retransmission gets the same tag from any shard, and from the next process too. INVITE and
// ACK of one transaction share what the tag is made of.
func appendTag(b []byte, m *parser.Message) []byte {
	var d [8]byte
	cseq, _ := m.CSeq()
	binary.BigEndian.PutUint32(d[:], cseq.Number)
	h := xxhash.Sum64(m.CallID())
	if from, reason := m.From(); reason == parser.OK {
		h ^= xxhash.Sum64(from.Tag.Of(m.Raw)) * 0x9e3779b97f4a7c15
	}
	binary.BigEndian.PutUint64(d[:], h^uint64(cseq.Number)*0xff51afd7ed558ccd)
	b = append(b, tagPrefix...)
	for _, x := range d {
		b = append(b, "0123456789abcdef"[x>>4], "0123456789abcdef"[x&15])
	}
	return b
}

// AppendOwnTag appends the To tag of a response that is made here: that of the request, if it has
// one.
func (r *Request) AppendOwnTag(b []byte) []byte {
	if to, reason := r.M.To(); reason == parser.OK && !to.Tag.Empty() {
		return append(b, to.Tag.Of(r.M.Raw)...)
	}
	return appendTag(b, r.M)
}

// AcksOurReply reports whether m is an ACK to a 2xx that a transaction made here and repeats, or to
// a response made here without a transaction. Such an ACK is absorbed.
func (c *Core) AcksOurReply(m *parser.Message) bool {
	if !c.tx.AckAnswer(m) && !hasOurTag(m) {
		return false
	}
	c.count[CountAckAbsorbed]++
	return true
}

// hasOurTag reports whether an ACK has the To tag of a response made here.
func hasOurTag(m *parser.Message) bool {
	to, reason := m.To()
	if reason != parser.OK || int(to.Tag.Len) != len(tagPrefix)+16 {
		return false
	}
	var tag [len(tagPrefix) + 16]byte
	return string(to.Tag.Of(m.Raw)) == string(appendTag(tag[:0], m))
}

// Reply answers the request under way as the routing program asks for. It returns false as send
// does.
func (r *Request) Reply(code int, reason, header string) bool {
	if r.Losing() != nil {
		return false // others may still answer
	}
	if code >= 300 && !r.IsHTTP() {
		return r.final(ByProgram, code, reason, header)
	}
	return r.send(code, reason, header)
}

// send answers the request under way: through its transaction if it has one, else statelessly.
// header is whole header rows with their CRLF, or "". It returns false if there is nothing to
// answer (an ACK, or no usable Via), or if the response, which repeats much of the request, is
// longer than a datagram even without phrase, header and Server.
func (r *Request) send(code int, reason, header string) bool {
	c := r.core
	c.answered = nil
	switch {
	case r.IsHTTP():
		return r.sendHTTP(code, reason, header)
	case r.via == nil || r.M.Method == parser.ACK:
		return false
	case r.ours():
		r.refused = true
		return r.Tx == nil || c.tx.Respond(r.Tx, code, nil)
	}
	b := r.reply(code, reason, header, c.cfg.ServerHeader, r.leave.reply)
	if len(b) > maxDatagramBytes {
		c.count[CountRowsLeftOut]++
		if b = r.reply(code, "", "", "", nil); len(b) > maxDatagramBytes {
			return false
		}
	}
	if c.tracing {
		c.traceAnswer(r.M, code, reason, r.replyTo)
	}
	c.count[CountRepliesOwn]++
	c.segs[0] = b
	if tx := r.Tx; tx != nil {
		if r.retr != (retransmits{}) && tx.Saved() == 0 {
			r.save() // without room it is repeated as others are
		}
		before := tx.Status()
		if !c.tx.Answer(tx, code, c.segs[:1]) {
			return false
		}
		if code >= 200 && tx.Live() > 0 {
			// the program answered while branches were under way
			c.tx.CancelOthers(tx, nil, c.localReason(code))
		}
		c.responded(r, tx, code, before, b)
		return true
	}
	c.countStateless(code)
	o := r.replyOptions
	if code < 200 {
		o &^= txn.CloseAfter
	}
	c.setStreamOptions(r.replyTo.Proto, nil, o)
	c.out.Begin(r.Listener, &r.replyTo, 0)
	c.out.Append(b)
	c.out.End()
	c.answered = b
	r.done = r.done || code >= 200
	return true
}

// Answered begins p on the response that has just left without a transaction, parsed into m, for a
// program that only reads it. It returns false if there is none.
func (r *Request) Answered(p *Reply, m *parser.Message) bool {
	c := r.core
	if c.answered == nil || m.Parse(c.answered) != parser.OK {
		return false
	}
	p.core = c
	p.Begin(m, &r.replyTo, r.Listener)
	return true
}

// Trying answers an INVITE with 100 (§17.2.1), if the configuration wants it.
func (r *Request) Trying() {
	if reason := r.tryingReason(); reason != "" {
		r.Reply(100, reason, "")
	}
}

// reply writes a response to the request under way (§8.2.6): its Vias, From, To, Call-ID and CSeq
// as they came, row by row, and then our own rows.
func (r *Request) reply(code int, reason, header, server string, rows []byte) []byte {
	c, m := r.core, r.M
	n := 128 + len(reason) + len(header) + len(server) + len(rows) + 80
	for i := range m.Headers {
		switch m.Headers[i].Kind {
		case parser.KindVia, parser.KindFrom, parser.KindTo, parser.KindCallID, parser.KindCSeq,
			parser.KindTimestamp:
			n += int(m.Headers[i].Line.Len)
		}
	}
	b := appendStatus(c.take(n), code, reason)
	top := &m.Headers[r.via.Row]
	c.plan.Reset(m.Raw[:top.Line.End()])
	c.plan.Cut(0, top.Line.Off)
	r.planVia(&c.plan)
	for _, s := range c.plan.Segments() {
		b = append(b, s...)
	}
	for i := m.Next(r.via.Row); i >= 0; i = m.Next(i) {
		b = append(b, m.Headers[i].Line.Of(m.Raw)...)
	}
	b = appendDialogRows(b, m, code)
	if m.Control && !c.cfg.AcceptControl {
		b = withoutControls(b)
	}
	rows, body := cutBody(rows)
	b = append(b, rows...)
	if body == nil {
		return appendEnd(b, header, server)
	}
	b = appendServer(b, header, server)
	return append(append(appendInt(append(b, "Content-Length: "...), len(body)), emptyLine...),
		body...)
}

// withoutControls returns b, rows of a request that is refused for its control characters, in a
// form that may be sent back: a bare LF, which was read as a line end, becomes one, and the others
// become blanks. What may not go downstream must not go upstream either. Slow path.
func withoutControls(b []byte) []byte {
	clean := make([]byte, 0, len(b)+64)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\r' && i+1 < len(b) && b[i+1] == '\n':
			clean = append(clean, "\r\n"...)
			i++
		case c == '\n':
			clean = append(clean, "\r\n"...)
		case c < ' ' && c != '\t' || c == 0x7f:
			clean = append(clean, ' ')
		default:
			clean = append(clean, c)
		}
	}
	return clean
}

func appendStatus(b []byte, code int, reason string) []byte {
	b = append(b, "SIP/2.0 "...)
	b = appendInt(b, code)
	b = append(b, ' ')
	b = append(b, reason...)
	return append(b, "\r\n"...)
}

// appendDialogRows appends From, To, Call-ID and CSeq. A final response without a To tag gets ours
// (§8.2.6.2), and a 100 carries Timestamp back (§8.2.6.1).
func appendDialogRows(b []byte, m *parser.Message, code int) []byte {
	if i := m.First(parser.KindFrom); i >= 0 {
		b = append(b, m.Headers[i].Line.Of(m.Raw)...)
	}
	if i := m.First(parser.KindTo); i >= 0 {
		to, reason := m.To()
		if code > 100 && reason == parser.OK && to.Tag.Empty() {
			row := m.Headers[i].Line
			at := to.Value.End()
			if to.Tag.Off != 0 { // an empty tag parameter takes ours
				at = to.Tag.Off
			}
			b = append(b, m.Raw[row.Off:at]...)
			switch {
			case to.Tag.Off == 0:
				b = append(b, ";tag="...)
			case m.Raw[at-1] != '=':
				b = append(b, '=')
			}
			b = appendTag(b, m)
			b = append(b, m.Raw[at:row.End()]...)
		} else {
			b = append(b, m.Headers[i].Line.Of(m.Raw)...)
		}
	}
	if i := m.First(parser.KindCallID); i >= 0 {
		b = append(b, m.Headers[i].Line.Of(m.Raw)...)
	}
	if i := m.First(parser.KindCSeq); i >= 0 {
		b = append(b, m.Headers[i].Line.Of(m.Raw)...)
	}
	if i := m.First(parser.KindTimestamp); i >= 0 && code == 100 {
		b = append(b, m.Headers[i].Line.Of(m.Raw)...)
	}
	return b
}

func appendEnd(b []byte, header, server string) []byte {
	return append(appendServer(b, header, server), "Content-Length: 0\r\n\r\n"...)
}

func appendServer(b []byte, header, server string) []byte {
	b = append(b, header...)
	if server != "" {
		b = append(b, server...)
		b = append(b, "\r\n"...)
	}
	return b
}

// replyLike answers a transaction with the rows of m, which has our own Via on top: a request sent
// downstream, or a response to it. It returns false if no response could be sent.
func (c *Core) replyLike(tx *txn.Tx, m *parser.Message, code int, reason, header string) bool {
	via, bad := m.TopVia()
	if bad != parser.OK {
		return false
	}
	b := like(c.take(len(m.Raw)+256+len(header)+len(c.cfg.ServerHeader)), m, via, code, reason,
		header, c.cfg.ServerHeader)
	if len(b) > maxDatagramBytes {
		c.count[CountRowsLeftOut]++
		if b = like(b[:0], m, via, code, "", "", ""); len(b) > maxDatagramBytes {
			return false
		}
	}
	if c.tracing {
		c.traceAnswer(m, code, reason, tx.ReplyTo())
	}
	c.count[CountRepliesOwn]++
	c.segs[0] = b
	before := tx.Status()
	if !c.tx.Answer(tx, code, c.segs[:1]) {
		return false
	}
	c.responded(nil, tx, code, before, b)
	return true
}

// refuseLike is replyLike with the status, phrase and rows of a cause.
func (c *Core) refuseLike(tx *txn.Tx, m *parser.Message, cause Cause) bool {
	code, phrase, header := c.refusal(cause)
	if c.cfg.Warning {
		header += c.warning(tx.Listener(), cause)
	}
	f := Failure{Cause: cause, Code: code, M: m, From: tx.ReplyTo()}
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		f.Addr = br.Addr()
		return true
	})
	if !c.replyLike(tx, m, code, phrase, header) {
		return false
	}
	c.failed(f)
	return true
}

// like appends a response with the rows of m that stand behind its top Via.
func like(b []byte, m *parser.Message, via *parser.Via, code int, reason, header,
	server string) []byte {
	b = appendStatus(b, code, reason)
	if via.More {
		// Another Via follows ours in the same row, as only a user agent may join them.
		row := &m.Headers[via.Row]
		b = append(b, m.Raw[row.Line.Off:via.Cut.Off]...)
		b = append(b, m.Raw[via.Cut.End():row.Line.End()]...)
	}
	for i := m.Next(via.Row); i >= 0; i = m.Next(i) {
		b = append(b, m.Headers[i].Line.Of(m.Raw)...)
	}
	b = appendDialogRows(b, m, code)
	return appendEnd(b, header, server)
}
