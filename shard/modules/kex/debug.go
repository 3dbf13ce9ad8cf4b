package kex

import "viaduct/shard/route"

// A level is a log with another level than the core's.
type level struct {
	to route.Log
	n  int
}

func (l *level) LogLevel() int              { return l.n }
func (l *level) Log(level int, line []byte) { l.to.Log(level, line) }

// debug declares the functions that change what a shard logs, as in Kamailio what a process does.
// It lasts until resetdebug, over a reload, and not over a restart.
func debug(m *route.Module) {
	route.Func1(m, "setdebug", route.Anywhere,
		route.Int("level", -1<<31, 1<<31-1, "that of the global debug; 3 and above is everything"),
		"Sets the highest level at which this shard logs what its program says.",
		func(c *route.Ctx, n int) route.Result {
			l, set := c.Shard.Log.(*level)
			if !set {
				l = &level{to: c.Shard.Log} // once
				c.Shard.Log = l
			}
			l.n = n
			return 1
		})
	route.Func0(m, "resetdebug", route.Anywhere, "Undoes setdebug.",
		func(c *route.Ctx) route.Result {
			if l, set := c.Shard.Log.(*level); set {
				c.Shard.Log = l.to
			}
			return 1
		})
}
