// Package pv has the transformations of Kamailio's module pv, one file for each of their classes.
// The variables are in package route: a script has them without the module.
package pv

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	texts(m)
	uris(m)
	params(m)
	nameAddrs(m)
	textLines(m)
	aliases(m)
}
