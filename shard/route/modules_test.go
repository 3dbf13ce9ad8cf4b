package route_test

import (
	"viaduct/shard/modules"
	"viaduct/shard/modules/sanity"
	"viaduct/shard/route"
)

// The tests of package route load files with all modules, which import route.
func init() { route.SetTestModules(modules.All, sanity.Check) }
