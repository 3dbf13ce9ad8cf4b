// Package async puts calls off: Kamailio's module async. What it calls a task goes on in the shard
// that owns the call, a moment later.
package async

import (
	"bytes"
	"time"

	"viaduct/parser"
	"viaduct/shard/ask"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	const why = "nothing waits in a process of its own"
	m.IdleInt(why, "workers", "ms_timer")
	m.IdleInt("the script stops at the call until the time is over", "return")

	name := route.Block("routename", "the name of a route[]")
	goesOn := func(c *route.Ctx, a *ask.Answer, to route.RouteBlock) route.Result {
		if a.Err != nil {
			return -1
		}
		return c.GoTo(to)
	}
	to := func(unit time.Duration) func(*route.Ctx, *ask.Question, route.RouteBlock,
		int) route.Result {
		return func(c *route.Ctx, q *ask.Question, _ route.RouteBlock, n int) route.Result {
			return after(c, q, time.Duration(n)*unit)
		}
	}
	there := func(c *route.Ctx, a *ask.Answer, to route.RouteBlock, _ int) route.Result {
		return goesOn(c, a, to)
	}
	sleep := func(unit time.Duration) func(*route.Ctx, *ask.Question, int) route.Result {
		return func(c *route.Ctx, q *ask.Question, n int) route.Result {
			return after(c, q, time.Duration(n)*unit)
		}
	}
	slept := func(_ *route.Ctx, a *ask.Answer, _ int) route.Result {
		return route.Truth(a.Err == nil)
	}
	const in = route.InRequest | route.InFailure
	seconds := route.Spent(route.Int("seconds", 0, 100, "how long"))
	millis := route.Spent(route.Int("milliseconds", 0, 30000, "how long; timers have steps of 4 ms"))
	const goes = "Ends the script, and runs a route when the time is over. False: there is no " +
		"such route."
	route.Wait2(m, "async_route", in, name, seconds, goes, to(time.Second), there)
	route.Wait2(m, "async_ms_route", in, name, millis, goes, to(time.Millisecond), there)
	const waits = "Goes on when the time is over. Meanwhile the run is held and the shard does " +
		"other work."
	route.Wait1(m, "async_sleep", in, seconds, waits, sleep(time.Second), slept)
	route.Wait1(m, "async_ms_sleep", in, millis, waits, sleep(time.Millisecond), slept)
	const soon = "Ends the script, and runs a route a moment later. False: there is no such route."
	route.Wait1(m, "async_task_route", in, name, soon,
		func(c *route.Ctx, q *ask.Question, _ route.RouteBlock) route.Result { return after(c, q, 0) },
		goesOn)
	group := route.Spent(route.Text("groupname", "the group of workers; Viaduct has none and "+
		"takes any name"))
	route.Wait2(m, "async_task_group_route", in, name, group, soon,
		func(c *route.Ctx, q *ask.Question, _ route.RouteBlock, _ []byte) route.Result {
			return after(c, q, 0)
		},
		func(c *route.Ctx, a *ask.Answer, to route.RouteBlock, _ []byte) route.Result {
			return goesOn(c, a, to)
		})
	tasks(m)
}

// after puts the run off. As in Kamailio the request has a transaction from then on, so that a
// script that ends without an answer leaves a caller who hears 500.
func after(c *route.Ctx, q *ask.Question, d time.Duration) route.Result {
	if m := c.Msg.Method; m != parser.ACK && m != parser.CANCEL {
		c.Request.NewTransaction() // without room for it the run is not held either
	}
	return q.After(d)
}

// task is what a route that runs by itself is told.
type task struct{ data, group []byte }

// tasks declares what runs a route on a request that nobody sent.
func tasks(m *route.Module) {
	under := route.NewPerShard(m, func(int) *task { return &task{} })
	run := func(c *route.Ctx, name, group, data []byte) route.Result {
		t := task{bytes.Clone(data), bytes.Clone(group)}
		if c.RunLater(name, func(c *route.Ctx) {
			*under.Of(c) = t
			c.AtEnd(func(c *route.Ctx) { *under.Of(c) = task{} })
		}) {
			return 1
		}
		c.Complain([]byte("async: there is no route[" + string(name) + "] for a task"))
		return -1
	}
	m.NamesRoutes()
	name := route.Text("routename", "the name of a route[]")
	data := route.Text("data", "what the route reads as $async(data)")
	group := route.Text("groupname", "the group of workers; Viaduct has none and takes any name")
	byDefault := []byte("default")
	const doc = "Goes on, and runs a route a moment later on a made-up request. False: there is " +
		"no such route."
	route.Func2(m, "async_task_data", route.Anywhere, name, data, doc,
		func(c *route.Ctx, name, data []byte) route.Result { return run(c, name, byDefault, data) })
	route.Func3(m, "async_task_group_data", route.Anywhere, name, group, data, doc, run)
	m.Var(route.Var{Name: "async", Inner: "data or gname",
		Doc: "The data, or the group, in a route that async_task_data runs. Elsewhere null.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			var part func(t *task) []byte
			switch inner {
			case "data":
				part = func(t *task) []byte { return t.data }
			case "gname":
				part = func(t *task) []byte { return t.group }
			default:
				b.Errorf("there is $async(data) and $async(gname), not $async(%s)", inner)
				return route.Place{}
			}
			return route.Place{Text: func(c *route.Ctx) ([]byte, bool) {
				t := part(under.Of(c))
				return t, t != nil
			}, NoRoom: true}
		}})
}
