// Package statistics has statistics that scripts declare and count: Kamailio's module statistics.
package statistics

import (
	"strings"

	"viaduct/shard/modules/counters"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	set := counters.NewSet(m)
	m.Each("variable", func(s string) error {
		name, flags, _ := strings.Cut(s, "/")
		return set.Declare(name, "", flags != "no_reset")
	}, `"name" or "name/no_reset": a statistic, and that reset_stat leaves it alone.`)

	name := counters.NewArg(set)
	name.Func2(m, "update_stat",
		route.Int("value", -1<<31, 1<<31-1, `such as "+1" or "-1"`, route.AsIs),
		"Adds to a statistic.", func(c *route.Ctx, k *counters.Counter, n int) { k.Add(c, n) })
	name.Func1(m, "reset_stat", "Sets a statistic to 0.",
		func(_ *route.Ctx, k *counters.Counter) { k.Reset() })

	m.Var(route.Var{Name: "stat", Inner: "NAME", Doc: "A statistic that the file declares.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			t := b.Text(strings.TrimSpace(inner))
			if t == nil {
				return route.Place{}
			}
			if s, known := t.Known(); known && set.Of([]byte(s)) == nil {
				b.Warnf("$stat(%s) is null: modparam(\"statistics\", \"variable\", ...) declares "+
					"none%s", s,
					route.DidYouMean(s, set.Names()))
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
