package corex

import (
	"strconv"

	"viaduct/parser"
	"viaduct/shard/route"
)

// sends declares what sends a copy of the message, or any data.
func sends(m *route.Module) {
	to := route.Optional(route.HostPort("to",
		"host:port; without it, the next hop of the message, $du or the Request-URI"),
		route.RelayDst{})
	copies := func(name, doc string, proto route.Transport) {
		route.Func1(m, name, route.InRequest|route.InFailure, to, doc,
			func(c *route.Ctx, to route.RelayDst) route.Result {
				u := nextHop(c)
				if to.Set {
					u = c.ParseURI(uriOf(c, &to))
				}
				if u == nil {
					return -1
				}
				return c.SendData(u, proto, nil, c.Msg.Raw)
			})
	}
	copies("send_udp", "Sends a copy of the request as received, over UDP. Nothing is added to "+
		"it, and the request itself goes its own way.", route.UDP)
	copies("send_tcp", "Sends a copy of the request as received, over TCP. Nothing is added to "+
		"it, and the request itself goes its own way.", route.TCP)
	uri := route.Text("uri", "the destination, a SIP URI")
	data := route.Text("data", "what is sent")
	route.Func2(m, "send_data", route.Anywhere, uri, data,
		"Sends data to where a URI leads. False: it is not a URI, or leads nowhere.",
		func(c *route.Ctx, uri, data []byte) route.Result { return sendTo(c, uri, nil, data) })
	route.Func3(m, "sendx", route.Anywhere, uri,
		route.Text("socket", `"proto:host:port"; if there is no such listener, one that suits`), data,
		"Sends data to where a URI leads, by a listener. False: it is not a URI, or leads nowhere.",
		sendTo)
}

// sendTo is sendx().
func sendTo(c *route.Ctx, uri, socket, data []byte) route.Result {
	u := c.ParseURI(uri)
	if u == nil {
		return -1
	}
	return c.SendData(u, route.AnyTransport, socket, data)
}

// nextHop is where the message goes next.
func nextHop(c *route.Ctx) *parser.URI {
	if c.HasDstURI() {
		return c.OutboundURI()
	}
	return c.RequestURI()
}

// uriOf is a destination as a URI.
func uriOf(c *route.Ctx, to *route.RelayDst) []byte {
	b := append(append(c.Room(), "sip:"...), to.Host...)
	if to.Port != 0 {
		b = strconv.AppendInt(append(b, ':'), int64(to.Port), 10)
	}
	return c.Built(b).S
}
