package route

import (
	"viaduct/parser"
	"viaduct/shard/route/syntax"
)

// Functions about what responses made here carry besides what RFC 3261 §8.2.6 copies.

// appendToReply is append_to_reply(rows): header rows for every response to this request that is
// made here from now on.
func appendToReply(cc *compiler, x *syntax.Call) callFn {
	f := cc.textArg(x, 0)
	if f == nil {
		return nil
	}
	if f.plain {
		rows := []byte(f.text)
		return func(c *Ctx) int { return truth(c.Request.AppendToReply(rows)) }
	}
	cc.scratch = true
	return func(c *Ctx) int {
		rows, r := c.expand(f)
		if r <= 0 {
			return r
		}
		return truth(c.Request.AppendToReply(rows))
	}
}

// optionsReply is options_reply(): 200 to an OPTIONS for the proxy itself, with what §11.2 asks for
// but Allow, which append_to_reply() can add: what a proxy lets through, its program knows. -1 for
// another method, and for one with a user.
func optionsReply(cc *compiler, _ *syntax.Call) callFn {
	o := &cc.set.SIPUtils
	rows := []byte("Accept: " + o.Accept + "\r\nAccept-Encoding: " + o.AcceptEncoding +
		"\r\nAccept-Language: " + o.AcceptLanguage + "\r\nSupported: " + o.Supported + "\r\n")
	return func(c *Ctx) int {
		u := c.requestURI()
		if c.Msg.Method != parser.OPTIONS || u == nil || !u.User.Empty() || !c.Request.AppendToReply(rows) {
			return -1
		}
		return c.reply(200, "OK", IfTransaction)
	}
}
