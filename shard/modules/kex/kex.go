// Package kex has functions about the destination of a request: Kamailio's module kex.
package kex

import (
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	uri := route.Text("uri", "a URI")
	route.Func1(m, "is_myself", route.Anywhere, uri,
		"Tells whether host and port of a URI are ours.",
		func(c *route.Ctx, uri []byte) route.Result {
			u := c.ParseURI(uri)
			if u == nil {
				return -1
			}
			return route.Truth(c.Shard.Core.IsMyself(u.HostBytes(), int(u.Port), proxy.AnyProto))
		})
	route.Func1(m, "setdsturi", route.Anywhere, uri, "Sets $du.",
		func(c *route.Ctx, uri []byte) route.Result { return c.SetDstURI(uri) })
	route.Func0(m, "resetdsturi", route.Anywhere, "Takes $du away.",
		func(c *route.Ctx) route.Result { return c.SetDstURI(nil) })
	route.Func0(m, "isdsturiset", route.Anywhere, "Tells whether $du is set.",
		func(c *route.Ctx) route.Result { return route.Truth(c.HasDstURI()) })
}
