package pv

import (
	"os"
	"strconv"
	"time"

	"viaduct/shard/route"
)

// clocks are the variables of time and of the process.
func clocks(m *route.Module) {
	number := func(name, doc string, f func() int64) {
		m.Var(route.Var{Name: name, Doc: doc, Place: route.Place{NoRoom: true,
			Int: func(*route.Ctx) (int64, bool) { return f(), true }}})
	}
	seconds := func() int64 { return time.Now().Unix() }
	number("TS", "The time in seconds since 1970.", seconds)
	number("Ts", "The time in seconds since 1970.", seconds)
	start, pid := time.Now().Unix(), int64(os.Getpid())
	number("Tb", "When the program was loaded, in seconds since 1970.",
		func() int64 { return start })
	number("pp", "The number of the process.", func() int64 { return pid })
	m.Var(route.Var{Name: "Tf", Doc: "The local time, as in Mon Nov 30 13:15:40 2026.",
		Place: route.Place{Any: func(c *route.Ctx) route.Value {
			return c.Built(time.Now().AppendFormat(c.Room(), time.ANSIC))
		}}})
	m.Var(route.Var{Name: "TV", Inner: "s, u, sn or un",
		Doc: "The time: s its seconds since 1970, u the " +
			"microseconds of that second; n: as it is now, without it the same within a run in " +
			"Kamailio. Sn, in text: seconds.microseconds.", Compile: timeval})
}

// timeval is $TV(…).
func timeval(b *route.VarBuild, inner, _ string) route.Place {
	place := func(f func(t time.Time) int64) route.Place {
		return route.Place{NoRoom: true,
			Int: func(*route.Ctx) (int64, bool) { return f(time.Now()), true }}
	}
	switch inner {
	case "s", "sn":
		return place(time.Time.Unix)
	case "u", "un":
		return place(func(t time.Time) int64 { return int64(t.Nanosecond() / 1000) })
	case "Sn":
		return route.Place{Any: func(c *route.Ctx) route.Value {
			t := time.Now()
			b := append(strconv.AppendInt(c.Room(), t.Unix(), 10), '.')
			for unit := 100000000; unit >= 1000; unit /= 10 {
				b = append(b, byte('0'+t.Nanosecond()/unit%10))
			}
			return c.Built(b)
		}}
	}
	b.Errorf("$TV(%s): it is one of s, u, sn, un and Sn", inner)
	return route.Place{}
}
