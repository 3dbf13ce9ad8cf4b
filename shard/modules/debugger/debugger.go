// Package debugger shows what a script does: it traces statements and assignments, and logs a
// message and its values. It is Kamailio's module debugger; nothing stops a script.
package debugger

import (
	"encoding/json"

	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	level := m.Int("log_level", -1, -5, 3, "The level of the trace, and of dbg_sip_msg if a call "+
		"names none.")
	tracing(m, level)
	levels(m)
	const why = "nothing stops a script: cfgtrace and dbg_pv_dump show what it does"
	m.IdleAny(why, "breakpoint", "step_loops", "step_usleep")
	m.IdleAny("there is no private memory to check", "cfgpkgcheck")
	m.IdleAny("there is no module cfgt", "cfgtest")
	m.IdleAny("one facility serves all lines", "log_facility", "mod_facility", "mod_facility_mode")
	m.IdleAny("$mi counts the messages of a process, and goes on", "reset_msgid")

	m.Func(route.Func{Name: "dbg_sip_msg", In: route.Anywhere &^ (route.InBranch | route.InFailure),
		Args: []route.AnyArg{
			route.Optional(route.Special("log_level", "such as \"L_ERR\""), struct{}{}),
			route.Optional(route.Special("facility", "has no effect"), struct{}{}),
		},
		Doc: "Logs the message as it would be sent, with all changes that the script has made so " +
			"far.",
		Build: func(b *route.Build) route.Call {
			at := *level
			if b.Args() > 0 {
				var ok bool
				if at, ok = b.Level(0); !ok {
					return nil
				}
			}
			return func(c *route.Ctx) route.Result { return message(c, at) }
		}})
	mask := route.Optional(route.Int("mask", 0, 31, "2 shows $avp; the other bits have no effect"), 31)
	m.Func(route.Func{Name: "dbg_pv_dump", In: route.Anywhere,
		Args: []route.AnyArg{mask,
			route.Optional(route.Special("log_level", "such as \"L_DBG\""), struct{}{})},
		Doc: "Logs the values of $avp as a JSON text.",
		Build: func(b *route.Build) route.Call {
			mask, ok := mask.At(b, 0)
			at := 3
			if b.Args() > 1 {
				var known bool
				if at, known = b.Level(1); !known {
					return nil
				}
			}
			if !ok {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				bits, r := mask.Get(c)
				if r > 0 && bits&2 != 0 {
					values(c, at)
				}
				return r
			}
		}})
	m.Func(route.Func{Name: "dbg_breakpoint", In: route.Anywhere,
		Args: []route.AnyArg{route.Special("mode", "on or off")},
		Doc:  "Does nothing: a script cannot be stopped.",
		Build: func(b *route.Build) route.Call {
			b.Warnf(route.WholeCall, "dbg_breakpoint has no effect: %s", why)
			return func(*route.Ctx) route.Result { return 1 }
		}})
}

// message is dbg_sip_msg. Slow path.
func message(c *route.Ctx, level int) route.Result {
	log := c.Shard.Log
	if level > log.LogLevel() {
		return 1
	}
	line := append(c.Room(), "debugger: the message would be\n"...)
	switch {
	case c.Request != nil:
		line = c.Request.AppendApplied(line)
	case c.Reply != nil:
		line = c.Reply.AppendApplied(line)
	default:
		line = append(line, c.Msg.Raw...)
	}
	log.Log(level, line)
	return 1
}

// values is dbg_pv_dump: the values of each name, the newest first. Slow path.
func values(c *route.Ctx, level int) {
	log := c.Shard.Log
	if level > log.LogLevel() {
		return
	}
	k := c.Kept()
	var names []string
	all := map[string]string{}
	for i := k.First(route.AVPs); i != 0; i = k.Next(i) {
		name := string(k.Name(i))
		text := quoted(string(k.Value(i).Append(nil)))
		if v := k.Value(i); v.IsInt() {
			text = string(v.Append(nil))
		}
		if had, ok := all[name]; ok {
			text = had + "," + text
		} else {
			names = append(names, name)
		}
		all[name] = text
	}
	line := []byte("debugger: {")
	for i, name := range names {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, quoted("$avp("+name+")")+":["+all[name]+"]"...)
	}
	log.Log(level, append(line, '}'))
}

// quoted is a text as JSON.
func quoted(s string) string {
	b, _ := json.Marshal(s) // a string has always a form
	return string(b)
}
