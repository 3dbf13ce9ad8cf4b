package txn

import (
	"time"

	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shm"
)

// Destination is where a branch goes.
type Destination struct {
	Addr     netio.Addr
	Listener uint16 // through which it leaves
	Target   uint16 // the user's name for it; 0 means none
	Breadth  uint16 // share of the request's Max-Breadth; 0 means none
}

// NewBranch reserves a client transaction of tx, so that its Via can be written; Send or Discard
// must follow. It returns nil if the arena is full, or tx has Config.MaxBranches.
func (t *Table) NewBranch(tx *Tx, to Destination) *Branch {
	if tx.total >= t.maxBr {
		return nil
	}
	off, ok := t.slab.Alloc(KindBranch, branchBytes)
	if !ok {
		t.count[CountArenaFull]++
		return nil
	}
	br := t.branch(off)
	h := br.Header
	*br = Branch{
		tx: t.offOf(&tx.node), dst: to.Addr, listener: to.Listener, target: to.Target,
		breadth: to.Breadth, index: tx.total, sentAt: t.now,
	}
	br.Header = h
	br.Owner = br.tx
	t.sign(br, off, &tx.replyTo)
	br.method = tx.method
	return br
}

// Discard frees a branch that was not sent.
func (t *Table) Discard(br *Branch) {
	t.drop(&br.request)
	t.slab.Free(t.offOf(&br.node))
}

// Room reserves n bytes for the request of br, to be filled before Send. It returns nil if the
// arena is full.
func (t *Table) Room(br *Branch, n int) []byte {
	off, ok := t.slab.Alloc(KindMessage, shm.HeaderBytes+n)
	if !ok {
		t.count[CountArenaFull]++
		return nil
	}
	h := shm.Ptr[shm.Header](t.arena, off)
	h.Owner, h.Len = t.offOf(&br.node), uint32(n)
	br.request = off
	return t.arena.Bytes(off, 0, n)
}

// Send starts the client machine of br with the bytes in its Room.
func (t *Table) Send(tx *Tx, br *Branch) {
	off := t.offOf(&br.node)
	t.slab.Publish(br.request)
	br.state = Trying
	br.endAt = t.now + t.timerB(tx)
	if tx.Invite() {
		br.state = Calling
	}
	if !br.dst.Proto.Reliable() {
		br.intervalMs = t.t1(tx) // Timers A and E
		br.retransAt = t.now + int64(br.intervalMs)*int64(time.Millisecond)
	}
	t.link(tx, off)
	t.armClient(off, br)
	t.slab.Publish(off)
	t.count[CountBranches]++
	t.send(br.listener, &br.dst, br.token(off), br.request)
}

// link appends the branch at off to tx's.
func (t *Table) link(tx *Tx, off shm.Off) {
	ref := &tx.first
	for *ref != 0 {
		ref = &t.branch(*ref).nextBranch
	}
	*ref = off
	tx.live++
	tx.total++
}

func (t *Table) armClient(off shm.Off, br *Branch) {
	due := br.endAt
	if br.retransAt != 0 && br.retransAt < due {
		due = br.retransAt
	}
	t.arm(off, &br.node, due)
}

// setEnd replaces the client machine's deadline and stops its retransmissions.
func (t *Table) setEnd(br *Branch, endAt int64) {
	br.endAt, br.retransAt = endAt, 0
	t.arm(t.offOf(&br.node), &br.node, endAt)
}

// Answered returns the request that the response at hand answers, as it was sent: a view, valid for
// the batch. It returns nil if the request is not kept any more.
func (t *Table) Answered() []byte { return t.answeredBy }

// Response feeds the response m to the client machine of br. It reports whether
// the response is for the user; if not it was absorbed, or acknowledged again.
// The ACK to a non-2xx final is sent here (§17.1.1.3).
func (t *Table) Response(br *Branch, m *parser.Message) bool {
	var forUser bool
	t.answeredBy = t.Request(br)
	switch {
	case br.flags&brCancel != 0:
		t.responseToCancel(br, int(m.Status))
	case parser.Method(br.method) == parser.INVITE:
		forUser = t.responseInvite(br, m)
	default:
		forUser = t.responseNonInvite(br, int(m.Status))
	}
	if !forUser {
		t.count[CountAbsorbed]++
	}
	return forUser
}

// responseInvite is figure 5 with RFC 6026's Accepted state.
func (t *Table) responseInvite(br *Branch, m *parser.Message) bool {
	status := int(m.Status)
	switch br.state {
	case Calling, Proceeding:
		br.status = uint16(status)
		switch {
		case status < 200:
			first := br.state == Calling
			br.state = Proceeding
			br.flags |= brProvisional
			if br.flags&brCancelled == 0 && (first || status > 100 && t.restartC) {
				// §16.7 step 2: Timer C starts with the first provisional and again with each but a
				// 100.
				t.setEnd(br, t.now+t.timerC(t.tx(br.tx)))
			}
			if br.flags&brCancelPending != 0 ||
				br.flags&(brKept|brCancelled) == brKept|brCancelled && br.cancel == 0 {
				t.sendCancel(br, nil)
			}
			if first {
				t.shrink(br)
			}
			// 100 is hop by hop (§16.7 step 4), and a branch given up is of no interest
			return (status > 100 || t.relay100) && br.flags&brKept == 0
		case status < 300:
			br.state = Accepted
			br.flags |= brFinal
			if br.flags&brHeld == 0 {
				t.drop(&br.request)
			}
			t.setEnd(br, t.now+int64(t.timers.Wait)) // Timer M
		default:
			br.state = Completed
			br.flags |= brFinal
			t.setEnd(br, t.now+br.linger(t.timers.Wait))
			t.acknowledge(br, m)
		}
		return true
	case Accepted:
		// Timer M: each repetition goes up, or is acknowledged if the first 2xx was dismissed.
		return status >= 200 && status < 300
	case Completed:
		if status >= 200 && status < 300 {
			return true // a fork further downstream answered late (§16.7 step 5)
		}
		switch {
		case status < 300 || br.request == 0:
		case t.storedBytes(br.request)[0] != 'A':
			t.acknowledge(br, m) // a panic cut the first ACK off: the INVITE is still kept
		default:
			t.count[CountResentReq]++
			if t.sent != nil {
				t.sent(t.tx(br.tx), br, parser.ACK, true)
			}
			t.send(br.listener, &br.dst, 0, br.request) // the ACK again
		}
	}
	return false
}

// responseNonInvite is figure 6.
func (t *Table) responseNonInvite(br *Branch, status int) bool {
	if br.state != Trying && br.state != Proceeding {
		return false // Timer K
	}
	br.status = uint16(status)
	if status < 200 {
		br.flags |= brProvisional
		if br.state == Trying {
			br.state = Proceeding
			br.intervalMs, _ = t.t2(t.tx(br.tx)) // Timer E runs on at T2
		}
		return status > 100 // hop by hop (§16.7 step 5: a 100 is never forwarded)
	}
	br.state = Completed
	br.flags |= brFinal
	t.drop(&br.request)
	t.setEnd(br, t.now+br.linger(t.timers.T4))
	return true
}

// responseToCancel ends the CANCEL's machine. What the caller gets is the final of the INVITE
// itself (§9.1).
func (t *Table) responseToCancel(br *Branch, status int) {
	if status < 200 || br.state == Completed || br.sentAt == 0 {
		return
	}
	br.state = Completed
	t.drop(&br.request)
	t.setEnd(br, t.now+br.linger(t.timers.T4))
}

// linger returns d for Timer D or K, for which repetitions of a final are absorbed, or 0 over a
// reliable transport, which brings none (§17.1.1.2, §17.1.2.2).
func (br *Branch) linger(d time.Duration) int64 {
	if br.dst.Proto.Reliable() {
		return 0
	}
	return int64(d)
}

// token returns the token that names br for a Sender: its offset, and enough of its cookie to tell
// it from the next record in the same slot, since a failure over a stream may be reported seconds
// later.
func (br *Branch) token(off shm.Off) uint64 { return br.cookie<<32 | uint64(off) }

// OfCancel reports whether br is the CANCEL of another branch.
func (br *Branch) OfCancel() bool { return br.flags&brCancel != 0 }

// expireClient is what the client machine does when its deadline passes.
func (t *Table) expireClient(off shm.Off, br *Branch) {
	if br.retransAt != 0 && br.retransAt <= t.now && t.now < br.endAt {
		t.resend(off, br)
		return
	}
	if t.now < br.endAt {
		t.armClient(off, br)
		return
	}
	switch {
	case br.flags&(brCancel|brFinal) == brFinal && t.holdsOf(br, off):
		t.setEnd(br, t.now+int64(heldGuard)) // its response is held and has not gone up yet
	case br.flags&(brCancel|brFinal) != 0: // Timers D, K and M; a CANCEL that nobody answered
		t.end(br)
	case br.state == Proceeding && parser.Method(br.method) == parser.INVITE &&
		br.flags&brCancelled == 0:
		// §16.8, Timer C with a provisional: cancel it, and wait for what that brings.
		t.sendCancel(br, nil)
		t.count[CountTimeouts]++
		if br.lose() {
			t.user.BranchTimeout(t.tx(br.tx), br)
		}
	case br.flags&brKept != 0:
		t.end(br)
	default: // or a cancelled INVITE that never got its final
		t.count[CountTimeouts]++
		if br.lose() {
			t.user.BranchTimeout(t.tx(br.tx), br)
		}
		// otherwise it was cancelled just now (cancel_b_method 2), and has the time for that
		if br.due == 0 {
			t.giveUp(br)
		}
	}
}

// resend is Timers A and E.
func (t *Table) resend(off shm.Off, br *Branch) {
	t.count[CountResentReq]++
	br.intervalMs = min(2*br.intervalMs, t.longest(br))
	br.retransAt = after(br.retransAt, br.intervalMs, t.now)
	t.armClient(off, br)
	if br.request != 0 {
		if t.sent != nil {
			t.sent(t.ofBranch(br), br, parser.Method(br.method), true)
		}
		t.send(br.listener, &br.dst, br.token(off), br.request)
	}
}

// end frees br, its copies and its CANCEL, and the transaction if br was the last thing it waited
// for.
func (t *Table) end(br *Branch) {
	if br.flags&brEnded != 0 {
		return
	}
	br.flags |= brEnded
	br.state = Terminated
	off := t.offOf(&br.node)
	t.disarm(off, &br.node)
	t.drop(&br.request)
	if br.flags&brCancel != 0 {
		parent := t.branch(br.tx)
		if parent.cancel == off {
			parent.cancel = 0
		}
		t.later(off)
		return
	}
	if br.cancel != 0 {
		t.end(t.branch(br.cancel))
	}
	tx := t.tx(br.tx)
	ref := &tx.first
	for *ref != off {
		if *ref == 0 {
			panic("BUG: a branch is not in its transaction's list")
		}
		ref = &t.branch(*ref).nextBranch
	}
	*ref = br.nextBranch
	tx.live--
	t.later(off)
	if tx.live == 0 && tx.state == Terminated {
		t.freeTx(t.offOf(&tx.node), tx)
	}
}

// after returns the next time of a series. It counts from when the last one was due, so that a
// tick's rounding does not add up, unless the shard was late.
func after(due int64, intervalMs uint32, now int64) int64 {
	return max(due+int64(intervalMs)*1e6, now+1)
}
