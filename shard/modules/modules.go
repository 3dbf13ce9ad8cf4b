// Package modules lists the modules that a configuration file may load. Each has a folder, and all
// that belongs to it is there.
package modules

import (
	"viaduct/shard/modules/dispatcher"
	"viaduct/shard/modules/maxfwd"
	"viaduct/shard/route"
)

// All are the modules, by name.
var All = []route.Declared{
	{Name: "dispatcher", Define: dispatcher.Define},
	{Name: "maxfwd", Define: maxfwd.Define},
}
