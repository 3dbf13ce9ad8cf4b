package sanity

import (
	"bytes"

	"viaduct/parser"
)

// checkAuth looks at each Authorization and Proxy-Authorization.
func checkAuth(m *parser.Message) *Fault {
	for _, kind := range [...]parser.Kind{parser.KindAuthorization, parser.KindProxyAuthorization} {
		if !m.Has(kind) {
			continue
		}
		for row := m.First(kind); row >= 0; row = m.Next(row) {
			if f := checkDigestOf(m.Headers[row].Value.Of(m.Raw)); f != nil {
				return f
			}
		}
	}
	return nil
}

// The parameters of credentials that are looked for (RFC 7616 §3.4).
const (
	username = 1 << iota
	realm
	nonce
	uri
	response
	qop
	nc
	cnonce
	always  = username | realm | nonce | uri | response
	withQop = qop | nc | cnonce
)

// checkDigestOf looks at credentials. Those of another scheme than Digest, such as Bearer (RFC
// 8898), are of no matter here; Kamailio fails them, without an answer.
func checkDigestOf(v []byte) *Fault {
	const scheme = "Digest"
	if len(v) <= len(scheme) || !is(v[:len(scheme)], scheme) || !blank(v[len(scheme)]) {
		return nil
	}
	seen, user := 0, []byte(nil)
	for v = v[len(scheme):]; ; {
		v = bytes.TrimLeft(v, " \t\r\n,")
		if len(v) == 0 {
			break
		}
		name, value, rest, ok := nextParam(v)
		if !ok {
			return badAuth
		}
		v = rest
		if len(value) == 0 && !is(name, "username") && !is(name, "realm") {
			continue // as if it were not there
		}
		switch {
		case is(name, "username"):
			seen, user = seen|username, value
		case is(name, "realm"):
			seen |= realm
		case is(name, "nonce"):
			seen |= nonce
		case is(name, "uri"):
			seen |= uri
		case is(name, "response"):
			seen |= response
		case is(name, "qop"):
			seen |= qop
		case is(name, "nc"):
			seen |= nc
		case is(name, "cnonce"):
			seen |= cnonce
		}
	}
	switch {
	case seen&username != 0 && len(user) == 0:
		return emptyUser
	case seen&always != always || seen&qop != 0 && seen&withQop != withQop:
		return badCredentials
	}
	return nil
}

// nextParam reads one parameter. A value in quotes is given without them, with its backslashes.
func nextParam(v []byte) (name, value, rest []byte, ok bool) {
	i := bytes.IndexByte(v, '=')
	if i <= 0 {
		return nil, nil, nil, false
	}
	name, v = bytes.TrimSpace(v[:i]), bytes.TrimLeft(v[i+1:], " \t\r\n")
	if len(v) > 0 && v[0] == '"' {
		for i = 1; i < len(v) && v[i] != '"'; i++ {
			if v[i] == '\\' {
				i++
			}
		}
		if i >= len(v) {
			return nil, nil, nil, false
		}
		return name, v[1:i], v[i+1:], true
	}
	if i = bytes.IndexByte(v, ','); i < 0 {
		i = len(v)
	}
	return name, bytes.TrimSpace(v[:i]), v[i:], true
}

func is(name []byte, want string) bool { return bytes.EqualFold(name, []byte(want)) }

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
