// Package cfgutils lets a script wait, toss a coin and keep others out: Kamailio's module cfgutils.
// sleep, usleep and lock hold the run and never the shard.
package cfgutils

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"viaduct/shard/ask"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
	"viaduct/shm/table"
)

// The numbers that all shards share, by name in a table of the arena.
var (
	flagsKey = []byte("gflags")
	probKey  = []byte("probability")
)

// state is what one load of the module has.
type state struct {
	initial int // probability, in percent
	flags   uint32
	numbers *table.Table
	locks   *locks
}

// Define is the module.
func Define(m *route.Module) {
	s := &state{initial: 10}
	percent := func(text string, n int64) string {
		if p, err := strconv.Atoi(text); text != "" && (err != nil || p < 0 || p > 100) {
			return "is " + route.Quote(text) + "; it is a number from 0 to 100"
		}
		return ""
	}
	m.IntVar(&s.initial, "initial_probability", 0, 100,
		"How often rand_event is true at the start, in percent.")
	m.Check("initial_probability", percent)
	m.BitsVar(&s.flags, "initial_gflags", "The global flags at the start, a mask.")
	size := m.Int("lock_set_size", 0, 0, 16,
		"0 means that there are no locks; else there are 65,536, the most that Kamailio can have.")
	m.IdleText("the program is named by its own hash", "hash_file")
	m.Open(func(st *route.State) (err error) {
		if *size > 0 {
			s.locks = route.Shared(st, "cfgutils/locks", newLocks)
		}
		s.numbers, err = st.Table("cfgutils", table.Config{Entries: 16, MaxKey: 32, MaxValue: 32})
		return err
	})
	s.waits(m)
	s.chance(m)
	s.flagged(m)
	s.locking(m)
	s.rest(m)
}

// waits are the functions that let time pass.
func (s *state) waits(m *route.Module) {
	sleep := func(unit time.Duration) func(*route.Ctx, *ask.Question, int) route.Result {
		return func(_ *route.Ctx, q *ask.Question, n int) route.Result {
			if n == 0 {
				return 1
			}
			return q.After(time.Duration(n) * unit)
		}
	}
	slept := func(_ *route.Ctx, a *ask.Answer, _ int) route.Result {
		return route.Truth(a.Err == nil)
	}
	route.Wait1(m, "sleep", route.Anywhere, route.Spent(route.Int("time", 0, 86400, "seconds")),
		"Waits. Meanwhile the run is held and the shard works.", sleep(time.Second), slept)
	route.Wait1(m, "usleep", route.Anywhere,
		route.Spent(route.Int("time", 0, 1e9, "microseconds; timers have steps of 4 ms")),
		"Waits. Meanwhile the run is held and the shard works.", sleep(time.Microsecond), slept)
}

// number is a number that all shards share, def until it is set.
func (s *state) number(c *route.Ctx, key []byte, def int64) int64 {
	if v, verdict := s.numbers.Get(key, c.NowMs(), nil); verdict == table.Done {
		return v.Int
	}
	return def
}

// put sets it.
func (s *state) put(c *route.Ctx, key []byte, n int64) route.Result {
	s.numbers.Put(key, table.Number(n), table.Terms{}, c.NowMs())
	return 1
}

// chance are the functions that toss a coin.
func (s *state) chance(m *route.Module) {
	route.Func0(m, "rand_event", route.Anywhere, "Is true as often as the probability says.",
		func(c *route.Ctx) route.Result {
			return route.Truth(rand.Int64N(100) < s.number(c, probKey, int64(s.initial)))
		})
	route.Func1(m, "rand_set_prob", route.Anywhere,
		route.Strict(route.Int("probability", math.MinInt32, 100, "percent")),
		"Sets the probability, on all shards.",
		func(c *route.Ctx, n int) route.Result { return s.put(c, probKey, int64(n)) })
	route.Func0(m, "rand_reset_prob", route.Anywhere,
		"Resets the probability to the parameter's.",
		func(c *route.Ctx) route.Result { return s.put(c, probKey, int64(s.initial)) })
	route.Func0(m, "rand_get_prob", route.Anywhere,
		"Returns the probability as $rc. A probability of 0 ends the script.",
		func(c *route.Ctx) route.Result { return int(s.number(c, probKey, int64(s.initial))) })
	m.Var(route.Var{Name: "RANDOM", Doc: "A random number below 2^31.",
		Place: route.Place{NoRoom: true,
			Int: func(*route.Ctx) (int64, bool) { return rand.Int64N(1 << 31), true }}})
}

// flagged are the functions of the global flags.
func (s *state) flagged(m *route.Module) {
	flag := route.Int("flag", 0, 31, "its number")
	change := func(f func(flags, bit int64) int64) func(*route.Ctx, int) route.Result {
		return func(c *route.Ctx, n int) route.Result {
			for {
				now := c.NowMs()
				s.numbers.Insert(flagsKey, table.Number(int64(s.flags)), table.Terms{}, now)
				old := s.number(c, flagsKey, int64(s.flags))
				next := f(old, 1<<n)
				if s.numbers.CompareAndPut(flagsKey, table.Number(old), table.Number(next),
					table.Terms{}, now) != table.Differs {
					return 1
				} // else another shard was faster
			}
		}
	}
	in := route.Anywhere
	route.Func1(m, "set_gflag", in, flag, "Sets a global flag, which all calls see.",
		change(func(flags, bit int64) int64 { return flags | bit }))
	route.Func1(m, "reset_gflag", in, flag, "Clears a global flag.",
		change(func(flags, bit int64) int64 { return flags &^ bit }))
	route.Func1(m, "is_gflag", in, flag, "Tells whether a global flag is set.",
		func(c *route.Ctx, n int) route.Result {
			return route.Truth(s.number(c, flagsKey, int64(s.flags))>>n&1 != 0)
		})
}

// rest are the functions for debugging, a hash, and what asks for routes.
func (s *state) rest(m *route.Module) {
	route.Func3(m, "core_hash", route.Anywhere, route.Text("text1", "what is hashed"),
		route.Text("text2", "the text hashed after it; it may be empty"),
		route.Int("size", -1<<31, 1<<31-1, "the hash has 2 to the power of this many values; "+
			"below 1: two values"),
		"Returns as $rc the hash of one or two texts, computed as Kamailio's core does, plus 1.",
		func(_ *route.Ctx, a, b []byte, size int) route.Result {
			if size <= 0 {
				size = 1
			}
			return int(int32(pv.CoreHash(a, b)&(1<<(size%32)-1) + 1))
		})
	m.RouteIfThere("Calls the route[] of that name; -1: the file has none.")
	m.NamesRoutes()
	route.Func1(m, "check_route_exists", route.Anywhere, route.Text("route", "the name of a route[]"),
		"Tells whether the file has a route of that name.",
		func(c *route.Ctx, name []byte) route.Result { return route.Truth(c.HasRoute(name)) })
	route.Func0(m, "abort", route.Anywhere,
		"Ends the process with SIGABRT, which writes all its stacks.",
		func(*route.Ctx) route.Result {
			return route.Truth(unix.Kill(unix.Getpid(), unix.SIGABRT) == nil)
		})
	for _, name := range []string{"pkg_status", "pkg_summary", "shm_status", "shm_summary"} {
		m.Func(route.Func{Name: name, In: route.Anywhere,
			Doc: "Has no effect: viaductctl shows what memory is in use.",
			Build: func(b *route.Build) route.Call {
				b.Warnf(route.WholeCall,
					"%s has no effect: viaductctl stats has arena_used_bytes and go_heap_bytes",
					b.Name())
				return func(*route.Ctx) route.Result { return 1 }
			}})
	}
}
