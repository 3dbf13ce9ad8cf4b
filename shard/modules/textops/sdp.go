package textops

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

var (
	mLine         = []byte("m=")
	audio         = []byte("m=audio ")
	nowhere       = []byte("c=IN IP4 0.0.0.0")
	sendonly      = []byte("a=sendonly")
	inactive      = []byte("a=inactive")
	multipart     = []byte("multipart/")
	boundaryParam = "boundary"
)

// line is the first line of b without its end, and what follows it.
func line(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return bytes.TrimSuffix(b[:i], cr), b[i+1:]
	}
	return b, nil
}

// onHold is is_audio_on_hold: RFC 3264 §8.4, and the older form with no address.
func onHold(c *route.Ctx) route.Result {
	sessionHeld, inAudio, above := false, false, true
	for l, rest := line(c.Msg.Body()); len(l)+len(rest) > 0; l, rest = line(rest) {
		held := bytes.Equal(l, nowhere) || bytes.Equal(l, sendonly) || bytes.Equal(l, inactive)
		switch {
		case bytes.HasPrefix(l, mLine):
			inAudio, above = bytes.HasPrefix(l, audio), false
			if inAudio && sessionHeld {
				return 1
			}
		case held && above:
			sessionHeld = true
		case held && inAudio:
			return 1
		}
	}
	return -1
}

// boundary is what stands between the parts of the body, without the hyphens. It is nil if it is
// not multipart.
func boundary(c *route.Ctx) []byte {
	i := c.Msg.First(parser.KindContentType)
	if i < 0 {
		return nil
	}
	v := c.Msg.Headers[i].Value
	b := c.Msg.Bytes(v)
	if len(b) < len(multipart) || !foldASCII(b[:len(multipart)], multipart) {
		return nil
	}
	semi := bytes.IndexByte(b, ';')
	if semi < 0 {
		return nil
	}
	value, _, ok := parser.Param(c.Msg.Raw,
		parser.Span{Off: v.Off + uint32(semi), Len: v.Len - uint32(semi)}, boundaryParam)
	if !ok {
		return nil
	}
	return bytes.Trim(c.Msg.Bytes(value), `"`)
}

// A bodyPart is one part of a multipart body, as spans of the message.
type bodyPart struct {
	all  parser.Span // from its delimiter to the next
	text parser.Span // behind its headers
	kind []byte      // its media type; nil means none is said
}

// parts calls f with each part until that returns false.
func parts(c *route.Ctx, f func(p *bodyPart) bool) {
	mark := boundary(c)
	body := c.Msg.Body()
	if mark == nil {
		return
	}
	for at := delimiter(body, 0, mark); at >= 0; {
		next := delimiter(body, at+2+len(mark), mark)
		if next < 0 {
			return // the last one ends it
		}
		p := bodyPart{all: parser.Span{Off: c.Msg.BodyStart + uint32(at), Len: uint32(next - at)}}
		_, rest := line(body[at:next])
		for len(rest) > 0 {
			var l []byte
			if l, rest = line(rest); len(l) == 0 {
				break
			}
			if name, value, ok := bytes.Cut(l, []byte{':'}); ok &&
				foldASCII(bytes.TrimSpace(name), []byte("Content-Type")) {
				p.kind = mediaType(value)
			}
		}
		text := bytes.TrimSuffix(bytes.TrimSuffix(rest, lf), cr)
		p.text = parser.Span{Off: p.all.End() - uint32(len(rest)), Len: uint32(len(text))}
		if !f(&p) {
			return
		}
		at = next
	}
}

// delimiter is where a line "--mark" begins, at from or behind it. It is -1 if it is nowhere.
func delimiter(body []byte, from int, mark []byte) int {
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

// filterBody is filter_body. Content-Type goes on to say multipart, as in Kamailio.
func filterBody(c *route.Ctx, kind string) route.Result {
	body := c.Msg.Body()
	if boundary(c) == nil {
		return route.Truth(hasBody(c, kind) > 0)
	}
	var keep bodyPart
	found := false
	parts(c, func(p *bodyPart) bool {
		if foldASCII(p.kind, []byte(kind)) {
			keep, found = *p, true
		}
		return !found
	})
	if !found {
		return -1
	}
	start, end := c.Msg.BodyStart, c.Msg.BodyStart+uint32(len(body))
	if r := c.Edit(parser.Span{Off: start, Len: keep.text.Off - start}, nil); r <= 0 {
		return r
	}
	if r := c.Edit(parser.Span{Off: keep.text.End(), Len: end - keep.text.End()}, nil); r <= 0 {
		return r
	}
	return 1
}
