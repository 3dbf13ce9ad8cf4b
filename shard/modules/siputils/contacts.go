package siputils

import (
	"bytes"
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route"
)

// contacts declares the functions that write where a Contact is into the user of another URI, and
// read it from there.
func contacts(m *route.Module) {
	sep := m.Text("contact_flds_separator", "*",
		"Its first character separates the fields of an encoded contact.")
	m.Check("contact_flds_separator", func(s string, _ int64) string {
		if s == "" {
			return "is empty; it takes a character that no field has"
		}
		return ""
	})
	const in = route.InRequest | route.InReplies
	prefix := route.Text("prefix", "the word that marks an encoded contact")
	route.Func2(m, "encode_contact", in, prefix, route.Text("host", "the host, one of this "+
		"server's"),
		"Writes user, password, host, port and transport of each Contact into the user of another URI.",
		func(c *route.Ctx, prefix, host []byte) route.Result {
			return eachContact(c, func(u *parser.URI, out []byte) []byte {
				return encodeContact(u, prefix, host, (*sep)[0], out)
			})
		})
	route.Func0(m, "decode_contact", route.InRequest,
		"Restores the Request-URI from what encode_contact wrote.",
		func(c *route.Ctx) route.Result {
			u := c.RequestURI()
			if u == nil {
				return -1
			}
			out := decodeContact(u, (*sep)[0], c.Room())
			if out == nil {
				return notEncoded
			}
			v := c.Built(out)
			if v.IsNull() {
				return -1
			}
			return c.SetRequestURI(v.S)
		})
	route.Func0(m, "decode_contact_header", in|route.InFailure,
		"Restores the Contacts from what encode_contact wrote. False: one of them was not written "+
			"by it.",
		func(c *route.Ctx) route.Result {
			return eachContact(c, func(u *parser.URI, out []byte) []byte {
				return decodeContact(u, (*sep)[0], out)
			})
		})
}

// notEncoded is the result for what encode_contact has not written.
const notEncoded = -26

// eachContact puts what made gives in the place of the URI of each Contact. It leaves those that
// made gives back as nil, and is false then. A Contact of * has nothing to do.
func eachContact(c *route.Ctx, made func(u *parser.URI, out []byte) []byte) route.Result {
	result := route.Result(1)
	for v := c.Msg.Values(parser.KindContact); v.Next(); {
		var a parser.NameAddr
		if bytes.Equal(c.Msg.Bytes(v.Value), []byte("*")) {
			continue
		}
		if c.Msg.NameAddr(v.Value, &a) != parser.OK {
			return -1
		}
		u := c.ParseURI(c.Msg.Bytes(a.URI))
		if u == nil {
			return -1
		}
		out := c.Room()
		if !a.Bracket {
			out = append(out, '<')
		}
		n := len(out)
		out = made(u, out)
		switch {
		case out == nil:
			result = notEncoded
			continue
		case len(out) == n:
			continue // it stays
		}
		if !a.Bracket {
			out = append(out, '>')
		}
		if len(out) > cap(c.Room()) {
			c.TooLong()
			return -1
		}
		if bytes.ContainsAny(out, "\r\n") {
			return -1 // a row would begin in the middle of it
		}
		if r := c.Edit(a.URI, out); r <= 0 {
			return r
		}
	}
	return result
}

func encodeContact(u *parser.URI, prefix, host []byte, sep byte, out []byte) []byte {
	out = append(append(out, "sip:"...), prefix...)
	out = append(append(out, sep), u.UserBytes()...)
	out = append(append(out, sep), u.Password.Of(u.Raw)...)
	out = append(append(out, sep), u.HostBytes()...)
	out = append(out, sep)
	if u.Port != 0 {
		out = strconv.AppendUint(out, uint64(u.Port), 10)
	}
	out = append(out, sep)
	if t, ok := u.Param("transport"); ok {
		out = append(out, t...)
	}
	return append(append(out, '@'), host...)
}

// decodeContact is nil for what encodeContact has not written.
func decodeContact(u *parser.URI, sep byte, out []byte) []byte {
	fields := u.UserBytes()
	var field [6][]byte // prefix, user, password, host, port, transport
	for i := range field {
		at := bytes.IndexByte(fields, sep)
		if at < 0 != (i == len(field)-1) {
			return nil
		}
		if at < 0 {
			at = len(fields)
		}
		field[i], fields = fields[:at], fields[min(at+1, len(fields)):]
	}
	out = append(out, "sip:"...)
	if user, password := field[1], field[2]; len(user) > 0 {
		out = append(out, user...)
		if len(password) > 0 {
			out = append(append(out, ':'), password...)
		}
		out = append(out, '@')
	}
	out = append(out, field[3]...)
	if port := field[4]; len(port) > 0 {
		out = append(append(out, ':'), port...)
	}
	if transport := field[5]; len(transport) > 0 {
		out = append(append(out, ";transport="...), transport...)
	}
	return out
}
