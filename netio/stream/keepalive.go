package stream

import "viaduct/netio/stream/wslayer"

// What keeps a connection that nothing happens on, beyond the kernel's probes. The loop's.

// used is the first that came or went on a TLS connection: Limits.Lifetime counts from now on.
func (l *loop) used(c *conn) {
	c.unused.Store(false)
	l.wheel.before(c, l.now+c.lifetimeNs())
}

// keepAlive is how long, in ns, nothing may happen on c before a frame is sent. It is 0 if none is,
// since c is no WebSocket or not one yet.
func (l *loop) keepAlive(c *conn) int64 {
	if c.layers.ws == nil || c.layers.ws.Request() == nil || c.lingering {
		return 0
	}
	if l.e.cfg.WS.Frames == NoFrames {
		return 0
	}
	return int64(l.e.cfg.WS.KeepAlive)
}

// keepUp sends a Ping or Pong where it is time (RFC 6455 §5.5.2, §5.5.3), and gives why c must end:
// the last Ping was for nothing. What we send counts as traffic, so a peer that is gone has as long
// again for an answer.
func (l *loop) keepUp(c *conn) Reason {
	k := l.keepAlive(c)
	if k == 0 || c.isParked || l.now < c.seen.Load()+k {
		return OK
	}
	w := &l.e.cfg.WS
	var frame [2 + wslayer.ControlBytes]byte
	switch {
	case c.pinged:
		return Unanswered
	case w.Frames == Pongs:
		l.reply(c, levelFramed, wslayer.Pong(frame[:0], []byte(w.Data)))
	default:
		c.pinged = true
		l.reply(c, levelFramed, wslayer.Ping(frame[:0], []byte(w.Data)))
	}
	if l.flush(c) && c.alive() {
		l.e.stats.keepAlives.Add(1)
		return OK
	}
	return Closed // by what reply or flush has said already
}
