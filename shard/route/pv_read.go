package route

import (
	"viaduct/parser"
)

// Readers of what a message, its source and its target are. Each gives a view and whether there is
// something.

func readMethod(c *Ctx) ([]byte, bool) { return c.Msg.MethodBytes(), c.Msg.IsRequest }

// readMethodOf is $rm: the method, in a response that of CSeq.
func readMethodOf(c *Ctx) ([]byte, bool) {
	if c.Msg.IsRequest {
		return c.Msg.MethodBytes(), true
	}
	cs, r := c.Msg.CSeq()
	return c.Msg.Bytes(cs.MethodName), r == parser.OK
}

func readRURI(c *Ctx) ([]byte, bool) {
	if c.Request == nil {
		return nil, false
	}
	b := c.Request.RequestURI()
	return b, len(b) > 0
}

func readOrigURI(c *Ctx) ([]byte, bool) { return c.Msg.Bytes(c.Msg.URI), c.Msg.IsRequest }

func readDstURI(c *Ctx) ([]byte, bool) {
	if c.Request == nil {
		return nil, false
	}
	b := c.Request.DstURI()
	return b, len(b) > 0
}

func readStatus(c *Ctx) ([]byte, bool) {
	if c.Msg.IsRequest || len(c.Msg.Raw) < 12 {
		return nil, false
	}
	// "SIP/2.0 200 …": the three digits of a parsed status line.
	i := int(c.Msg.StartLine.Off) + len("SIP/2.0 ")
	return c.Msg.Raw[i : i+3 : i+3], true
}

func readPhrase(c *Ctx) ([]byte, bool) { return c.Msg.Bytes(c.Msg.Phrase), !c.Msg.IsRequest }

// fromURI and toURI are parsed on use; scripts rarely ask twice.
func (c *Ctx) fromURI() *parser.URI {
	b, ok := readFromURI(c)
	return c.headerURI(b, ok)
}

func (c *Ctx) toURI() *parser.URI {
	b, ok := readToURI(c)
	return c.headerURI(b, ok)
}

func (c *Ctx) headerURI(b []byte, ok bool) *parser.URI {
	if !ok || parser.ParseURI(b, &c.huri) != parser.OK {
		return nil
	}
	return &c.huri
}

func readFromURI(c *Ctx) ([]byte, bool) {
	a, r := c.Msg.From()
	if r != parser.OK {
		return nil, false
	}
	return c.Msg.Bytes(a.URI), true
}

func readToURI(c *Ctx) ([]byte, bool) {
	a, r := c.Msg.To()
	if r != parser.OK {
		return nil, false
	}
	return c.Msg.Bytes(a.URI), true
}

func readFromTag(c *Ctx) ([]byte, bool) {
	a, r := c.Msg.From()
	if r != parser.OK || a.Tag.Len == 0 {
		return nil, false
	}
	return c.Msg.Bytes(a.Tag), true
}

func readToTag(c *Ctx) ([]byte, bool) {
	a, r := c.Msg.To()
	if r != parser.OK || a.Tag.Len == 0 {
		return nil, false
	}
	return c.Msg.Bytes(a.Tag), true
}

func readFromName(c *Ctx) ([]byte, bool) {
	a, r := c.Msg.From()
	if r != parser.OK || a.Display.Len == 0 {
		return nil, false
	}
	return c.Msg.Bytes(a.Display), true
}

func readToName(c *Ctx) ([]byte, bool) {
	a, r := c.Msg.To()
	if r != parser.OK || a.Display.Len == 0 {
		return nil, false
	}
	return c.Msg.Bytes(a.Display), true
}

func readCallID(c *Ctx) ([]byte, bool) {
	b := c.Msg.CallID()
	return b, b != nil
}

func readCSeq(c *Ctx) (int64, bool) {
	cs, r := c.Msg.CSeq()
	return int64(cs.Number), r == parser.OK
}

func readMsgType(c *Ctx) (int64, bool) {
	if c.Msg.IsRequest {
		return 1, true
	}
	return 2, true
}

// first is the value of the first header of kind k.
func (c *Ctx) first(k parser.Kind) ([]byte, bool) {
	i := c.Msg.First(k)
	if i < 0 {
		return nil, false
	}
	return c.Msg.Bytes(c.Msg.Headers[i].Value), true
}

func readUserAgent(c *Ctx) ([]byte, bool)   { return c.first(parser.KindUserAgent) }
func readContact(c *Ctx) ([]byte, bool)     { return c.first(parser.KindContact) }
func readContentType(c *Ctx) ([]byte, bool) { return c.first(parser.KindContentType) }

func readContentLength(c *Ctx) (int64, bool) {
	n, r := c.Msg.ContentLength()
	return int64(n), r == parser.OK && n >= 0
}

func readBody(c *Ctx) ([]byte, bool) {
	b := c.Msg.Body()
	return b, len(b) > 0
}

// readSrcIP is $si: no brackets (5.6.3). The text is made in the scratch room.
func readSrcIP(c *Ctx) ([]byte, bool) {
	start := len(c.buf)
	c.buf = c.From().Addr().Unmap().WithZone("").AppendTo(c.buf)
	return c.buf[start:len(c.buf):len(c.buf)], true
}

func readRcvIP(c *Ctx) ([]byte, bool) {
	start := len(c.buf)
	c.buf = c.to().Addr().Unmap().WithZone("").AppendTo(c.buf)
	return c.buf[start:len(c.buf):len(c.buf)], true
}

func readProto(c *Ctx) ([]byte, bool) { return transportName(c.Transport()) }

// transportName is the lower-case name of t. It returns false if no script can name it.
func transportName(t Transport) ([]byte, bool) { return t.Lower(), t <= SCTP }

// readSrcHost is $siz: $si with brackets around an address of IPv6.
func readSrcHost(c *Ctx) ([]byte, bool) {
	start := len(c.buf)
	c.buf = appendHost(c.buf, c.From().Addr().Unmap().WithZone(""))
	return c.buf[start:len(c.buf):len(c.buf)], true
}

// readProtoNumber is $prid: UDP is 1, then TCP, TLS, SCTP, WS and WSS.
func readProtoNumber(c *Ctx) (int64, bool) {
	switch c.Transport() {
	case UDP:
		return 1, true
	case TCP:
		return 2, true
	case TLS:
		return 3, true
	case SCTP:
		return 4, true
	case WS:
		return 5, true
	case WSS:
		return 6, true
	}
	return 0, false
}
