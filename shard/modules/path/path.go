// Package path adds Path to a REGISTER (RFC 3327): Kamailio's module path.
package path

import (
	"bytes"

	"viaduct/shard/route"
)

// Define declares the module.
func Define(m *route.Module) {
	set := &m.Settings().Proxy
	m.BoolVar(&set.UseReceived, "use_received",
		"Whether loose_route goes where the received parameter of our Route says. A parameter that is "+
			"no URI is ignored.")
	m.BoolVar(&set.PathAlias, "received_format", "How that parameter says it: as a URI (0), or as "+
		"address~port~protocol (1), like the alias of module nathelper.")
	m.TextVar(&set.PathReceived, "received_name", "The name of that parameter.")
	m.Check("received_name", func(s string, _ int64) string {
		if !isToken(s) {
			return "is " + route.Quote(s) + "; it is made of letters, digits and -.!%*_+`'~"
		}
		return ""
	})
	m.BoolVar(&set.PathR2, "enable_r2",
		"Whether two rows are added, even if the request leaves by the "+
			"listener that it came by. The upper row is of the listener that it leaves by, the lower one "+
			"of the other, as with Record-Route.")
	m.BoolVar(&set.PathNames, "sockname_mode",
		"Whether the row says the listener's name, as sn=NAME, if "+
			"the listener has one.")

	user := route.Optional(route.Text("user", "its user part"), nil)
	params := route.Optional(route.Text("params", "its parameters"), nil)
	add := func(name, doc string, received bool) {
		route.Func2(m, name, route.InRequest, user, params, doc,
			func(c *route.Ctx, user, params []byte) route.Result {
				if bytes.ContainsAny(user, " \t\r\n<>@?;") || !inPath(params) {
					return -1
				}
				return route.Truth(c.Request.AddPath(user, params, received))
			}).ThroughRoutes(route.InFailure | route.InBranch)
	}
	add("add_path", "Adds a Path with the listener that the request leaves by. False: the user or "+
		"the parameters cannot stand in a URI, or are longer than 512 bytes.", false)
	add("add_path_received",
		"Adds a Path as add_path does, and the row says where the request came from.", true)
}

// inPath tells whether parameters can stand within the brackets of a Path.
func inPath(params []byte) bool {
	for _, ch := range params {
		if ch <= ' ' || ch >= 0x7f || ch == '<' || ch == '>' || ch == '"' || ch == '?' ||
			ch == ',' {
			return false
		}
	}
	return true
}

// isToken tells whether a text is a token (RFC 3261 §25.1).
func isToken(s string) bool {
	for i := range len(s) {
		ch := s[i]
		if (ch|0x20 < 'a' || ch|0x20 > 'z') && (ch < '0' || ch > '9') &&
			bytes.IndexByte([]byte("-.!%*_+`'~"), ch) < 0 {
			return false
		}
	}
	return len(s) > 0
}
