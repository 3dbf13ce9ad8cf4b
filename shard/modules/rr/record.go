package rr

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// recording are the functions about our Record-Route.
func recording(m *route.Module) {
	const in = route.InRequest | route.InFailure | route.InBranch
	add := m.Bool("add_username", false,
		"Whether Record-Route has a user: that of the Request-URI as received, or the one in "+
			"custom_user_avp.")
	avp := m.Text("custom_user_avp", "", "The variable with that user, such as $avp(x).")
	// user is the user of a call's Record-Route.
	user := func(b *route.Build) (func(c *route.Ctx) []byte, bool) {
		if !*add {
			return func(*route.Ctx) []byte { return nil }, true
		}
		var own *route.Place
		if *avp != "" {
			if own = b.Variable(*avp, "custom_user_avp"); own == nil {
				return nil, false
			}
		}
		return func(c *route.Ctx) []byte {
			if own != nil {
				if text := c.TextOf(own.Value(c)); len(text) > 0 {
					return text
				}
			}
			if u, reason := c.Msg.RequestURI(); reason == parser.OK {
				return u.User.Of(u.Raw)
			}
			return nil
		}, true
	}

	params := route.Optional(route.Text("parameters", `";name=value": added to it`), nil)
	m.Func(route.Func{Name: "record_route", In: in, Args: []route.AnyArg{params},
		Doc: "Inserts our Record-Route. False: it was inserted before.",
		Build: func(b *route.Build) route.Call {
			user, ok1 := user(b)
			params, ok2 := params.At(b, 0)
			if !ok1 || !ok2 {
				return nil
			}
			if p, known := params.Known(); known && !*add { // what nearly all files have
				return func(c *route.Ctx) route.Result {
					return route.Truth(c.Request.RecordRoute(nil, p))
				}
			}
			return func(c *route.Ctx) route.Result {
				p, r := params.Get(c)
				if r <= 0 {
					return r
				}
				return route.Truth(c.Request.RecordRoute(user(c), p))
			}
		}})
	first := route.Text("address", "host and port, and parameters")
	second := route.Optional(route.Text("second",
		"the same for a second one below it, for the side the request came from"), nil)
	m.Func(route.Func{Name: "record_route_preset", In: in, Args: []route.AnyArg{first, second},
		Doc: "Inserts a Record-Route with this text, or two.",
		Build: func(b *route.Build) route.Call {
			user, ok := user(b)
			first, ok1 := first.At(b, 0)
			second, ok2 := second.At(b, 1)
			if !ok || !ok1 || !ok2 {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				x, r := first.Get(c)
				if r <= 0 {
					return r
				}
				y, r := second.Get(c)
				if r <= 0 {
					return r
				}
				return route.Truth(isRouteText(x) && (len(y) == 0 || isRouteText(y)) &&
					c.Request.RecordPreset(user(c), x, y))
			}
		}})
	advertised := route.Text("address", "host, or host and port")
	m.Func(route.Func{Name: "record_route_advertised_address", In: in,
		Args: []route.AnyArg{advertised},
		Doc:  "Inserts our Record-Route with this address instead of the socket's.",
		Build: func(b *route.Build) route.Call {
			user, ok := user(b)
			address, ok1 := advertised.At(b, 0)
			if !ok || !ok1 {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				a, r := address.Get(c)
				if r <= 0 {
					return r
				}
				return route.Truth(isRouteText(a) && c.Request.RecordAdvertised(user(c), a))
			}
		}})
	route.Func1(m, "add_rr_param", in, route.Text("parameter", `";name=value"`),
		"Adds a parameter to our Record-Route, whether record_route was called before or will be.",
		func(c *route.Ctx, p []byte) route.Result {
			return route.Truth(isParams(p) && c.Request.AddRouteParams(p))
		})
	route.Func0(m, "remove_record_route", route.InRequest|route.InFailure,
		"Removes our Record-Route and the parameters added to it.",
		func(c *route.Ctx) route.Result { c.Request.RemoveRecordRoute(); return 1 })
}

// isRouteText tells whether b can stand behind "sip:" in a Record-Route.
func isRouteText(b []byte) bool { return len(b) > 0 && isParams(b) }

// isParams tells whether b stays within the angle brackets and the line that it is written into.
func isParams(b []byte) bool {
	for _, ch := range b {
		if ch <= ' ' || ch == '<' || ch == '>' || ch == '"' || ch >= 0x7f {
			return false
		}
	}
	return true
}
