package txn

import (
	"bytes"
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shm"
)

// acknowledge answers the non-2xx final m of br with the hop's own ACK
// (§17.1.1.3) and keeps the ACK in the request's place, to be sent again for
// each repetition of the final.
func (t *Table) acknowledge(br *Branch, m *parser.Message) {
	off := t.offOf(&br.node)
	ack := shm.Off(0)
	if br.request != 0 {
		var toLine []byte
		if to := m.First(parser.KindTo); to >= 0 {
			toLine = m.Headers[to].Line.Of(m.Raw)
		}
		if b := t.hopRequest(br, "ACK", toLine, nil); b != nil {
			ack = t.store(off, KindMessage, b)
			if ack == 0 {
				t.count[CountUnstored]++
				t.setStreamOptions(br, 0)
				t.out.Begin(int(br.listener), &br.dst, 0)
				// Slow path: the arena is full; the queue keeps its bytes by reference.
				t.out.Append(append([]byte(nil), b...))
				t.out.End()
			}
		}
	}
	if t.sent != nil && br.request != 0 {
		t.sent(t.tx(br.tx), br, parser.ACK, false)
	}
	t.drop(&br.request)
	if ack != 0 {
		br.request = ack
		t.setStreamOptions(br, 0)
		t.send(br.listener, &br.dst, 0, ack)
	}
}

// Cancel accepts a CANCEL of tx: each pending branch that has had a provisional
// is cancelled at once, the others as soon as they have one (§9.1, §16.10).
//
// reason is whole Reason rows (RFC 3326) for the CANCELs, or nil.
func (t *Table) Cancel(tx *Tx, reason []byte) {
	tx.flags |= txCanceled
	t.CancelOthers(tx, nil, reason)
}

// CancelOthers cancels every branch of tx but one, which may be nil.
func (t *Table) CancelOthers(tx *Tx, but *Branch, reason []byte) {
	for off := tx.first; off != 0; {
		br := t.branch(off)
		off = br.nextBranch
		if br != but {
			t.CancelBranch(br, reason)
		}
	}
}

// CancelBranch is Cancel for one branch. If a CANCEL has to wait for a provisional and has a
// Reason, it is written at once, since the Reason is gone later.
func (t *Table) CancelBranch(br *Branch, reason []byte) {
	switch {
	case br.flags&(brFinal|brEnded|brCancelled|brCancelPending) != 0 ||
		parser.Method(br.method) != parser.INVITE:
	case br.state == Calling && t.before != CancelLeaves:
		br.flags |= brCancelPending
		if t.before == CancelFakes {
			br.flags |= brLost
			br.retransAt = 0
		}
		if len(reason) > 0 {
			t.writeCancel(br, reason)
		}
	default:
		t.sendCancel(br, reason)
	}
}

// sendCancel sends the CANCEL of br, a client transaction of its own with the
// INVITE's branch. The INVITE then has 64·T1 to bring its final (§9.1).
func (t *Table) sendCancel(br *Branch, reason []byte) {
	again := br.flags&brCancelled != 0 // the first CANCEL found no answer; br has its end already
	br.flags = br.flags&^brCancelPending | brCancelled
	switch {
	case br.flags&brKept == 0:
		t.setEnd(br, t.now+t.cancelWait())
	case !again:
		t.setEnd(br, t.now+t.lifetime()) // nobody waits for it
	}
	if br.cancel == 0 {
		t.writeCancel(br, reason)
	}
	if br.cancel == 0 {
		return
	}
	t.setStreamOptions(br, 0)
	t.sendAside(t.branch(br.cancel), t.cancelWait())
}

// writeCancel makes the record of br's CANCEL, not yet under way.
func (t *Table) writeCancel(br *Branch, reason []byte) {
	if br.request == 0 {
		return
	}
	b := t.hopRequest(br, "CANCEL", nil, reason)
	if len(b) > MaxPayloadBytes && len(reason) > 0 {
		// The Reason may be left out (RFC 3326 §2), the CANCEL may not.
		b = t.hopRequest(br, "CANCEL", nil, nil)
	}
	if b == nil {
		return
	}
	c := t.newAside(br, parser.CANCEL, &br.dst, br.listener)
	if c == nil {
		return
	}
	off := t.offOf(&c.node)
	if c.request = t.store(off, KindMessage, b); c.request == 0 {
		t.slab.Free(off)
		return
	}
	t.setAside(br, c)
}

// newAside reserves the record of a request of our own that follows br's, such as its CANCEL. It
// returns nil if the arena is full.
func (t *Table) newAside(br *Branch, method parser.Method, to *netio.Addr,
	listener uint16) *Branch {
	off, ok := t.slab.Alloc(KindBranch, branchBytes)
	if !ok {
		t.count[CountArenaFull]++
		return nil
	}
	c := t.branch(off)
	h := c.Header
	*c = Branch{tx: t.offOf(&br.node), dst: *to, listener: listener, index: br.index}
	c.Header = h
	c.Owner = c.tx
	t.sign(c, off, &t.ofBranch(br).replyTo)
	c.method = uint8(method)
	c.flags = brCancel
	c.state = Trying
	return c
}

// setAside puts c into br. It must be called last, when everything that c refers to is published.
func (t *Table) setAside(br, c *Branch) {
	off := t.offOf(&c.node)
	t.slab.Publish(off)
	br.cancel = off
	t.count[CountBranches]++
}

// sendAside starts the machine of such a request (Timers E and F), which ends after wait.
func (t *Table) sendAside(c *Branch, wait int64) {
	off := t.offOf(&c.node)
	c.sentAt = t.now
	c.endAt = t.now + wait
	if !c.dst.Proto.Reliable() {
		c.intervalMs = t.t1(t.ofBranch(c))
		c.retransAt = t.now + int64(c.intervalMs)*int64(time.Millisecond)
	}
	t.armClient(off, c)
	if t.sent != nil {
		t.sent(t.ofBranch(c), c, parser.Method(c.method), false)
	}
	t.send(c.listener, &c.dst, c.token(off), c.request)
}

// NewBye reserves the record of the BYE that is to end the call that a 2xx of br made. The BYE
// takes the place of br's CANCEL. Room and Dismiss, or Discard, must follow. It returns nil if the
// arena is full.
func (t *Table) NewBye(br *Branch, to *netio.Addr, listener uint16) *Branch {
	if br.cancel != 0 {
		t.end(t.branch(br.cancel))
	}
	return t.newAside(br, parser.BYE, to, listener)
}

// Dismiss sends the BYE. br stays until the BYE has ended, so that repetitions of its 2xx can be
// acknowledged.
func (t *Table) Dismiss(br, bye *Branch) {
	t.slab.Publish(bye.request)
	t.setAside(br, bye)
	t.setEnd(br, t.now+max(int64(t.timers.Wait), t.lifetime()))
	t.sendAside(bye, t.lifetime())
}

// SetDismissed notes that the call br answered with is ended here, as Dismissed tells. tag says
// which dialog the BYE is for: a hash of its To tag, 0 if no BYE could be made. It is kept in the
// interval of Timer A, which br does not need any more.
func (br *Branch) SetDismissed(tag uint32) { br.flags, br.intervalMs = br.flags|brDismissed, tag }

// DismissedTag returns that hash.
func (br *Branch) DismissedTag() uint32 { return br.intervalMs }

// Dismissed reports whether the 2xx of br was one that nobody wanted.
func (br *Branch) Dismissed() bool { return br.flags&brDismissed != 0 }

// cancelWait returns how long a CANCEL and the final it asks for may take: 64·T1 (§9.1), or
// fr_timer if that is shorter.
func (t *Table) cancelWait() int64 { return min(64*int64(t.timers.T1), int64(t.timers.B)) }

// hopRequest writes an ACK or CANCEL for the INVITE that br sent: its Request-URI, our Via alone,
// its From, Call-ID, CSeq number and Route, the To line given (§9.1, §17.1.1.3) or else its own,
// and more rows. The result lies in the table's scratch until the next call. It returns nil if the
// INVITE cannot be read.
func (t *Table) hopRequest(br *Branch, method string, toLine, more []byte) []byte {
	m := &t.stored
	if m.Parse(t.storedBytes(br.request)) != parser.OK {
		return nil
	}
	cseq, reason := m.CSeq()
	from, to, callID := m.First(parser.KindFrom), m.First(parser.KindTo), m.First(parser.KindCallID)
	if reason != parser.OK || from < 0 || to < 0 || callID < 0 || len(m.Headers) == 0 {
		return nil
	}
	if toLine == nil {
		toLine = m.Headers[to].Line.Of(m.Raw)
	}
	b := append(t.scratch[:0], method...)
	b = append(b, ' ')
	b = append(b, m.Bytes(m.URI)...)
	b = append(b, " SIP/2.0\r\n"...)
	// package proxy writes our Via first, as a row of its own
	b = append(b, m.Headers[0].Line.Of(m.Raw)...)
	b = append(b, "Max-Forwards: 70\r\n"...)
	for i := m.First(parser.KindRoute); i >= 0; i = m.Next(i) {
		b = append(b, m.Headers[i].Line.Of(m.Raw)...)
	}
	b = append(b, m.Headers[from].Line.Of(m.Raw)...)
	b = append(b, toLine...)
	b = append(b, m.Headers[callID].Line.Of(m.Raw)...)
	b = append(b, "CSeq: "...)
	b = appendDecimal(b, cseq.Number)
	b = append(b, ' ')
	b = append(b, method...)
	b = append(b, "\r\n"...)
	if t.hopHeaders != "" {
		b = t.appendHopHeaders(b, m)
	}
	b = append(b, more...)
	b = append(b, "Content-Length: 0\r\n\r\n"...)
	t.scratch = b[:0]
	return b
}

// appendHopHeaders appends the rows that Config.HopHeaders names, except those that ACK and CANCEL
// have of their own or must not have (§9.1, §17.1.1.3).
func (t *Table) appendHopHeaders(b []byte, m *parser.Message) []byte {
	for i := range m.Headers {
		h := &m.Headers[i]
		switch h.Kind {
		case parser.KindVia, parser.KindFrom, parser.KindTo, parser.KindCallID, parser.KindCSeq,
			parser.KindMaxForwards, parser.KindRoute, parser.KindContentLength,
			parser.KindContentType, parser.KindRequire, parser.KindProxyRequire:
			continue
		}
		name := m.Bytes(h.Name)
		if n := len(t.hopHeaders); len(name) >= n &&
			bytes.EqualFold(name[:n], []byte(t.hopHeaders)) {
			b = append(b, h.Line.Of(m.Raw)...)
		}
	}
	return b
}

func appendDecimal(b []byte, v uint32) []byte {
	var d [10]byte
	i := len(d)
	for {
		i--
		d[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			return append(b, d[i:]...)
		}
	}
}
