// Package sl answers without a transaction: Kamailio's module sl (RFC 3261 §16.11).
package sl

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	set := &m.Settings().SL
	m.IntVar(&set.DefaultCode, "default_code", 300, 699, "The status of an answer that has none.")
	m.TextVar(&set.DefaultReason, "default_reason", "Its reason phrase.")
	m.BoolVar(&set.BindTM, "bind_tm", "Whether send_reply answers through the transaction.")
	m.IdleInt("contacts of a 3xx made here carry no parameters", "rich_redirect")
	m.IdleText("there is no embedded interpreter", "event_callback_fl_ack",
		"event_callback_lres_sent")

	sent := m.Count("sent_replies", "Answers without a transaction.")
	failed := m.Count("failures", "Answers without a transaction that could not leave.")
	code := route.Int("code", 100, 699, "the status", route.Instead(500))
	reason := route.Phrase("reason", "the reason phrase")
	route.Func2(m, "sl_send_reply", route.InRequest, code, reason, "Answers without a transaction.",
		func(c *route.Ctx, code int, reason string) route.Result {
			r := c.Answer(code, reason, route.Stateless)
			if r > 0 {
				sent.Add(c)
			} else {
				failed.Add(c)
			}
			return r
		})
	route.Func2(m, "send_reply", route.InRequest|route.InFailure, code, reason,
		"Answers through the transaction if there is one.",
		func(c *route.Ctx, code int, reason string) route.Result {
			return c.Answer(code, reason, route.IfTransaction)
		}).Soon(route.InReplies)
	route.Func0(m, "sl_reply_error", route.InRequest,
		"Answers with what the last failure stands for.",
		func(c *route.Ctx) route.Result { return c.Answered(c.Request.ReplyError()) })
}
