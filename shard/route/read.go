package route

import "viaduct/parser"

// What a message says and where it came from, for the language and for the variables of modules.
// Each text is a view of the message or of the scratch room. Where there is nothing, the second
// result is false.

// readMethod reads the keyword method.
func readMethod(c *Ctx) ([]byte, bool) { return c.Msg.MethodBytes(), c.Msg.IsRequest }

// readStatus reads the keyword status.
func readStatus(c *Ctx) ([]byte, bool) {
	if c.Msg.IsRequest || len(c.Msg.Raw) < 12 {
		return nil, false
	}
	// "SIP/2.0 200 …": the three digits of a parsed status line.
	i := int(c.Msg.StartLine.Off) + len("SIP/2.0 ")
	return c.Msg.Raw[i : i+3 : i+3], true
}

// Method returns the method of the message, which for a response is that of CSeq.
func (c *Ctx) Method() ([]byte, bool) {
	if c.Msg.IsRequest {
		return c.Msg.MethodBytes(), true
	}
	cs, r := c.Msg.CSeq()
	return c.Msg.Bytes(cs.MethodName), r == parser.OK
}

// MessageType returns 1 for a request and 2 for a response.
func (c *Ctx) MessageType() (int64, bool) {
	if c.Msg.IsRequest {
		return 1, true
	}
	return 2, true
}

// RURI returns the text of the current Request-URI.
func (c *Ctx) RURI() ([]byte, bool) {
	if c.Request == nil || c.Request.IsHTTP() { // an HTTP request has a target instead: $hu
		return nil, false
	}
	b := c.Request.RequestURI()
	return b, len(b) > 0
}

// DURI returns the text of the outbound URI, where the request goes if it is set.
func (c *Ctx) DURI() ([]byte, bool) {
	if c.Request == nil {
		return nil, false
	}
	b := c.Request.DstURI()
	return b, len(b) > 0
}

// FromURI returns the text of the URI of From.
func (c *Ctx) FromURI() ([]byte, bool) {
	a, r := c.Msg.From()
	if r != parser.OK {
		return nil, false
	}
	return c.Msg.Bytes(a.URI), true
}

// ToURI returns the text of the URI of To.
func (c *Ctx) ToURI() ([]byte, bool) {
	a, r := c.Msg.To()
	if r != parser.OK {
		return nil, false
	}
	return c.Msg.Bytes(a.URI), true
}

// ParsedFrom returns the URI of From parsed. It returns nil if it is not a URI. It parses on each
// call, since scripts rarely ask twice. The result is valid until the next call of ParsedFrom,
// ParsedTo or ParseURI.
func (c *Ctx) ParsedFrom() *parser.URI {
	b, ok := c.FromURI()
	return c.headerURI(b, ok)
}

// ParsedTo is ParsedFrom for the URI of To.
func (c *Ctx) ParsedTo() *parser.URI {
	b, ok := c.ToURI()
	return c.headerURI(b, ok)
}

func (c *Ctx) headerURI(b []byte, ok bool) *parser.URI {
	if !ok || parser.ParseURI(b, &c.huri) != parser.OK {
		return nil
	}
	return &c.huri
}

// CallID returns the Call-ID.
func (c *Ctx) CallID() ([]byte, bool) {
	b := c.Msg.CallID()
	return b, b != nil
}

// CSeq returns the number in CSeq.
func (c *Ctx) CSeq() (int64, bool) {
	cs, r := c.Msg.CSeq()
	return int64(cs.Number), r == parser.OK
}

// Body returns the body. An empty body counts as none, except in an HTTP request.
func (c *Ctx) Body() ([]byte, bool) {
	b := c.Msg.Body()
	return b, len(b) > 0 || c.Request != nil && c.Request.IsHTTP()
}

// First returns the first header of a kind, with the blanks behind its value, as in Kamailio.
func (c *Ctx) First(k parser.Kind) ([]byte, bool) {
	i := c.Msg.First(k)
	if i < 0 {
		return nil, false
	}
	return c.Msg.Bytes(c.Msg.FieldBody(&c.Msg.Headers[i])), true
}

// Header returns what First does of header number at among those called name. 0 is the first, and
// -1 the last.
func (c *Ctx) Header(name string, at int) ([]byte, bool) {
	m := c.Msg
	if at < 0 {
		n := 0
		for i := m.HeaderByName(name, 0); i >= 0; i = m.HeaderByName(name, i+1) {
			n++
		}
		if at += n; at < 0 {
			return nil, false
		}
	}
	i := m.HeaderByName(name, 0)
	for ; i >= 0 && at > 0; at-- {
		i = m.HeaderByName(name, i+1)
	}
	if i < 0 {
		return nil, false
	}
	return m.Bytes(m.FieldBody(&m.Headers[i])), true
}

// SourceIP returns the address that the message came from, without brackets (5.6.3). The text is
// made in the scratch room.
func (c *Ctx) SourceIP() ([]byte, bool) {
	start := len(c.buf)
	c.buf = c.From().Addr().Unmap().WithZone("").AppendTo(c.buf)
	return c.buf[start:len(c.buf):len(c.buf)], true
}

// ReceivedIP returns the address that the message came to, as SourceIP does.
func (c *Ctx) ReceivedIP() ([]byte, bool) {
	start := len(c.buf)
	c.buf = c.LocalAddr().Addr().Unmap().WithZone("").AppendTo(c.buf)
	return c.buf[start:len(c.buf):len(c.buf)], true
}

// TransportWord returns the name that scripts use for the protocol that the message came in by.
func (c *Ctx) TransportWord() ([]byte, bool) { return transportName(c.Transport()) }

// transportName returns the lower-case name of t. It returns false if no script can name t.
func transportName(t Transport) ([]byte, bool) { return t.Lower(), t <= SCTP }

// transportOf returns the transport in the URI's transport parameter, or else what its scheme
// implies.
func transportOf(u *parser.URI) Transport {
	t := u.Transport()
	switch {
	case t != AnyTransport:
		return t
	case u.Scheme == parser.SIPS:
		return TLS
	}
	return UDP
}

// text returns v as text. A number is written into the scratch room.
func (c *Ctx) text(v *Value) []byte {
	if v.Kind != intValue {
		return v.S
	}
	start := len(c.buf)
	c.buf = v.appendStr(c.buf)
	return c.buf[start:len(c.buf):len(c.buf)]
}
