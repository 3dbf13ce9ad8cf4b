// Package sanity refuses requests that are no SIP: Kamailio's module sanity.
package sanity

import "viaduct/shard/route"

// The checks without arguments (Kamailio 5.6). Of the message: SIP version (1) and scheme (2) of
// the Request-URI, required headers (4), CSeq method (32) and value (64), Content-Length (128),
// Expires (256), Proxy-Require (512), digest credentials (2048). Of URIs: Request-URI (1), From
// (2), To (4).
const (
	messageChecks = 3047
	uriChecks     = 7
)

// Define is the module.
func Define(m *route.Module) {
	const maxMask = 1<<32 - 1
	message := m.Int("default_checks", messageChecks, 0, maxMask,
		"The checks of sanity_check without arguments.")
	uris := m.Int("uri_checks", uriChecks, 0, maxMask,
		"1: Request-URI. 2: From. 4: To. 8: Contact.")
	m.Text("proxy_require", "", "Option tags that are supported, with commas.")
	m.Bool("autodrop", true, "Whether a message that fails ends the script.")
	m.Bool("noreply", false, "Whether it is not answered.")
	m.NotYet("proxy_require", "autodrop", "noreply")

	checks := route.OptionalVar(route.Int("checks", 0, maxMask,
		"what to look at in the message", route.AsIs), message)
	inURIs := route.OptionalVar(route.Int("URI checks", 0, maxMask,
		"which URIs to look at", route.AsIs), uris)
	m.Func(route.Func{Name: "sanity_check", In: route.InRequest | route.InReplies,
		Args: []route.AnyArg{checks, inURIs},
		Doc:  "Looks at the message. False: it failed, and a request has been answered.",
		Build: func(b *route.Build) route.Call {
			x, ok1 := checks.At(b, 0)
			y, ok2 := inURIs.At(b, 1)
			if !ok1 || !ok2 {
				return nil
			}
			msg, known1 := x.Known()
			uri, known2 := y.Known()
			if known1 && known2 {
				m, u := uint32(msg), uint32(uri)
				return func(c *route.Ctx) route.Result { return Check(c, m, u) }
			}
			return func(c *route.Ctx) route.Result {
				m, _ := x.Get(c)
				u, _ := y.Get(c)
				return Check(c, uint32(m), uint32(u))
			}
		}})
}
