package route

import "bytes"

func done(ok bool) setResult {
	if !ok {
		return setRefused
	}
	return setDone
}

// SetRURI is $ru = v.
func (c *Ctx) SetRURI(v Value) SetResult {
	b := c.text(&v)
	if len(b) == 0 || c.Request == nil {
		return setRefused
	}
	c.ruri.forget()
	return done(c.Request.SetRequestURI(b))
}

// SetDURI is $du = v; null removes it.
func (c *Ctx) SetDURI(v Value) SetResult {
	if c.Request == nil {
		return setRefused
	}
	c.duri.forget()
	return done(c.Request.SetDstURI(c.text(&v)))
}

// URIPart is a part of the Request-URI that a script sets by a variable.
type URIPart uint8

// The parts: $rU, $rd and $rp.
const (
	UserPart URIPart = iota
	HostPart
	PortPart
)

// SetURIPart writes the Request-URI anew, with that part changed. Null and an empty text remove
// user and port.
func (c *Ctx) SetURIPart(which URIPart, v Value) SetResult {
	u := c.requestURI()
	if u == nil || u.Host.Len == 0 {
		return setRefused
	}
	b := c.text(&v)
	if which == HostPart && len(b) == 0 || bytes.ContainsAny(b, " \t\r\n") {
		return setRefused
	}
	if which == PortPart && len(b) > 0 {
		if n := atoi(b); n < 1 || n > 65535 {
			return setRefused
		}
	}
	p := partsOf(u)
	switch which {
	case UserPart:
		p.user = b
	case HostPart:
		p.host = b
	case PortPart:
		p.port = uint16(atoi(b))
	}
	return c.setParts(&p)
}
