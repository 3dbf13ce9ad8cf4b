package route

import (
	"bytes"
	"time"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
)

// What functions do about the current message beyond a method of proxy.Request. An int result
// follows Kamailio: above 0 is true, below 0 is false, and 0 ends the script as exit does.

// Answer is sl_send_reply() and send_reply(). code is 100 to 699.
//
// In a reply route it answers the transaction of the response, which reply_route looks for with
// InTransaction alone (5.6.3).
func (c *Ctx) Answer(code int, reason string, how StatefulReply) int {
	if c.Request == nil {
		tx, br := c.Tx, c.Branch
		if tx == nil && how == InTransaction && c.raised == 0 {
			if tx, br = c.Reply.Transaction(); br == nil {
				return -1
			}
		}
		return truth(tx != nil && c.Shard.Core.AnswerReply(tx, br, code, reason))
	}
	if how == InTransaction && c.Request.Tx == nil {
		return -1
	}
	return c.Answered(c.Request.Reply(code, reason, ""))
}

// Answered notes that the request has been dealt with, even if no answer could be sent.
func (c *Ctx) Answered(ok bool) int {
	// With a transaction, its state forbids that status, and another answer is still possible.
	if !ok && !c.Acted && c.Request.Tx == nil {
		c.Unanswered = true
	}
	c.Acted = true
	return truth(ok)
}

// Relay is t_relay(). A result below 0 says why nothing was sent, in Kamailio's numbers.
func (c *Ctx) Relay() int {
	if !c.Request.Relay() {
		return c.Request.RelayFailure()
	}
	c.Acted = true
	return 1
}

// forward is forward(), a relay without a transaction.
func (c *Ctx) forward() int {
	ok := c.Request.Forward()
	c.Acted = c.Acted || ok
	return truth(ok)
}

// towards makes dst the destination of the next relay or forward. It returns false if that is not
// possible. The transport stays forced until ForceProto(-1) releases it.
func (c *Ctx) towards(dst *RelayDst) bool {
	r := c.Request
	if dst.Proto != AnyTransport {
		if !dst.Proto.Served() {
			return false
		}
		r.ForceProto(int(dst.Proto))
	}
	return !dst.Set || r.SetNextHop(dst.Host, dst.Port)
}

// RelayTo is t_relay_to(), t_relay_to_udp() and t_relay(host, port). RelayNoReply has no effect
// here, because a failure is never answered automatically.
func (c *Ctx) RelayTo(dst *RelayDst, flags RelayFlags) int {
	defer c.Request.ForceProto(-1)
	if !c.towards(dst) {
		return -1
	}
	c.Request.Quiet(flags&RelayNo100 != 0)
	defer c.Request.Quiet(false)
	if flags&RelayNoFailover != 0 {
		c.Request.Switch(proxy.NoSpares, 0)
	}
	return c.Relay()
}

// Replicate is t_replicate().
func (c *Ctx) Replicate(dst *RelayDst) int {
	defer c.Request.ForceProto(-1)
	if !c.towards(dst) {
		return -1
	}
	ok := c.Request.Replicate()
	c.Acted = c.Acted || ok
	return truth(ok)
}

// forwardTo is forward(), forward_udp() and so on, with a destination.
func (c *Ctx) forwardTo(dst *RelayDst) int {
	defer c.Request.ForceProto(-1)
	if !c.towards(dst) {
		return -1
	}
	return c.forward()
}

// MaxForwards is mf_process_maxfwd_header(limit). It returns 2 if it has added the header.
func (c *Ctx) MaxForwards(limit, most int) int {
	added, ok := c.Request.MaxForwards(limit, most)
	if added {
		return 2
	}
	return truth(ok)
}

// LooseRoute is loose_route(). With looseOnly it is loose_route_mode(1). It returns -3 if the
// request is outside of a dialog and its route set consisted of this proxy alone. The set is then
// gone, and the request is one like any other.
func (c *Ctx) LooseRoute(looseOnly bool) int {
	switch c.Request.LooseRoute(looseOnly) {
	case proxy.Followed:
		return 1
	case proxy.UsedUp:
		return -3
	}
	return -1
}

// SetFr is t_set_fr(). In a reply route it changes the existing transaction.
func (c *Ctx) SetFr(frInv, fr time.Duration) int {
	if c.Request == nil {
		return truth(c.Tx != nil && c.Shard.Core.SetTxTimers(c.Tx, frInv, fr))
	}
	return truth(c.Request.SetFinalTimers(frInv, fr))
}

// DropReplies is t_drop_replies().
func (c *Ctx) DropReplies(how DropHow) int {
	if how != DropNone {
		c.Request.DropReplies(how == DropLast)
	}
	return 1
}

// NextContacts is t_next_contacts(). It returns -2 if none is left, or if nothing was loaded.
func (c *Ctx) NextContacts() int {
	if c.Request.NextContacts() {
		return 1
	}
	return -2
}

// MarkDst is ds_mark_dst().
func (c *Ctx) MarkDst(state string) int {
	to, ok := balance.ParseMark(state)
	return truth(ok && c.Request.MarkTarget(to))
}

// Transaction returns the transaction of the message. It returns nil if there is none yet.
func (c *Ctx) Transaction() *txn.Tx { return c.tx() }

// tx returns the transaction of the message. It returns nil if there is none yet.
func (c *Ctx) tx() *txn.Tx {
	if c.Request != nil {
		return c.Request.Tx
	}
	return c.Tx
}

// replyStatus returns $T_reply_code. In a failure route that is the code of the best response (408
// after a timeout, 503 after a transport error). In request_route and a branch route it is the code
// sent last, or 0 if none was sent. In a reply route it is the code of the current response, with
// or without a transaction.
func (c *Ctx) replyStatus() int {
	switch {
	case c.Request == nil:
		return int(c.Msg.Status)
	case c.Request.Tx == nil:
		return 0
	case c.kind == FailureRoute || c.Request.Losing() != nil:
		return c.Request.BestStatus()
	}
	return c.Request.Tx.Status()
}

// losing is the branch that has failed, where the route is run for that. It is nil elsewhere.
func (c *Ctx) losing() *txn.Branch {
	if c.Request == nil {
		return nil
	}
	return c.Request.Losing()
}

// Losing tells whether the route is run for a branch that has failed.
func (c *Ctx) Losing() bool { return c.losing() != nil }

// BranchIndex returns $T_branch_idx. In a branch route and in onreply_route[NAME] that is the
// number of the branch in its transaction, from 0. Elsewhere it is -1.
func (c *Ctx) BranchIndex() int {
	switch {
	case c.losing() != nil:
		return c.losing().Index()
	case c.kind == BranchRoute, c.kind == FailureRoute && c.Request.Tx != nil:
		return c.Request.Tx.Total()
	case c.Branch != nil:
		return c.Branch.Index()
	case c.Request != nil:
		return 0
	}
	return -1
}

// Cancelled is t_is_canceled(). It tells whether the caller has sent a CANCEL.
func (c *Ctx) Cancelled() bool {
	tx := c.tx()
	return tx != nil && tx.Canceled()
}

// MessageFlags returns the flags of setflag(), resetflag() and isflagset(). They live on in the
// transaction: its branch, failure and reply routes see what request_route has set.
func (c *Ctx) MessageFlags() uint32 {
	switch {
	case c.Request != nil:
		return c.Request.Flags
	case c.Tx != nil:
		return c.Shard.Core.TxFlags(c.Tx)
	}
	return 0
}

// SetMessageFlags replaces the flags of the message.
func (c *Ctx) SetMessageFlags(flags uint32) {
	switch {
	case c.Request != nil:
		c.Request.Flags = flags
	case c.Tx != nil:
		c.Shard.Core.SetTxFlags(c.Tx, flags)
	}
}

// BranchFlags returns the flags of setbflag(). In the routes of a branch they are those of that
// branch. Before a relay, branch 0 is that of the Request-URI, and 1 and on are the added ones. It
// returns false if there is no such branch.
func (c *Ctx) BranchFlags(branch int) (uint32, bool) {
	switch {
	case c.Request != nil:
		if f := c.Request.BranchFlagsOf(branch); f != nil {
			return *f, true
		}
	case c.Branch != nil && branch == 0:
		return c.Shard.Core.BranchFlags(c.Tx, c.Branch), true
	}
	return 0, false
}

// SetBranchFlags replaces the flags that BranchFlags returns. It returns false if there is no such
// branch.
func (c *Ctx) SetBranchFlags(branch int, flags uint32) bool {
	switch {
	case c.Request != nil:
		if f := c.Request.BranchFlagsOf(branch); f != nil {
			*f = flags
			return true
		}
	case c.Branch != nil && branch == 0:
		return c.Shard.Core.SetBranchFlags(c.Tx, c.Branch, flags)
	}
	return false
}

// Edit replaces old, a part of Msg, by a copy of text when the message is sent. It returns -1 if
// there is no room. Of two edits of the same part, the later one counts. Other overlapping edits
// remove what either of them removes.
func (c *Ctx) Edit(old parser.Span, text []byte) Result {
	if c.Request == nil {
		return truth(c.Reply.Edit(old, text))
	}
	return truth(c.Request.Edit(old, text))
}

// Edited tells whether there is an edit of old.
func (c *Ctx) Edited(old parser.Span) bool {
	if c.Request == nil {
		_, is := c.Reply.Edited(old)
		return is
	}
	_, is := c.Request.Edited(old)
	return is
}

// Insert is Edit that removes nothing. It inserts text at an offset of Msg.
func (c *Ctx) Insert(at uint32, text []byte) Result { return c.Edit(parser.Span{Off: at}, text) }

// InsertRows is Insert for header rows. The last row may lack its line end. It returns -1 if rows
// are not header rows: they would end the headers or become part of another header.
func (c *Ctx) InsertRows(at uint32, rows []byte) Result { return c.insertRows(at, rows, false) }

// InsertRowsFirst is InsertRows that inserts in front of earlier insertions at that offset.
func (c *Ctx) InsertRowsFirst(at uint32, rows []byte) Result { return c.insertRows(at, rows, true) }

func (c *Ctx) insertRows(at uint32, rows []byte, first bool) Result {
	if n := len(rows); n == 0 || rows[n-1] != '\n' || n > 1 && rows[n-2] != '\r' {
		b := append(append(c.Room(), bytes.TrimSuffix(rows, []byte("\n"))...), "\r\n"...)
		if len(b) > cap(c.Room()) {
			return -1
		}
		rows = b
	}
	if !proxy.HeaderRows(rows) {
		return -1
	}
	switch {
	case !first:
		return c.Insert(at, rows)
	case c.Request == nil:
		return truth(c.Reply.InsertFirst(at, rows))
	}
	return truth(c.Request.InsertFirst(at, rows))
}

// ApplyChanges applies the edits to Msg, so that the rest of the run sees them.
func (c *Ctx) ApplyChanges() Result {
	if c.Request == nil {
		return truth(c.Reply.Apply())
	}
	return c.moved(truth(c.Request.Apply()))
}

// ReplaceMessage makes text the current message, which must have the same method. It discards the
// edits made so far.
func (c *Ctx) ReplaceMessage(text []byte) Result {
	if c.Request == nil {
		return truth(c.Reply.Replace(text))
	}
	if !c.Request.Replace(text) {
		return -1
	}
	return c.moved(truth(c.Request.SetRequestURI(c.Msg.Bytes(c.Msg.URI))))
}

// addLocalRPort is add_local_rport(): Viaduct's Via in this request asks for rport (RFC 3581 §3).
func (c *Ctx) addLocalRPort() int {
	if c.Request == nil {
		return -1
	}
	c.Request.RPort()
	return 1
}
