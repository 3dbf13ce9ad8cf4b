// Package async puts calls off: Kamailio's module async. What it calls a task goes on in the shard
// that owns the call, a moment later.
package async

import (
	"time"

	"viaduct/shard/ask"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	const why = "nothing waits in a process of its own"
	m.IdleInt(why, "workers", "ms_timer")
	m.IdleInt("the script stops at the call until the time is over", "return")

	name := route.Block("routename", "the name of a route[], known at load")
	to := func(unit time.Duration) func(*route.Ctx, *ask.Question, *route.RouteBlock,
		int) route.Result {
		return func(_ *route.Ctx, q *ask.Question, _ *route.RouteBlock, n int) route.Result {
			return q.After(time.Duration(n) * unit)
		}
	}
	there := func(c *route.Ctx, a *ask.Answer, to *route.RouteBlock, _ int) route.Result {
		if a.Err != nil {
			return -1
		}
		return c.GoTo(to)
	}
	sleep := func(unit time.Duration) func(*route.Ctx, *ask.Question, int) route.Result {
		return func(_ *route.Ctx, q *ask.Question, n int) route.Result {
			return q.After(time.Duration(n) * unit)
		}
	}
	slept := func(_ *route.Ctx, a *ask.Answer, _ int) route.Result {
		return route.Truth(a.Err == nil)
	}
	seconds := route.Int("seconds", 0, 100, "how long")
	millis := route.Int("milliseconds", 0, 30000, "how long; timers have steps of 4 ms")
	const goes = "Ends the script and goes on with a route when the time is over."
	route.Wait2(m, "async_route", route.CanWait, name, seconds, goes, to(time.Second), there)
	route.Wait2(m, "async_ms_route", route.CanWait, name, millis, goes, to(time.Millisecond), there)
	const waits = "Goes on with what follows when the time is over. The run is held, and the " +
		"shard does other work."
	route.Wait1(m, "async_sleep", route.CanWait, seconds, waits, sleep(time.Second), slept)
	route.Wait1(m, "async_ms_sleep", route.CanWait, millis, waits, sleep(time.Millisecond), slept)
	route.Wait1(m, "async_task_route", route.CanWait, name,
		"Ends the script and goes on with a route, a moment later.",
		func(_ *route.Ctx, q *ask.Question, _ *route.RouteBlock) route.Result { return q.After(0) },
		func(c *route.Ctx, a *ask.Answer, to *route.RouteBlock) route.Result {
			if a.Err != nil {
				return -1
			}
			return c.GoTo(to)
		})
}
