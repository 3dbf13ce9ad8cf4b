package route

import (
	"slices"
	"strconv"
	"strings"
)

// absences are the modules that a file loads, that Kamailio has and that are not here. What the
// file uses of one is told at its loadmodule line, once, and not at each use as well.
type absences map[string]*absence

type absence struct {
	pos  Pos
	uses map[string]int // functions and event routes, by name
}

// absent notes a module that is not here.
func (cc *compiler) absent(name string, pos Pos) {
	cc.absences[name] = &absence{pos: pos, uses: map[string]int{}}
}

// ofAbsent tells whether what is used belongs to such a module, and notes the use.
func (cc *compiler) ofAbsent(module, what string) bool {
	a := cc.absences[module]
	if a != nil {
		a.uses[what]++
	}
	return a != nil
}

// list says what the file uses of it, most often first; "" if it uses nothing.
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

// tellAbsent adds to the errors about such modules what the file uses of them.
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
