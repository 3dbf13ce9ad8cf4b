package proxy

import (
	"viaduct/parser"
	"viaduct/shard/txn"
)

// The response context of a transaction (§16.7): provisionals and 2xx go up as they come; of the
// other finals one goes up, when no branch is pending any more. What the choice needs is in the Tx:
// the status of the best so far, and a copy of it if others had to be waited for. A call with one
// branch keeps no copy.

// rank orders final responses; the best has the lowest rank (§16.7 step 6). First comes a 6xx, else
// the lowest class; in the 4xx those that tell the caller what to do differently; what came from
// elsewhere before what was made here; then the lowest code; and a 503 only when there is nothing
// else.
func rank(status int, local bool) int {
	const class, here = 1000, 500
	n := 10 + status%100
	switch status {
	case 401:
		n = 0
	case 407:
		n = 1
	case 415:
		n = 2
	case 420:
		n = 3
	case 484:
		n = 4
	case 503:
		n = 10 * class
	}
	if local {
		n += here
	}
	if status >= 600 {
		return n
	}
	return n + status/100*class
}

// better reports whether a final response of tx is better than the best so far. A 408 to a
// non-INVITE loses to everything: it will not be sent (RFC 4320 §4.2), and must not keep another's
// answer from the caller.
func (c *Core) better(tx *txn.Tx, status int, local bool) bool {
	best := tx.BestStatus()
	switch {
	case best == 0:
		return true
	case !tx.Invite() && (status == 408 || best == 408):
		return status != 408
	}
	return c.rank(status, local) < c.rank(best, tx.UserFlags&bestLocal != 0)
}

// rank is the function rank plus what the configuration adds to finals made here
// (faked_reply_prio).
func (c *Core) rank(status int, local bool) int {
	n := rank(status, local)
	if local {
		n += c.cfg.LocalPenalty
	}
	return n
}

// note takes a final response into account. cause is NoCause for one that was received, else why it
// was made here. It reports whether the response is the best so far; the copy of the one before is
// then gone.
func (c *Core) note(tx *txn.Tx, status int, cause Cause) bool {
	local := cause != NoCause
	if !c.better(tx, status, local) {
		return false
	}
	c.tx.SetBest(tx, status, uint8(cause))
	tx.UserFlags &^= bestLocal | bestHeard | bestEarlier
	if local {
		tx.UserFlags |= bestLocal
	}
	return true
}

// final handles a final response other than a 2xx that br received.
func (c *Core) final(tx *txn.Tx, br *txn.Branch, m *parser.Message, via *parser.Via) {
	if tx.Answered() || tx.State() == txn.Terminated || br.Lost() {
		return
	}
	status := int(m.Status)
	if status != 487 || !tx.Canceled() && tx.UserFlags&noMoreTargets == 0 {
		c.failed(Failure{Cause: RefusedDownstream, Code: status, Branch: true, M: m,
			Addr: br.Addr()})
	}
	if status == 503 {
		c.overloaded(br, m, tx.Method())
	}
	if (status == 503 || c.cfg.FailoverCodes.Has(status)) &&
		c.nextAddress(tx, br, c.tx.Answered(), false) {
		return // RFC 3263 §4.3
	}
	if br.Provisional() {
		tx.UserFlags |= anyReplied
	}
	if status >= 600 && c.sixEnds(tx) {
		// §16.7 step 5: nobody else needs to be asked.
		tx.UserFlags |= noMoreTargets
		c.dropBranches(tx)
		if c.tracing {
			c.traceTx(tx, "the other branches are cancelled", "since", status)
		}
		c.tx.CancelOthers(tx, br, c.localReason(status))
	}
	if challenge(tx.BestStatus()) && c.better(tx, status, false) {
		c.keepBestChallenges(tx)
	}
	best := c.note(tx, status, NoCause)
	if !best && challenge(status) {
		c.keepChallenges(tx, m)
	}
	if best && br.Provisional() {
		tx.UserFlags |= bestHeard
	}
	c.branchLost(tx, br, losing{status: status, m: m, sent: c.tx.Answered()})
	pending := c.undecided(tx)
	silent := status == 408 && !tx.Invite() && !tx.Ours() // RFC 4320 §4.2: see sendBest
	if best && !pending && !silent && c.failureRoute(tx) == 0 {
		c.accountMissed(tx, br, m)
		c.forward(tx, br, m, via, c.challenges(tx, status))
		return
	}
	if best {
		p := &c.plan
		p.Reset(m.Raw[m.StartLine.Off:end(m)])
		p.Cut(via.Cut.Off-m.StartLine.Off, via.Cut.Len)
		c.Reply.edits.plan(c, p, m, m.StartLine.Off)
		c.tx.KeepBest(tx, p.Segments())
	}
	if !pending {
		c.atHand = m
		c.conclude(tx, br)
		c.atHand = nil
	}
	tx.UserFlags |= anyReplied // for the routes that run later
}

// undecided reports whether a final response of tx may still come: a branch is pending, a target
// waits for its name, a branch waits to be sent, or a final response waits for its reply route.
func (c *Core) undecided(tx *txn.Tx) bool {
	return c.tx.Pending(tx) > 0 || c.waits(tx) || c.holds(tx)
}

// conclude runs the failure route of tx, and answers with the best response if that decides
// nothing. It is called when no branch of tx is pending and none brought a 2xx. br, which may be
// nil, is the branch that ended last.
//
// A failure route whose relay could not send to anybody either is followed by the one it armed, as
// if its branches had timed out.
func (c *Core) conclude(tx *txn.Tx, br *txn.Branch) {
	defer func() { c.missed = nil }()
	for range maxFutileRelays {
		if !c.runFailure(tx, br) {
			break
		}
		if c.concluding != tx {
			return
		}
		c.concluding = nil
		if tx.Answered() || tx.State() == txn.Terminated || c.undecided(tx) {
			return
		}
	}
	c.sendBest(tx, br)
}

// sendBest answers tx with the best response it had.
func (c *Core) sendBest(tx *txn.Tx, br *txn.Branch) {
	status, local := tx.BestStatus(), tx.UserFlags&bestLocal != 0
	switch {
	case tx.Replicated() && !tx.Canceled():
		return // the program answers, or nobody
	case tx.Canceled() && (status == 0 || local):
		c.answer(tx, br, CanceledByCaller)
		return
	case tx.Total() == 0 && (status == 0 || local) && c.answerUnsent(tx):
		return
	case status == 0:
		c.answer(tx, br, Undecided)
		return
	case status == 408 && !tx.Invite() && !tx.Ours():
		// RFC 4320 §4.2: no 408 to a non-INVITE. One that was received comes early: the
		// transaction stays until its time is over, to absorb the caller's repetitions.
		if local {
			c.tx.Terminate(tx)
		}
		return
	}
	m := &c.stored
	if kept := c.tx.Best(tx); kept != nil && m.Parse(kept) == parser.OK {
		if tx.Ours() {
			c.finish(tx, m)
			return
		}
		p := &c.plan
		p.Reset(kept)
		p.over(tx.Proto())
		if lacksLength(m, tx.Proto()) {
			planLength(c, p, m, len(m.Body()))
		}
		more := c.challenges(tx, status)
		status = c.planRemap(p, m)
		c.planChallenges(p, m, more)
		if c.tx.Respond(tx, status, p.Segments()) {
			if c.tracing {
				c.tracePassed(tx, m, status)
			}
			c.count[CountRepliesFwd]++
			if c.accounts(tx) {
				c.account(tx, c.bestBranch(tx), br, m, status)
			}
		}
		return
	}
	switch {
	case local:
		c.answer(tx, br, c.bestCause(tx))
	case status == 503 && c.cfg.Remap503 && !tx.Ours():
		c.answerLike(tx, br, codeInternal, internalError)
	default:
		c.answerLike(tx, br, status, phrase(status)) // there was no room for a copy
	}
}

// bestCause returns why the best response of tx was made here.
func (c *Core) bestCause(tx *txn.Tx) Cause {
	if cause := Cause(tx.BestWhy()); cause != NoCause && cause < NumCauses {
		return cause
	}
	return NotSent // a record that another process damaged
}

// challenge reports whether a response asks for credentials.
func challenge(status int) bool { return status == 401 || status == 407 }

// challenges returns the challenge rows of other branches, which go up with a 401 or 407 (§16.7
// step 7).
func (c *Core) challenges(tx *txn.Tx, status int) []byte {
	if !challenge(status) || !c.cfg.AggregateChallenges {
		return nil
	}
	return c.tx.Challenges(tx)
}

// keepBestChallenges keeps the rows of the best response so far, which is about to
// be replaced.
func (c *Core) keepBestChallenges(tx *txn.Tx) {
	if kept := c.tx.Best(tx); kept != nil && c.stored.Parse(kept) == parser.OK {
		c.keepChallenges(tx, &c.stored)
	}
}

// keepChallenges keeps the challenges of m. All branches together keep at most a datagram of them,
// since more cannot go up.
func (c *Core) keepChallenges(tx *txn.Tx, m *parser.Message) {
	if !c.cfg.AggregateChallenges {
		return
	}
	room := maxDatagramBytes - len(c.tx.Challenges(tx))
	var rows []byte
	for i := range m.Headers {
		if k := m.Headers[i].Kind; k == parser.KindWWWAuthenticate ||
			k == parser.KindProxyAuthenticate {
			row := m.Headers[i].Line.Of(m.Raw)
			if len(row) > room {
				c.count[CountRowsLeftOut]++
				continue
			}
			if rows == nil {
				rows = c.take(len(m.Raw))
			}
			rows = append(rows, row...)
			room -= len(row)
		}
	}
	if rows != nil {
		c.tx.AddChallenge(tx, rows) // at once: each addition copies what is there
	}
}

// planChallenges puts as many of rows at the end of m's headers as the datagram has room for.
// Without them a response always fits: removing our Via makes more room than planRemap takes.
func (c *Core) planChallenges(p *Plan, m *parser.Message, rows []byte) {
	for len(rows) > 0 {
		n := len(rows)
		if p.Bytes()+n > maxDatagramBytes {
			n = rowBytes(rows)
		}
		if p.Bytes()+n <= maxDatagramBytes && p.n < maxEdits {
			p.Insert(m.HeaderEnd, rows[:n])
		} else {
			c.count[CountRowsLeftOut]++
		}
		rows = rows[n:]
	}
}

// rowBytes returns the length of the first row, folds included.
func rowBytes(rows []byte) int {
	for i := 1; i < len(rows); i++ {
		if rows[i-1] == '\n' && rows[i] != ' ' && rows[i] != '\t' {
			return i
		}
	}
	return len(rows)
}

// answer makes the final response to a transaction whose request may be gone from the receive
// buffers. It is made from what was saved of the request, else from what a branch sent, else from
// the response at hand, which has the same rows.
func (c *Core) answer(tx *txn.Tx, br *txn.Branch, cause Cause) {
	if c.resume(tx) {
		c.Request.Refuse(cause, "", "")
		return
	}
	if m := c.rowsOf(tx, br); m == nil || !c.refuseLike(tx, m, cause) {
		c.tx.Terminate(tx)
	}
}

// answerLike passes on the status of a response whose rows are gone.
func (c *Core) answerLike(tx *txn.Tx, br *txn.Branch, code int, phrase string) {
	if c.resume(tx) {
		c.Request.send(code, phrase, "")
		return
	}
	if m := c.rowsOf(tx, br); m == nil || !c.replyLike(tx, m, code, phrase, "") {
		c.tx.Terminate(tx)
	}
}

// rowsOf returns a message with the rows that a response to tx repeats, below our Via. It returns
// nil if none is left.
func (c *Core) rowsOf(tx *txn.Tx, br *txn.Branch) *parser.Message {
	sent := []byte(nil)
	if br != nil && !br.Final() {
		sent = c.tx.Request(br)
	}
	if sent == nil {
		sent = c.sentFor(tx)
	}
	if sent != nil && c.stored.Parse(sent) == parser.OK {
		return &c.stored
	}
	return c.atHand
}

// StillTrying implements txn.User: the 100 of RFC 4320 §4.1 is due.
func (c *Core) StillTrying(tx *txn.Tx) {
	if tx.Ours() {
		return
	}
	if s := c.saved(tx); s != nil && s.restores() != 0 && c.resume(tx) {
		c.Request.send(100, "Trying", "") // what a branch has sent says something else
		return
	}
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		if sent := c.tx.Request(br); sent != nil && c.stored.Parse(sent) == parser.OK {
			c.replyLike(tx, &c.stored, 100, "Trying", "")
			return false
		}
		return true
	})
	if tx.Total() == 0 && (c.waits(tx) || c.holds(tx)) && c.resume(tx) {
		c.Request.send(100, "Trying", "")
	}
}

// DropReplies forgets the responses that came so far (t_drop_replies), or with last only those of
// the branches made last. Only the best response is kept, so if it is dropped nothing takes its
// place.
func (r *Request) DropReplies(last bool) {
	if r.Tx == nil || r.Tx.Answered() || last && r.Tx.UserFlags&bestEarlier != 0 {
		return
	}
	r.core.tx.DropBest(r.Tx)
	r.Tx.UserFlags &^= bestLocal | bestHeard | bestEarlier
}

// BestStatus returns the status of the best response so far, or 0 if there is none. After a CANCEL
// it returns 487 if no other response was received, since that will go up.
func (r *Request) BestStatus() int {
	if r.Losing() != nil {
		return r.core.losing.status
	}
	status := r.Tx.BestStatus()
	if r.Tx.Canceled() && (status == 0 || r.has(bestLocal)) {
		return 487
	}
	return status
}

// What a failure route asks about the best response and about all branches.

// BestResponse returns the best response so far if it was received and there was room for a copy,
// else nil. It is valid until a branch fails or another message is read from the arena.
func (r *Request) BestResponse() *parser.Message {
	c := r.core
	switch {
	case r.Losing() != nil:
		return r.core.losing.m
	case r.Tx == nil:
		return nil
	}
	if kept := c.tx.Best(r.Tx); kept == nil || c.stored.Parse(kept) != parser.OK {
		return nil
	}
	return &c.stored
}

// BestTimedOut reports whether the best response stands for a branch that timed out.
func (r *Request) BestTimedOut() bool {
	if r.Losing() != nil {
		return r.core.losing.timedOut
	}
	return r.has(bestLocal) && r.Tx.BestStatus() == 408
}

// BestReplied reports whether the branch of the best response had a response before that one: a
// destination that rang is not dead.
func (r *Request) BestReplied() bool {
	if br := r.Losing(); br != nil {
		return br.Provisional()
	}
	return r.has(bestHeard)
}

// AnyTimedOut tells whether any branch timed out.
func (r *Request) AnyTimedOut() bool { return r.has(anyTimeout) }

// AnyReplied tells whether any branch had a response before the one at hand.
func (r *Request) AnyReplied() bool { return r.Tx != nil && r.core.AnyReplied(r.Tx, nil) }

// AnyTimedOut tells whether any branch of tx timed out.
func (c *Core) AnyTimedOut(tx *txn.Tx) bool { return tx.UserFlags&anyTimeout != 0 }

// AnyReplied reports whether any branch of tx had a response before the one at hand. The branch
// but, which may be nil, is passed over: the one that received the response at hand.
func (c *Core) AnyReplied(tx *txn.Tx, but *txn.Branch) bool {
	found := tx.UserFlags&anyReplied != 0
	c.tx.Branches(tx, func(br *txn.Branch) bool {
		found = found || br != but && br.Provisional()
		return !found
	})
	return found
}

func (r *Request) has(flag uint8) bool { return r.Tx != nil && r.Tx.UserFlags&flag != 0 }

// localReason returns the Reason row (RFC 3326) of a CANCEL that is sent because another branch had
// a final response of that status.
func (c *Core) localReason(status int) []byte {
	switch {
	case !c.cfg.LocalReason:
		return nil
	case status == 200:
		return elsewhere
	}
	b := appendInt(append(c.take(40), "Reason: SIP;cause="...), status)
	return append(b, "\r\n"...)
}

var elsewhere = []byte("Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n")

// phrase returns a reason phrase for a response of which only the status is known.
func phrase(status int) string {
	switch {
	case status == 404:
		return "Not Found"
	case status == 480:
		return "Temporarily Unavailable"
	case status == 486:
		return "Busy Here"
	case status == 487:
		return "Request Terminated"
	case status >= 600:
		return "Global Failure"
	case status >= 500:
		return "Server Failure"
	case status >= 400:
		return "Request Failure"
	}
	return "Redirection"
}
