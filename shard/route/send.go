package route

import (
	"bytes"
	"time"

	"viaduct/parser"
	"viaduct/shard/balance"
	"viaduct/shard/proxy"
	"viaduct/shard/txn"
)

// What functions do about the message at hand beyond a method of proxy.Request. Results called int
// follow Kamailio: above 0 is true, below 0 is false, 0 ends the script as exit does.

// Answer is sl_send_reply() and send_reply(): code is 100..699.
func (c *Ctx) Answer(code int, reason string, how StatefulReply) int {
	if how == InTransaction && c.Request.Tx == nil {
		return -1
	}
	return c.Answered(c.Request.Reply(code, reason, ""))
}

// Answered notes that the request is done with, even if no answer could leave.
func (c *Ctx) Answered(ok bool) int {
	// else its state forbids that status, and another one is still possible
	if !ok && !c.Acted && c.Request.Tx == nil {
		c.Unanswered = true
	}
	c.Acted = true
	return truth(ok)
}

// Relay is t_relay().
func (c *Ctx) Relay() int {
	ok := c.Request.Relay()
	c.Acted = c.Acted || ok
	return truth(ok)
}

// forward is forward(): the same without a transaction.
func (c *Ctx) forward() int {
	ok := c.Request.Forward()
	c.Acted = c.Acted || ok
	return truth(ok)
}

// towards makes dst the destination of the next relay or forward. It returns false if it cannot be.
// The transport is asked for until ForceProto takes it back.
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

// RelayTo is t_relay_to(), t_relay_to_udp() and t_relay(host, port). No failure is answered here in
// any case, so that RelayNoReply asks for nothing.
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

// forwardTo is forward(), forward_udp() and so on with a destination.
func (c *Ctx) forwardTo(dst *RelayDst) int {
	defer c.Request.ForceProto(-1)
	if !c.towards(dst) {
		return -1
	}
	return c.forward()
}

// MaxForwards is mf_process_maxfwd_header(limit): 2 where the header was added.
func (c *Ctx) MaxForwards(limit, most int) int {
	added, ok := c.Request.MaxForwards(limit, most)
	if added {
		return 2
	}
	return truth(ok)
}

// LooseRoute is loose_route(), and with looseOnly loose_route_mode(1). -3: outside of a dialog, and the set was ours alone: it is gone, and
// the request is one like any other.
func (c *Ctx) LooseRoute(looseOnly bool) int {
	switch c.Request.LooseRoute(looseOnly) {
	case proxy.Followed:
		return 1
	case proxy.UsedUp:
		return -3
	}
	return -1
}

// SetFr is t_set_fr(). In a reply route the transaction is there already.
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

// NextContacts is t_next_contacts(). -2: none is left, or nothing was loaded.
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

// Transaction is the transaction of the message, nil if it has none yet.
func (c *Ctx) Transaction() *txn.Tx { return c.tx() }

// tx is the transaction of the message, nil if it has none yet.
func (c *Ctx) tx() *txn.Tx {
	if c.Request != nil {
		return c.Request.Tx
	}
	return c.Tx
}

// replyStatus is $T_reply_code: in a failure route the code of the best response (408 after a
// timeout, 503 after a transport error), in request_route and a branch route the code sent last, 0
// if none was. A reply route has the response at hand, with or without a transaction.
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

// BranchIndex is $T_branch_idx: in a branch route, in onreply_route[NAME] and where a branch has
// failed the branch's number in its transaction, from 0; in a failure route how many branches there
// are, in other routes of requests 0; else -1 (5.6.3).
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

// Cancelled is t_is_canceled(): the caller's CANCEL came.
func (c *Ctx) Cancelled() bool {
	tx := c.tx()
	return tx != nil && tx.Canceled()
}

// MessageFlags are those of setflag(), resetflag() and isflagset(). They live on in the
// transaction: what request_route set, a branch, failure or reply route sees.
func (c *Ctx) MessageFlags() uint32 {
	switch {
	case c.Request != nil:
		return c.Request.Flags
	case c.Tx != nil:
		return c.Shard.Core.TxFlags(c.Tx)
	}
	return 0
}

// SetMessageFlags replaces them.
func (c *Ctx) SetMessageFlags(flags uint32) {
	switch {
	case c.Request != nil:
		c.Request.Flags = flags
	case c.Tx != nil:
		c.Shard.Core.SetTxFlags(c.Tx, flags)
	}
}

// BranchFlags are the flags of setbflag(): of the branch at hand, or before a relay of the one that
// the Request-URI is, 0, or of those that were added, 1 and on. It returns false if there is no
// such branch.
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

// SetBranchFlags replaces them.
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

// Edit puts a copy of text in place of old, a part of Msg, in what is sent of the message. It is
// false if there is no room. Two edits of the same part are one, the later; other edits that
// overlap take out what either takes out.
func (c *Ctx) Edit(old parser.Span, text []byte) Result {
	if c.Request == nil {
		return truth(c.Reply.Edit(old, text))
	}
	return truth(c.Request.Edit(old, text))
}

// Insert is Edit with nothing taken out: text goes in at an offset of Msg.
func (c *Ctx) Insert(at uint32, text []byte) Result { return c.Edit(parser.Span{Off: at}, text) }

// InsertRows is Insert for header rows; the last may lack its line end. It is false for what are no
// rows, which would end the headers or be part of another one.
func (c *Ctx) InsertRows(at uint32, rows []byte) Result { return c.insertRows(at, rows, false) }

// InsertRowsFirst is InsertRows in front of what was inserted at that offset before.
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

// ApplyChanges makes Msg what it would leave as, so that what comes later sees the edits.
func (c *Ctx) ApplyChanges() Result {
	if c.Request == nil {
		return truth(c.Reply.Apply())
	}
	return c.moved(truth(c.Request.Apply()))
}

// ReplaceMessage makes Msg another message, of the same method, which the edits made so far are
// forgotten for.
func (c *Ctx) ReplaceMessage(text []byte) Result {
	if c.Request == nil {
		return truth(c.Reply.Replace(text))
	}
	if !c.Request.Replace(text) {
		return -1
	}
	return c.moved(truth(c.Request.SetRequestURI(c.Msg.Bytes(c.Msg.URI))))
}

// addLocalRPort is add_local_rport(): our Via in this request asks for rport (RFC 3581 §3).
func (c *Ctx) addLocalRPort() int {
	if c.Request == nil {
		return -1
	}
	c.Request.RPort()
	return 1
}
