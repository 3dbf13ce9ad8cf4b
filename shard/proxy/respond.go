package proxy

import (
	"viaduct/netio"
	"viaduct/parser"
	"viaduct/shard/txn"
)

// AnswerReply answers the transaction of a response at hand, br's, in its reply route (t_reply). A
// final response cancels the branches under way. It returns false if nothing of the request is
// left to answer, the transaction was answered, or the response is a 2xx to INVITE, which answers
// it.
func (c *Core) AnswerReply(tx *txn.Tx, br *txn.Branch, code int, reason string) bool {
	if tx.Ours() || tx.State() == txn.Terminated {
		return false
	}
	if s := c.Reply.M.Status; tx.Invite() && code >= 200 && s >= 200 && s < 300 {
		return false // the 2xx goes up (§16.7 step 5), and a second final would contradict it
	}
	return c.answerFor(tx, br, code, reason)
}

// answerFor answers tx from what is left of its request, saved or sent. A final response ends what
// is under way for it. It returns false if nothing is left, or the response does not leave.
func (c *Core) answerFor(tx *txn.Tx, br *txn.Branch, code int, reason string) bool {
	if tx.Saved() != 0 {
		if r := c.RequestOf(tx); r == nil || !r.Reply(code, reason, "") {
			return false
		}
	} else {
		m := c.rowsOf(tx, br)
		if m == nil || !c.replyLike(tx, m, code, reason, "") {
			return false
		}
		if code >= 200 {
			c.tx.CancelOthers(tx, nil, c.localReason(code))
		}
	}
	if code >= 200 {
		c.dropBranches(tx)
		c.stopWaiting(tx)
	}
	return true
}

// Transaction returns the transaction and the branch that the response belongs to, nil if none of
// this shard waits for it. The branch is nil if it belongs to a CANCEL or BYE sent here.
func (p *Reply) Transaction() (*txn.Tx, *txn.Branch) {
	c := p.core
	via, reason := p.M.TopVia()
	if reason != parser.OK {
		return nil, nil
	}
	id, ok := txn.ParseBranch(via.Branch.Of(p.M.Raw))
	if !ok || id.Shard != c.tx.Shard() {
		return nil, nil
	}
	br := c.tx.MatchResponse(p.M, id)
	switch {
	case br == nil:
		return nil, nil
	case br.OfCancel():
		return c.tx.OfBranch(br), nil
	}
	return c.tx.Tx(br), br
}

// Replicate is Relay for a copy of the request (t_replicate): no response of its transaction goes
// up but what the program answers. It returns false if nothing was sent.
func (r *Request) Replicate() bool {
	switch r.M.Method {
	case parser.ACK:
		return r.Forward()
	case parser.CANCEL:
		return false
	}
	if r.branching || r.resumed || !r.NewTransaction() {
		return false
	}
	r.Tx.SetReplicated()
	return r.Relay()
}

// ForgetTx is Request.Forget for the transaction of a response at hand.
func (c *Core) ForgetTx(tx *txn.Tx) bool {
	if tx.Answered() || tx.State() == txn.Terminated || tx.Ours() {
		return false
	}
	if c.tracing {
		c.traceTx(tx, "the routing program gives the transaction up")
	}
	c.dropBranches(tx)
	c.tx.CancelOthers(tx, nil, nil)
	c.tx.Terminate(tx)
	return true
}

// responded tells the program, and accounting, of a response made here, in text, that has left
// through tx. A 100 that is repeated is none. r is the request, nil if it is not at hand.
func (c *Core) responded(r *Request, tx *txn.Tx, code, before int, text []byte) {
	c.accountOwn(r, tx, code, text)
	if c.cfg.Responded != nil && !c.aborting && !tx.Ours() && (code != 100 || before == 0) {
		c.cfg.Responded(tx, text)
	}
}

// BeginCopy begins on m, a copy of a response, for a program that only reads it.
func (p *Reply) BeginCopy(c *Core, m *parser.Message, src *netio.Addr) {
	p.core = c
	p.Begin(m, src, 0)
}

// BeginOf begins on m, a response that was made here and has left through tx, for a program that
// only reads it.
func (p *Reply) BeginOf(c *Core, tx *txn.Tx, m *parser.Message) {
	p.core = c
	to := tx.ReplyTo()
	p.Begin(m, &to, tx.Listener())
}
