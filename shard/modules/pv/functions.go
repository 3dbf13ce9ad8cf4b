package pv

import "viaduct/shard/route"

// functions are those about variables of any kind.
func functions(m *route.Module) {
	what := route.Any("pv", "the variable")
	about := func(name, doc string, is func(v route.Value) bool) {
		route.Func1(m, name, route.Anywhere, what, doc,
			func(_ *route.Ctx, v route.Value) route.Result {
				return route.Truth(is(v))
			})
	}
	about("pv_isset", "Tells whether the variable has a value.",
		func(v route.Value) bool { return !v.IsNull() })
	about("is_int", "Tells whether the value is a number.", route.Value.IsInt)
	about("not_empty", "Tells whether the value is a text that is not empty.",
		func(v route.Value) bool { return v.IsText() && len(v.S) > 0 })

	kind := route.Text("type", "int, str or null")
	route.Func2(m, "typeof", route.Anywhere, what, kind, "Tells whether the value is of that type.",
		func(_ *route.Ctx, v route.Value, kind []byte) route.Result {
			switch string(kind) {
			case "int":
				return route.Truth(v.IsInt())
			case "str":
				return route.Truth(v.IsText())
			case "null":
				return route.Truth(v.IsNull())
			}
			return -1
		})
	route.Func1(m, "pv_unset", route.Anywhere, route.Writable("pv", "the variable"),
		"Assigns $null.", func(c *route.Ctx, p *route.Place) route.Result {
			return p.Put(c, route.Null)
		})
}
