// Package modules lists the modules that a configuration file may load. Each has a folder, and all
// that belongs to it is there.
package modules

import (
	"viaduct/shard/modules/dispatcher"
	"viaduct/shard/modules/maxfwd"
	"viaduct/shard/modules/sl"
	"viaduct/shard/modules/tm"
	"viaduct/shard/modules/tmx"
	"viaduct/shard/route"
)

// All are the modules, by name.
var All = []route.Declared{
	{Name: "dispatcher", Define: dispatcher.Define},
	{Name: "maxfwd", Define: maxfwd.Define},
	{Name: "sl", Define: sl.Define},
	{Name: "tm", Define: tm.Define},
	{Name: "tmx", Define: tmx.Define},
}
