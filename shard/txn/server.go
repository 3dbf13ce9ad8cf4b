package txn

import (
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shm"
)

// Invite reports whether tx is an INVITE's.
func (tx *Tx) Invite() bool { return parser.Method(tx.method) == parser.INVITE }

// Method returns the method of the request that made tx.
func (tx *Tx) Method() parser.Method { return parser.Method(tx.method) }

// State returns the server machine's state.
func (tx *Tx) State() State { return tx.state }

// Status returns the last status sent upstream, 0 if none was.
func (tx *Tx) Status() int { return int(tx.status) }

// Answered reports whether a final response went upstream.
func (tx *Tx) Answered() bool { return tx.flags&txAnswered != 0 }

// Canceled reports whether the caller cancelled it.
func (tx *Tx) Canceled() bool { return tx.flags&txCanceled != 0 }

// Expired reports whether its lifetime is over (max_inv_lifetime, max_noninv_lifetime).
func (tx *Tx) Expired() bool { return tx.flags&txExpired != 0 }

// SetSecure notes that its request may leave over TLS alone.
func (tx *Tx) SetSecure() { tx.flags |= txSecure }

// Secure reports whether SetSecure was called.
func (tx *Tx) Secure() bool { return tx.flags&txSecure != 0 }

// Listener returns the number of the listener that the request came in by and responses leave by.
func (tx *Tx) Listener() int { return int(tx.listener) }

// Proto returns the transport that the request came by and responses leave by.
func (tx *Tx) Proto() netio.Proto { return tx.replyTo.Proto }

// ReplyTo returns where responses go.
func (tx *Tx) ReplyTo() netio.Addr { return tx.replyTo }

// Total returns how many branches were ever made.
func (tx *Tx) Total() int { return int(tx.total) }

// Live returns how many branches have not ended.
func (tx *Tx) Live() int { return int(tx.live) }

// User returns room for the user's own state, in the arena, so without pointers. It is zero when tx
// is made and lasts as long as tx.
func (tx *Tx) User() *[userBytes]byte { return &tx.user }

// Repeat handles a request that matches tx: a retransmission, which gets the last response again
// and is absorbed. It returns false if there is nothing to repeat yet. The INVITE then deserves
// another 100 (§17.2.1), which the caller makes from the request at hand, so that no copy of it is
// kept.
func (t *Table) Repeat(tx *Tx) bool {
	t.count[CountAbsorbed]++
	switch {
	case tx.state == Accepted && tx.retransAt == 0:
		// RFC 6026 §7.1: absorbed, the 2xx is the UAS core's to repeat, or has had its ACK
	case tx.reply != 0:
		t.count[CountResentReply]++
		if t.sent != nil {
			t.sent(tx, nil, tx.Method(), true)
		}
		t.send(tx.listener, &tx.replyTo, 0, tx.reply)
	default:
		return !tx.Invite() || tx.state != Proceeding
	}
	return true
}

// Ack handles an ACK that matches the INVITE transaction tx. It reports whether the ACK is
// absorbed, as one for a non-2xx final is (§17.2.1). An ACK for a 2xx is a request of its own,
// wrongly given the INVITE's branch, and is forwarded.
func (t *Table) Ack(tx *Tx) bool {
	switch tx.state {
	case Completed:
		// Timer I: absorb further ACKs. The response is not needed any more.
		tx.state = Confirmed
		tx.retransAt = 0
		t.dropReply(tx)
		t.rearmServer(tx, t.now+tx.linger(t.timers.T4))
	case Accepted:
		return false
	}
	t.count[CountAbsorbed]++
	return true
}

// Respond sends a response with the given status through tx. The segments are its bytes, referenced
// until the shard flushes. It returns false, without sending, if the machine's state forbids the
// response (§17.2).
func (t *Table) Respond(tx *Tx, status int, segments [][]byte) bool {
	switch {
	case tx.flags&txOurs != 0:
		return t.finish(tx, status)
	case tx.Invite():
		return t.respondInvite(tx, status, segments)
	}
	return t.respondNonInvite(tx, status, segments)
}

// Withhold is Respond for a final response that is not sent: tx counts as answered, absorbs
// repetitions of the request, and has nothing to repeat itself.
func (t *Table) Withhold(tx *Tx, status int) {
	if status < 200 || tx.state != Trying && tx.state != Proceeding {
		return
	}
	t.dropReply(tx)
	tx.state, tx.retransAt, tx.status = Completed, 0, uint16(status)
	t.complete(tx, status)
	t.rearmServer(tx, t.now+t.lifetime())
}

// SetLifetime ends tx when d has passed from now, if nothing else did, whatever max_inv_lifetime
// and max_noninv_lifetime say. With 0 those hold.
func (t *Table) SetLifetime(tx *Tx, d time.Duration) {
	if tx.state != Trying && tx.state != Proceeding || tx.flags&txExpired != 0 {
		return
	}
	tx.flags |= txLifetime
	if d <= 0 {
		tx.flags &^= txLifetime
		if d = t.timers.MaxNonInvite; tx.Invite() {
			d = t.timers.MaxInvite
		}
		if d <= 0 {
			d = lifeGuard
		}
	}
	t.rearmServer(tx, t.now+int64(d))
}

// complete notes that tx has a final response with that status.
func (t *Table) complete(tx *Tx, status int) {
	t.count[CountFinal+min(max(status/100, 2), 6)-2]++
	t.answered(tx)
}

// respondInvite is figure 7 with RFC 6026's Accepted state.
func (t *Table) respondInvite(tx *Tx, status int, segments [][]byte) bool {
	switch tx.state {
	case Proceeding:
		switch {
		case status == 100:
			t.pass(tx, status, segments) // made anew for each retransmission, see Repeat
		case status < 200:
			t.keep(tx, status, segments)
		case status < 300:
			// RFC 6026 §7.1: Timer L, no copy: the UAS repeats its 2xx, we forward each. The state
			// follows, since a response that a panic stopped was not sent.
			t.pass(tx, status, segments)
			tx.state = Accepted
			t.complete(tx, status)
			t.dropReply(tx)
			t.rearmServer(tx, t.now+int64(t.timers.Wait))
		default:
			// §17.2.1, Timers G and H.
			t.keep(tx, status, segments)
			tx.state = Completed
			t.complete(tx, status)
			if !tx.replyTo.Proto.Reliable() {
				tx.intervalMs = t.t1(tx)
				tx.retransAt = t.now + int64(tx.intervalMs)*int64(time.Millisecond)
			}
			t.rearmServer(tx, t.now+t.lifetime())
		}
	case Accepted, Completed, Confirmed, Terminated:
		// A 2xx is forwarded whatever was sent before (§16.7 step 5); anything else is late.
		if status < 200 || status >= 300 {
			return false
		}
		t.pass(tx, status, segments)
	}
	tx.status = uint16(status)
	return true
}

// respondNonInvite is figure 8 with RFC 4320.
func (t *Table) respondNonInvite(tx *Tx, status int, segments [][]byte) bool {
	if tx.state != Trying && tx.state != Proceeding {
		return false
	}
	if status < 200 {
		tx.state = Proceeding
		if status != 100 {
			return false // RFC 4320 §4.1: only a 100, and not early
		}
		t.keep(tx, status, segments)
	} else {
		// Timer J.
		t.keep(tx, status, segments)
		tx.state = Completed
		t.complete(tx, status)
		tx.retransAt = 0
		t.rearmServer(tx, t.now+tx.linger(t.timers.Wait))
	}
	tx.status = uint16(status)
	return true
}

// linger returns d for Timer I or J, for which repetitions of the ACK or the request are absorbed,
// or 0 over a reliable transport, which brings none (§17.2.1, §17.2.2).
func (tx *Tx) linger(d time.Duration) int64 {
	if tx.replyTo.Proto.Reliable() {
		return 0
	}
	return int64(d)
}

// rearmServer sets the server machine's end, and arms the earliest of that, Timer G and what the
// user waits for.
func (t *Table) rearmServer(tx *Tx, endAt int64) {
	tx.endAt = endAt
	due := endAt
	if tx.retransAt != 0 && tx.retransAt < due {
		due = tx.retransAt
	}
	if tx.saved != 0 {
		s := shm.Ptr[Saved](t.arena, tx.saved)
		if s.DueAt != 0 && s.DueAt < due {
			due = s.DueAt
		}
		if s.held != 0 {
			if at := t.heldDue(tx); at != 0 && at < due {
				due = at
			}
		}
	}
	t.arm(t.offOf(&tx.node), &tx.node, due)
}

// pass sends a response that is not kept, since nothing asks for its repetition.
func (t *Table) pass(tx *Tx, status int, segments [][]byte) {
	if tx.flags&(txNoConnect|txCloseAfter) != 0 {
		t.setReplyOptions(tx, status)
	}
	t.out.Begin(int(tx.listener), &tx.replyTo, 0)
	for _, s := range segments {
		t.out.Append(s)
	}
	t.out.End()
}

// keep sends a response and keeps its bytes for retransmissions. If there is no room for them it is
// sent all the same, and not repeated. Over a reliable transport nothing asks for a repetition.
func (t *Table) keep(tx *Tx, status int, segments [][]byte) {
	if tx.replyTo.Proto.Reliable() {
		t.pass(tx, status, segments)
		return
	}
	// The copies of responses to new calls must not use up what is reserved for calls in progress:
	// INVITEs that all end at once, because nobody answers them, would.
	was := t.Reserve(tx.Invite())
	off := t.join(tx, segments)
	t.Reserve(was)
	if off == 0 {
		t.count[CountUnstored]++
		t.dropReply(tx) // an older response must not be repeated in its place
		t.pass(tx, status, segments)
		return
	}
	t.dropReply(tx)
	tx.reply = off
	t.send(tx.listener, &tx.replyTo, 0, off)
}

// expireServer is what the server machine does when its deadline passes.
func (t *Table) expireServer(off shm.Off, tx *Tx) {
	if tx.saved != 0 && t.waited(tx) {
		return
	}
	if tx.retransAt != 0 && tx.retransAt <= t.now && t.now < tx.endAt {
		if !tx.Invite() {
			tx.retransAt = 0
			t.rearmServer(tx, tx.endAt)
			if tx.state == Trying {
				t.user.StillTrying(tx)
			}
			return
		}
		// §17.2.1, Timer G: doubling up to T2.
		tx.intervalMs = min(2*tx.intervalMs, t.T2(tx))
		tx.retransAt = after(tx.retransAt, tx.intervalMs, t.now)
		t.rearmServer(tx, tx.endAt)
		if tx.reply != 0 {
			t.count[CountResentReply]++
			if t.sent != nil {
				t.sent(tx, nil, tx.Method(), true)
			}
			t.send(tx.listener, &tx.replyTo, 0, tx.reply)
		}
		return
	}
	if t.now < tx.endAt {
		t.rearmServer(tx, tx.endAt)
		return
	}
	switch {
	case tx.state <= Proceeding:
		t.expireGuard(tx)
	case t.heldDue(tx) != 0:
		t.rearmServer(tx, t.now+int64(heldGuard))
	case tx.state == Completed:
		if tx.Invite() {
			t.count[CountNoAck]++ // Timer H
		}
		t.terminate(tx)
	case tx.state == Accepted && tx.retransAt != 0:
		t.count[CountNoAck]++ // nobody has had our 2xx, as far as we know
		t.terminate(tx)
	default: // Timers I and L
		t.terminate(tx)
	}
}

// expireGuard ends a transaction that has outlived its lifetime (max_inv_lifetime,
// max_noninv_lifetime), or that has no branch that could answer it.
func (t *Table) expireGuard(tx *Tx) {
	limit := t.timers.MaxNonInvite
	if tx.Invite() {
		limit = t.timers.MaxInvite
	}
	switch {
	case tx.live == 0 && t.heldDue(tx) == 0:
		t.terminate(tx)
	case limit <= 0 && tx.flags&txLifetime == 0 || tx.flags&txExpired != 0:
		t.rearmServer(tx, t.now+int64(lifeGuard)) // the branches' own timers bound it
	default:
		tx.flags |= txExpired
		t.rearmServer(tx, t.now+int64(lifeGuard))
		t.user.Expired(tx)
	}
}

// Left returns how long tx lives on if nothing more is done about it.
func (t *Table) Left(tx *Tx) time.Duration { return time.Duration(tx.endAt - t.now) }

// TimeLeft reports whether tx has enough of its lifetime left for another destination to answer.
func (t *Table) TimeLeft(tx *Tx) bool {
	limit := t.timers.MaxNonInvite
	if tx.Invite() {
		limit = t.timers.MaxInvite
	}
	return tx.flags&txExpired == 0 && (limit <= 0 &&
		tx.flags&txLifetime == 0 || tx.endAt-t.now > int64(t.timers.T1))
}
