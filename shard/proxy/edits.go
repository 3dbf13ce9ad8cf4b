package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
)

// Edit replaces old by a copy of text when the request leaves. It returns false if there is no
// room. An edit made before a relay is for all its branches, one made in a branch route for that
// branch alone.
//
// An edit replaces an earlier one of the same place: a program that edits a place twice means the
// second text. Kamailio writes both texts.
func (r *Request) Edit(old parser.Span, text []byte) bool {
	return r.edits.put(r.core, r.M, old, text)
}

// Edited returns the text that an edit has put in the place of old, and whether there is such an
// edit.
func (r *Request) Edited(old parser.Span) ([]byte, bool) { return r.edits.of(old) }

// InsertFirst inserts text at an offset, in front of what was inserted there before. It returns
// false if there is no room.
func (r *Request) InsertFirst(at uint32, text []byte) bool {
	return r.edits.insertFirst(r.core, r.M, at, text)
}

// edits are the routing program's changes of one message, in the order of their places, and at one
// place in the order in which they were made. See [Plan] for edits that overlap.
type edits struct {
	n    int
	body bool // an edit is inside the body
	list [maxScriptEdits]Edit
}

// about tells edits that were read back which message they are of.
func (e *edits) about(m *parser.Message) {
	e.body = false
	for i := range e.list[:e.n] {
		e.body = e.body || e.list[i].Old.Off >= m.BodyStart
	}
}

// put adds an edit. It returns false if there is no room.
func (e *edits) put(c *Core, m *parser.Message, old parser.Span, text []byte) bool {
	if len(text) > maxEditBytes {
		return false
	}
	i := e.n
	for i > 0 && e.list[i-1].Old.Off > old.Off {
		i--
	}
	if !old.Empty() {
		for k := i - 1; k >= 0 && e.list[k].Old.Off == old.Off; k-- {
			if e.list[k].Old == old {
				e.list[k].Text = c.keep(text)
				return true
			}
		}
	}
	if e.n == len(e.list) {
		return false
	}
	copy(e.list[i+1:e.n+1], e.list[i:e.n])
	e.list[i] = Edit{old, c.keep(text)}
	e.n++
	e.body = e.body || old.Off >= m.BodyStart
	return true
}

// of returns the text that is in the place of old, and whether there is one.
func (e *edits) of(old parser.Span) ([]byte, bool) {
	for i := range e.list[:e.n] {
		if e.list[i].Old == old {
			return e.list[i].Text, true
		}
	}
	return nil, false
}

// insertFirst adds an edit in front of all others at its place.
func (e *edits) insertFirst(c *Core, m *parser.Message, at uint32, text []byte) bool {
	if !e.put(c, m, parser.Span{Off: at}, text) {
		return false
	}
	i := 0
	for e.list[i].Old.Off < at {
		i++
	}
	last := i
	for last+1 < e.n && e.list[last+1].Old.Off == at {
		last++
	}
	made := e.list[last]
	copy(e.list[i+1:last+1], e.list[i:last])
	e.list[i] = made
	return true
}

// set copies from into e. What lies behind the edits in use is left alone, since copying it would
// cost more than the rest of a relay's decisions.
func (e *edits) set(from *edits) {
	e.n, e.body = from.n, from.body
	copy(e.list[:from.n], from.list[:from.n])
}

// set copies what a request has decided into d.
func (d *decisions) set(c *course, ch *changes) {
	d.course = *c
	copy(d.cuts[:c.nCuts], ch.cuts[:c.nCuts])
	d.edits.set(&ch.edits)
}

// plan plans the edits, and the Content-Length of a body that they change. from is the offset in
// the message m at which p's bytes begin.
func (e *edits) plan(c *Core, p *Plan, m *parser.Message, from uint32) {
	for i := range e.list[:e.n] {
		o := &e.list[i]
		p.Replace(o.Old.Off-from, o.Old.Len, o.Text)
	}
	if !e.body {
		return
	}
	if row := m.First(parser.KindContentLength); row >= 0 {
		v := m.Headers[row].Value
		p.Replace(v.Off-from, v.Len, appendInt(c.take(20), e.bodyBytes(m)))
	}
}

// restated reports whether an edit replaces part of the first line.
func (e *edits) restated(m *parser.Message) bool {
	return e.n > 0 && e.list[0].Old.Off < m.HeaderStart && e.list[0].Old.Len > 0
}

// bodyBytes returns the length of m's body after the edits.
func (e *edits) bodyBytes(m *parser.Message) int {
	n := len(m.Body())
	if !e.body {
		return n
	}
	var p Plan
	p.Reset(m.Raw[:end(m)])
	for i := range e.list[:e.n] {
		if o := &e.list[i]; o.Old.Off >= m.BodyStart {
			p.Replace(o.Old.Off, o.Old.Len, o.Text)
		}
	}
	return p.Bytes() - int(m.BodyStart)
}

// Body returns the body that leaves. A body that was changed is valid for the batch. It returns
// false if the body is longer than a message that leaves may be.
func (r *Request) Body() ([]byte, bool) {
	if !r.edits.body {
		return r.M.Body(), true
	}
	n, p := r.edits.bodyBytes(r.M), &r.core.plan
	if n > maxStreamBytes {
		return nil, false
	}
	p.Reset(r.M.Raw[r.M.BodyStart:end(r.M)])
	for i := range r.edits.list[:r.edits.n] {
		if o := &r.edits.list[i]; o.Old.Off >= r.M.BodyStart {
			p.Replace(o.Old.Off-r.M.BodyStart, o.Old.Len, o.Text)
		}
	}
	b := r.core.take(n)[:n]
	p.WriteTo(b)
	return b, true
}

// lacksLength reports whether a message that leaves by proto needs a Content-Length that it does
// not have: over a stream nothing else says where its body ends (§18.3).
func lacksLength(m *parser.Message, proto netio.Proto) bool {
	return proto.Reliable() && !m.Has(parser.KindContentLength)
}

// appendLength appends the Content-Length of a body of n bytes.
func appendLength(b []byte, n int) []byte {
	return append(appendInt(append(b, "Content-Length: "...), n), "\r\n"...)
}

// planLength adds the Content-Length of a body of n bytes at the end of the headers.
func planLength(c *Core, p *Plan, m *parser.Message, n int) {
	p.Insert(m.HeaderEnd, appendLength(c.take(48), n))
}

// Apply makes M the message that would leave now, without our Via, Record-Route and Path, so that
// the rest of the program sees the changes made so far (msg_apply_changes). It is for request_route
// alone, before any route runs on a copy. It returns false if the result is no request that we
// would accept.
func (r *Request) Apply() bool {
	received := r.M.Raw
	if !r.core.apply(r.planApplied(), r.M) {
		return false
	}
	r.begun(received)
	return true
}

// planApplied plans what Apply makes of M.
func (r *Request) planApplied() *Plan {
	c, m, p := r.core, r.M, &r.core.plan
	p.Reset(m.Raw[:end(m)])
	if r.uri != nil {
		p.Replace(m.URI.Off, m.URI.Len, r.uri)
	}
	r.planCuts(p)
	r.edits.plan(c, p, m, 0)
	if r.appendRoute != nil {
		p.Insert(m.HeaderEnd, r.appendRoute)
	}
	return p
}

// AppendApplied appends what Apply would make of M to b.
func (r *Request) AppendApplied(b []byte) []byte { return r.planApplied().appendTo(b) }

// AppendApplied is Request.AppendApplied for the response.
func (p *Reply) AppendApplied(b []byte) []byte {
	plan := &p.core.plan
	plan.Reset(p.M.Raw[:end(p.M)])
	p.edits.plan(p.core, plan, p.M, 0)
	return plan.appendTo(b)
}

// appendTo appends the edited message to b.
func (p *Plan) appendTo(b []byte) []byte {
	for _, s := range p.Segments() {
		b = append(b, s...)
	}
	return b
}

// Replace makes M the message in text, which must be a request with the same method, and forgets
// the changes made so far (msg_set_buffer). It is for request_route alone, as Apply is. It returns
// false if text is no such request.
func (r *Request) Replace(text []byte) bool {
	received := r.M.Raw
	if !r.core.become(append(r.core.take(len(text)), text...), r.M) {
		return false
	}
	r.begun(received)
	return true
}

// begun notes that M was replaced; received is what it was before.
func (r *Request) begun(received []byte) {
	if r.asReceived == nil {
		r.asReceived = received
	}
	r.appendRoute, r.nCuts, r.routesRead = nil, 0, false
	r.edits.n, r.edits.body = 0, false
	r.via, _ = r.M.TopVia()
}

// Apply is Request.Apply for the response, in a reply route.
func (p *Reply) Apply() bool {
	plan := &p.core.plan
	plan.Reset(p.M.Raw[:end(p.M)])
	p.edits.plan(p.core, plan, p.M, 0)
	if !p.core.apply(plan, p.M) {
		return false
	}
	p.begun()
	return true
}

// Replace is Request.Replace for the response.
func (p *Reply) Replace(text []byte) bool {
	if !p.core.become(append(p.core.take(len(text)), text...), p.M) {
		return false
	}
	p.begun()
	return true
}

func (p *Reply) begun() {
	p.edits.n, p.edits.body = 0, false
	p.M.TopVia() // those who hold its address find it as it is now
}

// apply makes m the message that p writes. It returns false if that is too long or no message of
// the same kind.
func (c *Core) apply(p *Plan, m *parser.Message) bool {
	if p.verdict() != NoCause {
		return false
	}
	b := c.take(p.Bytes())[:p.Bytes()]
	p.WriteTo(b)
	return c.become(b, m)
}

// become makes m the message in b. It returns false if that is no message of the same kind.
func (c *Core) become(b []byte, m *parser.Message) bool {
	if c.stored.Parse(b) != parser.OK || c.stored.IsRequest != m.IsRequest ||
		c.stored.Method != m.Method {
		return false
	}
	if check := c.stored.Check(); check != parser.OK && check != m.Check() {
		return false
	}
	m.Parse(b)
	return true
}
