// Package diversion says why a call was diverted (RFC 5806): Kamailio's module diversion.
package diversion

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	suffix := m.Text("suffix", "", "The text after the reason, such as ;privacy=full.")
	uri := route.Optional(route.Text("uri", "who diverts; without it, the Request-URI as received"),
		nil)
	route.Func2(m, "add_diversion", route.InRequest|route.InFailure|route.InBranch,
		route.Text("reason", "why, such as no-answer"), uri,
		"Adds a Diversion row, in front of any others.",
		func(c *route.Ctx, reason, uri []byte) route.Result {
			if uri == nil {
				uri = c.Msg.Bytes(c.Msg.URI)
			}
			at := c.Msg.HeaderEnd
			if i := c.Msg.First(parser.KindDiversion); i >= 0 {
				at = c.Msg.Headers[i].Line.Off
			}
			row := append(append(append(c.Room(), "Diversion: <"...), uri...), ">;reason="...)
			row = append(append(append(row, reason...), *suffix...), "\r\n"...)
			c.Built(row)
			return c.InsertRowsFirst(at, row)
		})
}
