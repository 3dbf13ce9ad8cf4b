// Package rtimer runs routes every so often: Kamailio's module rtimer.
package rtimer

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"viaduct/shard/route"
)

// maxMode is the most processes that a timer of Kamailio's may have here: each runs its routes.
const maxMode = 64

// timer is a timer of the file.
type timer struct {
	name     string
	interval time.Duration // 0 means default_interval
	each     int           // how often its routes are run each time
	routes   []*route.OwnRoute
	worker   *route.PerShard[int64]
}

// Define is the module.
func Define(m *route.Module) {
	worker := route.NewPerShard[int64](m, nil)
	m.Var(route.Var{Name: "rtimer_worker", Doc: "In a route of a timer, which of its processes of " +
		"Kamailio's this run stands for, counted from 0; elsewhere 0.",
		Place: route.Place{NoRoom: true,
			Int: func(c *route.Ctx) (int64, bool) { return *worker.Of(c), true }}})
	var timers []*timer
	named := func(name string) *timer {
		for _, t := range timers {
			if t.name == name {
				return t
			}
		}
		return nil
	}
	def := m.Duration("default_interval", time.Second, 120, 1, 1<<31-1,
		"The interval of a timer that names none, in seconds.")
	m.Each("timer", func(s string) error {
		t := &timer{each: 1, worker: worker}
		err := params(s, func(name, value string) (err error) {
			switch name {
			case "name":
				t.name = value
			case "interval":
				t.interval, err = interval(value)
			case "mode":
				n, bad := strconv.Atoi(value)
				if bad != nil || n < 0 || n > maxMode {
					return fmt.Errorf("has the mode %q; it is a number from 0 to %d", value,
						maxMode)
				}
				t.each = max(n, 1)
			default:
				return unknown(name, "name", "interval", "mode")
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case t.name == "":
			return fmt.Errorf("is %q; it is such as \"name=x;interval=5;mode=1;\"", s)
		case named(t.name) != nil:
			return fmt.Errorf("declares the timer %s a second time", t.name)
		}
		timers = append(timers, t)
		m.Every(&t.interval, route.OneShard, t.run).Name = t.name
		return nil
	}, `"name=x;interval=5;mode=1;": a timer. The interval is in seconds, or in microseconds `+
		`with a u after it; timers have steps of 4 ms. The mode is the number of processes that `+
		`run the routes in Kamailio. Here the routes run that many times, one after another, on `+
		`the first shard.`)
	m.Each("exec", func(s string) error {
		var of *timer
		var name string
		err := params(s, func(key, value string) error {
			switch key {
			case "timer":
				if of = named(value); of == nil {
					var names []string
					for _, t := range timers {
						names = append(names, t.name)
					}
					return fmt.Errorf("names the timer %s, which no timer before declares%s", value,
						route.DidYouMean(value, names))
				}
			case "route":
				name = value
			default:
				return unknown(key, "timer", "route")
			}
			return nil
		})
		switch {
		case err != nil:
			return err
		case of == nil || name == "":
			return fmt.Errorf("is %q; it is such as \"timer=x;route=NAME\"", s)
		}
		of.routes = append(of.routes, m.OwnRoute(name))
		return nil
	}, `"timer=x;route=NAME": a route[] that the timer runs. `+
		`If there are several, the last one runs first.`)
	m.Ready(func() error {
		for _, t := range timers {
			if t.interval == 0 {
				t.interval = *def
			}
		}
		return nil
	})
}

// run runs the routes of the timer: what is given last comes first, as in Kamailio 5.6.3.
func (t *timer) run(c *route.Ctx) {
	worker := t.worker.Of(c)
	for *worker = 0; *worker < int64(t.each); *worker++ {
		for i := len(t.routes) - 1; i >= 0; i-- {
			t.routes[i].Run(c)
		}
	}
	*worker = 0
}

// unknown says that a key means nothing, which Kamailio passes over in silence.
func unknown(key string, keys ...string) error {
	return fmt.Errorf("has %s, which means nothing here; the keys are %s%s", route.Quote(key),
		strings.Join(keys, ", "), route.DidYouMean(key, keys))
}

// interval reads seconds, or microseconds with a u behind them.
func interval(s string) (time.Duration, error) {
	unit, digits := time.Second, s
	if n, ok := strings.CutSuffix(s, "u"); ok {
		unit, digits = time.Microsecond, n
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > 1<<31-1 {
		return 0, fmt.Errorf("has the interval %q; it is a number of seconds, or of microseconds "+
			"as in \"100000u\"", s)
	}
	return time.Duration(n) * unit, nil
}

// params reads "name=value;…".
func params(s string, take func(name, value string) error) error {
	for p := range strings.SplitSeq(s, ";") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		if err := take(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	return nil
}
