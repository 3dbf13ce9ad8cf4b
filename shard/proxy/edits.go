package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
)

// Edit puts text in the place of old when the request leaves: a copy of it is kept. It returns
// false if there is no room. What is decided before a relay is for all its branches, in a branch
// route for that branch.
//
// An edit of the same place as one before replaces that: it is what the program means that says it
// twice. Kamailio writes both texts.
func (r *Request) Edit(old parser.Span, text []byte) bool {
	return r.edits.put(r.core, r.M, old, text)
}

// Edited is the text that an edit has put in the place of old, and whether there is one.
func (r *Request) Edited(old parser.Span) ([]byte, bool) { return r.edits.of(old) }

// InsertFirst puts text in at an offset, in front of what was put in there before.
func (r *Request) InsertFirst(at uint32, text []byte) bool {
	return r.edits.insertFirst(r.core, r.M, at, text)
}

// edits are changes of one message by the routing program, in the order of their places, and for
// one place in the order in which they were made. See [Plan] for those that overlap.
type edits struct {
	n    int
	body bool // one is of the body
	list [maxScriptEdits]Edit
}

// about notes which message they are of, when they were read back.
func (e *edits) about(m *parser.Message) {
	e.body = false
	for i := range e.list[:e.n] {
		e.body = e.body || e.list[i].Old.Off >= m.BodyStart
	}
}

// put adds one.
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

// of is the text that is in the place of old.
func (e *edits) of(old parser.Span) ([]byte, bool) {
	for i := range e.list[:e.n] {
		if e.list[i].Old == old {
			return e.list[i].Text, true
		}
	}
	return nil, false
}

// insertFirst adds one in front of all of its place.
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

// set makes e what from is. What lies behind the edits that count is left alone, since copying it
// would cost more than the rest of a relay's decisions.
func (e *edits) set(from *edits) {
	e.n, e.body = from.n, from.body
	copy(e.list[:from.n], from.list[:from.n])
}

// set makes d what a request has decided.
func (d *decisions) set(c *course, ch *changes) {
	d.course = *c
	copy(d.cuts[:c.nCuts], ch.cuts[:c.nCuts])
	d.edits.set(&ch.edits)
}

// plan writes them, and the Content-Length of a body that they change; from is where p's bytes
// begin in the message m.
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

// restated tells whether one is of the first line.
func (e *edits) restated(m *parser.Message) bool {
	return e.n > 0 && e.list[0].Old.Off < m.HeaderStart && e.list[0].Old.Len > 0
}

// bodyBytes is how long the body of m leaves.
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

// Body is the body that leaves. A body that was changed is good for the batch. false: it is longer
// than what leaves may be.
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

// lacksLength tells whether a message that leaves by proto needs a Content-Length that it does not
// have: over a stream nothing else says where its body ends (§18.3).
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

// Apply makes M what it would leave as, without our Via and Record-Route, so that what comes later
// sees the changes made so far (msg_apply_changes). It is for request_route alone, before any route
// is run on a copy. It returns false if what would leave is no request that we would take.
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
	if r.leave.path != nil {
		p.Insert(m.HeaderStart, r.leave.path)
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

// Replace makes M what text is, a request with the same method, and forgets the changes made so far
// (msg_set_buffer). It is for request_route alone, as Apply is.
func (r *Request) Replace(text []byte) bool {
	received := r.M.Raw
	if !r.core.become(append(r.core.take(len(text)), text...), r.M) {
		return false
	}
	r.begun(received)
	return true
}

// begun notes that M has begun anew: received is what it was.
func (r *Request) begun(received []byte) {
	if r.asReceived == nil {
		r.asReceived = received
	}
	r.leave.path, r.appendRoute, r.nCuts, r.routesRead = nil, nil, 0, false
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
	p.M.TopVia() // who has it by its address finds it as it is now
}

// apply makes m what p writes.
func (c *Core) apply(p *Plan, m *parser.Message) bool {
	if p.verdict() != NoCause {
		return false
	}
	b := c.take(p.Bytes())[:p.Bytes()]
	p.WriteTo(b)
	return c.become(b, m)
}

// become makes m the message in b, if it is of the same kind.
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
