package route

import "bytes"

func done(ok bool) setResult {
	if !ok {
		return setRefused
	}
	return setDone
}

// SetRURI assigns v to $ru.
func (c *Ctx) SetRURI(v Value) SetResult {
	b := c.text(&v)
	if len(b) == 0 || c.Request == nil {
		return setRefused
	}
	c.ruri.forget()
	return done(c.Request.SetRequestURI(b))
}

// SetDURI assigns v to $du. Null removes it.
func (c *Ctx) SetDURI(v Value) SetResult {
	if c.Request == nil {
		return setRefused
	}
	c.duri.forget()
	return done(c.Request.SetDstURI(c.text(&v)))
}

// URIPart is a part of the Request-URI that a script sets through a variable.
type URIPart uint8

// The parts: $rU, $rd and $rp.
const (
	UserPart URIPart = iota
	HostPart
	PortPart
)

// SetURIPart rewrites the Request-URI with one part changed. Null and an empty text remove the user
// or the port.
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
