// Package websocket has what a script says to WebSocket connections: Kamailio's module websocket
// (RFC 7118).
package websocket

import (
	"fmt"
	"time"
	"unicode/utf8"

	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	set := &m.Settings().WebSocket
	set.Loaded = true
	m.IntVar((*int)(&set.Frames), "keepalive_mechanism", 0, 2, "What keeps a connection alive. 0: "+
		"nothing. 1: Ping. 2: Pong.")
	m.DurationVar(&set.KeepAlive, "keepalive_timeout", time.Second, 1, route.MaxSeconds,
		"Seconds of silence before a keep-alive is sent.")
	m.TextVar(&set.Data, "ping_application_data", "What a Ping carries.")
	m.Check("ping_application_data", func(s string, _ int64) string {
		if n := len(s); n < 1 || n > 125 {
			return fmt.Sprintf("has %s; a control frame holds 1 to 125 (RFC 6455 §5.5)",
				route.Count(n, "byte"))
		}
		return ""
	})
	m.IntVar((*int)(&set.CORS), "cors_mode", 0, 2,
		"The Access-Control-Allow-Origin line of the answer. 0: none. 1: any origin. 2: that of "+
			"the request.")
	m.Int("sub_protocols", 1, 1, 3, "The subprotocols, as bits. 1: SIP. 2: MSRP, which is not "+
		"spoken.")
	m.Check("sub_protocols", func(_ string, n int64) string {
		if n&1 == 0 {
			return "leaves SIP out, and MSRP is not spoken: write 1"
		}
		return ""
	})
	m.Note("sub_protocols", func(_ string, n int64) string {
		if n&2 != 0 {
			return "asks for MSRP, which is not spoken: only sip is offered"
		}
		return ""
	})
	m.IdleInt("each connection has its own timer", "keepalive_interval", "keepalive_processes",
		"timer_interval")
	m.IdleInt("a connection is gone when its socket is closed", "rm_delay_interval")
	m.IdleInt("viaductctl lists connections", "verbose_list")
	m.IdleText("there is no embedded interpreter", "event_callback")

	m.Var(route.Var{Name: "ws_conid", Doc: "The number of the connection that the message came by.",
		Place: route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
			id := int64(c.Connection())
			return id, id > 0
		}}})
	m.Event("websocket:closed", "A WebSocket connection has ended, for whatever reason. "+
		"$ws_conid, $si and $sp are those of the connection; the message is a made-up request.")
	route.Func0(m, "ws_handle_handshake", route.Anywhere, "In event_route[xhttp:request]: accepts "+
		"the request as a WebSocket handshake, after which its connection speaks WebSocket. If "+
		"the request is not what RFC 6455 and 7118 ask for, it is refused and the script ends. "+
		"False: this is not an HTTP request. A file without that route needs no call, because "+
		"then all handshakes are answered. Listeners of kind ws and wss always "+
		"answer them.", (*route.Ctx).UpgradeHTTP)
	m.Func(route.Func{Name: "ws_close", In: route.Anywhere,
		Args: []route.AnyArg{statusArg, reasonArg, connArg}, Build: wsClose,
		Doc: "Closes the connection of the message, or another one."})
}

var (
	statusArg = route.Optional(route.Int("status", 1000, 4999,
		"the status of the Close frame", route.AsIs), 1000)
	reasonArg = route.Optional(route.Text("reason", "its reason"), nil)
	connArg   = route.Optional(route.Int("connection", 0, 1<<62,
		"the number of another connection", route.AsIs), 0)
)

// closeReasonBytes is the longest reason of ws_close(), what a control frame holds beside the
// status (RFC 6455 §5.5). Beyond: it is cut.
const closeReasonBytes = 123

// wsClose is ws_close([status, reason[, connection]]).
func wsClose(b *route.Build) route.Call {
	if b.Args() == 0 {
		// normal closure (RFC 6455 §7.4.1)
		return func(c *route.Ctx) int { return c.CloseConn(0, 1000, nil) }
	}
	if b.Args() == 1 {
		b.Errorf(route.WholeCall,
			"ws_close takes no arguments, or a status and a reason, and then a connection")
		return nil
	}
	status, ok1 := statusArg.At(b, 0)
	reason, ok2 := reasonArg.At(b, 1)
	if !ok1 || !ok2 {
		return nil
	}
	if n, known := status.Known(); known && !closeStatus(n) {
		b.Errorf(0, "ws_close: no Close frame may carry the status %d (RFC 6455 §7.4.1)", n)
		return nil
	}
	id, ok := connArg.At(b, 2)
	if !ok {
		return nil
	}
	return func(c *route.Ctx) int {
		st, _ := status.Get(c)
		n, _ := id.Get(c)
		b, r := reason.Get(c)
		if r <= 0 {
			return r
		}
		if !closeStatus(st) {
			return -1
		}
		return c.CloseConn(int64(n), st, closeReason(b))
	}
}

// closeStatus tells whether a Close frame may carry the status: 1004 has no meaning, and 1005, 1006
// and 1015 say that there was no frame
// (RFC 6455 §7.4.1).
func closeStatus(n int) bool {
	return n >= 1000 && n <= 4999 && n != 1004 && n != 1005 && n != 1006 && n != 1015
}

// closeReason is what of b a Close frame can carry: UTF-8, and at most 123 bytes beside the status
// (RFC 6455 §5.5, §5.5.1).
func closeReason(b []byte) []byte {
	if !utf8.Valid(b) {
		return nil
	}
	n := len(b)
	if n > closeReasonBytes {
		for n = closeReasonBytes; !utf8.RuneStart(b[n]); n-- {
		}
	}
	return b[:n:n]
}
