package pv

import (
	"strings"

	"viaduct/shard/route"
)

// countVar is $cnt($avp(name)) and $cnt($xavp(name)).
func countVar(b *route.VarBuild, inner, _ string) route.Place {
	list, key := route.AVPs, func(*route.Ctx) route.Key { return route.Key{} }
	name, avp := strings.CutPrefix(inner, "$avp(")
	if !avp {
		list = route.XAVPs
		var xavp bool
		if name, xavp = strings.CutPrefix(inner, "$xavp("); !xavp {
			name = ""
		}
	}
	// A computed name is null in Kamailio (5.6.3), so that nobody has one.
	name, closed := strings.CutSuffix(name, ")")
	switch {
	case name == "" || !closed || strings.Contains(name, ")"):
		b.Errorf("$cnt counts what $avp(name) or $xavp(name) has, not %s", route.Quote(inner))
		return route.Place{}
	case avp:
		key = avpKey(b, name)
	default:
		k := route.KeyOf([]byte(name))
		key = func(*route.Ctx) route.Key { return k }
	}
	return route.Place{Int: func(c *route.Ctx) (int64, bool) {
		kept, k, n := c.Kept(), key(c), int64(0)
		i := kept.Named(kept.First(list), &k, false)
		for ; i != 0; i = kept.Named(kept.Next(i), &k, false) {
			n++
		}
		return n, true
	}}
}
