package stream

// wheel holds the connections of one loop by when to look at them next: a hashed wheel of ticks,
// whose slots are lists threaded through the conns, so that a connection costs no timer and a tick
// only what is due. Traffic does not touch it: a connection that turns out not to be due is put
// where it is.
type wheel struct {
	slots [wheelSlots]*conn
	tick  int64 // the next one to expire
	next  int64 // no connection is to be looked at before this tick; never: there is none
}

// before sees to it that c is looked at by time at.
func (w *wheel) before(c *conn, at int64) {
	if c.wheelPrev != nil && c.wheelAt <= at {
		return
	}
	w.remove(c)
	c.wheelAt = at
	tick := max(min(at/int64(tickEvery)+1, w.tick+wheelSlots-1), w.tick)
	slot := &w.slots[tick%wheelSlots]
	c.wheelNext, c.wheelPrev = *slot, slot
	if c.wheelNext != nil {
		c.wheelNext.wheelPrev = &c.wheelNext
	}
	*slot = c
	w.next = min(w.next, tick)
}

func (w *wheel) remove(c *conn) {
	if c.wheelPrev == nil {
		return
	}
	*c.wheelPrev = c.wheelNext
	if c.wheelNext != nil {
		c.wheelNext.wheelPrev = c.wheelPrev
	}
	c.wheelNext, c.wheelPrev = nil, nil
}

// expire takes every connection out whose time has come, and gives it to look, which puts it back.
func (w *wheel) expire(now int64, look func(*conn)) {
	last := now / int64(tickEvery)
	if last-w.tick > wheelSlots {
		w.tick = last - wheelSlots // the loop slept for more than a turn: each slot once is enough
	}
	for ; w.tick <= last; w.tick++ {
		slot := &w.slots[w.tick%wheelSlots]
		// What look puts back goes to a later slot: before never uses this one, since its tick is
		// over.
		c := *slot
		*slot = nil
		if c != nil {
			c.wheelPrev = &c
		}
		for c != nil {
			due := c
			w.remove(due)
			w.tick++
			look(due)
			w.tick--
		}
	}
	w.next = w.first()
}

// first is the tick of the next connections to look at.
func (w *wheel) first() int64 {
	for i := range int64(wheelSlots) {
		if w.slots[(w.tick+i)%wheelSlots] != nil {
			return w.tick + i
		}
	}
	return never
}
