package textops

import (
	"bytes"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route"
)

// bodies declares the functions that are about the body.
func bodies(m *route.Module) {
	kind := route.Optional(route.Parsed("type", "a media type",
		"is no media type such as application/sdp",
		"its media type",
		func(s string) (string, bool) { return s, route.MediaType([]byte(s)) != nil }), "")
	route.Func1(m, "has_body", route.Anywhere, kind,
		"Tells whether there is a body, or one of that type.",
		func(c *route.Ctx, kind string) route.Result { return hasBody(c, kind) })
	text, typ := route.Text("text", "the body"), route.Text("type", "its media type")
	route.Func2(m, "set_body", route.Anywhere, text, typ,
		"Sets the body and its type.",
		func(c *route.Ctx, body, kind []byte) route.Result { return setBody(c, body, kind) })
	route.Func1(m, "filter_body", route.Anywhere,
		route.Name("type", "a media type", "the type to keep"),
		"Keeps only the part of one type of a multipart body, and removes the multipart form. "+
			"False: the body is not multipart, or has no such part.",
		filterBody)
	route.Func0(m, "is_audio_on_hold", route.Anywhere,
		"Tells whether the SDP puts an audio stream on hold: sendonly, inactive, or to no address.",
		onHold)
}

// hasBody is has_body. A message without Content-Length has none, as in Kamailio, and one without
// Content-Type has SDP.
func hasBody(c *route.Ctx, kind string) route.Result {
	if n, r := c.Msg.ContentLength(); r != parser.OK || n <= 0 {
		return -1
	}
	if kind == "" {
		return 1
	}
	is := []byte("application/sdp")
	if c.Msg.Has(parser.KindContentType) {
		is = route.MediaType(c.Msg.ValueOf(parser.KindContentType))
	}
	return route.Truth(len(is) == len(kind) && bytes.EqualFold(is, append(c.Room(), kind...)))
}

// setBody makes body the body and kind its Content-Type.
func setBody(c *route.Ctx, body, kind []byte) route.Result {
	m := c.Msg
	if len(kind) == 0 || len(body) == 0 {
		return -1
	}
	if old := m.Body(); len(old) > 0 {
		if r := c.Edit(parser.Span{Off: m.BodyStart, Len: uint32(len(old))}, body); r <= 0 {
			return r
		}
	} else if r := c.Insert(m.BodyStart, body); r <= 0 {
		return r
	}
	if r := setType(c, kind); r <= 0 || m.Has(parser.KindContentLength) {
		return r
	}
	row := append(c.Room(), "Content-Length: "...)
	return c.Insert(m.HeaderEnd, append(strconv.AppendInt(row, int64(len(body)), 10), crlf...))
}

// setType makes kind the Content-Type.
func setType(c *route.Ctx, kind []byte) route.Result {
	if i := c.Msg.First(parser.KindContentType); i >= 0 {
		if r := c.Edit(c.Msg.Headers[i].Line, nil); r <= 0 {
			return r
		}
	}
	return c.InsertRows(c.Msg.HeaderEnd, append(append(c.Room(), "Content-Type: "...), kind...))
}
