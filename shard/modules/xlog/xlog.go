// Package xlog writes lines with variables to the log: Kamailio's module xlog.
package xlog

import (
	"strconv"

	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	size := m.Int("buf_size", route.LineBytes, 1, route.MaxLineBytes,
		"The longest line in bytes; what is longer is cut.")
	prefix := m.Text("prefix", "<script>: ", "What stands before each line.")
	m.IdleInt("lines are not coloured", "force_color")
	m.IdleInt("lines carry no process id: the logger adds what it wants", "long_format")
	m.IdleInt("the prefix is plain text", "prefix_mode")
	m.IdleText("one facility serves all lines", "log_facility")
	m.IdleText("lines are not coloured", "log_colors")
	m.IdleInt("all methods are logged", "methods_filter")

	const levelErr = -1
	level := route.Special("level", `a word such as "L_INFO" or a number; left out: L_ERR`)
	text := route.Optional(route.Special("text", "the line"), struct{}{})
	// numbered is what the functions that end in l put behind the prefix: the line of the file.
	numbered := func(b *route.Build) string { return *prefix + strconv.Itoa(b.Pos().Line) + ":" }
	plain := func(*route.Build) string { return *prefix }
	leveled := func(name, doc string, before func(b *route.Build) string) {
		m.Func(route.Func{Name: name, In: route.Anywhere, Args: []route.AnyArg{level, text}, Doc: doc,
			Build: func(b *route.Build) route.Call {
				if b.Args() == 1 {
					return b.LogLine(0, levelErr, before(b), *size)
				}
				n, ok := b.LineLevel(0)
				if !ok {
					return nil
				}
				return b.LogLineAt(1, n, before(b), *size)
			}})
	}
	leveled("xlog", "Logs a line.", plain)
	leveled("xlogl", "Logs a line, which begins with the number of the file's line.", numbered)
	fixed := func(name string, level int, doc string, before func(b *route.Build) string) {
		m.Func(route.Func{Name: name, In: route.Anywhere, Doc: doc,
			Args: []route.AnyArg{route.Special("text", "the line")},
			Build: func(b *route.Build) route.Call {
				return b.LogLine(0, level, before(b), *size)
			}})
	}
	fixed("xdbgl", 3, "Is xlogl at the level L_DBG.", numbered)
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
