// Package regex holds texts against regular expressions of PCRE, those of groups in a file too:
// Kamailio's module regex. See package pcre for what is not PCRE here.
package regex

import (
	"sync/atomic"

	"viaduct/shard/modules/pcre"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// Results of the functions, those of Kamailio.
const (
	noGroups   = -2
	badPattern = -4
)

// Define is the module.
func Define(m *route.Module) {
	file := m.Text("file", "",
		"The file of groups: each begins with a line [0], [1] and so on, and each line after it "+
			"is an expression. Empty lines and lines that begin with #, a space or a tab are "+
			"ignored.")
	most := m.Int("max_groups", 20, 1, 10_000, "How many groups the file may have.")
	size := m.Int("group_max_size", 8192, 1, 1<<20,
		"How many bytes the expressions of a group may have together.")
	var flags [4]*bool
	for i, p := range []struct{ name, doc string }{
		{"pcre_caseless", "Whether case is ignored."},
		{"pcre_multiline", "Whether ^ and $ match at each line."},
		{"pcre_dotall", "Whether a dot matches a line feed."},
		{"pcre_extended", "Whether white space in an expression, and what follows #, is ignored."},
	} {
		flags[i] = m.Bool(p.name, false, p.doc)
	}
	how := func() (all pcre.Flags) {
		for i, f := range []pcre.Flags{pcre.Caseless, pcre.Multiline, pcre.DotAll, pcre.Extended} {
			if *flags[i] {
				all |= f
			}
		}
		return all
	}
	var groups atomic.Pointer[[]group]
	load := func() error {
		all, err := readGroups(*file, how(), *most, *size)
		if err == nil {
			groups.Store(&all)
		}
		return err
	}
	m.Ready(func() error {
		if *file == "" {
			return nil
		}
		return load()
	})
	matchers := route.NewPerShard[pcre.Matcher](m, nil)

	text := route.Text("string", "the text to examine")
	pattern := route.Text("pcre_regex", "the expression")
	m.Func(route.Func{Name: "pcre_match", In: route.Anywhere, Args: []route.AnyArg{text, pattern},
		Doc: "Tells whether a text matches an expression. -4: that is not a valid expression.",
		Build: func(b *route.Build) route.Call {
			text, ok1 := text.At(b, 0)
			pattern, ok2 := pattern.At(b, 1)
			if !ok1 || !ok2 {
				return nil
			}
			flags := how()
			var known *pcre.Pattern
			if s, ok := pattern.Known(); ok {
				var err error
				if known, err = pcre.Compile(string(s), flags); err != nil {
					b.Warnf(1, "pcre_match: %s; Kamailio takes it, and the call is -4", err)
					return func(*route.Ctx) route.Result { return badPattern }
				}
			}
			return func(c *route.Ctx) route.Result {
				m, p := matchers.Of(c), known
				if p == nil {
					s, r := pattern.Get(c)
					if r <= 0 {
						return r
					}
					if p = m.Cached(s, flags); p == nil {
						return badPattern
					}
				}
				s, r := text.Get(c)
				if r <= 0 {
					return r
				}
				return route.Truth(m.Match(p, s))
			}
		}})

	number := route.Optional(route.Int("group", 0, 1<<31-1, "the number of the group"), 0)
	route.Func2(m, "pcre_match_group", route.Anywhere, text, number,
		"Tells whether a text matches an expression of a group. The first group of the file has "+
			"number 0, whatever its brackets say. -4: there is no such group, -2: there is no "+
			"file.",
		func(c *route.Ctx, text []byte, n int) route.Result {
			all := groups.Load()
			switch {
			case all == nil:
				return noGroups
			case n >= len(*all):
				return badPattern
			}
			return route.Truth((*all)[n].matches(matchers.Of(c), text))
		})

	m.Command("regex.reload", "Reads the file of groups again. A file with a mistake changes "+
		"nothing.",
		nil, func(command.Args) (any, error) {
			if *file == "" {
				return nil, command.Faultf(500, "there is no file of groups")
			}
			if err := load(); err != nil {
				return nil, command.Faultf(500, "Failed to reload: %s", err)
			}
			return nil, nil
		})
}
