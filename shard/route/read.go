package route

import "viaduct/parser"

// What a message says and where it came from, for the language and for the variables of modules.
// Each text is a view, and each tells whether there is something.

// readMethod is the keyword method.
func readMethod(c *Ctx) ([]byte, bool) { return c.Msg.MethodBytes(), c.Msg.IsRequest }

// readStatus is the keyword status.
func readStatus(c *Ctx) ([]byte, bool) {
	if c.Msg.IsRequest || len(c.Msg.Raw) < 12 {
		return nil, false
	}
	// "SIP/2.0 200 …": the three digits of a parsed status line.
	i := int(c.Msg.StartLine.Off) + len("SIP/2.0 ")
	return c.Msg.Raw[i : i+3 : i+3], true
}

// Method is the method, in a response that of CSeq.
func (c *Ctx) Method() ([]byte, bool) {
	if c.Msg.IsRequest {
		return c.Msg.MethodBytes(), true
	}
	cs, r := c.Msg.CSeq()
	return c.Msg.Bytes(cs.MethodName), r == parser.OK
}

// MessageType is 1 for a request, 2 for a response.
func (c *Ctx) MessageType() (int64, bool) {
	if c.Msg.IsRequest {
		return 1, true
	}
	return 2, true
}

// RURI is the text of the Request-URI as it is now.
func (c *Ctx) RURI() ([]byte, bool) {
	if c.Request == nil || c.Request.IsHTTP() { // that has a target: $hu
		return nil, false
	}
	b := c.Request.RequestURI()
	return b, len(b) > 0
}

// DURI is the text of the outbound URI, which is where the request goes if it is set.
func (c *Ctx) DURI() ([]byte, bool) {
	if c.Request == nil {
		return nil, false
	}
	b := c.Request.DstURI()
	return b, len(b) > 0
}

// FromURI is the text of the URI of From, ToURI that of To.
func (c *Ctx) FromURI() ([]byte, bool) {
	a, r := c.Msg.From()
	if r != parser.OK {
		return nil, false
	}
	return c.Msg.Bytes(a.URI), true
}

// ToURI is described at FromURI.
func (c *Ctx) ToURI() ([]byte, bool) {
	a, r := c.Msg.To()
	if r != parser.OK {
		return nil, false
	}
	return c.Msg.Bytes(a.URI), true
}

// ParsedFrom is the URI of From, ParsedTo that of To, nil if it is none. They are parsed on use,
// since scripts rarely ask twice. Either lives until the next one, or ParseURI.
func (c *Ctx) ParsedFrom() *parser.URI {
	b, ok := c.FromURI()
	return c.headerURI(b, ok)
}

// ParsedTo is described at ParsedFrom.
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

// CallID is the Call-ID.
func (c *Ctx) CallID() ([]byte, bool) {
	b := c.Msg.CallID()
	return b, b != nil
}

// CSeq is the number of CSeq.
func (c *Ctx) CSeq() (int64, bool) {
	cs, r := c.Msg.CSeq()
	return int64(cs.Number), r == parser.OK
}

// Body is the body, of which there is none if it is empty; an HTTP request has one always.
func (c *Ctx) Body() ([]byte, bool) {
	b := c.Msg.Body()
	return b, len(b) > 0 || c.Request != nil && c.Request.IsHTTP()
}

// First is the value of the first header of a kind.
func (c *Ctx) First(k parser.Kind) ([]byte, bool) {
	i := c.Msg.First(k)
	if i < 0 {
		return nil, false
	}
	return c.Msg.Bytes(c.Msg.Headers[i].Value), true
}

// Header is a value of the headers called name, 0 the first; a negative number counts from the
// last.
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
	return m.Bytes(m.Headers[i].Value), true
}

// SourceIP is the address that the message came from, ReceivedIP the one it came to: without
// brackets (5.6.3). The text is made in the scratch room.
func (c *Ctx) SourceIP() ([]byte, bool) {
	start := len(c.buf)
	c.buf = c.From().Addr().Unmap().WithZone("").AppendTo(c.buf)
	return c.buf[start:len(c.buf):len(c.buf)], true
}

// ReceivedIP is described at SourceIP.
func (c *Ctx) ReceivedIP() ([]byte, bool) {
	start := len(c.buf)
	c.buf = c.LocalAddr().Addr().Unmap().WithZone("").AppendTo(c.buf)
	return c.buf[start:len(c.buf):len(c.buf)], true
}

// TransportWord is the protocol that the message came in by, as scripts call it.
func (c *Ctx) TransportWord() ([]byte, bool) { return transportName(c.Transport()) }

// transportName is the lower-case name of t. It returns false if no script can name it.
func transportName(t Transport) ([]byte, bool) { return t.Lower(), t <= SCTP }

// transportOf is the transport parameter's protocol, or what the scheme implies.
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

// text is v as bytes; a number is written into the scratch room.
func (c *Ctx) text(v *Value) []byte {
	if v.Kind != intValue {
		return v.S
	}
	start := len(c.buf)
	c.buf = v.appendStr(c.buf)
	return c.buf[start:len(c.buf):len(c.buf)]
}
