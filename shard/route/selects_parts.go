package route

import (
	"bytes"
	"strconv"
	"strings"

	"viaduct/parser"
)

// addrSelect compiles the steps that follow a name-addr.
func addrSelect(value valueAt, steps []selStep) textOf {
	if len(steps) == 0 {
		return func(c *Ctx) ([]byte, bool) {
			s, ok := value(c)
			return c.Msg.Bytes(s), ok
		}
	}
	part := func(pick func(a *parser.NameAddr) parser.Span) textOf {
		return func(c *Ctx) ([]byte, bool) {
			s, ok := value(c)
			var a parser.NameAddr
			if !ok || parser.ParseNameAddr(c.Msg.Raw, s, &a) != parser.OK {
				return nil, false
			}
			p := pick(&a)
			return c.Msg.Bytes(p), p.Len > 0
		}
	}
	params := part(func(a *parser.NameAddr) parser.Span { return a.Params })
	switch name := steps[0].name; name {
	case "uri", "nameaddr":
		if name == "nameaddr" {
			if len(steps) < 2 {
				return nil
			}
			return addrSelect(value, steps[1:])
		}
		return uriSelect(part(func(a *parser.NameAddr) parser.Span { return a.URI }), steps[1:])
	case "name":
		return part(func(a *parser.NameAddr) parser.Span { return a.Display })
	case "params", "param", "p":
		return paramSelect(params, steps)
	default:
		return paramSelect(params, append([]selStep{{name: "params"}}, steps...))
	}
}

// paramSelect compiles .params, .params.NAME and .param["NAME"] of a parameter list that begins
// with a semicolon.
func paramSelect(list textOf, steps []selStep) textOf {
	name := ""
	switch {
	case len(steps) == 1 && !steps[0].has:
		return func(c *Ctx) ([]byte, bool) {
			b, ok := list(c)
			return bytes.TrimPrefix(b, []byte{';'}), ok && len(b) > 0
		}
	case len(steps) == 1:
		name = steps[0].text
	case len(steps) == 2 && !steps[1].has:
		name = steps[1].name
	}
	if name == "" {
		return nil
	}
	lower := strings.ToLower(name)
	return func(c *Ctx) ([]byte, bool) {
		b, ok := list(c)
		if !ok {
			return nil, false
		}
		v, _, there := parser.Param(b, parser.Span{Len: uint32(len(b))}, lower)
		return unquoted(v.Of(b)), there
	}
}

// unquoted returns a value without its quotes.
func unquoted(b []byte) []byte {
	if n := len(b); n > 1 && b[0] == '"' && b[n-1] == '"' {
		return b[1 : n-1 : n-1]
	}
	return b
}

// uriSelect compiles the steps that follow a URI.
func uriSelect(uri textOf, steps []selStep) textOf {
	if len(steps) == 0 {
		return uri
	}
	part := func(pick func(c *Ctx, u *parser.URI) ([]byte, bool)) textOf {
		return func(c *Ctx) ([]byte, bool) {
			b, ok := uri(c)
			if !ok || parser.ParseURI(b, &c.huri) != parser.OK {
				return nil, false
			}
			return pick(c, &c.huri)
		}
	}
	span := func(pick func(u *parser.URI) parser.Span) textOf {
		return part(func(_ *Ctx, u *parser.URI) ([]byte, bool) {
			s := pick(u)
			return s.Of(u.Raw), s.Len > 0
		})
	}
	switch steps[0].name {
	case "type":
		return span(func(u *parser.URI) parser.Span { return u.SchemeName })
	case "user":
		return span(func(u *parser.URI) parser.Span { return u.User })
	case "rn_user":
		// the number alone, without a routing number such as ;rn=1 (RFC 4694)
		return part(func(_ *Ctx, u *parser.URI) ([]byte, bool) {
			b, _, _ := bytes.Cut(u.User.Of(u.Raw), []byte{';'})
			return b, len(b) > 0
		})
	case "sip_user":
		return uri
	case "pwd":
		return span(func(u *parser.URI) parser.Span { return u.Password })
	case "host":
		return span(func(u *parser.URI) parser.Span { return u.Host })
	case "port":
		return part(func(c *Ctx, u *parser.URI) ([]byte, bool) {
			return c.number(int64(u.Port)), u.Port != 0
		})
	case "hostport":
		return part(func(c *Ctx, u *parser.URI) ([]byte, bool) {
			start := len(c.buf)
			c.buf = append(c.buf, u.HostBytes()...)
			c.buf = strconv.AppendUint(append(c.buf, ':'), uint64(u.EffectivePort()), 10)
			return c.buf[start:len(c.buf):len(c.buf)], u.Host.Len > 0
		})
	case "params":
		return paramSelect(span(func(u *parser.URI) parser.Span { return u.Params }), steps)
	case "headers":
		return span(func(u *parser.URI) parser.Span { return u.Headers })
	case "transport":
		return part(func(_ *Ctx, u *parser.URI) ([]byte, bool) {
			return transportName(transportOf(u))
		})
	}
	return nil
}

// number writes n into the scratch room and returns the text.
func (c *Ctx) number(n int64) []byte {
	start := len(c.buf)
	c.buf = strconv.AppendInt(c.buf, n, 10)
	return c.buf[start:len(c.buf):len(c.buf)]
}

// viaSelect compiles the steps that follow a Via: name, version, transport, host, port, params, and
// parameters by their names.
func viaSelect(value valueAt, steps []selStep) textOf {
	whole := func(c *Ctx) ([]byte, bool) {
		s, ok := value(c)
		return c.Msg.Bytes(s), ok
	}
	if len(steps) == 0 {
		return whole
	}
	part := func(pick func(v *viaParts) []byte) textOf {
		return func(c *Ctx) ([]byte, bool) {
			b, ok := whole(c)
			if !ok {
				return nil, false
			}
			v := splitVia(b)
			p := pick(&v)
			return p, len(p) > 0
		}
	}
	params := part(func(v *viaParts) []byte { return v.params })
	switch steps[0].name {
	case "name":
		return part(func(v *viaParts) []byte { return v.name })
	case "version":
		return part(func(v *viaParts) []byte { return v.version })
	case "transport":
		return part(func(v *viaParts) []byte { return v.transport })
	case "host":
		return part(func(v *viaParts) []byte { return v.host })
	case "port":
		return part(func(v *viaParts) []byte { return v.port })
	case "params", "param", "p":
		return paramSelect(params, steps)
	}
	return paramSelect(params, append([]selStep{{name: "params"}}, steps...))
}

// viaParts is a Via taken apart. An empty part is absent.
type viaParts struct{ name, version, transport, host, port, params []byte }

func splitVia(b []byte) (v viaParts) {
	name, rest, _ := bytes.Cut(b, []byte{'/'})
	version, rest, _ := bytes.Cut(rest, []byte{'/'})
	v.name, v.version = bytes.TrimSpace(name), bytes.TrimSpace(version)
	rest = bytes.TrimLeft(rest, " \t\r\n")
	i := bytes.IndexAny(rest, " \t\r\n")
	if i < 0 {
		return v
	}
	v.transport = rest[:i]
	sentBy := bytes.TrimLeft(rest[i:], " \t\r\n")
	if i := bytes.IndexByte(sentBy, ';'); i >= 0 {
		sentBy, v.params = sentBy[:i], sentBy[i:]
	}
	v.host = bytes.TrimSpace(sentBy)
	if i := bytes.LastIndexByte(v.host, ':'); i >= 0 && !bytes.HasSuffix(v.host, []byte{']'}) {
		v.host, v.port = bytes.TrimSpace(v.host[:i]), bytes.TrimSpace(v.host[i+1:])
	}
	return v
}
