package siputils

import (
	"bytes"
	"encoding/base64"

	"viaduct/parser"
	"viaduct/shard/route"
)

// contactParams declares the functions that keep a whole Contact in a parameter of another URI.
func contactParams(m *route.Module) {
	const in = route.InRequest | route.InReplies
	name := route.Text("name", "the parameter")
	route.Func2(m, "contact_param_encode", in, name,
		route.Text("uri", "the new URI"),
		"Replaces the URI of each Contact. The old URI goes into a parameter of the new one, in "+
			"base64url.",
		func(c *route.Ctx, name, uri []byte) route.Result {
			return eachContact(c, func(u *parser.URI, out []byte) []byte {
				out = append(append(append(append(out, uri...), ';'), name...), '=')
				return appendBase64(out, u.Raw)
			})
		})
	route.Func1(m, "contact_param_decode", in, name,
		"Restores the Contacts from what contact_param_encode wrote.",
		func(c *route.Ctx, name []byte) route.Result {
			return eachContact(c, func(u *parser.URI, out []byte) []byte {
				value, ok := param(u, name)
				if !ok {
					return out
				}
				return readBase64(out, value)
			})
		})
	decode := func(c *route.Ctx, name []byte) route.Result {
		u := c.RequestURI()
		if u == nil {
			return -1
		}
		value, ok := param(u, name)
		if !ok {
			return 1
		}
		out := readBase64(c.Room(), value)
		if out == nil {
			return -1
		}
		v := c.Built(out)
		if v.IsNull() {
			return -1
		}
		return c.SetRequestURI(v.S)
	}
	route.Func1(m, "contact_param_decode_ruri", route.InRequest, name,
		"Restores the Request-URI from what contact_param_encode wrote. It is true if the "+
			"parameter is missing.", decode)
	route.Func1(m, "contact_param_rm", in, name, "Removes a parameter from the URI of each "+
		"Contact.",
		func(c *route.Ctx, name []byte) route.Result {
			return eachContact(c, func(u *parser.URI, out []byte) []byte {
				start, end := route.FindParam(u.Params.Of(u.Raw), name)
				if start < 0 {
					return out
				}
				at := int(u.Params.Off)
				return append(append(out, u.Raw[:at+start]...), u.Raw[at+end:]...)
			})
		})
}

// param is the value of a URI's parameter.
func param(u *parser.URI, name []byte) ([]byte, bool) {
	params := u.Params.Of(u.Raw)
	start, end := route.FindParam(params, name)
	if start < 0 {
		return nil, false
	}
	_, value, _ := bytes.Cut(params[start:end], []byte{'='})
	return value, true
}

func appendBase64(out, raw []byte) []byte { return base64.RawURLEncoding.AppendEncode(out, raw) }

// readBase64 appends what the text stands for. It returns nil if that is no base64url of a URI.
func readBase64(out, text []byte) []byte {
	n := len(out)
	out, err := base64.RawURLEncoding.AppendDecode(out, bytes.TrimRight(text, "=-"))
	var u parser.URI
	if err != nil || parser.ParseURI(out[n:], &u) != parser.OK || u.Scheme == parser.SchemeOther {
		return nil
	}
	return out
}
