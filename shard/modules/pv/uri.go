package pv

import (
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route"
)

// uris are the transformations {uri.…}. What is no URI is null, a part that it has not is empty.
func uris(m *route.Module) {
	part := func(name, doc string, of func(u *parser.URI) []byte) {
		route.Transform0(m, "uri."+name, doc, func(c *route.Ctx, v route.Value) route.Value {
			var u parser.URI
			if !parseURI(c.TextOf(v), &u) {
				return route.Null
			}
			return view(of(&u))
		})
	}
	host := func(u *parser.URI) []byte { return u.Host.Of(u.Raw) }
	part("user", "The user of a URI, the number of a tel URI.",
		func(u *parser.URI) []byte { return u.User.Of(u.Raw) })
	part("passwd", "The password.", func(u *parser.URI) []byte { return u.Password.Of(u.Raw) })
	part("host", "The host.", host)
	part("domain", "The host.", host)
	part("params", "The parameters.", uriParams)
	part("headers", "The part after the question mark.",
		func(u *parser.URI) []byte { return u.Headers.Of(u.Raw) })
	part("scheme", "The scheme, as it is written.",
		func(u *parser.URI) []byte { return u.SchemeName.Of(u.Raw) })
	for _, p := range []struct{ name, param string }{{"transport", "transport"}, {"ttl", "ttl"},
		{"uparam", "user"}, {"maddr", "maddr"}, {"method", "method"}, {"lr", "lr"}, {"r2", "r2"}} {
		part(p.name, "The value of the parameter "+p.param+".",
			func(u *parser.URI) []byte { return uriParam(u, p.param) })
	}
	route.Transform0(m, "uri.port", "The port. None is 0 as a number, empty as a text.",
		func(c *route.Ctx, v route.Value) route.Value {
			var u parser.URI
			if !parseURI(c.TextOf(v), &u) {
				return route.Null
			}
			if u.Port == 0 {
				return route.NoNumber
			}
			return route.IntValue(int64(u.Port))
		})
	route.Transform1(m, "uri.param", route.Text("name", "the name; case is ignored"),
		"The value of a parameter.", func(c *route.Ctx, v route.Value, name []byte) route.Value {
			var u parser.URI
			if !parseURI(c.TextOf(v), &u) {
				return route.Null
			}
			return view(uriParam(&u, name))
		})

	whole := func(name, doc string, build func(dst []byte, u *parser.URI) []byte) {
		made(m, "uri."+name, doc, maker{func(dst, b []byte) ([]byte, bool) {
			var u parser.URI
			if !parseURI(b, &u) {
				return dst, false
			}
			return build(dst, &u), true
		}, times(1, 32)})
	}
	whole("tosocket", "The address as proto:host:port; empty if there is no parameter transport.",
		toSocket)
	whole("saor", "The URI with scheme, user and host.", func(dst []byte, u *parser.URI) []byte {
		return append(scheme(dst, u, true), u.Host.Of(u.Raw)...)
	})
	whole("suri", "The URI with scheme, user, host, port and transport.",
		func(dst []byte, u *parser.URI) []byte { return address(scheme(dst, u, true), u) })
	whole("duri", "The URI with scheme, host, port and transport, as $du has it.",
		func(dst []byte, u *parser.URI) []byte { return address(scheme(dst, u, false), u) })
}

// parseURI takes the schemes that Kamailio knows.
func parseURI(b []byte, u *parser.URI) bool {
	return parser.ParseURI(b, u) == parser.OK && u.Scheme != parser.SchemeOther
}

// uriParams are the parameters without the first semicolon. Those of a number belong to its user in
// Kamailio, and are not shown.
func uriParams(u *parser.URI) []byte {
	b := u.Params.Of(u.Raw)
	if len(b) == 0 || u.Scheme != parser.SIP && u.Scheme != parser.SIPS {
		return nil
	}
	return b[1:]
}

// uriParam is the value of a parameter, of several the last.
func uriParam[N []byte | string](u *parser.URI, name N) (value []byte) {
	l := paramList{b: uriParams(u), sep: ';'}
	for {
		p, ok := l.next()
		if !ok {
			return value
		}
		if sameFold(p.name, name) {
			value = p.value
		}
	}
}

func toSocket(dst []byte, u *parser.URI) []byte {
	t := uriParam(u, "transport")
	for _, proto := range transports[1:] {
		if sameFold(t, proto) {
			port := u.Port
			if port == 0 {
				port = 5060 // for TLS too
			}
			dst = append(append(dst, proto...), ':')
			dst = append(append(dst, u.Host.Of(u.Raw)...), ':')
			return strconv.AppendUint(dst, uint64(port), 10)
		}
	}
	return dst
}

// transports are the names of Kamailio's numbers of transports.
var transports = [...]string{"", "udp", "tcp", "tls", "sctp", "ws", "wss"}

func scheme(dst []byte, u *parser.URI, user bool) []byte {
	dst = append(append(dst, u.SchemeName.Of(u.Raw)...), ':')
	if user && u.User.Len > 0 {
		dst = append(append(dst, u.User.Of(u.Raw)...), '@')
	}
	return dst
}

func address(dst []byte, u *parser.URI) []byte {
	dst = append(dst, u.Host.Of(u.Raw)...)
	if u.Port != 0 {
		dst = strconv.AppendUint(append(dst, ':'), uint64(u.Port), 10)
	}
	if t := uriParam(u, "transport"); len(t) > 0 {
		dst = append(append(dst, ";transport="...), t...)
	}
	return dst
}

// aliases are the transformations {urialias.…}, of the value that parameter alias has with module
// nathelper: host~port~number of the transport.
func aliases(m *route.Module) {
	made(m, "urialias.encode", "The address of a URI as an alias.", maker{
		func(dst, b []byte) ([]byte, bool) {
			var u parser.URI
			if len(b) == 0 {
				return dst, false
			}
			if !parseURI(b, &u) {
				return dst, true
			}
			port, number := u.Port, 1
			if port == 0 {
				port = 5060
			}
			for i, t := range transports[1:] {
				if sameFold(uriParam(&u, "transport"), t) {
					number = i + 1
				}
			}
			dst = append(append(dst, u.Host.Of(u.Raw)...), '~')
			dst = append(strconv.AppendUint(dst, uint64(port), 10), '~')
			return strconv.AppendInt(dst, int64(number), 10), true
		}, times(1, 32)})
	made(m, "urialias.decode", "The URI of an alias; empty if it is not an alias.", maker{
		func(dst, b []byte) ([]byte, bool) {
			host, port, number := selected(b, 0, '~'), selected(b, 1, '~'), selected(b, 2, '~')
			if len(number) != 1 || number[0] < '1' || number[0] > '6' || len(host) == 0 ||
				len(port) == 0 {
				return dst, len(b) > 0
			}
			dst = append(append(dst, "sip:"...), host...)
			dst = append(append(dst, ':'), port...)
			if t := transports[number[0]-'0']; t != "udp" {
				dst = append(append(dst, ";transport="...), t...)
			}
			return dst, true
		}, times(1, 32)})
}
