package nathelper

import (
	"viaduct/parser"
	"viaduct/shard/route"
)

// register declares the functions that tell a registrar where a REGISTER came from.
func register(m *route.Module, received *string) {
	m.Func(route.Func{Name: "fix_nated_register", In: route.InRequest,
		Doc: "Writes the source of the request, as a URI, to the variable that received_avp " +
			"names. Without that parameter it does nothing.",
		Build: func(b *route.Build) route.Call {
			if *received == "" {
				b.Warnf(route.WholeCall, "fix_nated_register does nothing without modparam(\"nathelper\", "+
					"\"received_avp\", \"$avp(name)\")")
				return func(*route.Ctx) route.Result { return 1 }
			}
			into := b.Variable(*received, "received_avp of nathelper")
			if into == nil {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				src := c.From()
				v := c.Built(appendSource(c.Room(), src.Addr(), int(src.Port()), c.Transport()))
				if v.IsNull() {
					return -1
				}
				return into.Put(c, v)
			}
		}})
	flag := route.Optional(route.Int("flag", 0, 1, "1: the parameter belongs to the URI, and is "+
		"added over UDP only",
		route.AsIs), 0)
	route.Func1(m, "add_rcv_param", route.InRequest, flag,
		"Adds the source of the request to each Contact, as a parameter received.",
		func(c *route.Ctx, flag int) route.Result { return addReceived(c, flag != 0) }).
		ThroughRoutes(route.InFailure | route.InBranch)
}

// addReceived is add_rcv_param.
func addReceived(c *route.Ctx, inURI bool) route.Result {
	src, t := c.From(), c.Transport()
	if inURI && t != route.UDP {
		return -1
	}
	for v := c.Msg.Values(parser.KindContact); v.Next(); {
		var a parser.NameAddr
		if c.Msg.NameAddr(v.Value, &a) != parser.OK {
			continue // also for "*"
		}
		if !inURI {
			row := appendSource(append(c.Room(), ";received=\""...), src.Addr(), int(src.Port()), t)
			if r := c.Insert(a.Value.End(), append(row, '"')); r <= 0 {
				return r
			}
			continue
		}
		out := c.Room()
		if !a.Bracket {
			out = append(out, '<')
		}
		u := c.ParseURI(c.Msg.Bytes(a.URI))
		if u == nil {
			continue
		}
		at := len(u.Raw)
		if u.HasHeaders {
			at = int(u.Headers.Off) - 1
		}
		out = appendSource(append(append(out, u.Raw[:at]...), ";received="...), src.Addr(),
			int(src.Port()), t)
		out = append(out, u.Raw[at:]...)
		if !a.Bracket {
			out = append(out, '>')
		}
		if r := c.Edit(a.URI, out); r <= 0 {
			return r
		}
	}
	return 1
}

// recordRoutes declares the variables that count Record-Route.
func recordRoutes(m *route.Module) {
	m.Var(route.Var{Name: "rr_count", Doc: "How many Record-Route values there are.",
		Place: route.Place{Int: func(c *route.Ctx) (n int64, _ bool) {
			for v := c.Msg.Values(parser.KindRecordRoute); v.Next(); {
				n++
			}
			return n, true
		}, NoRoom: true}})
	m.Var(route.Var{Name: "rr_top_count",
		Doc: "How many of the topmost Record-Route values one proxy added: 2 if the first has " +
			"r2=on, otherwise 1; 0 if there are none.",
		Place: route.Place{Int: func(c *route.Ctx) (int64, bool) {
			v := c.Msg.Values(parser.KindRecordRoute)
			var a parser.NameAddr
			if !v.Next() || c.Msg.NameAddr(v.Value, &a) != parser.OK {
				return 0, true
			}
			u := c.ParseURI(c.Msg.Bytes(a.URI))
			if u == nil {
				return 1, true
			}
			if value, ok := u.Param("r2"); ok && string(value) == "on" {
				return 2, true
			}
			return 1, true
		}, NoRoom: true}})
}
