package tmx

import (
	"strconv"

	"viaduct/shard/route"
)

// suspends declares what puts a request off until another run goes on with it.
func suspends(m *route.Module) {
	m.Func(route.Func{Name: "t_suspend", In: route.Anywhere,
		Doc: "Holds the request, with its transaction, until t_continue names it by $T(id_index) " +
			"and $T(id_label); the run goes on, and should end. Changes that the run makes to the " +
			"request after that are lost. After fr_inv_timer the failure route runs, or 408 goes " +
			"up. In onreply_route[NAME] the response is held, and goes up when the route that " +
			"continues it has ended without an answer of its own, or after fr_inv_timer, when " +
			"Kamailio 5.6.3 loses it. Further responses do not wait for it. False: there is no room, " +
			"or nothing to hold, as in branch_route, onsend_route, reply_route and " +
			"event_route[tm:branch-failure:NAME]. (In a branch route Kamailio 5.6.3 holds a request " +
			"that it sends all the same, and logs a bug.)",
		Build: func(b *route.Build) route.Call { return b.Suspends() },
	})

	index, label := route.Text("tindex", "$T(id_index)"), route.Text("tlabel", "$T(id_label)")
	name := route.Text("rtname", "the name of a route[]")
	m.Func(route.Func{Name: "t_continue", In: route.Anywhere,
		Args: []route.AnyArg{index, label, name},
		Doc: "Makes a suspended request go on in a route, when the shard is done with the current " +
			"message. That route runs like a failure_route, for a response like its " +
			"onreply_route. If it sends nothing and answers nothing, 500 goes up, or the response. " +
			"False: there is no such request, or another run was faster. " +
			"For a request of another shard that is not known, and the result is true.",
		Build: func(b *route.Build) route.Call {
			index, ok1 := index.At(b, 0)
			label, ok2 := label.At(b, 1)
			name, ok3 := name.At(b, 2)
			if !ok1 || !ok2 || !ok3 {
				return nil
			}
			known, _ := name.Known()
			b.NamesRoute(2, string(known))
			noSuch := []byte("t_continue() at " + b.Pos().String() +
				" names a route that is not there")
			return func(c *route.Ctx) route.Result {
				i, ok1 := number(c, index, 64)
				l, ok2 := number(c, label, 31)
				to, r := name.Get(c)
				if !ok1 || !ok2 || r <= 0 {
					return -1
				}
				n := c.RouteNumber(to)
				if n == 0 {
					c.Complain(noSuch)
					return -1
				}
				return route.Truth(c.Continue(i, uint32(l), n))
			}
		}})
}

// number is an argument that is a number of so many bits.
func number(c *route.Ctx, in route.Input[[]byte], bits int) (uint64, bool) {
	text, r := in.Get(c)
	if r <= 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text), 10, bits)
	return n, err == nil
}
