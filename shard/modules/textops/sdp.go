package textops

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

var (
	mLine    = []byte("m=")
	audio    = []byte("m=audio ")
	nowhere  = []byte("c=IN IP4 0.0.0.0")
	sendonly = []byte("a=sendonly")
	inactive = []byte("a=inactive")
)

// onHold is is_audio_on_hold: RFC 3264 §8.4, and the older form with no address.
func onHold(c *route.Ctx) route.Result {
	sessionHeld, inAudio, above := false, false, true
	for l, rest := route.Line(c.Msg.Body()); len(l)+len(rest) > 0; l, rest = route.Line(rest) {
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

// filterBody is filter_body. Content-Type goes on to say multipart, and there is nothing to filter
// in a body of one part, both as in Kamailio.
func filterBody(c *route.Ctx, kind string) route.Result {
	body := c.Msg.Body()
	if len(c.Boundary()) == 0 {
		return -1
	}
	var keep route.BodyPart
	found := false
	c.BodyParts(func(p *route.BodyPart) bool {
		if foldASCII(p.Kind, []byte(kind)) {
			keep, found = *p, true
		}
		return !found
	})
	if !found {
		return -1
	}
	start, end := c.Msg.BodyStart, c.Msg.BodyStart+uint32(len(body))
	if r := c.Edit(parser.Span{Off: start, Len: keep.Text.Off - start}, nil); r <= 0 {
		return r
	}
	if r := c.Edit(parser.Span{Off: keep.Text.End(), Len: end - keep.Text.End()}, nil); r <= 0 {
		return r
	}
	return 1
}
