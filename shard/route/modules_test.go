package route_test

import (
	"viaduct/shard/modules"
	"viaduct/shard/modules/sanity"
	"viaduct/shard/route"
)

// The tests of package route load files with all modules, which import route.
func init() {
	route.SetTestModules(modules.All, func(c *route.Ctx, msgChecks, uriMask uint32) int {
		if sanity.Check(c, msgChecks, uriMask) != nil {
			return -1
		}
		return 1
	})
}
