package route

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// moduleDef is what Viaduct knows of one Kamailio module. Names that are in known.txt only are Kamailio's and not ours yet.
type moduleDef struct {
	// idle says why loading the module does nothing here; empty for a module with something to do.
	idle   string
	params map[string]*paramDef
	funcs  map[string]*funcDef
}

// paramDef is one modparam or global. Exactly one of set and idle is given.
type paramDef struct {
	kind     paramKind
	min, max int64 // of numbers
	set      func(*Settings, valueLit)
	idle     string // why it has no effect
	any      bool   // numbers and strings are both accepted (globals that take a word)
	// well tells what is wrong with a value of the right kind, note what is worth a warning; nil or "": nothing.
	well, note func(v valueLit) string
}

type paramKind uint8

const (
	numberParam paramKind = iota
	stringParam
)

// check tells what is wrong with v, or "".
func (d *paramDef) check(v valueLit) string {
	if why := d.checkKind(v); why != "" || d.well == nil {
		return why
	}
	return d.well(v)
}

func (d *paramDef) checkKind(v valueLit) string {
	if d.any {
		return ""
	}
	if d.kind == stringParam {
		if v.kind == litInt {
			return fmt.Sprintf("wants a string in quotes, not the number %d", v.num)
		}
		return ""
	}
	switch {
	case v.kind == litStr:
		return fmt.Sprintf("wants a number, not the string %s", quote(clip(v.str)))
	case v.kind == litWord:
		return fmt.Sprintf("wants a number, not %q", clip(v.str))
	case v.num < d.min || v.num > d.max:
		return fmt.Sprintf("is %d; the range is %d..%d", v.num, d.min, d.max)
	}
	return ""
}

// The constructors of parameters: number, switch, text, duration; f names the field.

func number(min, max int64, f func(*Settings) *int) *paramDef {
	return &paramDef{min: min, max: max, set: func(s *Settings, v valueLit) { *f(s) = int(v.num) }}
}

func bits(f func(*Settings) *uint32) *paramDef {
	return &paramDef{max: 1<<32 - 1, set: func(s *Settings, v valueLit) { *f(s) = uint32(v.num) }}
}

func toggle(f func(*Settings) *bool) *paramDef {
	return &paramDef{max: 1, set: func(s *Settings, v valueLit) { *f(s) = v.num != 0 }}
}

func text(f func(*Settings) *string) *paramDef {
	return &paramDef{kind: stringParam, set: func(s *Settings, v valueLit) { *f(s) = v.str }}
}

// span is a time given in units of unit.
func span(unit time.Duration, min, max int64, f func(*Settings) *time.Duration) *paramDef {
	return &paramDef{min: min, max: max, set: func(s *Settings, v valueLit) { *f(s) = time.Duration(v.num) * unit }}
}

// idleNumber and idleText are accepted without effect; why goes into the warning.
func idleNumber(why string) *paramDef { return &paramDef{min: -1 << 31, max: 1<<32 - 1, idle: why} }
func idleText(why string) *paramDef   { return &paramDef{kind: stringParam, idle: why} }
func idleAny(why string) *paramDef    { return &paramDef{any: true, idle: why} }

// modules are the modules that can be loaded.
var modules map[string]*moduleDef

func init() {
	defineFuncs()
	modules = map[string]*moduleDef{
		"tm":         {params: tmParams, funcs: tmFuncs},
		"tmx":        {params: tmxParams, funcs: tmxFuncs},
		"pv":         {params: nil, funcs: nil},
		"sl":         {params: slParams, funcs: slFuncs},
		"rr":         {params: rrParams, funcs: rrFuncs},
		"maxfwd":     {params: maxfwdParams, funcs: maxfwdFuncs},
		"siputils":   {params: siputilsParams, funcs: siputilsFuncs},
		"textops":    {params: nil, funcs: textopsFuncs},
		"sanity":     {params: sanityParams, funcs: sanityFuncs},
		"dispatcher": {params: dispatcherParams, funcs: dispatcherFuncs},
		"xlog":       {params: xlogParams, funcs: xlogFuncs},
		"kex":        {funcs: kexFuncs},
		"corex":      {params: corexParams, funcs: corexFuncs},
		"tls":        {params: tlsParams, funcs: tlsFuncs},
		"websocket":  {params: websocketParams, funcs: websocketFuncs},
		"xhttp":      {params: xhttpParams, funcs: xhttpFuncs},
		"nathelper":  {params: nathelperParams, funcs: nathelperFuncs},
		"tcpops":     {params: tcpopsParams, funcs: tcpopsFuncs},
		"blst":       {funcs: blstFuncs},
		"path":       {params: pathParams, funcs: pathFuncs},
		"ctl":        {params: ctlParams, idle: "viaductctl has its own socket"},
		"cfg_rpc":    {idle: "viaductctl reads and sets the configuration"},
		"jsonrpcs":   {params: jsonrpcsParams, idle: "viaductctl takes the place of the JSON-RPC transports"},
		"counters":   {idle: "counters need no module"},
		"statistics": {idle: "counters need no module"},
		"debugger":   {idle: "there is no script debugger"},
	}
}

// moduleName takes the path and ".so" off a loadmodule argument.
func moduleName(arg string) string {
	return strings.TrimSuffix(arg[strings.LastIndexByte(arg, '/')+1:], ".so")
}

// moduleNames are all module names, ours and Kamailio's.
func moduleNames() []string {
	set := map[string]bool{}
	for n := range modules {
		set[n] = true
	}
	for n := range known() {
		set[n] = true
	}
	return sortedKeys(set)
}

// paramNames are the parameters of a module, ours and Kamailio's.
func paramNames(module string) []string {
	set := map[string]bool{}
	if m := modules[module]; m != nil {
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
