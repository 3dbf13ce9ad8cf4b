// Package sl answers without a transaction: Kamailio's module sl (RFC 3261 §16.11).
package sl

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	m.IdleInt("an answer always has a status of its own", "default_code")
	m.IdleText("an answer always has a reason phrase of its own", "default_reason")
	m.IdleInt("send_reply answers through the transaction where there is one, always", "bind_tm")
	m.IdleInt("contacts of a 3xx made here carry no parameters", "rich_redirect")
	m.IdleText("there is no embedded interpreter", "event_callback_fl_ack",
		"event_callback_lres_sent")

	local := m.Event("sl:local-response",
		"An answer without a transaction was sent; the route runs on it. It has left, so what the "+
			"route changes of it is lost. $si is where it went; Kamailio has no address there.").
		Also(route.InCoreReply)
	stateless := func(c *route.Ctx, r route.Result) route.Result {
		if r <= 0 {
			c.Shard.Core.StatelessFailed()
			return r
		}
		local.RaiseAnswered(c)
		return r
	}
	code := route.Digits(route.Int("code", 100, 699, "the status", route.Instead(500)))
	reason := route.Phrase("reason", "the reason phrase")
	route.Func2(m, "sl_send_reply", route.InRequest, code, reason,
		"Answers without a transaction. (In a route[NAME] that a failure route calls, Kamailio does "+
			"so too, and the transaction then answers again. Here the transaction gives this answer.)",
		func(c *route.Ctx, code int, reason string) route.Result {
			if c.RunsIn(route.InFailure) {
				return c.Answer(code, reason, route.IfTransaction)
			}
			return stateless(c, c.Answer(code, reason, route.Stateless))
		}).ThroughRoutes(route.InFailure)
	m.Alias("sl_send_reply", "sl_reply")
	class := route.Optional(route.Int("code", 100, 699, "another status of the same class"), 0)
	route.Func2(m, "sl_forward_reply", route.InReplies, class,
		route.Optional(route.Text("reason", "its reason phrase"), nil),
		"Passes the response on at once, by the Via below ours and without its transaction. It is "+
			"passed on again at the end of the route, unless the route drops it. False: there is "+
			"no such Via, or the code is of another class.",
		func(c *route.Ctx, code int, phrase []byte) route.Result {
			return route.Truth(c.Reply.PassOn(code, phrase))
		})
	const in = route.InRequest | route.InFailure | route.InReplies
	reply := func(c *route.Ctx, code int, reason string) route.Result {
		if c.Request == nil || c.Request.Tx != nil {
			return c.Answer(code, reason, route.IfTransaction)
		}
		return stateless(c, c.Answer(code, reason, route.Stateless))
	}
	route.Func2(m, "send_reply", in, code, reason,
		"Answers through the transaction if there is one, in onreply_route[NAME] that of the "+
			"response.", reply)
	route.Func3(m, "send_reply_mode", in, code, reason,
		route.Digits(route.Int("mode", 0, 1<<31-1, "0 as send_reply; 1 makes a transaction first",
			route.AsIs)),
		"Answers through the transaction if there is one, or through one that it makes.",
		func(c *route.Ctx, code int, reason string, mode int) route.Result {
			if mode&1 != 0 && c.Request != nil && !c.Request.NewTransaction() {
				return -1
			}
			return reply(c, code, reason)
		})
	route.Func0(m, "sl_reply_error", route.InRequest,
		"Answers with the status of the last failure, through the transaction if there is one. "+
			"(In a failure route Kamailio sends it without the transaction, which then answers "+
			"again.)",
		func(c *route.Ctx) route.Result {
			if c.Request.Tx != nil {
				return c.Answered(c.Request.ReplyError())
			}
			return stateless(c, c.Answered(c.Request.ReplyError()))
		}).ThroughRoutes(route.InFailure)
}
