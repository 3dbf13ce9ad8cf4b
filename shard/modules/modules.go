// Package modules lists the modules that a configuration file may load. Each has a folder, and all
// that belongs to it is there.
package modules

import (
	"viaduct/shard/modules/corex"
	"viaduct/shard/modules/dispatcher"
	"viaduct/shard/modules/kex"
	"viaduct/shard/modules/maxfwd"
	"viaduct/shard/modules/rr"
	"viaduct/shard/modules/sanity"
	"viaduct/shard/modules/siputils"
	"viaduct/shard/modules/sl"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/tm"
	"viaduct/shard/modules/tmx"
	"viaduct/shard/modules/xlog"
	"viaduct/shard/route"
)

// All are the modules, by name.
var All = []route.Declared{
	{Name: "corex", Define: corex.Define},
	{Name: "dispatcher", Define: dispatcher.Define},
	{Name: "kex", Define: kex.Define},
	{Name: "maxfwd", Define: maxfwd.Define},
	{Name: "rr", Define: rr.Define},
	{Name: "sanity", Define: sanity.Define},
	{Name: "siputils", Define: siputils.Define},
	{Name: "sl", Define: sl.Define},
	{Name: "textops", Define: textops.Define},
	{Name: "tm", Define: tm.Define},
	{Name: "tmx", Define: tmx.Define},
	{Name: "xlog", Define: xlog.Define},
}
