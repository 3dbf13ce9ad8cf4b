package route

// OwnRoute is a route[] of the file that a module runs on its own, between messages.
type OwnRoute struct {
	Event
	pos Pos
}

// OwnRoute returns the route[name] of the file, for a module that runs it on its own. Call it in
// the take of an Each: if the file has no such route, the error is reported at that value.
func (m *Module) OwnRoute(name string) *OwnRoute {
	r := &OwnRoute{Event{name: name}, m.at}
	m.own = append(m.own, r)
	return r
}

// StrayReplyRoute has onreply_route[name] run on responses without a transaction (tm's
// on_sl_reply). It is for the take of Each.
func (m *Module) StrayReplyRoute(name string) { m.stray = OwnRoute{Event{name: name}, m.at} }

// NamesRoutes makes HasRoute and RunLater work.
func (m *Module) NamesRoutes() { m.namesRoutes = true }

// HasRoute tells whether the file has a route[] of that name. The module must have called
// NamesRoutes.
func (c *Ctx) HasRoute(name []byte) bool { return c.prog.byName[string(name)] != nil }

// RunLater runs a route on a made-up request, on the same shard, when the shard is done with the
// current message. It calls before at the start of that run. It returns false if there is no such
// route. The module must have called NamesRoutes.
func (c *Ctx) RunLater(name []byte, before func(c *Ctx)) bool {
	rt := c.prog.byName[string(name)]
	if rt == nil || c.Shard.Later == nil {
		return false
	}
	e := &Event{name: rt.name, prog: c.prog, rt: rt}
	c.Shard.Later(func(c *Ctx) {
		before(c)
		e.Raise(c, nil)
	})
	return true
}

// Run runs the route on a made-up request, as Raise does.
func (r *OwnRoute) Run(c *Ctx) { r.Raise(c, nil) }

// RouteIfThere declares route_if_exists(NAME). It calls the route[] of that name, and is -1 if
// there is none. The compiler makes a step for it, because a function cannot call a route.
func (m *Module) RouteIfThere(doc string) {
	name := Text("route", "the name of a route[]")
	m.Func(Func{Name: routeIfExists, In: Anywhere, Args: []AnyArg{name}, Doc: doc,
		Build: func(b *Build) Call {
			in, ok := name.At(b, 0)
			if !ok {
				return nil
			}
			b.cc.prog.namesRoutes = true
			back, live, tooMany := b.cc.back, b.cc.temps, b.cc.tooMany(b.x.Pos)
			return func(c *Ctx) Result {
				mark := len(c.buf)
				text, r := in.Get(c)
				if c.stop != notStopped {
					return 0
				}
				rt := c.prog.byName[string(text)]
				c.buf = c.buf[:mark]
				switch {
				case r <= 0 || rt == nil:
					c.Return, c.stop, c.jump = -1, jumped, *back
				case c.push(rt, *back, live, tooMany) > 0:
					c.stop, c.jump = jumped, rt.entry
				}
				return 0
			}
		}})
	m.def.funcs[routeIfExists].callsRoute = true
}

// callsRoute tells whether the file loads a function of that name that calls a route.
func (cc *compiler) callsRoute(name string) bool {
	for _, m := range cc.defs.loaded {
		if d := m.def.funcs[name]; d != nil && d.callsRoute {
			return true
		}
	}
	return false
}
