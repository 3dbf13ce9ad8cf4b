package route

import (
	_ "embed"
	"strings"
	"sync"
)

// known.txt lists the names of the parameters, functions, variables, transformations and event
// routes of Kamailio 5.6's modules, one module per line:
//
//	name p: parameters f: functions v: variables t: transformations e: events
//
//go:embed known.txt
var knownText string

// known_others.txt lists the names that other versions have, and what has replaced them. The file
// describes its own format.
//
//go:embed known_others.txt
var othersText string

// knownModule is one line of known.txt.
type knownModule struct{ params, funcs, vars, transforms, events map[string]bool }

// of returns the names of one kind.
func (k *knownModule) of(kind useKind) map[string]bool {
	switch kind {
	case useParam:
		return k.params
	case useFunc:
		return k.funcs
	case useVar:
		return k.vars
	case useTransform:
		return k.transforms
	case useEvent:
		return k.events
	}
	return nil
}

// known returns the table by module. It is read on first use.
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

// otherName is a name that Kamailio 5.6 lacks and another version has.
type otherName struct {
	module   string
	versions string // "Kamailio until 4.4"
	instead  string // what to write in 5.6, "" if there is nothing
}

// String returns "known to Kamailio until 4.4, not implemented by Viaduct; in Kamailio 5.6 it is
// …".
func (o *otherName) String() string {
	s := "known to " + o.versions + ", not implemented by Viaduct"
	if o.instead != "" {
		s += "; in Kamailio 5.6 it is " + o.instead
	}
	return s
}

// nameOf is a name of one kind.
type nameOf struct {
	kind useKind
	name string
}

// others returns the names of other versions. It is read on first use.
var others = sync.OnceValue(func() map[nameOf][]otherName {
	kinds := map[string]useKind{"m:": useModule, "p:": useParam, "f:": useFunc, "v:": useVar,
		"t:": useTransform, "e:": useEvent, "c:": useSetting}
	t := map[nameOf][]otherName{}
	for _, line := range strings.Split(othersText, "\n") {
		left, instead, _ := strings.Cut(line, " => ")
		f := strings.Fields(left)
		if len(f) < 4 || strings.HasPrefix(f[0], "#") {
			continue
		}
		o := otherName{module: f[1], versions: "SER", instead: instead}
		if f[0] == "opensips" {
			o.versions = "OpenSIPS"
		} else if since, ok := strings.CutSuffix(f[0], "-"); ok {
			o.versions = "Kamailio from " + since + " on"
		} else if until, ok := strings.CutPrefix(f[0], "-"); ok {
			o.versions = "Kamailio until " + until
		}
		for _, n := range f[3:] {
			k := nameOf{kinds[f[2]], n}
			t[k] = append(t[k], o)
		}
	}
	return t
})

// other returns what another version of Kamailio has by that name: in module, if it has it there,
// or in any other module, except for a parameter of a given module. It returns nil if there is
// nothing.
func other(kind useKind, module, name string) *otherName {
	all := others()[nameOf{kind, name}]
	for i := range all {
		if all[i].module == module {
			return &all[i]
		}
	}
	if len(all) == 0 || module != "" && kind == useParam {
		return nil
	}
	return &all[0]
}

// knownIn returns the module of Kamailio 5.6 that has the name: a loaded module first, else the one
// with the shortest name. It returns "" if there is none.
func knownIn(kind useKind, name string, loaded map[string]bool) string {
	found := ""
	for _, m := range sortedKeys(known()) {
		k := known()[m]
		switch {
		case !k.of(kind)[name]:
		case loaded[m]:
			return m
		case found == "" || len(m) < len(found):
			found = m
		}
	}
	return found
}

// moduleKnown tells whether some version of Kamailio has the module.
func moduleKnown(name string) bool {
	_, ok := known()[name]
	return ok && name != core || other(useModule, "-", name) != nil
}
