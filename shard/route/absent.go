package route

import (
	"slices"
	"strconv"
	"strings"
)

// absences holds the modules that a file loads and Kamailio has, but Viaduct does not. What the
// file uses of such a module is reported once, at its loadmodule line, and not at each use.
type absences map[string]*absence

type absence struct {
	pos  Pos
	uses map[string]int // functions and event routes, by name
}

// absent notes that module name, loaded at pos, does not exist here.
func (cc *compiler) absent(name string, pos Pos) {
	cc.absences[name] = &absence{pos: pos, uses: map[string]int{}}
}

// ofAbsent tells whether module is absent. If so, it notes that the file uses what.
func (cc *compiler) ofAbsent(module, what string) bool {
	a := cc.absences[module]
	if a != nil {
		a.uses[what]++
	}
	return a != nil
}

// list returns what the file uses of the module, most used first. It returns "" if the file uses
// nothing.
func (a *absence) list() string {
	names := sortedKeys(a.uses)
	slices.SortStableFunc(names, func(x, y string) int { return a.uses[y] - a.uses[x] })
	for i, n := range names {
		if k := a.uses[n]; k > 1 {
			names[i] = n + " (" + strconv.Itoa(k) + " times)"
		}
	}
	return strings.Join(names, ", ")
}

// tellAbsent adds to the error about each absent module what the file uses of it.
func (cc *compiler) tellAbsent() {
	for _, a := range cc.absences {
		list := a.list()
		if list == "" {
			continue
		}
		for i := range cc.ld.Errors {
			if e := &cc.ld.Errors[i]; e.Pos == a.pos && strings.HasPrefix(e.Text, "module ") {
				e.Text += "; the file uses " + list
			}
		}
	}
}
