package traffic

import "time"

// start opens one call on a caller port; its latency counts from due. It returns false if no slot
// is free.
func (e *Engine) start(port int, due int64) bool {
	slot, ok := e.table.take()
	if !ok {
		return false
	}
	e.serial++
	c := &e.table.calls[slot]
	c.state = stateCalling
	c.start = due
	putHex(c.id[:], identity(e.serial))
	c.caller = uint8(port)
	c.target = uint8(int(e.account.started) % len(e.texts.target))
	if e.cfg.Path != Proxy {
		c.target = uint8(port % len(e.texts.target))
	}
	c.giveUp = e.ms() + e.giveUp
	e.account.started++
	e.active++
	e.sendFirst(c, slot)
	c.interval = uint16(min(e.t1, 1<<16-1))
	e.table.due[slot] = e.ms() + e.t1
	return true
}

func (e *Engine) sendFirst(c *call, slot uint32) {
	k, t := kindInvite, &e.texts.invite[c.caller][c.target]
	if e.cfg.Mode == Options {
		k, t = kindOptions, &e.texts.options[c.caller][c.target]
	}
	e.sent(c, k)
	e.send(e.callers[c.caller], t, c, slot)
}

func (e *Engine) send(s *socket, t *template, c *call, slot uint32) {
	s.queue(t.appendTo(s.frame(), &c.id, slot), laneLast)
}

// expected gives the branch letter and CSeq number of the request that a response to method m
// answers.
func expected(m method) (letter byte, number uint32) {
	switch m {
	case methodBye:
		return 'b', 2
	case methodOptions:
		return 'o', 1
	}
	return 'i', 1
}

// response is the caller's side of a datagram: match, check, act.
func (e *Engine) response(s *socket, b []byte) {
	m := &e.m
	c, slot := e.table.find(m.callID.in(b))
	if c == nil {
		e.account.late++
		return
	}
	if int(c.caller) != s.index {
		e.fault(faultPort)
		return
	}
	letter, sequence := expected(m.method)
	if !hasToken(m.via[0].in(b), branchMark, letter, &c.id) {
		e.fault(faultBranch)
		return
	}
	if m.cseqNumber != sequence {
		e.fault(faultCSeq)
		return
	}
	if m.vias != 1 {
		e.fault(faultVia)
	}
	if m.length != int(m.body.to-m.body.from) {
		e.fault(faultLength)
	}
	if !hasToken(m.from.in(b), tagMark, 'f', &c.id) {
		e.fault(faultTag)
	}
	switch {
	case m.method == methodInvite && m.status < 200:
		e.provisional(c, slot)
	case m.method == methodInvite && m.status < 300:
		e.answer(s, c, slot, b)
	case m.method == methodInvite:
		e.failure(s, c, slot, b)
	case m.method == methodBye && m.status >= 200:
		e.byeDone(c, slot)
	case m.method == methodCancel && m.status == 200:
		e.got(c, kindCancelDone)
		e.settle(c, slot)
	case m.method == methodOptions && m.status >= 200:
		e.optionsDone(c, slot)
	default:
		e.fault(faultUnexpected)
	}
}

func (e *Engine) provisional(c *call, slot uint32) {
	k := kindRinging
	if e.m.status == 100 {
		k = kindTrying
	}
	first := e.got(c, k)
	if first && c.again&kindInvite.bit() == 0 &&
		(c.got&(kindAnswer.bit()|kindFailure.bit()) != 0 ||
			k == kindTrying && c.got&kindRinging.bit() != 0) {
		e.fault(faultSwapped) // overtaken by a later message of the answerer
	}
	if first && k == kindRinging && c.state != stateOver {
		d := time.Duration(e.now - c.start)
		if e.measuring {
			e.account.ringing.Record(d)
		}
		if e.cfg.OnTick != nil {
			e.tickRing.Record(d)
		}
	}
	if c.state == stateCalling {
		c.state = stateProceeding
		// §17.1.1.2: a provisional response ends the retransmission of INVITE
		e.table.due[slot] = c.giveUp
	}
	if e.cfg.Mode == Hold && (k == kindRinging || e.cfg.HeldByTrying) &&
		(c.state == stateCalling || c.state == stateProceeding) {
		c.state = stateHeld
		e.table.due[slot] = 0
		e.hold.held++
	}
	e.settle(c, slot)
}

func (e *Engine) answer(s *socket, c *call, slot uint32, b []byte) {
	m := &e.m
	if !e.got(c, kindAnswer) {
		e.repeatAck(s, c, slot) // §13.2.2.4: each copy of the 2xx is acknowledged
		return
	}
	switch c.state {
	case stateCalling, stateProceeding:
	default:
		e.fault(faultUnexpected)
		return
	}
	if e.measuring {
		e.account.answered.Record(time.Duration(e.now - c.start))
	}
	if i := int(c.answerer) - 1; i >= 0 {
		t := &e.texts.answerer[i]
		if string(m.body.in(b)) != t.body {
			e.fault(faultBody)
		}
		if string(m.contact.in(b)) != t.uri {
			e.fault(faultURI)
		}
	}
	if (e.cfg.Path == Proxy && !e.cfg.NoRecordRoute) != (m.routes > 0) {
		e.fault(faultRecordRoute)
	}
	if int(m.contact.to-m.contact.from)+int(m.to.to-m.to.from)+512 > requestBytes {
		e.fault(faultURI)
		return
	}
	frame := appendAck(s.frame(), &e.texts.dialog[c.caller], &c.id, slot, b, m)
	s.queue(frame, laneFirst)
	bye := append(s.frame(), frame...)
	byeFromAck(bye)
	s.queue(bye, laneFirst)
	e.sent(c, kindAck)
	e.sent(c, kindBye)
	if len(bye) <= requestBytes {
		c.requestLen = uint16(len(append(e.table.request(slot), bye...)))
	}
	c.state = stateTalking
	c.bye = e.now
	c.interval = uint16(min(e.t1, 1<<16-1))
	c.giveUp = e.ms() + e.giveUp
	e.table.due[slot] = e.ms() + e.t1
}

// repeatAck answers a further copy of the 200.
func (e *Engine) repeatAck(s *socket, c *call, slot uint32) {
	if c.requestLen == 0 {
		return
	}
	ack := append(s.frame(), e.table.request(slot)[:c.requestLen]...)
	ackFromBye(ack)
	s.queue(ack, laneFirst)
	e.sent(c, kindAck)
}

// failure is a final answer of 300 or more to INVITE: acknowledged hop by hop, each copy
// (§17.1.1.3).
func (e *Engine) failure(s *socket, c *call, slot uint32, b []byte) {
	out := e.texts.ackFailure[c.caller][c.target].appendTo(s.frame(), &c.id, slot)
	out = append(out, e.m.to.in(b)...)
	s.queue(append(out, '\r', '\n'), laneFirst)
	e.sent(c, kindFailureAck)
	if !e.got(c, kindFailure) {
		return
	}
	e.account.finals[min(e.m.status, len(e.account.finals)-1)]++
	if c.state == stateOver || c.state == stateTalking {
		e.fault(faultUnexpected)
		return
	}
	wanted := e.cfg.Mode == Hold &&
		(e.m.status == 487 && c.state == stateCancelling ||
			e.m.status == 486 && e.cfg.Release == ReleaseFinal)
	if wanted {
		e.finish(c, slot, outcomeCompleted)
		return
	}
	e.finish(c, slot, outcomeFailed)
}

func (e *Engine) byeDone(c *call, slot uint32) {
	if e.got(c, kindByeDone) && c.state == stateTalking {
		if e.measuring {
			e.account.ended.Record(time.Duration(e.now - c.bye))
		}
		e.finish(c, slot, outcomeCompleted)
		return
	}
	e.settle(c, slot)
}

func (e *Engine) optionsDone(c *call, slot uint32) {
	if !e.got(c, kindOptionsDone) || c.state == stateOver {
		return
	}
	if e.measuring {
		e.account.ended.Record(time.Duration(e.now - c.start))
	}
	if e.m.status != 200 {
		e.account.finals[min(e.m.status, len(e.account.finals)-1)]++
		e.finish(c, slot, outcomeFailed)
		return
	}
	e.finish(c, slot, outcomeCompleted)
}

// finish ends a call for the caller and, in a closed loop, starts the next on the same port.
func (e *Engine) finish(c *call, slot uint32, o outcome) {
	switch o {
	case outcomeCompleted:
		e.account.completed++
	case outcomeFailed:
		e.account.failed++
	case outcomeAbandoned:
		e.account.abandoned++
	}
	if e.cfg.Mode == Hold {
		e.hold.ended(c)
	}
	port := int(c.caller)
	e.active--
	c.outcome = o
	if e.missing(c) == 0 {
		e.table.put(slot)
	} else {
		c.state = stateOver
		e.lingering++
		e.table.due[slot] = e.ms() + e.linger
		if o == outcomeAbandoned {
			e.closeCall(c, slot)
		}
	}
	if e.cfg.Concurrent > 0 && e.cfg.Mode != Hold {
		e.startOn(port)
	}
}

// missing is the kinds that one end sent and the other has not seen, of those that must get through
// in a call with this outcome.
func (e *Engine) missing(c *call) uint16 {
	missing := c.sent &^ c.got
	if e.cfg.Outside && c.answerer == 0 {
		return 0 // its answerer is elsewhere
	}
	if e.cfg.Mode == Options && e.cfg.Path == Proxy {
		missing &^= kindOptions.bit() // the server answers itself
	}
	if c.outcome == outcomeFailed && c.answerer == 0 {
		missing = 0 // the server refused: nothing was to reach an answerer
	}
	if c.sent&kindFailure.bit() == 0 {
		missing &^= kindFailureAck.bit() // acknowledges the server's own answer
	}
	return missing
}

// settle frees a call that has ended once its last missing message has come.
func (e *Engine) settle(c *call, slot uint32) {
	if c.state == stateOver && e.missing(c) == 0 {
		e.lingering--
		e.table.put(slot)
	}
}

// closeCall gives up on what is still missing: it is lost.
func (e *Engine) closeCall(c *call, slot uint32) {
	missing := e.missing(c)
	for k := range kindCount {
		if missing&k.bit() != 0 {
			e.account.messages[k].Lost++
		}
	}
	e.lingering--
	e.table.put(slot)
}

// closeLingering closes every call that waits for a message, and counts what calls under way miss
// as not lost: they are Unfinished.
func (e *Engine) closeLingering() {
	for slot := range e.table.high {
		if c := &e.table.calls[slot]; c.state == stateOver {
			e.closeCall(c, slot)
		}
	}
}
