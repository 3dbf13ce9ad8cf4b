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

// Run runs it, on a request that nobody sent, as Raise does.
func (r *OwnRoute) Run(c *Ctx) { r.Raise(c, nil) }
