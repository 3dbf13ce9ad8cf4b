// Package maxfwd counts the hops that a request may still take: Kamailio's module maxfwd (RFC 3261
// §16.3 item 3).
package maxfwd

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	most := m.Int("max_limit", 70, 1, 255, "A request that asks for more hops leaves with so many.")

	limit := route.Int("limit", 1, 255,
		"what a request without the header leaves with", route.Clamped)
	route.Func1(m, "mf_process_maxfwd_header", route.InRequest, limit,
		"Takes one off Max-Forwards, or adds the header. False: no hop is left.",
		func(c *route.Ctx, limit int) route.Result { return c.MaxForwards(limit, *most) })
}
