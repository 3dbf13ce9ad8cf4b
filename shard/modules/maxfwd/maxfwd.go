// Package maxfwd counts the hops that a request may still take: Kamailio's module maxfwd (RFC 3261
// §16.3 item 3).
package maxfwd

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	most := m.Int("max_limit", 70, 1, 255, "The largest Max-Forwards that a request leaves with.")

	limit := route.Int("limit", 0, 255,
		"what a request without the header leaves with")
	// Built here, not by Func1, for the 2 ns of its wrapper: every request passes.
	m.Func(route.Func{Name: "mf_process_maxfwd_header", In: route.InRequest,
		Args: []route.AnyArg{limit},
		Doc:  "Decrements Max-Forwards, or adds the header. False: no hop is left.",
		Build: func(b *route.Build) route.Call {
			in, ok := limit.At(b, 0)
			if !ok {
				return nil
			}
			most := *most
			if limit, known := in.Known(); known {
				return func(c *route.Ctx) route.Result { return c.MaxForwards(limit, most) }
			}
			return func(c *route.Ctx) route.Result {
				limit, r := in.Get(c)
				if r <= 0 {
					return r
				}
				return c.MaxForwards(limit, most)
			}
		}})
	m.Alias("mf_process_maxfwd_header", "maxfwd_process", "process_maxfwd")

	const later = route.InRequest | route.InFailure | route.InBranch
	least := route.Int("hops", 0, 255, "a number of hops")
	route.Func1(m, "is_maxfwd_lt", later, least,
		"Tells whether Max-Forwards is below a number. -2: there is no such header.",
		func(c *route.Ctx, n int) route.Result {
			hops, ok := c.Request.HopsLeft()
			if !ok {
				return -2
			}
			return route.Truth(hops < n)
		})
	m.Alias("is_maxfwd_lt", "mf_lowlimit", "maxfwd_at_least") // as in 5.6.3, against the name
}
