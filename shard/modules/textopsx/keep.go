package textopsx

import (
	"bytes"
	"regexp"

	"viaduct/parser"
	"viaduct/shard/route"
)

// kept are the header fields that keep_hf leaves in any case.
const kept = 1<<parser.KindVia | 1<<parser.KindFrom | 1<<parser.KindTo | 1<<parser.KindCallID |
	1<<parser.KindCSeq | 1<<parser.KindContentLength | 1<<parser.KindContentType |
	1<<parser.KindMaxForwards | 1<<parser.KindContact | 1<<parser.KindRoute | 1<<parser.KindRecordRoute

// keepHeaders is keep_hf, which is false as in Kamailio, whatever it removed. Rows that touch are
// one edit.
func keepHeaders(c *route.Ctx, re *regexp.Regexp) route.Result {
	var out parser.Span
	for i := range c.Msg.Headers {
		h := &c.Msg.Headers[i]
		if kept>>h.Kind&1 != 0 || re != nil && re.Match(c.Msg.Bytes(h.Name)) {
			continue
		}
		if out.Len > 0 && out.End() == h.Line.Off {
			out.Len += h.Line.Len
			continue
		}
		if out.Len > 0 {
			if r := c.Edit(out, nil); r <= 0 {
				return r
			}
		}
		out = h.Line
	}
	if out.Len > 0 {
		if r := c.Edit(out, nil); r == 0 {
			return r
		}
	}
	return -1
}

// setBuffer is msg_set_buffer.
func setBuffer(c *route.Ctx, text []byte) route.Result {
	if !bytes.Contains(text, []byte("\r\n\r\n")) {
		return -1
	}
	return c.ReplaceMessage(text)
}
