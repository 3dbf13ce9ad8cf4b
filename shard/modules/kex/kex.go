// Package kex has functions about the destination of a request and flags of branches and runs:
// Kamailio's module kex.
package kex

import (
	"bytes"

	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// isMyself tells whether a URI names one of our addresses or aliases. Ports and transports that are
// not written are any; so is what is no SIP URI a host of any (5.6.3).
func isMyself(c *route.Ctx, uri []byte) bool {
	if !bytes.HasPrefix(uri, []byte("sip:")) && !bytes.HasPrefix(uri, []byte("sips:")) {
		return len(uri) > 0 && c.Shard.Core.IsMyself(uri, proxy.AnyPort, proxy.AnyProto)
	}
	u := c.ParseURI(uri)
	if u == nil {
		return false
	}
	port, protos := int(u.Port), uint8(proxy.AnyProto)
	if port == 0 {
		port = proxy.AnyPort
	}
	if t := u.Transport(); t <= route.WSS {
		protos = 1 << t
	}
	return c.Shard.Core.IsMyself(u.HostBytes(), port, protos)
}

// Define is the module.
func Define(m *route.Module) {
	uri := route.Text("uri", "a URI")
	route.Func1(m, "is_myself", route.Anywhere, route.Text("uri", "a URI, or a host alone"),
		"Tells whether host, port and transport of a URI, as far as it has them, are this "+
			"server's.",
		func(c *route.Ctx, uri []byte) route.Result { return route.Truth(isMyself(c, uri)) })
	route.Func1(m, "setdsturi", route.Anywhere, uri, "Sets $du.",
		func(c *route.Ctx, uri []byte) route.Result { return c.SetDstURI(uri) })
	route.Func0(m, "resetdsturi", route.Anywhere, "Clears $du.",
		func(c *route.Ctx) route.Result { return c.SetDstURI(nil) })
	route.Func0(m, "isdsturiset", route.Anywhere, "Tells whether $du is set.",
		func(c *route.Ctx) route.Result { return route.Truth(c.HasDstURI()) })
	route.Func2(m, "pv_printf", route.Anywhere, route.Writable("result", "the variable"),
		route.Text("text", "a text"),
		"Writes a text to a variable.",
		func(c *route.Ctx, into *route.Place, text []byte) route.Result {
			return into.Put(c, route.TextValue(text))
		})
	m.Alias("pv_printf", "avp_printf")
	uniqueIDs(m)
	debug(m)
	branchFlags(m)
	scriptFlags(m)
}

// branchFlags declares the flags of a branch. What request_route sets on the Request-URI, 0, or on
// a branch that was added goes along with that branch: its branch_route and its onreply_route have
// it, and a failure_route that of the branch it is run for.
func branchFlags(m *route.Module) {
	flag := route.Flag("flag", "the flag")
	branch := route.Optional(route.Int("branch", 0, 31,
		"0 is the Request-URI, or the current branch; 1 is the first that was added"), 0)
	route.Func2(m, "setbflag", route.Anywhere, flag, branch,
		"Sets a flag of a branch. False: there is no such branch.",
		func(c *route.Ctx, n int, branch int) route.Result {
			flags, ok := c.BranchFlags(branch)
			return route.Truth(ok && c.SetBranchFlags(branch, flags|1<<n))
		})
	route.Func2(m, "resetbflag", route.Anywhere, flag, branch,
		"Clears a flag of a branch. False: there is no such branch.",
		func(c *route.Ctx, n int, branch int) route.Result {
			flags, ok := c.BranchFlags(branch)
			return route.Truth(ok && c.SetBranchFlags(branch, flags&^(1<<n)))
		})
	route.Func2(m, "isbflagset", route.Anywhere, flag, branch,
		"Tells whether a flag of a branch is set.",
		func(c *route.Ctx, n int, branch int) route.Result {
			flags, _ := c.BranchFlags(branch)
			return route.Truth(flags>>n&1 != 0)
		})
}

// scriptFlags declares the flags of one run of the script.
func scriptFlags(m *route.Module) {
	flag := route.Flag("flag", "the flag")
	route.Func1(m, "setsflag", route.Anywhere, flag, "Sets a flag of this run.",
		func(c *route.Ctx, n int) route.Result { c.ScriptFlags |= 1 << n; return 1 })
	route.Func1(m, "resetsflag", route.Anywhere, flag, "Clears a flag of this run.",
		func(c *route.Ctx, n int) route.Result { c.ScriptFlags &^= 1 << n; return 1 })
	route.Func1(m, "issflagset", route.Anywhere, flag, "Tells whether a flag of this run is set.",
		func(c *route.Ctx, n int) route.Result { return route.Truth(c.ScriptFlags>>n&1 != 0) })
}
