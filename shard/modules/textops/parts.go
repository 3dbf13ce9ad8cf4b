package textops

import (
	"bytes"
	"encoding/hex"

	"viaduct/parser"
	"viaduct/shard/route"
)

// uniqueBoundary is what stands between parts unless the file says something else.
const uniqueBoundary = "unique-boundary-1"

// parts declares the functions about the parts of a multipart body (RFC 2046 §5.1). Each body that
// they make ends with a closing delimiter.
func parts(m *route.Module) {
	const in = route.InRequest | route.InFailure | route.InBranch
	none := []byte(nil)
	text, kind := route.Text("text", "the content of the part"), route.Text("type", "its media type")
	way := route.Optional(route.Text("disposition", "its Content-Disposition"), none)
	m.Func(route.Func{Name: "set_body_multipart", In: in,
		Args: []route.AnyArg{route.Optional(text, none), route.Optional(kind, none),
			route.Optional(route.Text("boundary", "the line between parts"), none)},
		Doc: "Makes the body a part of a multipart body; with a text and a type, those become the " +
			"part. The boundary may also be given alone.",
		Build: func(b *route.Build) route.Call {
			first, ok1 := route.Optional(text, none).At(b, 0)
			second, ok2 := route.Optional(kind, none).At(b, 1)
			third, ok3 := route.Optional(kind, none).At(b, 2)
			if !ok1 || !ok2 || !ok3 {
				return nil
			}
			alone := b.Args() == 1
			return func(c *route.Ctx) route.Result {
				text, r1 := first.Get(c)
				kind, r2 := second.Get(c)
				mark, r3 := third.Get(c)
				if r := min(r1, r2, r3); r <= 0 {
					return r
				}
				if alone {
					text, mark = nil, text
				}
				return setMultipart(c, text, kind, mark)
			}
		}})
	route.Func3(m, "append_body_part", in, text, kind, way, "Adds a part to a multipart body.",
		func(c *route.Ctx, text, kind, way []byte) route.Result { return appendPart(c, text, kind, way) })
	route.Func3(m, "append_body_part_hex", in, route.Text("hex",
		"the content of the part, in hexadecimal digits"), kind, way, "The same as append_body_part, "+
		"for bytes.",
		func(c *route.Ctx, digits, kind, way []byte) route.Result {
			raw, err := hex.AppendDecode(c.Room(), digits)
			if err != nil {
				return -1
			}
			v := c.Built(raw)
			if v.IsNull() {
				return -1
			}
			return appendPart(c, v.S, kind, way)
		})
	into := route.Writable("result", "a variable")
	get := func(name, doc string, piece func(p *route.BodyPart) parser.Span) {
		route.Func2(m, name, route.Anywhere&^route.InOnsend, kind, into, doc,
			func(c *route.Ctx, kind []byte, into *route.Place) route.Result {
				if len(c.Boundary()) == 0 {
					if body := c.Msg.Body(); len(body) > 0 {
						return into.Put(c, route.TextValue(body))
					}
					return -1
				}
				p, ok := partOf(c, kind)
				if !ok {
					return -1
				}
				return into.Put(c, route.TextValue(c.Msg.Bytes(piece(&p))))
			})
	}
	get("get_body_part", "Stores the first part of a type in a variable, without its headers; the "+
		"whole body if it has no parts, of whatever type it is.",
		func(p *route.BodyPart) parser.Span { return p.Text })
	get("get_body_part_raw", "Stores the first part of a type in a variable, with its headers.",
		func(p *route.BodyPart) parser.Span {
			return parser.Span{Off: p.Heads.Off, Len: p.Text.End() - p.Heads.Off}
		})
	route.Func1(m, "remove_body_part", in, kind,
		"Removes the first part of a type. False: there is none.",
		func(c *route.Ctx, kind []byte) route.Result {
			p, ok := partOf(c, kind)
			if !ok {
				return -1
			}
			return c.Edit(p.All, nil)
		})
	route.Func2(m, "set_reply_body", route.InRequest|route.InFailure, route.Text("text", "the body"),
		kind,
		"Gives each response to this request that is made here from now on a body.",
		func(c *route.Ctx, body, kind []byte) route.Result {
			return route.Truth(c.Request.SetReplyBody(body, kind))
		}).Soon(route.InBranch)
}

// partOf is the first part of a media type.
func partOf(c *route.Ctx, kind []byte) (part route.BodyPart, ok bool) {
	c.BodyParts(func(p *route.BodyPart) bool {
		if ok = foldASCII(p.Kind, kind); ok {
			part = *p
		}
		return !ok
	})
	return part, ok
}

// setMultipart is set_body_multipart. Without a text the body becomes the part.
func setMultipart(c *route.Ctx, text, kind, mark []byte) route.Result {
	m := c.Msg
	old := m.Body()
	if text == nil {
		if len(c.Boundary()) > 0 {
			return 1
		}
		text, kind = old, m.ValueOf(parser.KindContentType)
	}
	if len(text) == 0 || len(kind) == 0 || len(mark) > 70 || bytes.ContainsAny(mark, "\r\n\"") {
		return -1
	}
	if len(mark) == 0 {
		mark = append(c.Room(), uniqueBoundary...)
		mark = c.Built(mark).S
	}
	body := appendPartTo(append(append(append(c.Room(), "--"...), mark...), crlf...), text, kind, nil)
	body = append(append(append(append(body, "\r\n--"...), mark...), "--"...), crlf...)
	v := c.Built(body)
	if v.IsNull() {
		return -1
	}
	typ := append(append(append(c.Room(), `multipart/mixed;boundary="`...), mark...), '"')
	t := c.Built(typ)
	if t.IsNull() {
		return -1
	}
	if r := setBody(c, v.S, t.S); r <= 0 || m.HeaderByName("Mime-Version", 0) >= 0 {
		return r
	}
	return c.InsertRows(m.HeaderEnd, append(c.Room(), "Mime-Version: 1.0\r\n"...))
}

// appendPartTo appends headers and text of a part.
func appendPartTo(b, text, kind, way []byte) []byte {
	b = append(append(append(b, "Content-Type: "...), kind...), crlf...)
	if len(way) > 0 {
		b = append(append(append(b, "Content-Disposition: "...), way...), crlf...)
	}
	return append(append(b, crlf...), text...)
}

// appendPart is append_body_part: in front of the closing delimiter.
func appendPart(c *route.Ctx, text, kind, way []byte) route.Result {
	mark := c.Boundary()
	if len(mark) == 0 || len(kind) == 0 || bytes.ContainsAny(kind, "\r\n") ||
		bytes.ContainsAny(way, "\r\n") {
		return -1
	}
	body := c.Msg.Body()
	last := -1
	for at := route.Delimiter(body, 0, mark); at >= 0; at = route.Delimiter(body, at+2+len(mark),
		mark) {
		last = at
	}
	if last < 0 {
		return -1
	}
	part := appendPartTo(append(append(append(c.Room(), "--"...), mark...), crlf...), text, kind, way)
	v := c.Built(append(part, crlf...))
	if v.IsNull() {
		return -1
	}
	return c.Insert(c.Msg.BodyStart+uint32(last), v.S)
}
