// Package xlog writes lines with variables to the log: Kamailio's module xlog.
package xlog

import (
	"slices"
	"strconv"

	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	size := m.Int("buf_size", route.LineBytes, 1, route.MaxLineBytes,
		"The longest line in bytes; a longer one is cut.")
	prefix := m.Text("prefix", "<script>: ", "The text in front of each line.")
	mode := m.Bool("prefix_mode", false, "Whether variables in the prefix are filled in.")
	long := m.Bool("long_format", false,
		"Whether the functions that end in l write the name of the file before the line's number.")
	filter := m.LiveInt("methods_filter", -1, -1<<31, 1<<31-1,
		"The methods for which xlogm logs nothing, as the sum of their numbers in $rmid.")
	m.IdleInt("lines are not coloured", "force_color")
	m.IdleText("one facility serves all lines", "log_facility")
	m.IdleText("lines are not coloured", "log_colors")
	m.Var(route.Var{Name: "C", Inner: "two letters", Compile: color,
		Doc: "The escape sequence that makes a terminal write in one colour, the first letter, on " +
			"another: x the terminal's own, s black, r red, g green, y yellow, b blue, p purple, " +
			"c cyan, w white. A capital first letter is bold."})

	const levelErr = -1
	type prefixed = func(b *route.Build) (route.LinePrefix, bool)
	behind := func(b *route.Build, more string) (route.LinePrefix, bool) {
		if *mode {
			return b.LinePrefix(*prefix, more)
		}
		return b.LinePrefix("", *prefix+more)
	}
	// numbered is what the functions that end in l put behind the prefix: the line of the file.
	numbered := func(b *route.Build) (route.LinePrefix, bool) {
		line := strconv.Itoa(b.Pos().Line) + ":"
		if *long {
			line = b.Pos().File + ":" + line
		}
		return behind(b, line)
	}
	plain := func(b *route.Build) (route.LinePrefix, bool) { return behind(b, "") }

	facility := `a facility, which is ignored, if two more arguments follow; else `
	level := route.Special("level", facility+`a word such as "L_INFO" or a number; left out: L_ERR`)
	text := route.Optional(route.Special("text", "the line; the level if the line is the third "+
		"argument"),
		struct{}{})
	third := route.Optional(route.Special("line", "the line, if there is a facility"), struct{}{})
	leveled := func(name, doc string, before prefixed) {
		m.Func(route.Func{Name: name, In: route.Anywhere, Args: []route.AnyArg{level, text, third},
			Doc: doc, Build: func(b *route.Build) route.Call {
				p, ok := before(b)
				if !ok {
					return nil
				}
				at := b.Args() - 1
				if at == 0 {
					return b.LogLine(0, route.LevelNumber(levelErr), p, *size)
				}
				if at == 2 && !isFacility(b) {
					return nil
				}
				n, ok := b.LineLevel(at - 1)
				if !ok {
					return nil
				}
				return b.LogLine(at, n, p, *size)
			}})
	}
	leveled("xlog", "Logs a line.", plain)
	leveled("xlogl", "Logs a line, which begins with the number of the file's line.", numbered)
	m.Func(route.Func{Name: "xlogm", In: route.Anywhere,
		Args: []route.AnyArg{route.Special("level", `a word such as "L_INFO" or a number`),
			route.Special("text", "the line")},
		Doc: "Logs a line, unless methods_filter has the method of the message.",
		Build: func(b *route.Build) route.Call {
			p, ok1 := plain(b)
			n, ok2 := b.LineLevel(0)
			if !ok1 || !ok2 {
				return nil
			}
			log := b.LogLine(1, n, p, *size)
			return func(c *route.Ctx) route.Result {
				if pv.MethodNumber(c)&int64(filter.Get()) != 0 {
					return 1
				}
				return log(c)
			}
		}})
	fixed := func(name string, level int, doc string, before prefixed) {
		m.Func(route.Func{Name: name, In: route.Anywhere, Doc: doc,
			Args: []route.AnyArg{route.Special("text", "the line")},
			Build: func(b *route.Build) route.Call {
				p, ok := before(b)
				if !ok {
					return nil
				}
				return b.LogLine(0, route.LevelNumber(level), p, *size)
			}})
	}
	fixed("xdbgl", 3, "The same as xlogl, at the level L_DBG.", numbered)
	for _, f := range [...]struct {
		name  string
		level int
	}{
		{"xdbg", 3}, {"xinfo", 2}, {"xnotice", 1}, {"xwarn", 0}, {"xerr", -1}, {"xcrit",
			-2}, {"xbug", -4}, {"xalert", -5},
	} {
		fixed(f.name, f.level, "Logs a line at the level that the name says.", plain)
	}
}

// facilities are those of syslog(3), as Kamailio writes them.
var facilities = []string{"LOG_AUTH", "LOG_AUTHPRIV", "LOG_CRON", "LOG_DAEMON", "LOG_FTP",
	"LOG_KERN", "LOG_LOCAL0", "LOG_LOCAL1", "LOG_LOCAL2", "LOG_LOCAL3", "LOG_LOCAL4", "LOG_LOCAL5",
	"LOG_LOCAL6", "LOG_LOCAL7", "LOG_LPR", "LOG_MAIL", "LOG_NEWS", "LOG_SYSLOG", "LOG_USER",
	"LOG_UUCP"}

// isFacility tells whether the first argument is a facility. It returns false after an error.
func isFacility(b *route.Build) bool {
	name, ok := b.Known(0, "a facility, such as LOG_LOCAL0")
	switch {
	case !ok:
		return false
	case !slices.Contains(facilities, name):
		b.Errorf(0, "there is no facility %s%s", route.Quote(name), route.DidYouMean(name, facilities))
		return false
	}
	b.Warnf(0, "one facility serves all lines: %s has no effect", name)
	return true
}
