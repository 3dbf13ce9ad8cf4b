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
	}, `A statistic, "name"; or "name/no_reset", which reset_stat does not reset.`)

	name := counters.NewArg(set)
	name.Func2(m, "update_stat",
		route.Digits(route.Int("value", -1<<31, 1<<31-1, `such as "+1" or "-1"`, route.AsIs)),
		"Adds to a statistic.", func(c *route.Ctx, k *counters.Counter, n int) { k.Add(c, n) })
	name.Func1(m, "reset_stat", "Sets a statistic to 0.",
		func(_ *route.Ctx, k *counters.Counter) { k.Reset() })
	route.Provide(m, set) // for $stat of module pv
}
