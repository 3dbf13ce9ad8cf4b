// Package path adds Path to a REGISTER (RFC 3327): Kamailio's module path.
package path

import (
	"bytes"

	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	m.BoolVar(&m.Settings().Proxy.UseReceived, "use_received",
		"Follows the received parameter of a Route.")
	m.IdleInt("the source is written as a URI", "received_format")
	m.IdleText("the parameter is received, as in RFC 3327", "received_name")
	m.IdleInt("one Path is added, of the listener the request came in on", "enable_r2")
	m.IdleInt("Path carries addresses, not socket names", "sockname_mode")

	user := route.Optional(route.Text("user", "its user part"), nil)
	params := route.Optional(route.Text("params", "its parameters"), nil)
	add := func(name, doc string, received bool) {
		route.Func2(m, name, route.InRequest, user, params, doc,
			func(c *route.Ctx, user, params []byte) route.Result {
				if bytes.ContainsAny(user, " \t\r\n<>@?;") || !inPath(params) {
					return -1
				}
				return route.Truth(c.Request.AddPath(user, params, received))
			})
	}
	add("add_path", "Adds a Path with our address.", false)
	add("add_path_received", "Adds a Path with our address, and where the request came from.", true)
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
