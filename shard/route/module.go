package route

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"viaduct/shard/route/command"
	"viaduct/shard/route/syntax"
	"viaduct/shard/trace"
)

// Declared is one module in the list that Load is given: its name in loadmodule, and the function
// that declares it.
type Declared struct {
	Name   string
	Define func(m *Module)
}

// Module is what one loadmodule line of one load brings: parameters, functions, variables and
// transformations. At that line its Define is called with the Module and declares all of them, as
// flags are declared on a flag.FlagSet. Define also makes the variables that parameters set, and
// the functions capture them, so that two loads share nothing. Their values are known when a
// function is built and when Ready is called.
//
// A mistake in a Define, such as a name declared twice or a missing Doc, is a bug of ours and
// panics.
type Module struct {
	name  string
	set   *Settings
	def   moduleDef
	ready []func() error
	given map[string]*bool // parameters that Given was called for

	perShard []func(s *State)
	open     []func(s *State) error
	takes    func() int64
	rooms    func() []string
	held     []HeldState

	load     *defs    // nil if it is declared only for its names
	missing  []string // modules that it needs and the file has not loaded
	provides []any
	commands []*command.Method
	live     []*LiveInt
	counters []*Counter
	timers   []*Timer
	beside   []*BesideTimer
	started  []func(c *Ctx)
	own      []*OwnRoute
	stray    OwnRoute // see StrayReplyRoute; without a name there is none
	// responded is the event of RunsOnResponses, nil if there is none.
	responded  *Event
	mirrors    []func(c *Ctx, x *trace.Message)
	accounting *Accounting         // see Accounts
	compiles   []func(b *VarBuild) // see Compiles
	senders    []*Sender
	http       *httpService
	begins     map[string]Value // the initial values of $var
	// namesRoutes says that the module looks up routes by name
	namesRoutes bool
	tracing         // see trace.go
	at          Pos // where the value being set stands
}

// newModule makes a module by running its Define.
func newModule(d Declared, set *Settings, load *defs) *Module {
	m := &Module{name: d.Name, set: set, load: load, given: map[string]*bool{}}
	m.def = moduleDef{params: map[string]*paramDef{}, funcs: map[string]*funcDef{},
		vars: map[string]*pvDef{}, transforms: map[string]*Transform{}}
	d.Define(m)
	for n := range m.given {
		if m.def.params[n] == nil {
			panic("BUG: module " + m.name + " asks for a parameter that it has not: " + n)
		}
	}
	return m
}

// Settings returns the settings of the file being loaded, for parameters that bind a field of them.
func (m *Module) Settings() *Settings { return m.set }

// Idle declares that loading the module does nothing, and why. The file may load it, with a
// warning.
func (m *Module) Idle(why string) { m.def.idle = why }

// Ready has f called when the whole file is read, before its routes are compiled. It is for checks
// of several parameters together. An error is reported at the module's loadmodule line. viaduct -c
// calls f too, so f must not need a server: that is for Open.
func (m *Module) Ready(f func() error) { m.ready = append(m.ready, f) }

// param adds one parameter. now returns its current value.
func (m *Module) param(name, doc string, d *paramDef, now func() any) {
	if doc == "" && d.idle == "" {
		panic("BUG: parameter " + m.name + "." + name + " has no doc")
	}
	if m.def.params[name] != nil {
		panic("BUG: parameter " + m.name + "." + name + " is declared twice")
	}
	d.doc, d.now = doc, now
	m.def.params[name] = d
}

// bind adds a parameter that is stored in *p. Its default is the value of *p.
func bind[T any](m *Module, p *T, name, doc string, d *paramDef, read func(v syntax.Literal) T) {
	d.set = func(v syntax.Literal) { *p = read(v) }
	m.param(name, doc, d, func() any { return *p })
}

// Int declares a number parameter from min to max.
func (m *Module) Int(name string, def, min, max int, doc string) *int {
	m.IntVar(&def, name, min, max, doc)
	return &def
}

// IntVar is Int for an existing variable, which holds the default.
func (m *Module) IntVar(p *int, name string, min, max int, doc string) {
	bind(m, p, name, doc, &paramDef{min: int64(min), max: int64(max)},
		func(v syntax.Literal) int { return int(v.Num) })
}

// BitsVar declares a mask of 32 bits in an existing variable, which holds the default.
func (m *Module) BitsVar(p *uint32, name, doc string) {
	bind(m, p, name, doc, &paramDef{max: 1<<32 - 1},
		func(v syntax.Literal) uint32 { return uint32(v.Num) })
}

// Bits declares a mask of 32 bits.
func (m *Module) Bits(name string, def uint32, doc string) *uint32 {
	m.BitsVar(&def, name, doc)
	return &def
}

// Bool declares a switch parameter: 0 or 1.
func (m *Module) Bool(name string, def bool, doc string) *bool {
	m.BoolVar(&def, name, doc)
	return &def
}

// BoolVar is Bool for an existing variable, which holds the default.
func (m *Module) BoolVar(p *bool, name, doc string) {
	bind(m, p, name, doc, &paramDef{max: 1}, func(v syntax.Literal) bool { return v.Num != 0 })
}

// Text declares a string parameter.
func (m *Module) Text(name, def, doc string) *string {
	m.TextVar(&def, name, doc)
	return &def
}

// TextVar is Text for an existing variable, which holds the default.
func (m *Module) TextVar(p *string, name, doc string) {
	bind(m, p, name, doc, &paramDef{kind: stringParam},
		func(v syntax.Literal) string { return v.Str })
}

// Duration declares a time that the file gives as a number of units, from min to max.
func (m *Module) Duration(name string, unit time.Duration, def, min, max int,
	doc string) *time.Duration {
	p := time.Duration(def) * unit
	m.DurationVar(&p, name, unit, min, max, doc)
	return &p
}

// DurationVar is Duration for an existing variable, which holds the default.
func (m *Module) DurationVar(p *time.Duration, name string, unit time.Duration, min, max int,
	doc string) {
	bind(m, p, name, doc, &paramDef{min: int64(min), max: int64(max), unit: unit},
		func(v syntax.Literal) time.Duration { return time.Duration(v.Num) * unit })
}

// OneOf declares a string parameter that is one of a few words.
func (m *Module) OneOf(name, def, doc string, words ...string) *string {
	m.OneOfVar(&def, name, doc, words...)
	return &def
}

// OneOfVar is OneOf for an existing variable, which holds the default.
func (m *Module) OneOfVar(p *string, name, doc string, words ...string) {
	m.TextVar(p, name, doc)
	m.Check(name, func(s string, _ int64) string {
		if slices.Contains(words, s) {
			return ""
		}
		return fmt.Sprintf("is %s; it is one of %s", Quote(s), strings.Join(words, ", "))
	})
}

// Each declares a string parameter that may be given several times. take is called with each value
// in file order, and its error is reported at the value.
func (m *Module) Each(name string, take func(s string) error, doc string) {
	m.param(name, doc, &paramDef{kind: stringParam, each: true,
		set: func(syntax.Literal) {},
		problem: func(v syntax.Literal) string {
			m.at = v.Pos
			if err := take(v.Str); err != nil {
				return err.Error()
			}
			return ""
		}}, func() any { return nil })
}

// Check has wrong called with each value of a parameter, as a string or as a number. If wrong
// returns a text, the error message says that of the value. If it returns "", the value is fine.
func (m *Module) Check(name string, wrong func(s string, n int64) string) {
	m.def.params[name].problem = func(v syntax.Literal) string { return wrong(v.Str, v.Num) }
}

// Note is Check for values that deserve a warning.
func (m *Module) Note(name string, note func(s string, n int64) string) {
	m.def.params[name].note = func(v syntax.Literal) string { return note(v.Str, v.Num) }
}

// IdleInt declares number parameters that have no effect. A file that sets one gets a warning with
// the reason.
func (m *Module) IdleInt(why string, names ...string) {
	for _, n := range names {
		m.param(n, "", idleNumber(why), nil)
	}
}

// IdleText is IdleInt for strings.
func (m *Module) IdleText(why string, names ...string) {
	for _, n := range names {
		m.param(n, "", idleText(why), nil)
	}
}

// IdleAny is IdleInt for values of either kind.
func (m *Module) IdleAny(why string, names ...string) {
	for _, n := range names {
		m.param(n, "", idleAny(why), nil)
	}
}

// NotYet declares that these parameters have no effect yet. A file that sets one gets a warning.
func (m *Module) NotYet(names ...string) {
	for _, n := range names {
		m.def.params[n].notYet = true
	}
}

// Given returns a variable that is true once the file has set the parameter.
func (m *Module) Given(name string) *bool {
	p := new(bool)
	m.given[name] = p
	return p
}

// defs has the modules that one load knows: the core, and those in the list it was given.
type defs struct {
	list     []Declared
	loaded   map[string]*Module
	recorded map[string]*Module // not loaded, declared only for their names
}

// newDefs makes the defs of a load, with the core loaded.
func newDefs(list []Declared, set *Settings) defs {
	d := defs{list: append([]Declared{Core()}, list...), loaded: map[string]*Module{},
		recorded: map[string]*Module{}}
	d.load(core, set)
	return d
}

// has tells whether name is a module that a file may load.
func (d *defs) has(name string) bool { return name != core && d.known(name) }

func (d *defs) known(name string) bool {
	return slices.ContainsFunc(d.list, func(l Declared) bool { return l.Name == name })
}

// load runs the Define of a module in the list.
func (d *defs) load(name string, set *Settings) *Module {
	m := newModule(d.named(name), set, d)
	d.loaded[name] = m
	return m
}

func (d *defs) named(name string) Declared {
	return d.list[slices.IndexFunc(d.list, func(l Declared) bool { return l.Name == name })]
}

// get returns what a module declares, whether it is loaded or not. It returns nil if the list has
// no such module.
func (d *defs) get(name string) *moduleDef {
	if m := d.loaded[name]; m != nil {
		return &m.def
	}
	if m := d.recorded[name]; m != nil {
		return &m.def
	}
	if !d.known(name) {
		return nil
	}
	d.recorded[name] = newModule(d.named(name), DefaultSettings(), nil)
	return &d.recorded[name].def
}

// names returns the names of all modules in the list, with the core, sorted.
func (d *defs) names() []string {
	var names []string
	for i := range d.list {
		names = append(names, d.list[i].Name)
	}
	slices.Sort(names)
	return names
}

// readyAll calls what the modules have registered with Ready, and gives the program what they
// declare for its runs.
func (cc *compiler) readyAll() {
	for i := range cc.set.Modules {
		l := &cc.set.Modules[i]
		m := cc.defs.loaded[l.Name]
		if m == nil {
			continue
		}
		for _, f := range m.ready {
			switch err := f(); {
			case err == nil:
			case cc.ld.survey != nil && errors.Is(err, fs.ErrNotExist):
				cc.ld.warnf(l.Pos, "module %s: %s: no start without it", l.Name, err)
			default:
				cc.ld.errorf(l.Pos, "module %s: %s", l.Name, err)
			}
		}
		cc.prog.held = append(cc.prog.held, m.held...)
		cc.prog.namesRoutes = cc.prog.namesRoutes || m.namesRoutes
		if m.http != nil {
			cc.prog.http = m.http
		}
		if m.trace != nil {
			cc.trace = m.trace
		}
		if m.traceAssign != nil {
			cc.traceAssign = m.traceAssign
		}
		if m.lineLevel != nil {
			cc.lineLevel = m.lineLevel
		}
		for _, e := range m.own {
			cc.refs = append(cc.refs, routeRef{name: e.name, pos: e.pos})
			e.rt, e.prog = cc.routeNamed(e.name), cc.prog
		}
		if m.stray.name != "" {
			cc.stray = &m.stray
		}
		if m.responded != nil {
			cc.prog.responded = m.responded
		}
		cc.prog.mirrors = append(cc.prog.mirrors, m.mirrors...)
		if m.accounting != nil {
			cc.prog.accounting = m.accounting
		}
		for _, f := range m.compiles {
			f(&VarBuild{cc: cc, pos: l.Pos, name: "module " + l.Name})
		}
		for _, s := range m.senders {
			s.prog = cc.prog
		}
		cc.prog.opens = append(cc.prog.opens, opening{m, l.Pos})
	}
	cc.prog.opens = append(cc.prog.opens, opening{cc.defs.loaded[core], Pos{}})
}
