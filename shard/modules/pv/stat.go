package pv

import (
	"strings"

	"viaduct/shard/modules/counters"
	"viaduct/shard/route"
)

// statistic declares $stat, which Kamailio has here and not in module statistics.
func statistic(m *route.Module) {
	m.Var(route.Var{Name: "stat", Inner: "NAME",
		Doc: "A statistic that the file declares by module statistics; null for all others.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			t := b.Text(strings.TrimSpace(inner))
			if t == nil {
				return route.Place{}
			}
			set, ok := route.Find[*counters.Set](m, "statistics")
			if s, known := t.Known(); known && (!ok || set.Of([]byte(s)) == nil) {
				var names []string
				if ok {
					names = set.Names()
				}
				b.Warnf("$stat(%s) is null: modparam(\"statistics\", \"variable\", ...) declares "+
					"none%s", s, route.DidYouMean(s, names))
			}
			if !ok {
				return route.Place{Any: func(*route.Ctx) route.Value { return route.Null }}
			}
			return route.Place{Any: func(c *route.Ctx) route.Value {
				k := set.Of(t.Expand(c))
				if k == nil {
					return route.Null
				}
				return route.IntValue(k.Value())
			}}
		}})
}
