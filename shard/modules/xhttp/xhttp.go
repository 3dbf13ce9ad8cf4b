// Package xhttp is there so that a file that loads Kamailio's module xhttp starts. Of HTTP only the
// WebSocket handshake is answered.
package xhttp

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	const noHTTP = "of HTTP only the WebSocket handshake is answered, and never by the script"
	m.IdleText(noHTTP, "url_match", "url_skip", "event_callback")
	m.Var(route.Var{Name: "hu", Doc: "Null: it is of an HTTP request.", Place: route.Place{
		NoRoom: true, Text: func(*route.Ctx) ([]byte, bool) { return nil, false }}})
	code, reason := route.Text("code", "the status"), route.Text("reason", "the reason phrase")
	kind, body := route.Text("content type", "of the body"), route.Text("body", "the body")
	m.Func(route.Func{Name: "xhttp_reply", In: route.InRequest,
		Args: []route.AnyArg{code, reason, kind, body},
		Doc:  "Is false: the script never sees an HTTP request.",
		Build: func(b *route.Build) route.Call {
			for i := range b.Args() {
				if _, ok := code.At(b, i); !ok {
					return nil
				}
			}
			if !b.InEvent() { // the route itself is warned of
				b.Warnf(route.WholeCall, "%s has nothing to do: %s", b.Name(), noHTTP)
			}
			return func(*route.Ctx) route.Result { return -1 }
		}})
}
