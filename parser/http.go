package parser

import "bytes"

// ParseHTTP is Parse for an HTTP request (RFC 9112), whose header rows are those of a SIP message.
// MethodName and URI are those of its first line, URI being any request target.
func (m *Message) ParseHTTP(b []byte) Reason {
	reason := m.Parse(b)
	if reason != BadRequestLine || !m.IsRequest {
		if reason == OK {
			reason = BadVersion // it is SIP
		}
		return reason
	}
	start, line := m.StartLine.Off, m.StartLine.Of(b)
	method, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if method <= 0 || last <= method+1 || !bytes.HasPrefix(line[last+1:], []byte("HTTP/")) ||
		bytes.IndexByte(line[method+1:last], ' ') >= 0 {
		return BadRequestLine
	}
	m.MethodName = Span{start, uint32(method)}
	m.URI = Span{start + uint32(method) + 1, uint32(last - method - 1)}
	return OK
}
