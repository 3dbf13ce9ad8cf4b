package route

import (
	"bytes"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/proxy"
)

// Composer writes requests to be sent from here. It keeps its memory from one to the next.
type Composer struct {
	m    parser.Message // of the headers as they were given
	Text []byte         // what Compose has written
}

// Compose writes a request with these header rows, which have From and To at least, and
// Content-Type if there is a body. Call-ID, CSeq, User-Agent and the tag of From are added where
// they are missing. It returns false if the rows are none, or some are missing.
func (s *Composer) Compose(c *Ctx, method, uri, rows, body []byte,
	userAgent string) bool {
	rows = bytes.TrimRight(rows, "\r\n")
	if len(rows) == 0 || len(method) == 0 {
		return false
	}
	b := append(append(s.Text[:0], method...), ' ')
	b = append(append(b, uri...), " SIP/2.0\r\n"...)
	at := len(b)
	b = append(append(b, rows...), "\r\n"...)
	if !proxy.HeaderRows(b[at:]) {
		return false
	}
	s.Text = append(b, "\r\n"...)
	m := &s.m
	if m.Parse(s.Text) != parser.OK {
		return false
	}
	from, reason := m.From()
	if reason != parser.OK || !m.Has(parser.KindTo) ||
		len(body) > 0 && !m.Has(parser.KindContentType) {
		return false
	}
	head := bytes.Clone(s.Text[:len(s.Text)-2])
	b = append(s.Text[:0], head[:at]...)
	for i := range m.Headers {
		h := &m.Headers[i]
		line := head[h.Line.Off:h.Line.End()]
		switch {
		case h.Kind == parser.KindContentLength:
		case h.Kind == parser.KindFrom && from.Tag.Empty():
			end := from.Value.End() - h.Line.Off
			b = append(append(b, line[:end]...), ";tag="...)
			b = append(c.AppendTag(b), line[end:]...)
		default:
			b = append(b, line...)
		}
	}
	if !m.Has(parser.KindCSeq) {
		b = append(append(append(b, "CSeq: 10 "...), method...), "\r\n"...)
	}
	if !m.Has(parser.KindCallID) {
		b = append(c.AppendCallID(append(b, "Call-ID: "...)), "\r\n"...)
	}
	if !m.Has(parser.KindUserAgent) && userAgent != "" {
		b = append(append(b, userAgent...), "\r\n"...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	s.Text = append(append(b, "\r\n\r\n"...), body...)
	return true
}
