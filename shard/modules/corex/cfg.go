package corex

import "viaduct/shard/route"

// theirs are Kamailio's names of routes without a name.
var theirs = map[string]string{"request_route": "DEFAULT_ROUTE", "onsend_route": "DEFAULT_SEND"}

// cfgVar is $cfg(key). All of it is known at load.
func cfgVar(b *route.VarBuild, inner, _ string) route.Place {
	text := func(s string) route.Place {
		known := []byte(s)
		return route.Place{NoRoom: true, Text: func(*route.Ctx) ([]byte, bool) { return known, true }}
	}
	switch inner {
	case "line":
		n := int64(b.Pos().Line)
		return route.Place{NoRoom: true, Int: func(*route.Ctx) (int64, bool) { return n, true }}
	case "name", "file":
		return text(b.Pos().File)
	case "route":
		if s, other := theirs[b.Route()]; other {
			return text(s)
		}
		return text(b.Route())
	}
	b.Errorf("$cfg(%s): it is one of line, name and route", inner)
	return route.Place{}
}
