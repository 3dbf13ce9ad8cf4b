package tm

import (
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// sends declares what sends requests made here.
func sends(m *route.Module) {
	scratch := route.NewPerShard[route.Composer](m, nil)
	sender := m.Sender("tm", func(*route.Ctx, *proxy.Finished) {})
	userAgent := m.Settings().UserAgent
	args := []route.Arg[[]byte]{route.Text("method", "the method"),
		route.Text("ruri", "the Request-URI"),
		route.Text("nexthop", "a URI that says where it goes; empty: ruri"),
		route.Text("socket", "proto:host:port of the listener it leaves by; empty: one that fits"),
		route.Text("headers", "rows; From and To at least, and Content-Type if there is a body"),
		route.Text("body", "the body, or empty")}
	list := make([]route.AnyArg, len(args))
	for i := range args {
		list[i] = args[i]
	}
	m.Func(route.Func{Name: "t_uac_send", In: route.Anywhere, Args: list,
		Doc: "Sends a new request, without waiting for its outcome. From gets a tag if it has " +
			"none. False: the request would not be valid, or it cannot be sent.",
		Build: func(b *route.Build) route.Call {
			in := make([]route.Input[[]byte], len(args))
			for i := range args {
				var ok bool
				if in[i], ok = args[i].At(b, i); !ok {
					return nil
				}
			}
			return func(c *route.Ctx) route.Result {
				var v [6][]byte
				for i := range in {
					var r route.Result
					if v[i], r = in[i].Get(c); r <= 0 {
						return r
					}
				}
				x := route.Sending{Dst: v[2], By: -1}
				if len(v[3]) > 0 {
					if x.By = c.ListenerAt(v[3]); x.By < 0 {
						return -1
					}
				}
				s := scratch.Of(c)
				if !s.Compose(c, v[0], v[1], v[4], v[5], userAgent()) {
					return -1
				}
				x.Text = s.Text
				return route.Truth(sender.Send(c, &x))
			}
		}})
}
