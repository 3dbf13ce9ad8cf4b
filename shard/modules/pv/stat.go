package pv

import (
	"strings"

	"viaduct/shard/modules/counters"
	"viaduct/shard/route"
)

// statistic declares $stat, which Kamailio has here and not in module statistics.
func statistic(m *route.Module) {
	m.Var(route.Var{Name: "stat", Inner: "NAME",
		Doc: "A statistic that the file declares by module statistics, or one of the groups core, " +
			"tmx, sl, tcp and shmem, by its name alone, as stats.fetch has it. Null for all others.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			t := b.Text(strings.TrimSpace(inner))
			if t == nil {
				return route.Place{}
			}
			set, ok := route.Find[*counters.Set](m, "statistics")
			if s, known := t.Known(); known && !route.HasStatistic(s) &&
				(!ok || set.Of([]byte(s)) == nil) {
				var names []string
				if ok {
					names = set.Names()
				}
				b.Warnf("$stat(%s) is null: modparam(\"statistics\", \"variable\", ...) declares "+
					"none%s", s, route.DidYouMean(s, names))
			}
			return route.Place{Any: func(c *route.Ctx) route.Value {
				name := t.Expand(c)
				if ok {
					if k := set.Of(name); k != nil {
						return route.IntValue(k.Value())
					}
				}
				if read := c.Shard.Statistic; read != nil {
					if n, there := read(name); there {
						return route.IntValue(int64(n))
					}
				}
				return route.Null
			}}
		}})
}
