// Package siputils looks at messages and URIs, changes them, and answers OPTIONS: Kamailio's
// modules
// siputils and options.
package siputils

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	options(m)
	route.Func0(m, "has_totag", route.Anywhere,
		"Tells whether the message belongs to a dialog (RFC 3261 §12.2).",
		func(c *route.Ctx) route.Result { return route.Truth(c.Msg.HasToTag()) })
	route.Func0(m, "is_request", route.Anywhere, "Tells whether the message is a request.",
		func(c *route.Ctx) route.Result { return route.Truth(c.Msg.IsRequest) })
	route.Func0(m, "is_reply", route.Anywhere, "Tells whether the message is a response.",
		func(c *route.Ctx) route.Result { return route.Truth(!c.Msg.IsRequest) })
	checks(m)
	texts(m)
	uris(m)
	uriParams(m)
	contacts(m)
	contactParams(m)
	rpid(m)
	charging(m)
}

// options declares options_reply and its parameters.
func options(m *route.Module) {
	accept := m.Text("options_accept", "*/*", "The Accept line of what options_reply answers.")
	encoding := m.Text("options_accept_encoding", "",
		"Its Accept-Encoding line; empty: identity alone (RFC 3261 §20.2).")
	language := m.Text("options_accept_language", "en", "Its Accept-Language line.")
	support := m.Text("options_support", "", "Its Supported line.")

	// RFC 3261 §11.2 asks for Allow as well, which append_to_reply() can add: what a proxy lets
	// through, its program knows.
	m.Func(route.Func{Name: "options_reply", In: route.InRequest,
		Doc: "Answers 200 to an OPTIONS for the proxy itself. False: the method is another, or " +
			"the URI has a user.",
		Build: func(*route.Build) route.Call {
			rows := []byte("Accept: " + *accept + "\r\nAccept-Encoding: " + *encoding +
				"\r\nAccept-Language: " + *language + "\r\nSupported: " + *support + "\r\n")
			return func(c *route.Ctx) route.Result {
				u := c.RequestURI()
				if c.Msg.Method != parser.OPTIONS || u == nil || !u.User.Empty() ||
					!c.Request.AppendToReply(rows) {
					return -1
				}
				return c.Answer(200, "OK", route.IfTransaction)
			}
		}})
}
