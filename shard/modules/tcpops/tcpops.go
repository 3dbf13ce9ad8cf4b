// Package tcpops has what a script says to connections: Kamailio's module tcpops.
package tcpops

import (
	"time"

	"viaduct/shard/route"
)

// Linux takes no larger values: tcp(7), MAX_TCP_KEEPIDLE, MAX_TCP_KEEPCNT and MAX_TCP_KEEPINTVL in
// include/net/tcp.h (6.1).
const maxKeepSeconds, maxKeepCount = 32767, 127

// Define is the module.
func Define(m *route.Module) {
	m.IdleText("there is no embedded interpreter", "event_callback")

	route.Func1(m, "tcp_conid_alive", route.Anywhere, connection,
		"Tells whether a connection exists.",
		func(c *route.Ctx, id int) route.Result {
			if id <= 0 {
				return -1
			}
			return route.Truth(c.ConnState(int64(id)) > 0)
		})
	route.Func1(m, "tcp_conid_state", route.Anywhere, connection, "Returns the state of a "+
		"connection.",
		func(c *route.Ctx, id int) route.Result {
			if id <= 0 {
				return -1
			}
			return int(c.ConnState(int64(id)))
		})

	const in = route.InRequest | route.InReplies
	lifetime := route.Int("lifetime", 0, route.MaxSeconds, "idle seconds")
	idle := route.Int("idle time", 0, maxKeepSeconds, "seconds before the first keep-alive")
	tries := route.Int("count", 0, maxKeepCount, "unanswered keep-alives before it is closed")
	interval := route.Int("interval", 0, maxKeepSeconds, "seconds between them")
	onConnection(m, "tcp_set_connection_lifetime", in,
		"Sets how long a connection may be idle before it is closed.",
		func(c *route.Ctx, id int64, n [3]int) route.Result {
			return c.SetLifetime(id, time.Duration(n[0])*time.Second)
		}, lifetime)
	onConnection(m, "tcp_keepalive_enable", in, "Makes the kernel send keep-alives.",
		func(c *route.Ctx, id int64, n [3]int) route.Result {
			return c.SetKeepAlive(id, time.Duration(n[0])*time.Second, n[1],
				time.Duration(n[2])*time.Second)
		}, idle, tries, interval)
	onConnection(m, "tcp_keepalive_disable", in, "Ends that.",
		func(c *route.Ctx, id int64, _ [3]int) route.Result { return c.SetKeepAlive(id, 0, 0, 0) })
	onConnection(m, "tcp_close_connection", route.Anywhere, "Closes a connection.",
		func(c *route.Ctx, id int64, _ [3]int) route.Result { return c.CloseConn(id, 0, nil) })
}

var connection = route.Int("connection", 0, 1<<62, "the number of a connection", route.AsIs)

// onConnection declares a function whose first argument is a connection's number, or is left out
// for the connection that the message came on.
func onConnection(m *route.Module, name string, in route.Kinds, doc string,
	f func(c *route.Ctx, id int64, n [3]int) route.Result, numbers ...route.Arg[int]) {
	var args []route.AnyArg
	for _, a := range numbers {
		args = append(args, a)
	}
	// By place, the last one may be missing.
	args = append(args, route.Optional(route.Special("connection",
		"its number, as the first argument"), struct{}{}))
	m.Func(route.Func{Name: name, In: in, Args: args, Doc: doc,
		Build: func(b *route.Build) route.Call {
			var id route.Input[int]
			ok := true
			first := 0
			if b.Args() > len(numbers) {
				id, ok = connection.At(b, 0)
				first = 1
			}
			var in [3]route.Input[int]
			for i, a := range numbers {
				if !ok {
					return nil
				}
				in[i], ok = a.At(b, first+i)
			}
			if !ok {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				n, _ := id.Get(c)
				var v [3]int
				for i := range numbers {
					var r route.Result
					if v[i], r = in[i].Get(c); r <= 0 {
						return r
					}
				}
				return f(c, int64(n), v)
			}
		}})
}
