package debugger

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// debugLevel is that of assignments.
const debugLevel = 3

// tracing declares what traces a script.
func tracing(m *route.Module, level *int) {
	begins := m.Bool("cfgtrace", false, "Whether a line is logged for each statement, and for each "+
		"function that a condition calls: kind and name of the route, file, line, and what it is. An "+
		"if is told by its first line, where Kamailio tells the line behind its last; break is "+
		"told as break; the numbers of actions (a=) are left out.")
	short := m.Bool("cfgtrace_format", false, "Whether those lines leave out the file.")
	prefix := m.Text("log_prefix", "*** cfgtrace:", "What those lines begin with.")
	levelName := m.Text("log_level_name", "", "A word and a colon in front of that; the level of the "+
		"log stays.")
	assigns := m.Bool("log_assign", false,
		"Whether a line is logged at L_DBG for each assignment: the "+
			"variable, and what it is then.")

	on := new(atomic.Bool)
	m.Ready(func() error {
		on.Store(*begins)
		if *assigns {
			m.TraceAssign(assigned)
		}
		return nil
	})
	m.Trace(func(at route.Traced) route.Call {
		before := *prefix + "dbg_cfg_trace(): "
		if *levelName != "" {
			before = *levelName + ": " + before
		}
		name := at.Route
		if other := theirs[name]; other != "" {
			name = other
		}
		behind := "=[" + name + "]"
		if !*short {
			behind += " c=[" + at.Pos.File + "]"
		}
		behind += " l=" + strconv.Itoa(at.Pos.Line) + " n=" + at.Name
		return func(c *route.Ctx) route.Result {
			if log := c.Shard.Log; on.Load() && *level <= log.LogLevel() {
				line := append(append(c.Room(), before...), c.KindName()...)
				log.Log(*level, append(line, behind...))
			}
			return 1
		}
	})
	m.Command("dbg.trace", "Switches the trace of scripts on or off, until the next reload.",
		command.Words("state"), func(a command.Args) (any, error) {
			switch word := a.Text(0); word {
			case "on", "1":
				on.Store(true)
			case "off", "0":
				on.Store(false)
			default:
				return nil, command.Faultf(400, "the state is %q; it is on or off", word)
			}
			return nil, nil
		})
	m.View("dbg.ls", "Tells whether scripts are traced.", command.Words(),
		func(command.Args) (any, error) {
			return map[string]any{"cfgtrace": on.Load(), "log_assign": *assigns}, nil
		})
}

// theirs are Kamailio's names of routes without a name.
var theirs = map[string]string{"request_route": "DEFAULT_ROUTE", "onsend_route": "DEFAULT_SEND"}

// assigned logs what an assignment has left: a text in quotes, as Kamailio.
func assigned(name string, value func(c *route.Ctx) route.Value) route.Call {
	before := "debugger: " + name + ":"
	return func(c *route.Ctx) route.Result {
		log := c.Shard.Log
		if debugLevel > log.LogLevel() {
			return 1
		}
		v := value(c)
		line := append(c.Room(), before...)
		switch {
		case v.IsText():
			line = append(v.Append(append(line, '"')), '"')
		case v.IsNull():
			line = append(line, "$null"...)
		default:
			line = v.Append(line)
		}
		log.Log(debugLevel, line)
		return 1
	}
}

// levels declares the levels of modules. Only what a script logs has one of its own.
func levels(m *route.Module) {
	size := m.Int("mod_hash_size", 0, 0, 31, "Above 0, mod_level has its effect.")
	mode := m.Bool("mod_level_mode", false, "Whether mod_level has its effect.")
	own := new(atomic.Int64)
	own.Store(route.NoLineLevel)
	wanted := int64(route.NoLineLevel)
	m.Each("mod_level", func(text string) error {
		name, number, found := strings.Cut(text, "=")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		switch {
		case !found || strings.TrimSpace(name) == "" || err != nil:
			return fmt.Errorf("is %s; it is written MODULE=LEVEL, as in \"xlog=3\"", route.Quote(text))
		case strings.TrimSpace(name) == scripts:
			wanted = int64(n)
		}
		return nil
	}, "\"MODULE=LEVEL\": the highest level that a module logs at, whatever debug says. It acts on "+
		"xlog, the lines that the script writes. The other modules have no lines of their own below "+
		"warnings.")
	m.Ready(func() error {
		if *mode && *size > 0 {
			own.Store(wanted)
			m.LineLevel(own)
		}
		return nil
	})
	set := func(a command.Args) (any, error) {
		switch {
		case !*mode || *size == 0:
			return nil, command.Faultf(500, "set mod_level_mode to 1 and mod_hash_size above 0")
		case a.Text(0) != scripts:
			return nil, command.Faultf(404, "module %q has no level of its own; xlog has", a.Text(0))
		}
		own.Store(a.Int(1, 0))
		return nil, nil
	}
	for _, name := range []string{"dbg.mod_level", "dbg.set_mod_level"} {
		m.Command(name, "Sets the highest level at which the lines of xlog are logged, until the next "+
			"reload.", command.Words("module", "#level"), set)
	}
	m.View("dbg.get_mod_level", "Shows the level of a module: of xlog.", command.Words("module"),
		func(a command.Args) (any, error) {
			n := own.Load()
			if a.Text(0) != scripts || n == route.NoLineLevel {
				return nil, command.Faultf(404, "module %q has no level of its own", a.Text(0))
			}
			return n, nil
		})
}

// scripts is the module whose level is that of the lines that a script writes.
const scripts = "xlog"
