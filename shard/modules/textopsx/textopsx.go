// Package textopsx makes edits of a message count at once, and edits what module textops does not:
// Kamailio's module textopsx.
package textopsx

import (
	"regexp"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	route.Func0(m, "msg_apply_changes", route.InRequest|route.InReplies,
		"Applies the edits made so far to the message, so that what comes later sees them. Our "+
			"Via and Record-Route are not added.",
		func(c *route.Ctx) route.Result { return c.ApplyChanges() })
	route.Func1(m, "msg_set_buffer", route.InRequest|route.InReplies,
		route.Text("message", "a whole message"),
		"Replaces the message by another one of the same method, as if that had "+
			"been received.", setBuffer)
	code := route.Int("code", 100, 699, "the new status")
	phrase := route.Text("reason", "the new reason phrase")
	route.Func2(m, "change_reply_status", route.InReplies, code, phrase,
		"Changes the status and the phrase of a response. A 1xx stays a 1xx and a 2xx a 2xx, and no "+
			"other becomes one; those calls are false.", changeStatus)
	route.Func1(m, "change_reply_status_code", route.InReplies, code,
		"The same as change_reply_status, keeping the phrase.",
		func(c *route.Ctx, code int) route.Result {
			return changeStatus(c, code, c.Msg.Bytes(c.Msg.Phrase))
		})
	route.Func0(m, "remove_body", route.Anywhere,
		"Removes the body. Content-Type stays, as in Kamailio.", removeBody)
	value, pattern := route.Text("text", "a text"),
		route.Text("pattern", "a pattern of the shell: *, ?, [a-c]")
	flags := route.Optional(route.Enum("flags", `"i"`, "is no flag", "i: case is ignored",
		route.Word[bool]{Word: "i", Value: true}), false)
	route.Func3(m, "fnmatch", route.Anywhere, value, pattern, flags,
		"Tells whether a text matches a pattern (fnmatch(3)).",
		func(_ *route.Ctx, text, pattern []byte, fold bool) route.Result {
			return route.Truth(route.Fnmatch(pattern, text, fold))
		})
	re := route.Parsed("re", "a pattern", "is no extended regular expression (POSIX)",
		"the pattern for the names to keep",
		func(s string) (*regexp.Regexp, bool) {
			re, err := route.CompilePattern(s, 0)
			return re, err == nil
		})
	route.Func1(m, "keep_hf", route.Anywhere, route.Optional(re, nil),
		"Removes all headers but those whose names match and those a proxy needs: Via, From, To, "+
			"Call-ID, CSeq, Content-Length, Content-Type, Max-Forwards, Contact, Route and "+
			"Record-Route. It is false in any case.",
		keepHeaders)
	headerValues(m)
	iterate(m)
}

// changeStatus is change_reply_status. What a provisional or a 2xx does to its transaction is done
// when reply routes run, so neither becomes another class, and nothing else becomes one of them.
func changeStatus(c *route.Ctx, code int, phrase []byte) route.Result {
	m := c.Msg
	const at = uint32(len("SIP/2.0 "))
	was := int(m.Status)
	if (was < 300 || code < 300) && was/100 != code/100 || m.StartLine.Len < at {
		return -1
	}
	text := append(strconv.AppendInt(c.Room(), int64(code), 10), ' ')
	for _, b := range phrase {
		if b == '\r' || b == '\n' {
			return -1
		}
	}
	old := parser.Span{Off: m.StartLine.Off + at, Len: m.StartLine.Len - at}
	if r := c.Edit(old, append(text, phrase...)); r <= 0 {
		return r
	}
	m.Status = uint16(code)
	return 1
}

func removeBody(c *route.Ctx) route.Result {
	body := c.Msg.Body()
	if len(body) == 0 {
		return 1
	}
	return c.Edit(parser.Span{Off: c.Msg.BodyStart, Len: uint32(len(body))}, nil)
}
