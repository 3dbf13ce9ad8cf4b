// Package pv has the variables, the transformations and the functions of Kamailio's module pv, in
// files by theme. What a message says is read by package route, and so are the names that it has
// for it.
package pv

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	names := avpNames{}
	m.Each("avp_aliases", names.take, "Names for AVPs: \"name=avp;name=avp\".")
	names.define(m)
	sharedVars(m)
	lists(m)
	listFunctions(m)
	clocks(m)
	identities(m)
	functions(m)
	texts(m)
	uris(m)
	params(m)
	nameAddrs(m)
	textLines(m)
	aliases(m)
}
