package tm

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// lookups declares the functions that look for a transaction, or end it.
func lookups(m *route.Module) {
	const in = route.InRequest
	route.Func0(m, "t_lookup_request", in,
		"Tells whether the request has its transaction. A retransmission never reaches a route.",
		func(c *route.Ctx) route.Result {
			r := c.Request
			return route.Truth(r.HasTransaction() || r.M.Method == parser.ACK && r.Invite != nil)
		})
	flags := route.Optional(route.Int("flags", 0, 1, "1: take over the INVITE's flags of setflag"), 0)
	route.Func1(m, "t_lookup_cancel", in, flags,
		"Tells whether the INVITE that a CANCEL names is there.",
		func(c *route.Ctx, flags int) route.Result {
			invite := c.Request.Invite
			if c.Request.M.Method != parser.CANCEL || invite == nil {
				return -1
			}
			if flags != 0 {
				c.Request.Flags = c.Shard.Core.TxFlags(invite)
			}
			return 1
		})
	route.Func0(m, "t_relay_cancel", in,
		"Cancels the branches of the INVITE that a CANCEL names, and ends the script. If there is no "+
			"such INVITE the result is true.",
		func(c *route.Ctx) route.Result {
			if c.Request.M.Method != parser.CANCEL || c.Request.Invite == nil {
				return 1
			}
			if c.Relay() < 0 {
				return -1
			}
			return 0 // as exit does
		})
	route.Func0(m, "t_release", in,
		"Gives up a transaction that is not answered yet, without an answer to anybody. True without "+
			"one.",
		func(c *route.Ctx) route.Result {
			if c.Request.Tx != nil && c.Request.Forget() {
				c.Acted = true
			}
			return 1
		})
	route.Func0(m, "t_retransmit_reply", in, "Sends the last response of the transaction again.",
		func(c *route.Ctx) route.Result { return route.Truth(c.Request.RepeatReply()) })
	route.Func0(m, "t_save_lumps", in,
		"Keeps the changes made so far for the routes that run later. Later changes are for the "+
			"next relay alone.",
		func(c *route.Ctx) route.Result { return route.Truth(c.Request.KeepDecisions()) })
	route.Func0(m, "t_is_expired", route.WithTransaction,
		"Tells whether the lifetime of the transaction is over.",
		func(c *route.Ctx) route.Result {
			tx := c.Transaction()
			return route.Truth(tx != nil && tx.Expired())
		})
	route.Func1(m, "t_grep_status", route.WithTransaction, route.Int("code", 100, 699, "a status"),
		"Tells whether a branch ended with that status.",
		func(c *route.Ctx, code int) route.Result {
			tx := c.Transaction()
			return route.Truth(tx != nil && c.Shard.Core.HasFinal(tx, code))
		})
	route.Func0(m, "t_is_retr_async_reply", route.InReply,
		"Is always false, since no response comes twice to a reply route that waits.",
		func(*route.Ctx) route.Result { return -1 })
	route.Func0(m, "t_use_uac_headers", route.Anywhere,
		"Is always true, since CANCEL and ACK made here have the headers that were sent.",
		func(*route.Ctx) route.Result { return 1 })
	route.Func0(m, "t_clean", route.Anywhere,
		"Is always true, since each transaction ends by its own timers, and none stays behind.",
		func(*route.Ctx) route.Result { return 1 })
	route.Func0(m, "t_next_contact_flow", in,
		"Is always -2, since t_next_contacts makes every contact a branch, and keeps none for another "+
			"flow.",
		func(*route.Ctx) route.Result { return -2 })
}
