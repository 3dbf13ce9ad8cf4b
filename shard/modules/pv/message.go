package pv

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// messages are the variables of what a message says, as it was received.
func messages(m *route.Module) {
	numberVar(m, "mt", "1 for a request, 2 for a response.", (*route.Ctx).MessageType)
	textVar(m, "mb", "The whole message.",
		func(c *route.Ctx) ([]byte, bool) { return c.Msg.Raw, true })
	madeVar(m, "mbu", "The whole message as msg_apply_changes() would make it.",
		func(c *route.Ctx) ([]byte, bool) {
			if c.Request != nil {
				return built(c, c.Request.AppendApplied(c.Room()))
			}
			return built(c, c.Reply.AppendApplied(c.Room()))
		})
	numberVar(m, "ml", "The length of the message.",
		func(c *route.Ctx) (int64, bool) { return int64(len(c.Msg.Raw)), true })
	bothVar(m, "rm", "The method, in a response that of CSeq; as a number $rmid.",
		(*route.Ctx).Method, methodNumber)
	numberVar(m, "rs", "The status of a response.",
		func(c *route.Ctx) (int64, bool) { return int64(c.Msg.Status), !c.Msg.IsRequest })
	textVar(m, "rr", "The reason phrase of a response.",
		func(c *route.Ctx) ([]byte, bool) { return c.Msg.Bytes(c.Msg.Phrase), !c.Msg.IsRequest })
	textVar(m, "rb", "The body.", (*route.Ctx).Body)

	textVar(m, "ci", "The Call-ID.", (*route.Ctx).CallID)
	digitsVar(m, "cs", "The number of CSeq.", (*route.Ctx).CSeq)
	header := func(name, doc string, kind parser.Kind) {
		textVar(m, name, doc, func(c *route.Ctx) ([]byte, bool) { return c.First(kind) })
	}
	header("ua", "User-Agent.", parser.KindUserAgent)
	header("ct", "The first Contact header.", parser.KindContact)
	header("cT", "Content-Type.", parser.KindContentType)
	numberVar(m, "cl", "Content-Length.", func(c *route.Ctx) (int64, bool) {
		n, r := c.Msg.ContentLength()
		return int64(n), r == parser.OK && n >= 0
	})

	m.Var(route.Var{Name: "hdr", Inner: "name", Always: true, Doc: "A header.", Compile: headerVar,
		Index: "which of that name, 0 the first; negative numbers count from the last, " +
			"* is all of them, joined by commas"})
}
