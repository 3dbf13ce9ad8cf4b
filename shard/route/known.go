package route

import (
	_ "embed"
	"strings"
	"sync"
)

// known.txt lists the names of the parameters, functions, variables, transformations and event
// routes of Kamailio 5.6's modules, from their manuals, one module per line:
//
//	name p: parameters f: functions v: variables t: transformations e: events
//
//go:embed known.txt
var knownText string

// knownModule is one line of it.
type knownModule struct{ params, funcs, vars, transforms, events map[string]bool }

// known gives the table, read on first use.
var known = sync.OnceValue(func() map[string]knownModule {
	t := map[string]knownModule{}
	for _, line := range strings.Split(knownText, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		m := knownModule{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{},
			map[string]bool{}}
		into := m.params
		for _, w := range f[1:] {
			switch w {
			case "p:":
				into = m.params
			case "f:":
				into = m.funcs
			case "v:":
				into = m.vars
			case "t:":
				into = m.transforms
			case "e:":
				into = m.events
			default:
				into[w] = true
			}
		}
		t[f[0]] = m
	}
	return t
})

// knownFunc is the module that has the function in Kamailio, a loaded one first; "" if none has.
func knownFunc(name string, loaded map[string]bool) string {
	found := ""
	for _, m := range sortedKeys(known()) {
		if known()[m].funcs[name] && (found == "" || loaded[m]) {
			found = m
		}
	}
	return found
}
