package xhttp

import "viaduct/shard/route"

// DefineRPC is module xhttp_rpc: pages with the commands. They are not here, and who asks hears so.
func DefineRPC(m *route.Module) {
	const why = "there are no pages with commands: jsonrpc_dispatch() of jsonrpcs calls them"
	m.IdleInt(why, "xhttp_rpc_buf_size")
	m.IdleText(why, "xhttp_rpc_root")
	m.Func(route.Func{Name: "dispatch_xhttp_rpc", In: route.InRequest,
		Doc: "Answers the HTTP request with 501: there are no pages with commands here, and " +
			"jsonrpc_dispatch() calls them. False: this is not an HTTP request, or it was " +
			"answered.",
		Build: func(b *route.Build) route.Call {
			b.Warnf(route.WholeCall, "%s answers 501: %s", b.Name(), why)
			reason, kind := []byte("Not Implemented"), []byte("text/plain")
			body := []byte(why + "\n")
			return func(c *route.Ctx) route.Result { return reply(c, 501, reason, kind, body) }
		}})
}
