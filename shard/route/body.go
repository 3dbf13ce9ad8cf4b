package route

import (
	"bytes"

	"viaduct/parser"
)

// What modules need to read the body of a message.

// BodyPart is one part of a multipart body (RFC 2046 §5.1.1), as spans of the message.
type BodyPart struct {
	All   parser.Span // from its delimiter up to the next one
	Heads parser.Span // its headers and the empty line
	Text  parser.Span // what follows its headers
	Kind  []byte      // its media type, nil if it has no Content-Type
}

var (
	multipart   = []byte("multipart/")
	sdpType     = []byte("application/sdp")
	contentType = []byte("Content-Type")
	lineFeed    = []byte("\n")
	crOnly      = []byte("\r")
)

// Line splits off the first line of b. It returns that line without its line end, and the rest.
func Line(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return bytes.TrimSuffix(b[:i], crOnly), b[i+1:]
	}
	return b, nil
}

// MediaType returns the type/subtype of a Content-Type value, without parameters. It returns nil if
// b does not begin with a media type.
func MediaType(b []byte) []byte {
	b, _, _ = bytes.Cut(b, []byte{';'})
	b = bytes.TrimSpace(b)
	kind, sub, ok := bytes.Cut(b, []byte{'/'})
	if !ok || !IsToken(string(kind)) || !IsToken(string(sub)) {
		return nil
	}
	return b
}

// MediaType returns the media type in Content-Type. It returns nil if there is none.
func (c *Ctx) MediaType() []byte {
	if !c.Msg.Has(parser.KindContentType) {
		return nil
	}
	return MediaType(c.Msg.ValueOf(parser.KindContentType))
}

// Boundary returns the boundary of a multipart body, without the leading hyphens. It returns nil if
// the body is not multipart.
func (c *Ctx) Boundary() []byte {
	i := c.Msg.First(parser.KindContentType)
	if i < 0 {
		return nil
	}
	v := c.Msg.Headers[i].Value
	b := c.Msg.Bytes(v)
	semi := bytes.IndexByte(b, ';')
	if len(b) < len(multipart) || !bytes.EqualFold(b[:len(multipart)], multipart) || semi < 0 {
		return nil
	}
	value, _, ok := parser.Param(c.Msg.Raw,
		parser.Span{Off: v.Off + uint32(semi), Len: v.Len - uint32(semi)}, "boundary")
	if !ok {
		return nil
	}
	return bytes.Trim(c.Msg.Bytes(value), `"`)
}

// BodyParts calls f for each part of a multipart body until f returns false.
func (c *Ctx) BodyParts(f func(p *BodyPart) bool) {
	mark := c.Boundary()
	body := c.Msg.Body()
	if len(mark) == 0 {
		return
	}
	for at := Delimiter(body, 0, mark); at >= 0; {
		next := Delimiter(body, at+2+len(mark), mark)
		if next < 0 {
			return // the last one ends it
		}
		p := BodyPart{All: parser.Span{Off: c.Msg.BodyStart + uint32(at), Len: uint32(next - at)}}
		_, rest := Line(body[at:next])
		p.Heads.Off = p.All.End() - uint32(len(rest))
		for len(rest) > 0 {
			var l []byte
			if l, rest = Line(rest); len(l) == 0 {
				break
			}
			name, value, ok := bytes.Cut(l, []byte{':'})
			if ok && bytes.EqualFold(bytes.TrimSpace(name), contentType) {
				p.Kind = MediaType(value)
			}
		}
		text := bytes.TrimSuffix(bytes.TrimSuffix(rest, lineFeed), crOnly)
		p.Text = parser.Span{Off: p.All.End() - uint32(len(rest)), Len: uint32(len(text))}
		p.Heads.Len = p.Text.Off - p.Heads.Off
		if !f(&p) {
			return
		}
		at = next
	}
}

// Delimiter returns the offset of the first line of body at or after from that begins with
// "--mark". It returns -1 if there is none.
func Delimiter(body []byte, from int, mark []byte) int {
	for i := from; i < len(body); {
		rest, dashes := bytes.CutPrefix(body[i:], []byte("--"))
		if dashes && bytes.HasPrefix(rest, mark) {
			return i
		}
		n := bytes.IndexByte(body[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
	}
	return -1
}

// SDP returns the session description of the message: its body, or the first part of that type. As
// in Kamailio, a part includes the line end before the next delimiter. It returns false if there is
// none.
func (c *Ctx) SDP() (at parser.Span, ok bool) {
	body := c.Msg.Body()
	if len(body) == 0 {
		return at, false
	}
	if bytes.EqualFold(c.MediaType(), sdpType) {
		return parser.Span{Off: c.Msg.BodyStart, Len: uint32(len(body))}, true
	}
	c.BodyParts(func(p *BodyPart) bool {
		if bytes.EqualFold(p.Kind, sdpType) {
			at, ok = parser.Span{Off: p.Text.Off, Len: p.All.End() - p.Text.Off}, true
			return false
		}
		return true
	})
	return at, ok
}
