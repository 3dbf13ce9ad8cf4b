package route

import (
	"fmt"
	"sort"
	"time"

	"viaduct/shard/route/syntax"
)

// moduleDef is what a module has declared. Names found only in known.txt are known to Kamailio and
// not to Viaduct yet.
type moduleDef struct {
	// idle says why loading the module does nothing here. It is empty for a module that does
	// something.
	idle       string
	params     map[string]*paramDef
	funcs      map[string]*funcDef
	vars       map[string]*pvDef
	transforms map[string]*Transform
	events     []*Event
}

// paramDef is one module or core parameter. Exactly one of set and idle is given.
type paramDef struct {
	kind     paramKind
	min, max int64 // of numbers
	set      func(syntax.Literal)
	idle     string // why it has no effect
	any      bool   // numbers and strings are both accepted (globals that take a word)
	// problem says what is wrong with a value of the right kind, and note what deserves a warning.
	// Either may be nil, or return "" for nothing.
	problem, note func(v syntax.Literal) string
	notYet        bool // it has no effect yet
	unit          time.Duration
	live          bool       // operators may change it
	each          bool       // it may be given several times
	doc           string     // what it means, empty for an idle one
	now           func() any // its current value, nil for an idle one
}

type paramKind uint8

const (
	numberParam paramKind = iota
	stringParam
)

// check returns what is wrong with v, or "" if nothing is.
func (d *paramDef) check(v syntax.Literal) string {
	if why := d.checkKind(v); why != "" || d.problem == nil {
		return why
	}
	return d.problem(v)
}

func (d *paramDef) checkKind(v syntax.Literal) string {
	if d.any {
		return ""
	}
	if d.kind == stringParam {
		if v.Kind == syntax.IntLiteral {
			return fmt.Sprintf("wants a string in quotes, not the number %d", v.Num)
		}
		return ""
	}
	switch {
	case v.Kind == syntax.StrLiteral:
		return fmt.Sprintf("wants a number, not the string %s", quote(clip(v.Str)))
	case v.Kind == syntax.WordLiteral:
		return fmt.Sprintf("wants a number, not %q", clip(v.Str))
	case v.Num < d.min || v.Num > d.max:
		return fmt.Sprintf("is %d; the range is %d..%d", v.Num, d.min, d.max)
	}
	return ""
}

// idleNumber, idleText and idleAny make parameters that have no effect. The warning gives why as
// the reason.
func idleNumber(why string) *paramDef { return &paramDef{min: -1 << 31, max: 1<<32 - 1, idle: why} }
func idleText(why string) *paramDef   { return &paramDef{kind: stringParam, idle: why} }
func idleAny(why string) *paramDef    { return &paramDef{any: true, idle: why} }

// moduleNames returns the names of all modules, Viaduct's and Kamailio's.
func (cc *compiler) moduleNames() []string {
	set := map[string]bool{}
	for _, n := range cc.defs.names() {
		set[n] = true
	}
	for n := range known() {
		set[n] = true
	}
	delete(set, core)
	return sortedKeys(set)
}

// paramNames returns the names of a module's parameters, Viaduct's and Kamailio's.
func (cc *compiler) paramNames(module string) []string {
	set := map[string]bool{}
	if m := cc.defs.get(module); m != nil {
		for n := range m.params {
			set[n] = true
		}
	}
	for n := range known()[module].params {
		set[n] = true
	}
	return sortedKeys(set)
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
