package route

// OwnRoute is a route[] of the file that a module runs by itself, between messages.
type OwnRoute struct {
	Event
	pos Pos
}

// OwnRoute is the route[name] of the file, for a module that runs it by itself. It is for the take
// of Each, at whose value an error stands if the file has no such route.
func (m *Module) OwnRoute(name string) *OwnRoute {
	r := &OwnRoute{Event{name: name}, m.at}
	m.own = append(m.own, r)
	return r
}

// StrayReplyRoute has onreply_route[name] run on responses without a transaction (tm's on_sl_reply).
// It is for the take of Each.
func (m *Module) StrayReplyRoute(name string) { m.stray = OwnRoute{Event{name: name}, m.at} }

// NamesRoutes makes HasRoute and RunLater know the routes of the file.
func (m *Module) NamesRoutes() { m.namesRoutes = true }

// HasRoute tells whether the file has a route[] of that name.
func (c *Ctx) HasRoute(name []byte) bool { return c.prog.byName[string(name)] != nil }

// RunLater has a route run on the same shard when that is done with the message at hand, on a
// request that nobody sent. before is called when the run begins. It tells whether the route is
// there. Both are for modules that have called NamesRoutes.
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

// Run runs it, on a request that nobody sent, as Raise does.
func (r *OwnRoute) Run(c *Ctx) { r.Raise(c, nil) }

// RouteIfThere declares route_if_exists(NAME): it calls the route[] of that name, and is -1 if there
// is none. It is a step of the compiler's, since a function cannot call a route.
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

// callsRoute tells whether a function that the file has calls a route.
func (cc *compiler) callsRoute(name string) bool {
	for _, m := range cc.defs.loaded {
		if d := m.def.funcs[name]; d != nil && d.callsRoute {
			return true
		}
	}
	return false
}
