package uac

import (
	"bytes"
	"math/rand/v2"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// firstCSeq is the CSeq of a request, as Kamailio has it. What answers a challenge has the next.
const firstCSeq = 10

// build writes the request into f.text. It returns false if the header rows are none.
func (f *form) build(c *route.Ctx, userAgent string) bool {
	b := append(append(f.text[:0], f.texts[method]...), ' ')
	b = append(append(b, f.texts[ruri]...), " SIP/2.0\r\nTo: "...)
	b = appendAddress(b, f.or(turi, ruri))
	b = appendAddress(append(b, "\r\nFrom: "...), f.or(furi, ruri))
	b = c.AppendTag(append(b, ";tag="...))
	b = strconv.AppendInt(append(b, "\r\nCSeq: "...), firstCSeq, 10)
	b = append(append(append(b, ' '), f.texts[method]...), "\r\nCall-ID: "...)
	if id := f.get(callID); len(id) > 0 {
		b = append(b, id...)
	} else {
		b = c.AppendCallID(b)
	}
	content := f.get(body)
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(len(content)), 10)
	b = append(b, "\r\n"...)
	rows := bytes.TrimRight(f.get(headers), "\r\n")
	if !hasRow(rows, "User-Agent") && userAgent != "" {
		b = append(append(b, userAgent...), "\r\n"...)
	}
	if len(rows) > 0 {
		n := len(b)
		b = append(append(b, rows...), "\r\n"...)
		if !proxy.HeaderRows(b[n:]) {
			return false
		}
	}
	f.text = append(append(b, "\r\n"...), content...)
	return true
}

// or is a part, or the other one where that is not set.
func (f *form) or(x, other field) []byte {
	if s := f.get(x); len(s) > 0 {
		return s
	}
	return f.texts[other]
}

// appendAddress appends a URI in angle brackets, or a name with its URI as it stands.
func appendAddress(b, s []byte) []byte {
	if bytes.IndexByte(s, '<') >= 0 || len(s) > 0 && s[0] == '"' {
		return append(b, s...)
	}
	return append(append(append(b, '<'), s...), '>')
}

// hasRow tells whether one of the rows has that name.
func hasRow(rows []byte, name string) bool {
	for len(rows) > 0 {
		row, rest, _ := bytes.Cut(rows, []byte{'\n'})
		rows = rest
		if n, _, ok := bytes.Cut(row, []byte{':'}); ok && is(bytes.TrimRight(n, " \t"), name) {
			return true
		}
	}
	return false
}

// authorized is the request that was challenged, with the answer to the challenge and the next
// CSeq. It is nil where none can be made.
func (f *form) authorized(out *proxy.Finished) []byte {
	m, sent := out.M, out.Request
	if f.get(authUser) == nil || f.get(authPassword) == nil ||
		bytes.ContainsAny(f.texts[authUser], "\"\\\r\n") {
		return nil
	}
	kind, name := parser.KindWWWAuthenticate, "Authorization: "
	if m.Status == 407 {
		kind, name = parser.KindProxyAuthenticate, "Proxy-Authorization: "
	}
	cseq, bad := sent.CSeq()
	if bad != parser.OK {
		return nil
	}
	b := append(f.text[:0], sent.Bytes(sent.StartLine)...)
	b = append(b, "\r\n"...)
	for i := range sent.Headers {
		switch h := &sent.Headers[i]; h.Kind {
		case parser.KindVia:
		case parser.KindCSeq:
			b = strconv.AppendUint(append(b, "CSeq: "...), uint64(cseq.Number)+1, 10)
			b = append(append(append(b, ' '), sent.MethodBytes()...), "\r\n"...)
		default:
			b = append(b, h.Line.Of(sent.Raw)...)
		}
	}
	n := len(b)
	for row := m.First(kind); row >= 0 && n == len(b); row = m.Next(row) {
		var ch challenge
		if !ch.read(m.Bytes(m.Headers[row].Value)) {
			continue
		}
		d := digest{user: f.texts[authUser], password: f.texts[authPassword], realm: ch.realm,
			cnonce: rand.Uint64(), method: sent.MethodBytes(), uri: sent.Bytes(sent.URI),
			body: sent.Body()}
		b = append(d.appendAnswer(append(b, name...), &ch), "\r\n"...)
	}
	if n == len(b) {
		return nil
	}
	f.text = append(append(b, "\r\n"...), sent.Body()...)
	return f.text
}
