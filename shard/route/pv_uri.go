package route

import (
	"bytes"

	"viaduct/parser"
)

// uriPart picks a piece of a URI.
type uriPart func(u *parser.URI) ([]byte, bool)

func userOf(u *parser.URI) ([]byte, bool)   { return u.UserBytes(), u.User.Len > 0 }
func hostOf(u *parser.URI) ([]byte, bool)   { return u.HostBytes(), u.Host.Len > 0 }
func schemeOf(u *parser.URI) ([]byte, bool) { return u.SchemeName.Of(u.Raw), true }

// part applies p to what u gives.
func part(u func(c *Ctx) *parser.URI, p uriPart) func(c *Ctx) ([]byte, bool) {
	return func(c *Ctx) ([]byte, bool) {
		if x := u(c); x != nil {
			return p(x)
		}
		return nil, false
	}
}

func ruriPart(p uriPart) func(c *Ctx) ([]byte, bool) { return part((*Ctx).requestURI, p) }
func dstPart(p uriPart) func(c *Ctx) ([]byte, bool)  { return part((*Ctx).dstURI, p) }
func fromPart(p uriPart) func(c *Ctx) ([]byte, bool) { return part((*Ctx).fromURI, p) }
func toPart(p uriPart) func(c *Ctx) ([]byte, bool)   { return part((*Ctx).toURI, p) }
func origPart(p uriPart) func(c *Ctx) ([]byte, bool) { return part((*Ctx).origURI, p) }

// origURI is the Request-URI as received.
func (c *Ctx) origURI() *parser.URI {
	u, r := c.Msg.RequestURI()
	if r != parser.OK {
		return nil
	}
	return u
}

// portOf is the port a URI means: 5060 or 5061 when none is written ($rp of sip:h is 5060 in
// 5.6.3).
func portOf(u *parser.URI) (int64, bool) {
	if u == nil {
		return 0, false
	}
	return int64(u.EffectivePort()), true
}

func ruriPort(c *Ctx) (int64, bool) { return portOf(c.requestURI()) }
func origPort(c *Ctx) (int64, bool) { return portOf(c.origURI()) }
func dstPort(c *Ctx) (int64, bool)  { return portOf(c.dstURI()) }

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

// ruriTransport is $rP, in capitals (5.6.3).
func ruriTransport(c *Ctx) ([]byte, bool) {
	u := c.requestURI()
	if u == nil {
		return nil, false
	}
	t := transportOf(u)
	return t.Upper(), t <= SCTP
}

// dstTransport is $dP, in small letters (5.6.3).
func dstTransport(c *Ctx) ([]byte, bool) {
	u := c.dstURI()
	if u == nil {
		return nil, false
	}
	return transportName(transportOf(u))
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

func done(ok bool) setResult {
	if !ok {
		return setRefused
	}
	return setDone
}

// setRURI is $ru = v.
func setRURI(c *Ctx, v Value) setResult {
	b := c.text(&v)
	if len(b) == 0 || c.Request == nil {
		return setRefused
	}
	c.ruri.forget()
	return done(c.Request.SetRequestURI(b))
}

// setDstURI is $du = v; $null removes it.
func setDstURI(c *Ctx, v Value) setResult {
	if c.Request == nil {
		return setRefused
	}
	c.duri.forget()
	return done(c.Request.SetDstURI(c.text(&v)))
}

type whichPart uint8

const (
	userPart whichPart = iota
	hostPart
	portPart
)

// setPart is $rU, $rd or $rp = v: the Request-URI is written anew with that part changed. $null and
// "" remove user and port.
func setPart(which whichPart) func(c *Ctx, v Value) setResult {
	return func(c *Ctx, v Value) setResult {
		u := c.requestURI()
		if u == nil || u.Host.Len == 0 {
			return setRefused
		}
		b := c.text(&v)
		if which == hostPart && len(b) == 0 || bytes.ContainsAny(b, " \t\r\n") {
			return setRefused
		}
		if which == portPart && len(b) > 0 {
			if n := atoi(b); n < 1 || n > 65535 {
				return setRefused
			}
		}
		p := partsOf(u)
		switch which {
		case userPart:
			p.user = b
		case hostPart:
			p.host = b
		case portPart:
			p.port = uint16(atoi(b))
		}
		return c.setParts(&p)
	}
}
