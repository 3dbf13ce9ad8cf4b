package rr

import "viaduct/shard/route"

// hooks are what other modules do with requests that follow our Record-Route.
type hooks struct {
	list []func(b *route.Build) func(c *route.Ctx)
}

// OnRoute has loose_route() call what build makes, for each request whose Route was ours. A module
// calls it in its Define, with rr loaded above it. If build gives nil nothing is called.
func OnRoute(m *route.Module, build func(b *route.Build) func(c *route.Ctx)) {
	if h := route.Need[*hooks](m, "rr"); h != nil {
		h.list = append(h.list, build)
	}
}

// Upstream tells whether the request goes from the callee to the caller, as is_direction does.
func Upstream(c *route.Ctx) bool { return goesUpstream(c) }

// call is a loose_route whose result is what result makes of that of loose_route, with the hooks
// behind it.
func (h *hooks) call(b *route.Build, looseOnly bool, result func(r int) route.Result) route.Call {
	var all []func(c *route.Ctx)
	for _, build := range h.list {
		if f := build(b); f != nil {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return func(c *route.Ctx) route.Result { return c.Moved(result(c.LooseRoute(looseOnly))) }
	}
	return func(c *route.Ctx) route.Result {
		r := c.Moved(result(c.LooseRoute(looseOnly)))
		if c.Request.Routed() != nil {
			for _, f := range all {
				f(c)
			}
		}
		return r
	}
}

// looseRoutes declares loose_route and its kin.
func looseRoutes(m *route.Module) {
	h := &hooks{}
	route.Provide(m, h)
	same := func(r int) route.Result { return r }
	m.Func(route.Func{Name: "loose_route", In: route.InRequest,
		Doc: "Removes our Route. True: the request follows a route set. -3: the set had only our " +
			"Routes, outside a dialog. What a strict router did is undone if the Request-URI is an " +
			"address of ours with lr (RFC 3261 §16.4). (Kamailio 5.6.3 takes any address of ours " +
			"there, a contact on this host too, but only in a dialog, and drops whatever stands " +
			"behind a Route with r2.)",
		Build: func(b *route.Build) route.Call { return h.call(b, false, same) }})
	mode := route.Int("mode", 0, 1, "1: the change that a strict router made is not undone")
	m.Func(route.Func{Name: "loose_route_mode", In: route.InRequest, Args: []route.AnyArg{mode},
		Doc: "The same as loose_route, optionally without the handling of strict routers.",
		Build: func(b *route.Build) route.Call {
			input, ok := mode.At(b, 0)
			if !ok {
				return nil
			}
			both, only := h.call(b, false, same), h.call(b, true, same)
			return func(c *route.Ctx) route.Result {
				switch mode, r := input.Get(c); {
				case r <= 0:
					return r
				case mode == 1:
					return only(c)
				}
				return both(c)
			}
		}})
	m.Func(route.Func{Name: "loose_route_preloaded", In: route.InRequest,
		Doc: "The same as loose_route. True: the set had only our Routes, outside a dialog, and " +
			"was removed.",
		Build: func(b *route.Build) route.Call {
			return h.call(b, false, func(r int) route.Result { return route.Truth(r == usedUp) })
		}})
}
