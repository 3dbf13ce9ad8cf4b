package tm

import "viaduct/shard/route"

// replicates declares the functions that send a copy of a request.
func replicates(m *route.Module, host, port route.AnyArg, byProto []route.AnyArg) {
	const doc = "Sends a copy of the request, in its transaction. No response of that goes up but " +
		"what the script answers, before or after, not even to what t_relay sends besides; reply " +
		"and failure routes run. A 2xx to the copy of an INVITE is ended by ACK and BYE, which " +
		"Kamailio 5.6.3 leaves alone. "
	uri := route.Text("uri", "a URI that says where to")
	m.Func(route.Func{Name: "t_replicate", In: route.InRequest,
		Args: []route.AnyArg{route.Optional(uri, nil), port},
		Doc:  doc + "Where to: the URI, host and port, else $du or the Request-URI.",
		Build: func(b *route.Build) route.Call {
			switch b.Args() {
			case 0:
				to := route.RelayDst{Proto: route.AnyTransport}
				return func(c *route.Ctx) int { return c.Replicate(&to) }
			case 2:
				dst, ok := hostPort(b)
				if !ok {
					return nil
				}
				return func(c *route.Ctx) int {
					to := dst
					to.Proto = c.Transport()
					return c.Replicate(&to)
				}
			}
			uri, ok := uri.At(b, 0)
			if !ok {
				return nil
			}
			return func(c *route.Ctx) int {
				to, r := uri.Get(c)
				if r <= 0 || len(to) == 0 || !c.Request.SetDstURI(to) {
					return -1
				}
				c.Moved(1)
				return c.Replicate(&route.RelayDst{Proto: route.AnyTransport})
			}
		}})
	for name, proto := range map[string]route.Transport{
		"t_replicate_udp": route.UDP, "t_replicate_tcp": route.TCP, "t_replicate_tls": route.TLS,
		"t_replicate_sctp": route.SCTP,
	} {
		m.Func(route.Func{Name: name, In: route.InRequest, Args: []route.AnyArg{
			route.Special("host", "where to, known at load"), route.Special("port", "its port")},
			Doc: "Is t_replicate over the protocol that the name says.",
			Build: func(b *route.Build) route.Call {
				dst, ok := hostPort(b)
				if !ok {
					return nil
				}
				dst.Proto = proto
				return func(c *route.Ctx) int { return c.Replicate(&dst) }
			}})
	}
	m.Func(route.Func{Name: "t_replicate_to", In: route.InRequest, Args: byProto,
		Doc: "Is t_replicate with the protocol apart. (Kamailio 5.6.3 finds no host in a variable.)",
		Build: func(b *route.Build) route.Call {
			dst, ok := protoHostPort(b)
			if !ok {
				return nil
			}
			return func(c *route.Ctx) int { return c.Replicate(&dst) }
		}})
}
