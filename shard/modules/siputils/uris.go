package siputils

import (
	"bytes"

	"viaduct/parser"
	"viaduct/shard/route"
)

// uris declares the functions that compare URIs and make one of another.
func uris(m *route.Module) {
	a, b := route.Text("uri", "a URI"), route.Text("other", "another one")
	route.Func2(m, "cmp_uri", route.Anywhere, a, b,
		"Tells whether two URIs are equal by RFC 3261 §19.1.4. -2: one of them is not "+
			"a URI.", cmpURI)
	route.Func2(m, "cmp_aor", route.Anywhere, a, b,
		"Tells whether two URIs name the same user at the same host and port. -2: one of them is "+
			"not a URI.", cmpAOR)

	route.Func3(m, "tel2sip", route.Anywhere&^route.InOnsend, route.Text("uri", "a URI"),
		route.Text("host", "the host of the SIP URI"),
		route.Writable("result", "the variable for the SIP URI"),
		"Turns a telephone number into a SIP URI (RFC 3261 §19.1.6). 2: it is not a telephone "+
			"number.", telToSIP)

	place := route.Writable("uri", "the URI")
	route.Func2(m, "set_uri_user", route.Anywhere, place, route.Text("user", "the user; empty: none"),
		"Changes the user of a URI and removes its password.",
		func(c *route.Ctx, uri *route.Place, user []byte) route.Result {
			return setURIUser(c, uri, user)
		})
	route.Func2(m, "set_uri_host", route.Anywhere, place, route.Text("host", "the host"),
		"Changes the host of a URI; its port stays.",
		func(c *route.Ctx, uri *route.Place, host []byte) route.Result {
			return setURIHost(c, uri, host)
		})
}

// both parses two URIs.
func both(a, b []byte, u, v *parser.URI) bool {
	return parser.ParseURI(a, u) == parser.OK && parser.ParseURI(b, v) == parser.OK &&
		u.Scheme != parser.SchemeOther && v.Scheme != parser.SchemeOther
}

// cmpURI is cmp_uri. Escapes are compared as they are written and headers not at all, as in
// Kamailio.
func cmpURI(_ *route.Ctx, a, b []byte) route.Result {
	var u, v parser.URI
	if !both(a, b, &u, &v) {
		return -2
	}
	if bytes.Equal(a, b) {
		return 1
	}
	return route.Truth(u.Scheme == v.Scheme && u.Port == v.Port &&
		bytes.Equal(u.UserBytes(), v.UserBytes()) &&
		bytes.Equal(u.Password.Of(u.Raw), v.Password.Of(v.Raw)) &&
		bytes.EqualFold(u.HostBytes(), v.HostBytes()) && paramsMeet(&u, &v) && paramsMeet(&v, &u))
}

// paramsMeet tells whether no parameter of u speaks against v (RFC 3261 §19.1.4): one that both
// have is the same, and those that must be in both or in neither are. Kamailio takes a missing
// transport for the default.
func paramsMeet(u, v *parser.URI) bool {
	for rest := u.Params.Of(u.Raw); len(rest) > 0; {
		var p []byte
		p, rest = cutParam(rest)
		name, value, _ := bytes.Cut(p, []byte{'='})
		start, end := route.FindParam(v.Params.Of(v.Raw), name)
		if start >= 0 {
			_, other, _ := bytes.Cut(v.Params.Of(v.Raw)[start+1:end], []byte{'='})
			if !bytes.EqualFold(value, other) {
				return false
			}
			continue
		}
		for _, must := range [...]string{"user", "ttl", "method", "maddr"} {
			if sameFold(name, must) {
				return false
			}
		}
		if sameFold(name, "transport") && !sameFold(value, "udp") {
			return false
		}
	}
	return true
}

// cutParam is the first of parameters, without its semicolon, and the rest.
func cutParam(params []byte) (first, rest []byte) {
	params = params[1:]
	if i := bytes.IndexByte(params, ';'); i >= 0 {
		return params[:i], params[i:]
	}
	return params, nil
}

// cmpAOR is cmp_aor.
func cmpAOR(_ *route.Ctx, a, b []byte) route.Result {
	var u, v parser.URI
	if !both(a, b, &u, &v) {
		return -2
	}
	port := func(u *parser.URI) uint16 {
		if u.Port == 0 {
			return 5060 // also of sips, as in Kamailio
		}
		return u.Port
	}
	return route.Truth(port(&u) == port(&v) && bytes.Equal(u.UserBytes(), v.UserBytes()) &&
		bytes.EqualFold(u.HostBytes(), v.HostBytes()))
}

// telToSIP is tel2sip.
func telToSIP(c *route.Ctx, uri, host []byte, into *route.Place) route.Result {
	if !foldPrefix(uri, "tel:") {
		return 2
	}
	out := append(c.Room(), "sip:"...)
	number, params, _ := bytes.Cut(uri[4:], []byte{';'})
	for _, d := range number {
		if d != '-' && d != '.' && d != '(' && d != ')' {
			out = append(out, d)
		}
	}
	if len(params) > 0 {
		out = append(out, ';')
	}
	for _, d := range params {
		if d >= 'A' && d <= 'Z' {
			d += 'a' - 'A'
		}
		out = append(out, d)
	}
	out = append(append(append(out, '@'), host...), ";user=phone"...)
	v := c.Built(out)
	if v.IsNull() || len(host) == 0 {
		return -1
	}
	return into.Put(c, v)
}

// setURIUser is set_uri_user.
func setURIUser(c *route.Ctx, at *route.Place, user []byte) route.Result {
	v := at.Value(c)
	uri := c.TextOf(v)
	colon := bytes.IndexByte(uri, ':')
	if colon < 0 {
		return -1
	}
	rest := uri[colon+1:]
	if i := bytes.IndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	out := append(c.Room(), uri[:colon+1]...)
	if len(user) > 0 {
		out = append(append(out, user...), '@')
	}
	if v = c.Built(append(out, rest...)); v.IsNull() {
		return -1
	}
	return at.Put(c, v)
}

// setURIHost is set_uri_host.
func setURIHost(c *route.Ctx, at *route.Place, host []byte) route.Result {
	v := at.Value(c)
	uri := c.TextOf(v)
	start := bytes.IndexByte(uri, ':') + 1
	if start == 0 || len(host) == 0 {
		return -1
	}
	if i := bytes.IndexByte(uri[start:], '@'); i >= 0 {
		start += i + 1
	}
	end := start
	if end < len(uri) && uri[end] == '[' {
		end += max(bytes.IndexByte(uri[end:], ']'), 0)
	}
	for end < len(uri) && bytes.IndexByte([]byte(":;?>"), uri[end]) < 0 {
		end++
	}
	out := append(append(append(c.Room(), uri[:start]...), host...), uri[end:]...)
	if v = c.Built(out); v.IsNull() {
		return -1
	}
	return at.Put(c, v)
}
