package siputils

import (
	"bytes"

	"viaduct/shard/route"
)

// uriParams declares the functions about parameters of the Request-URI. Their names are compared
// without case (RFC 3261 §19.1.4), which Kamailio does not.
func uriParams(m *route.Module) {
	const in = route.InRequest | route.InFailure | route.InBranch
	name := route.Text("name", "the parameter")
	value := route.Optional(route.Text("value", "its value; without it, the parameter must have "+
		"none"), nil)
	route.Func2(m, "uri_param", in, name, value,
		"Tells whether the Request-URI has a parameter with that value.",
		func(c *route.Ctx, name, value []byte) route.Result {
			is, ok := c.URIParam(name)
			return route.Truth(ok && bytes.Equal(is, value))
		})
	route.Func1(m, "uri_param_any", in, name,
		"Tells whether the Request-URI has a parameter, with or without a value.",
		func(c *route.Ctx, name []byte) route.Result {
			_, ok := c.URIParam(name)
			return route.Truth(ok)
		})
	route.Func1(m, "add_uri_param", route.InRequest,
		route.Text("param", "the parameter, such as nat=yes"), "Adds a parameter to the Request-URI.",
		func(c *route.Ctx, param []byte) route.Result {
			u := c.RequestURI()
			if u == nil {
				return -1
			}
			if len(param) == 0 {
				return 1
			}
			at := len(u.Raw)
			if u.HasHeaders {
				at = int(u.Headers.Off) - 1
			}
			out := append(append(append(append(c.Room(), u.Raw[:at]...), ';'), param...), u.Raw[at:]...)
			v := c.Built(out)
			if v.IsNull() {
				return -1
			}
			return c.SetRequestURI(v.S)
		}).ThroughRoutes(route.InFailure | route.InBranch)
	route.Func2(m, "get_uri_param", route.InRequest, name,
		route.Writable("result", "the variable for its value"),
		"Stores the value of a parameter of the Request-URI in a variable.",
		func(c *route.Ctx, name []byte, into *route.Place) route.Result {
			value, ok := c.URIParam(name)
			if !ok {
				return -1
			}
			return into.Put(c, route.TextValue(value))
		})
	route.Func1(m, "uri_param_rm", in, name,
		"Removes a parameter from the Request-URI. It is true if there is none.",
		func(c *route.Ctx, name []byte) route.Result {
			if _, ok := c.URIParam(name); !ok {
				return 1
			}
			return c.CutURIParam(name)
		})
}
