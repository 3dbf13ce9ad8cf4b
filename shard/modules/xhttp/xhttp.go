// Package xhttp answers HTTP requests that come to the listeners of TCP and TLS: Kamailio's module
// xhttp.
package xhttp

import (
	"bytes"
	"regexp"

	"viaduct/shard/route"
	"viaduct/shard/route/ere"
)

// Define is the module.
func Define(m *route.Module) {
	x := &xhttp{}
	x.pattern(m, &x.match, "url_match", "A pattern (POSIX, extended) that the target of a request "+
		"must match. Other requests are answered with 404; Kamailio does not answer them.")
	x.pattern(m, &x.skip, "url_skip",
		"A pattern that the target must not match. It is checked before url_match.")
	m.IdleText("there is no embedded interpreter", "event_callback")
	m.ServesHTTP(m.Event("xhttp:request", "A TCP or TLS listener has received an HTTP request. "+
		"Without this route no HTTP is accepted there. Its header is read like that of SIP, with "+
		"a Via on top. A connection handles one request at a time, and goes on when that is "+
		"answered; if the route ends without an answer, the connection is closed (Kamailio keeps "+
		"it). Requests are read as RFC 9112 asks: what lacks Host, has a fold, two lengths or a "+
		"line end of LF alone is answered with 400, a Transfer-Encoding with 411, a header above "+
		"16 KiB with 431, a body that does not fit tcp_rd_buf_size with 413, HTTP/2 with 505, and "+
		"nothing of it reaches the script. The answer says HTTP/1.1 also to HTTP/1.0, and has no "+
		"body for HEAD."), x.serves)
	m.Var(route.Var{Name: "hu", Doc: "The target of the HTTP request; for a SIP request, the " +
		"Request-URI as received.", Place: route.Place{NoRoom: true, Text: target}})
	code := route.Digits(route.Int("code", 100, 699,
		"the status; a text read at run time is its number"))
	reason := route.Text("reason", "the reason phrase")
	kind, body := route.Text("content type", "of the body"), route.Text("body", "the body")
	route.Func4(m, "xhttp_reply", route.InRequest, code, reason, kind, body,
		"Answers the HTTP request, once, with the rows of append_to_reply. The connection stays "+
			"open, unless the request or set_reply_close says otherwise. False: this is not an "+
			"HTTP request, it was answered before, or the reason is empty or has a line end. "+
			"(Kamailio adds a header Sia, made from its Via, writes such a line end, and is true "+
			"without an answer for SIP.)", reply)
	transformations(m)
}

// xhttp is the module of one load.
type xhttp struct{ match, skip *regexp.Regexp }

// pattern declares a parameter that is one.
func (x *xhttp) pattern(m *route.Module, to **regexp.Regexp, name, doc string) {
	m.Text(name, "", doc)
	m.Check(name, func(s string, _ int64) string {
		re, err := ere.Compile(s, 0)
		if err != nil {
			return "is no pattern: " + err.Error()
		}
		*to = re
		return ""
	})
}

// serves tells whether the script sees a request.
func (x *xhttp) serves(target []byte) bool {
	return (x.skip == nil || !x.skip.Match(target)) && (x.match == nil || x.match.Match(target))
}

func target(c *route.Ctx) ([]byte, bool) {
	if c.Request == nil {
		return nil, false
	}
	return c.Msg.Bytes(c.Msg.URI), true
}

// reply is xhttp_reply.
func reply(c *route.Ctx, code int, reason, kind, body []byte) route.Result {
	r := c.Request
	if r == nil || !r.IsHTTP() || len(reason) == 0 || !r.ReplyHTTP(code, reason, kind, body) {
		return -1
	}
	c.Acted = true
	return 1
}

// transformations are {url.path} and {url.querystring}.
func transformations(m *route.Module) {
	part := func(name, doc string, of func(path, query []byte) []byte) {
		route.Transform0(m, "url."+name, doc, func(c *route.Ctx, v route.Value) route.Value {
			path, query, _ := bytes.Cut(c.TextOf(v), []byte("?"))
			return route.TextValue(of(path, query))
		})
	}
	part("path", "The part in front of the question mark.",
		func(path, _ []byte) []byte { return path })
	part("querystring", "The part after the question mark.",
		func(_, query []byte) []byte { return query })
}
