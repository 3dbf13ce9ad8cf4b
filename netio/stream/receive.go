package stream

import "bytes"

// plain takes SIP bytes of one connection, what is left of a read after the layers, and hands over
// every complete message. The bytes are used in place where no message was begun before; a message
// is copied once, for its shard.
func (l *loop) plain(c *conn, in []byte) {
	if c.unused.Load() {
		l.used(c)
	}
	if c.undecided && len(in) > 0 {
		if !l.decide(c, in) {
			return
		}
		if c.layers.ws != nil && len(c.partial) > 0 {
			in = append(c.partial, in...)
			c.partial = nil
		}
	}
	if c.layers.ws != nil {
		c.layers.websocket(l, c, in)
		return
	}
	limit := int(l.e.limits.MaxMessage.Load())
	for len(in) > 0 && !c.lingering && c.alive() {
		if len(c.stalled) > 0 || c.awaiting {
			c.keep(in)
			return
		}
		if len(c.partial) == 0 {
			n := l.frames(c, in, limit)
			if in = in[n:]; len(in) == 0 || c.lingering {
				return
			}
			if len(c.stalled) == 0 && c.messageBy == 0 && !c.awaiting {
				c.messageBy = l.now + int64(l.e.limits.MessageTimeout.Load())
				l.wheel.before(c, c.messageBy)
			}
			c.keep(in)
			return
		}
		// The rest of a message begun: as much as it needs, or some while that is not known.
		had := len(c.partial)
		more := min(len(in), partialStep)
		if whole := c.f.whole(); whole > had {
			more = min(len(in), whole-had)
		}
		c.partial = append(c.partial, in[:more]...)
		n := l.frames(c, c.partial, limit)
		switch {
		case n == 0:
			in = in[more:]
		case n >= had:
			// What is left of partial is the end of in[:more]: go on in place.
			in = in[n-had:]
			c.dropPartial()
		default:
			// Cannot be: bytes that were no whole message before are one now without the new ones.
			// Only CRLFs end so.
			c.partial = c.partial[:copy(c.partial, c.partial[n:])]
			in = in[more:]
		}
	}
}

// keep appends to what the connection keeps.
func (c *conn) keep(in []byte) {
	if len(c.partial)+len(in) > stalledBytes {
		c.condemn(QueueFull, 0)
		return
	}
	c.partial = append(c.partial, in...)
}

func (c *conn) dropPartial() {
	if cap(c.partial) > pooledBytes {
		c.partial = nil // an idle connection keeps no buffer of size
	} else {
		c.partial = c.partial[:0]
	}
}

// frames hands over the messages that b begins with, and returns their length. b starts where the
// message that c.f is at starts.
func (l *loop) frames(c *conn, b []byte, limit int) (used int) {
	c.f.noCL, c.f.acceptControl = l.e.limits.AcceptNoCL.Load(), l.e.cfg.AcceptControl
	c.f.http = l.e.http.Load() && !c.outgoing
	for used < len(b) {
		kind, n, fault := c.f.next(b[used:], limit)
		switch kind {
		case frameMore:
			if c.f.isHTTP && c.f.body > 0 && c.f.head.expects { // RFC 9110 §10.1.1
				c.f.head.expects = false
				l.reply(c, levelFramed, []byte("HTTP/1.1 100 Continue\r\n\r\n"))
			}
			return used
		case frameIdle:
			used += n
			if c.f.pings > 0 {
				if l.e.limits.CRLFPing.Load() {
					l.pong(c, c.f.pings)
				}
				c.f.pings = 0
			}
			continue
		case frameJunk:
			c.condemn(Junk, 0)
			return len(b)
		case frameHuge:
			c.condemn(MessageTooLong, 0)
			return len(b)
		}
		if kind == frameRefused {
			l.refuseHTTP(c, c.f.head.status)
			return len(b)
		}
		last := c.f.head.isLast()
		c.f.reset()
		c.messageBy = 0
		if kind == frameHTTP {
			l.deliverHTTP(c, b[used:used+n], last)
			return used + n
		}
		took := l.deliver(c, b[used:used+n], fault)
		used += n
		if fault != Whole {
			l.linger(c, BadFraming)
			return len(b)
		}
		if !took {
			return used
		}
	}
	return used
}

// linger stops listening to a peer that has lost the frame, or is to go, and gives its answer a
// moment.
func (l *loop) linger(c *conn, why Reason) {
	if why == BadFraming {
		l.e.stats.faults.Add(1)
	}
	c.lingering, c.lingerWhy = true, why
	c.mu.Lock()
	c.plain = false // the loop writes the answer, and then shuts the sending side
	c.mu.Unlock()
	c.lingerBy = l.now + int64(lingerFor)
	l.wheel.before(c, c.lingerBy)
	c.dropPartial()
}

// deliver copies a message for its shard. It returns false if there is no room, and it waits at the
// connection.
func (l *loop) deliver(c *conn, message []byte, fault Fault) bool {
	m := newInMsg(message)
	m.src, m.listener, m.conn, m.fault = c.k.addr, c.k.listener, c.id, fault
	if len(c.stalled) == 0 && l.push(m) {
		return true
	}
	c.stalled = append(c.stalled, m)
	return false
}

// push gives m to its shard, if there is room.
func (l *loop) push(m *inMsg) bool {
	e := l.e
	shard := e.cfg.Owner(m.data)
	if shard < 0 || shard >= len(e.ports) {
		panic("BUG: Owner named a shard that there is not")
	}
	q := e.ports[shard].q
	n := len(m.data)
	tooMuch := e.inbound.Add(int64(n)) > inboundBytes
	if tooMuch || !q.push(m) {
		e.inbound.Add(-int64(n))
		q.starved.Store(true)
		if !tooMuch && q.length() <= queueMessages/2 {
			// The shard emptied its queue before it could see starved, and may sleep by now.
			l.resume.Store(true)
			l.ring()
		}
		return false
	}
	l.pushed++
	if !l.hasRung[shard] {
		l.hasRung[shard] = true
		l.ringing = append(l.ringing, shard)
	}
	return true
}

// unstall tries again for the messages of a parked connection, and for what came behind them.
func (l *loop) unstall(c *conn) {
	for len(c.stalled) > 0 {
		if !l.push(c.stalled[0]) {
			return
		}
		c.stalled = c.stalled[1:]
	}
	c.stalled = nil
	if len(c.partial) > 0 && c.f.seen == 0 && !c.lingering && !c.awaiting {
		behind := c.partial
		c.partial = nil
		l.plain(c, behind)
	}
}

var crlfs = bytes.Repeat([]byte("\r\n"), 512)

// pong answers keep-alives (RFC 5626 §4.4.1): one CRLF for each double one.
func (l *loop) pong(c *conn, n int) {
	l.e.stats.pings.Add(uint64(n))
	for n > 0 {
		k := min(n, len(crlfs)/2)
		n -= k
		if !l.reply(c, levelFramed, crlfs[:2*k]) {
			return
		}
	}
}

// reply queues bytes of the loop's own making behind what the connection has to write; the flush at
// the end of the callback writes them.
func (l *loop) reply(c *conn, as level, b []byte) bool {
	m := newOutMsg()
	m.level = as
	m.data = append(m.data, b...)
	did, why, _ := c.enqueue(m, false)
	if did == queuedOK {
		return true
	}
	m.free()
	if did == refused {
		c.condemn(why, 0)
	}
	return false
}
