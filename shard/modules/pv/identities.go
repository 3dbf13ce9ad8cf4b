package pv

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

// identities are the variables of headers that say who somebody is.
func identities(m *route.Module) {
	address := func(name, header, doc string, part func(a *parser.NameAddr, raw []byte) []byte) {
		m.Var(route.Var{Name: name, Doc: doc + " of " + header + ".",
			Place: route.Place{NoRoom: true,
				Text: func(c *route.Ctx) ([]byte, bool) {
					i := c.Msg.HeaderByName(header, 0)
					var a parser.NameAddr
					if i < 0 || parser.ParseNameAddr(c.Msg.Raw, firstOf(c.Msg, i),
						&a) != parser.OK {
						return nil, false
					}
					b := part(&a, c.Msg.Raw)
					return b, len(b) > 0
				}}})
	}
	uri := func(a *parser.NameAddr, raw []byte) []byte { return a.URI.Of(raw) }
	of := func(pick func(u *parser.URI) parser.Span) func(a *parser.NameAddr, raw []byte) []byte {
		return func(a *parser.NameAddr, raw []byte) []byte {
			var u parser.URI
			if !parseURI(a.URI.Of(raw), &u) {
				return nil
			}
			return pick(&u).Of(u.Raw)
		}
	}
	address("ai", "P-Asserted-Identity", "The URI", uri)
	address("re", "Remote-Party-ID", "The URI", uri)
	address("di", "Diversion", "The URI", uri)
	address("pu", "P-Preferred-Identity", "The URI", uri)
	address("pU", "P-Preferred-Identity", "The user", of(func(u *parser.URI) parser.Span {
		return u.User
	}))
	address("pd", "P-Preferred-Identity", "The host", of(func(u *parser.URI) parser.Span {
		return u.Host
	}))
	address("pn", "P-Preferred-Identity", "The name",
		func(a *parser.NameAddr, raw []byte) []byte { return a.Display.Of(raw) })

	digest := func(name, doc string, pick func(c *route.Ctx, field func(string) []byte) []byte) {
		m.Var(route.Var{Name: name, Doc: doc + " of the credentials, Authorization before " +
			"Proxy-Authorization.", Place: route.Place{NoRoom: true,
			Text: func(c *route.Ctx) ([]byte, bool) {
				v := credentials(c.Msg)
				if v == nil {
					return nil, false
				}
				// what they lack is empty, and null only where there are none (5.6.3)
				return pick(c, func(name string) []byte { return digestField(v, name) }), true
			}}})
	}
	digest("au", "The username", func(_ *route.Ctx, f func(string) []byte) []byte {
		user, _, _ := bytes.Cut(f("username"), []byte{'@'})
		return user
	})
	digest("aU", "The whole username",
		func(_ *route.Ctx, f func(string) []byte) []byte { return f("username") })
	digest("ar", "The realm",
		func(_ *route.Ctx, f func(string) []byte) []byte { return f("realm") })
	digest("aa", "The algorithm",
		func(_ *route.Ctx, f func(string) []byte) []byte { return f("algorithm") })
	digest("adu", "The URI", func(_ *route.Ctx, f func(string) []byte) []byte { return f("uri") })
	digest("ad", "The domain of the username",
		func(_ *route.Ctx, f func(string) []byte) []byte {
			_, domain, _ := bytes.Cut(f("username"), []byte{'@'})
			return domain
		})
	for _, d := range [][2]string{{"adc", "cnonce"}, {"adn", "nonce"}, {"ado", "opaque"},
		{"adr", "response"}} {
		param := d[1]
		digest(d[0], "The "+param, func(_ *route.Ctx, f func(string) []byte) []byte {
			return f(param)
		})
	}

	m.Var(route.Var{Name: "hdrc", Inner: "name", Doc: "How many headers of that name there are.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
				n := int64(0)
				for i := c.Msg.HeaderByName(inner, 0); i >= 0; i = c.Msg.HeaderByName(inner, i+1) {
					n++
				}
				return n, true
			}}
		}})
}

// firstOf is the first value of a header: up to a comma outside of quotes and <>.
func firstOf(m *parser.Message, header int) parser.Span {
	return firstIn(m, m.Headers[header].Value)
}

// firstIn is the first value of s, a list.
func firstIn(m *parser.Message, s parser.Span) parser.Span {
	quoted, angle := false, false
	for i, b := range m.Bytes(s) {
		switch {
		case b == '"' && (i == 0 || m.Raw[int(s.Off)+i-1] != '\\'):
			quoted = !quoted
		case quoted:
		case b == '<':
			angle = true
		case b == '>':
			angle = false
		case b == ',' && !angle:
			return parser.Span{Off: s.Off, Len: uint32(i)}
		}
	}
	return s
}

// credentials are the parameters of the first Authorization, or of Proxy-Authorization, if they are
// of Digest. They are nil if there are none.
func credentials(m *parser.Message) []byte {
	for _, name := range [...]string{"Authorization", "Proxy-Authorization"} {
		if i := m.HeaderByName(name, 0); i >= 0 {
			v := m.Bytes(m.Headers[i].Value)
			if len(v) > 7 && bytes.EqualFold(v[:7], []byte("Digest ")) {
				return v[7:]
			}
		}
	}
	return nil
}

// digestField is a parameter of credentials, without its quotes.
func digestField(s []byte, name string) []byte {
	for len(s) > 0 {
		s = bytes.TrimLeft(s, " \t\r\n,")
		eq := bytes.IndexByte(s, '=')
		if eq < 0 {
			return nil
		}
		key, value := bytes.TrimSpace(s[:eq]), bytes.TrimLeft(s[eq+1:], " \t\r\n")
		if len(value) > 0 && value[0] == '"' {
			end := 1
			for end < len(value) && value[end] != '"' {
				if value[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end, len(value))
			s, value = value[min(end+1, len(value)):], value[1:end]
		} else {
			end := bytes.IndexByte(value, ',')
			if end < 0 {
				end = len(value)
			}
			s, value = value[end:], bytes.TrimSpace(value[:end])
		}
		if len(key) == len(name) && bytes.EqualFold(key, []byte(name)) {
			return value
		}
	}
	return nil
}
