package proxy

import "viaduct/parser"

// Driving a transaction takes less of a response than forwarding it. Our Via's branch and the
// method in CSeq say which transaction it belongs to (§17.1.3), and its status says what follows: a
// final is acknowledged and stops the timers. What else the caller has to find in it, the request
// said before: its Vias, From, Call-ID and CSeq (§8.2.6.2). So a response that lost some of them
// goes up with those of the request, and with all that is its own: To tag, Contact, body, the
// reason for a refusal. A response made here in its place would say less, and as a 2xx nothing.

// Drives reports whether a response that Check finds fault with can still drive its transaction.
func Drives(m *parser.Message, check parser.Reason) bool {
	switch check {
	case parser.MissingFrom, parser.DoubledFrom, parser.MissingTo, parser.DoubledTo,
		parser.MissingCallID, parser.DoubledCallID, parser.BadCallID:
	default:
		return false
	}
	if _, reason := m.TopVia(); reason != parser.OK {
		return false
	}
	if _, reason := m.CSeq(); reason != parser.OK {
		return false
	}
	n, reason := m.ContentLength()
	// §18.3: a response that was cut short is discarded
	return reason == parser.OK && n <= len(m.Raw)-int(m.BodyStart)
}

// mend adds to the response m, which the table has just taken, what it lacks of its request. The
// result and its Via are valid for the batch; what a reply route changes is changed in the result.
// It returns nil if the request is not kept any more. Slow path.
func (c *Core) mend(m *parser.Message) (*parser.Message, *parser.Via) {
	sent, asked, p := c.tx.Answered(), &c.stored, &c.plan
	if sent == nil || asked.Parse(sent) != parser.OK {
		return nil, nil
	}
	rows := c.take(len(sent))
	to := m.First(parser.KindTo)
	for i := range asked.Headers {
		switch h := &asked.Headers[i]; h.Kind {
		case parser.KindTo:
			if to >= 0 {
				h = &m.Headers[to]
				rows = append(rows, h.Line.Of(m.Raw)...)
				continue
			}
			fallthrough
		case parser.KindVia, parser.KindFrom, parser.KindCallID, parser.KindCSeq:
			rows = append(rows, h.Line.Of(sent)...)
		}
	}
	p.Reset(m.Raw[:end(m)])
	c.Reply.edits.plan(c, p, m, 0)
	c.Reply.edits.n, c.Reply.edits.body = 0, false
	p.Insert(m.HeaderStart, rows)
	// Rows of these kinds are cut, neighbouring ones together.
	from, until := uint32(0), uint32(0)
	for i := range m.Headers {
		switch h := &m.Headers[i]; h.Kind {
		case parser.KindVia, parser.KindFrom, parser.KindTo, parser.KindCallID, parser.KindCSeq:
			if until != h.Line.Off {
				p.Cut(from, until-from)
				from = h.Line.Off
			}
			until = h.Line.End()
		}
	}
	p.Cut(from, until-from)
	if p.verdict() != 0 {
		return nil, nil
	}
	b := c.take(p.Bytes())[:p.Bytes()]
	p.WriteTo(b)
	if c.mended.Parse(b) != parser.OK {
		return nil, nil
	}
	via, reason := c.mended.TopVia()
	if reason != parser.OK {
		return nil, nil
	}
	c.count[CountMended]++
	c.Reply.M = &c.mended
	return &c.mended, via
}
