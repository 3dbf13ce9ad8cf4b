package traffic

// request is the answerer's side of a datagram. A call of this Engine has an entry in the table, in
// which retransmissions are recognised; any other is answered from the message alone if the Engine
// has no callers of its own.
func (e *Engine) request(s *socket, b []byte) {
	m := &e.m
	if len(e.callers) == 0 {
		e.answerStranger(s, b)
		return
	}
	c, slot := e.table.find(m.callID.in(b))
	if c == nil {
		e.account.late++
		return
	}
	e.check(s, c, b)
	switch m.method {
	case methodInvite:
		e.invited(s, c, slot, b)
	case methodAck:
		e.acknowledged(c, slot, b)
	case methodBye:
		e.hungUp(s, c, slot, b)
	case methodCancel:
		e.cancelled(s, c, slot, b)
	case methodOptions:
		e.got(c, kindOptions)
		if !e.cfg.Silent[s.index] {
			e.reply(s, c, kindOptionsDone, "SIP/2.0 200 OK\r\n", b)
		}
	default:
		e.fault(faultUnexpected)
	}
}

// check looks at what a path must have done to every request.
func (e *Engine) check(s *socket, c *call, b []byte) {
	m := &e.m
	hops := 0
	if e.cfg.Path == Proxy {
		hops = 1
	}
	// A CANCEL, and the ACK to a failure, are made by the hop before: one Via (RFC 3261 §16.10,
	// §17.1.1.3). A stateless proxy passes them on.
	byHop := m.method == methodCancel || m.method == methodAck && c.sent&kindFailure.bit() != 0
	if m.vias != 1+hops && !(byHop && m.vias == 1) {
		e.fault(faultVia)
	}
	if m.length != int(m.body.to-m.body.from) {
		e.fault(faultLength)
	}
	if m.maxForwards != 70-hops && !byHop {
		e.fault(faultMaxForwards)
	}
	if m.route {
		e.fault(faultRoute)
	}
	if !hasToken(m.from.in(b), tagMark, 'f', &c.id) {
		e.fault(faultTag)
	}
	if c.answerer != 0 && int(c.answerer)-1 != s.index {
		e.fault(faultPort)
	}
}

func (e *Engine) invited(s *socket, c *call, slot uint32, b []byte) {
	m := &e.m
	if e.cfg.Silent[s.index] {
		e.got(c, kindInvite)
		c.answerer = uint8(s.index + 1)
		return
	}
	if !e.got(c, kindInvite) {
		e.repeatAnswer(s, c, slot)
		return
	}
	if m.cseqNumber != 1 {
		e.fault(faultCSeq)
	}
	if string(m.body.in(b)) != e.texts.inviteBody[c.caller] {
		e.fault(faultBody)
	}
	if string(m.uri.in(b)) != e.texts.target[c.target] {
		e.fault(faultURI)
	}
	if (e.cfg.Path == Proxy && !e.cfg.NoRecordRoute) != (m.routes > 0) {
		e.fault(faultRecordRoute)
	}
	c.answerer = uint8(s.index + 1)
	e.account.answerer[s.index]++
	if !e.echoFits(b) {
		e.fault(faultLength)
		return
	}
	tag := [1 + idBytes]byte{'t'}
	copy(tag[1:], c.id[:])
	echo := appendEcho(e.table.echoOf(slot), b, m, tag[:])
	c.echoLen = uint16(len(echo))
	t := &e.texts.answerer[s.index]
	e.respond(s, c, kindRinging, "SIP/2.0 180 Ringing\r\n", echo, t.empty)
	if e.cfg.Mode == Hold {
		return
	}
	e.respond(s, c, kindAnswer, "SIP/2.0 200 OK\r\n", echo, t.session)
	e.startAnswerTimer(c, slot)
}

// echoFits bounds what appendEcho will write: it copies whole lines, so never more than the headers
// of b, plus the tag and the name repeated for each value of Record-Route.
func (e *Engine) echoFits(b []byte) bool {
	n := 64 + e.m.routes*16
	for _, v := range e.m.via[:e.m.viaLines] {
		n += int(v.to - v.from)
	}
	for _, r := range e.m.recordRoute[:e.m.routes] {
		n += int(r.to - r.from)
	}
	for _, v := range [...]span{e.m.from, e.m.to, e.m.cseq, e.m.callID} {
		n += int(v.to - v.from)
	}
	return n <= echoBytes && len(b) <= frameBytes
}

func (e *Engine) startAnswerTimer(c *call, slot uint32) {
	c.answerInterval = uint16(min(e.t1, 1<<16-1))
	e.table.dueAnswer[slot] = e.ms() + e.t1
}

func (e *Engine) respond(s *socket, c *call, k kind, status string, echo []byte, end string) {
	out := append(s.frame(), status...)
	out = append(out, echo...)
	l := laneFirst
	if k == kindAnswer {
		l = laneAnswer
	}
	s.queue(append(out, end...), l)
	e.sent(c, k)
}

// repeatAnswer sends again what the last copy of the INVITE would have got (§17.2.1).
func (e *Engine) repeatAnswer(s *socket, c *call, slot uint32) {
	if c.echoLen == 0 || c.got&kindAck.bit() != 0 {
		return
	}
	echo := e.table.echoOf(slot)[:c.echoLen]
	t := &e.texts.answerer[s.index]
	switch {
	case c.sent&kindFailure.bit() != 0:
		e.sendFailure(s, c, echo)
	case c.sent&kindAnswer.bit() != 0:
		e.respond(s, c, kindAnswer, "SIP/2.0 200 OK\r\n", echo, t.session)
	default:
		e.respond(s, c, kindRinging, "SIP/2.0 180 Ringing\r\n", echo, t.empty)
	}
}

func (e *Engine) sendFailure(s *socket, c *call, echo []byte) {
	status := "SIP/2.0 487 Request Terminated\r\n"
	if e.cfg.Release == ReleaseFinal {
		status = "SIP/2.0 486 Busy Here\r\n"
	}
	e.respond(s, c, kindFailure, status, echo, emptyEnd)
}

// acknowledged is ACK to our 200, end to end, or to our failure, by the hop before.
func (e *Engine) acknowledged(c *call, slot uint32, b []byte) {
	m := &e.m
	k := kindAck
	if c.sent&kindFailure.bit() != 0 {
		k = kindFailureAck
	} else {
		e.checkDialog(c, b)
	}
	if m.cseqNumber != 1 {
		e.fault(faultCSeq)
	}
	if e.got(c, k) && k == kindAck && c.again&k.bit() == 0 && c.got&kindBye.bit() != 0 {
		e.fault(faultSwapped) // overtaken by its BYE
	}
	e.table.dueAnswer[slot] = 0
	e.settle(c, slot)
}

// checkDialog looks at a request within the dialog: it must come with our Contact and our tag.
func (e *Engine) checkDialog(c *call, b []byte) {
	m := &e.m
	if !hasToken(m.to.in(b), tagMark, 't', &c.id) {
		e.fault(faultTag)
	}
	if c.answerer != 0 && string(m.uri.in(b)) != e.texts.answerer[c.answerer-1].uri {
		e.fault(faultURI)
	}
}

func (e *Engine) hungUp(s *socket, c *call, slot uint32, b []byte) {
	e.checkDialog(c, b)
	if e.m.cseqNumber != 2 {
		e.fault(faultCSeq)
	}
	e.got(c, kindBye)
	// the dialog is over: no further copies of the 200, whether or not the ACK came
	e.table.dueAnswer[slot] = 0
	if !e.cfg.Silent[s.index] {
		e.reply(s, c, kindByeDone, "SIP/2.0 200 OK\r\n", b)
	}
	e.settle(c, slot)
}

func (e *Engine) cancelled(s *socket, c *call, slot uint32, b []byte) {
	first := e.got(c, kindCancel)
	if e.cfg.Silent[s.index] {
		return
	}
	e.reply(s, c, kindCancelDone, "SIP/2.0 200 OK\r\n", b)
	if first && c.echoLen > 0 && c.sent&(kindAnswer.bit()|kindFailure.bit()) == 0 {
		e.sendFailure(s, c, e.table.echoOf(slot)[:c.echoLen])
		e.startAnswerTimer(c, slot)
	}
	e.settle(c, slot)
}

// reply answers a request that is not INVITE, from the message alone.
func (e *Engine) reply(s *socket, c *call, k kind, status string, b []byte) {
	out := append(s.frame(), status...)
	out = appendEcho(out, b, &e.m, nil)
	s.queue(append(out, emptyEnd...), laneLast)
	e.sent(c, k)
}

// answerStranger answers a call of another process: 180 and 200 to INVITE, 200 to the rest. It
// keeps no state, so it sends nothing twice of itself; its count of INVITEs includes copies.
func (e *Engine) answerStranger(s *socket, b []byte) {
	m := &e.m
	e.account.messages[kindInvite].Received += b2u(m.method == methodInvite)
	if m.method == methodAck || e.cfg.Silent[s.index] || !e.echoFits(b) {
		return
	}
	status, end := "SIP/2.0 200 OK\r\n", emptyEnd
	var tag []byte
	if m.method == methodInvite {
		e.account.answerer[s.index]++
		end = e.texts.answerer[s.index].session
		tag = strangerTag(m.callID.in(b))
		out := append(s.frame(), "SIP/2.0 180 Ringing\r\n"...)
		out = appendEcho(out, b, m, tag)
		s.queue(append(out, e.texts.answerer[s.index].empty...), laneFirst)
	}
	out := append(s.frame(), status...)
	out = appendEcho(out, b, m, tag)
	s.queue(append(out, end...), laneAnswer)
}

// strangerTag is what our own calls' tag is, their Call-ID beginning with the identity. Valid while
// callID is.
func strangerTag(callID []byte) []byte {
	return callID[:min(len(callID), idBytes)]
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
