// Package pv has the variables, the transformations and the functions of Kamailio's module pv, in
// files by theme. What a message says is read by package route.
package pv

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	names := avpNames{}
	m.Each("avp_aliases", names.take, "Names for AVPs: \"name=avp;name=avp\".")
	names.define(m)
	requestURIs(m)
	messages(m)
	who(m)
	addresses(m)
	sending(m)
	vias(m)
	headerLists(m)
	branches(m)
	staticBranch(m)
	statistic(m)
	arrivals(m)
	oddments(m)
	longNames(m)
	flags(m)
	scriptVars(m)
	m.Var(route.Var{Name: "cnt", Inner: "$avp(name) or $xavp(name)", Compile: countVar,
		Doc: "How many values there are of that name."})
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

// scriptVars are the variables that belong to the program, and selects.
func scriptVars(m *route.Module) {
	m.Var(route.Var{Name: "var", Inner: "name", Always: true, Compile: (*route.VarBuild).ScriptVar,
		Doc: "A variable of the program, 0 at first. The name is never computed."})
	m.Var(route.Var{Name: "vz", Inner: "name", Always: true, Compile: (*route.VarBuild).ScriptVar,
		Doc: "The same as $var."})
	m.Var(route.Var{Name: "vn", Inner: "name", Always: true, Compile: (*route.VarBuild).NullVar,
		Doc: "A variable of the program, null at first. The name is never computed."})
	m.Var(route.Var{Name: "sel", Inner: "select", Always: true, Compile: (*route.VarBuild).Select,
		Doc: "The value of a select: $sel(from.uri.user) is @from.uri.user."})
}
