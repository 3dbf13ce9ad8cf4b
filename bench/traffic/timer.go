package traffic

// sweep fires the timers that are due. Timers are a time per slot, looked at in order: with a
// hundred calls that is nothing, with a million it is 8 MB read in sequence, well below a
// millisecond, and there is no structure to keep.
func (e *Engine) sweep() {
	now := e.ms()
	t := e.table
	for slot := range t.high {
		if d := t.due[slot]; d != 0 && d <= now {
			e.callerTimer(&t.calls[slot], slot, now)
		}
		if d := t.dueAnswer[slot]; d != 0 && d <= now {
			e.answererTimer(&t.calls[slot], slot, now)
		}
	}
	e.flush()
}

// callerTimer is Timer A and B, E and F of RFC 3261 §17.1, and the end of a finished call's wait
// for what is missing.
func (e *Engine) callerTimer(c *call, slot, now uint32) {
	if c.state == stateOver {
		e.closeCall(c, slot)
		return
	}
	if now >= c.giveUp {
		e.finish(c, slot, outcomeAbandoned)
		return
	}
	if e.cfg.Transport != UDP {
		e.table.due[slot] = c.giveUp // Timer A and E are for unreliable transports
		return
	}
	s := e.callers[c.caller]
	next := min(uint32(c.interval)*2, 1<<16-1)
	switch c.state {
	case stateCalling:
		e.sendFirst(c, slot)
		if e.cfg.Mode == Options {
			next = min(next, e.t2)
		}
	case stateCancelling:
		e.sent(c, kindCancel)
		e.send(s, &e.texts.cancel[c.caller][c.target], c, slot)
		next = min(next, e.t2)
	case stateTalking:
		if c.requestLen > 0 {
			s.queue(append(s.frame(), e.table.request(slot)[:c.requestLen]...), laneFirst)
			e.sent(c, kindBye)
		}
		next = min(next, e.t2)
	default:
		e.table.due[slot] = c.giveUp
		return
	}
	c.interval = uint16(next)
	e.table.due[slot] = min(now+next, c.giveUp)
}

// answererTimer repeats the final answer to INVITE until it is acknowledged (§13.3.1.4, Timer G and
// H of §17.2.1).
func (e *Engine) answererTimer(c *call, slot, now uint32) {
	if s := e.outlet(int(c.answerer) - 1); s != nil {
		e.repeatAnswer(s, c, slot)
	}
	next := min(uint32(c.answerInterval)*2, e.t2)
	c.answerInterval = uint16(next)
	e.table.dueAnswer[slot] = now + next
	if now >= c.giveUp {
		e.table.dueAnswer[slot] = 0
	}
}
