package route

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Manual returns the page about a module. It has only what the module declares.
func Manual(d Declared) []byte {
	m := newModule(d, DefaultSettings(), nil)
	var b strings.Builder
	if d.Name == core {
		b.WriteString("# The core\n\nWhat a file has without loadmodule, besides the lines " +
			"`listen=`, `alias=` and `flags`.\n")
	} else {
		fmt.Fprintf(&b, "# Module %s\n\n", d.Name)
	}
	b.WriteString("Made from the declarations of `shard/modules` by " +
		"`go generate ./shard/modules`.\n\n")
	if m.def.idle != "" {
		fmt.Fprintf(&b, "Loading it does nothing: %s.\n\n", m.def.idle)
	}
	m.theirs(&b)
	m.manualParams(&b)
	m.manualFuncs(&b)
	m.manualVars(&b)
	m.manualRest(&b)
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// theirs writes how many of Kamailio's names the module has.
func (m *Module) theirs(b *strings.Builder) {
	for _, h := range m.have() {
		if h.theirs == 0 {
			continue
		}
		fmt.Fprintf(b, "Of Kamailio 5.6's %s, %d of %d are there", h.what, h.theirs-len(h.missing),
			h.theirs)
		if h.idle > 0 {
			fmt.Fprintf(b, ", %d of them without effect", h.idle)
		}
		b.WriteString(".")
		if len(h.missing) > 0 {
			fmt.Fprintf(b, " Not yet: %s.", strings.Join(h.missing, ", "))
		}
		b.WriteString("\n\n")
	}
}

// have says how many of Kamailio's names of one kind the module has.
type have struct {
	what         string
	theirs, idle int
	missing      []string
}

// String returns how many have an effect, as in "5 of 7".
func (h *have) String() string {
	if h.theirs == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", h.theirs-len(h.missing)-h.idle, h.theirs)
}

// have compares the module with known.txt: its parameters, functions, variables, transformations
// and events.
func (m *Module) have() []have {
	k := known()[m.name]
	compare := func(what string, theirs map[string]bool,
		ours func(n string) (there, idle bool)) have {
		h := have{what: what, theirs: len(theirs)}
		for _, n := range sortedKeys(theirs) {
			switch there, idle := ours(n); {
			case !there:
				h.missing = append(h.missing, "`"+n+"`")
			case idle:
				h.idle++
			}
		}
		return h
	}
	return []have{
		compare("parameters", k.params, func(n string) (bool, bool) {
			p := m.def.params[n]
			return p != nil, p != nil && (p.idle != "" || p.notYet)
		}),
		compare("functions", k.funcs,
			func(n string) (bool, bool) { return m.def.funcs[n] != nil, false }),
		compare("variables", k.vars,
			func(n string) (bool, bool) { return m.def.vars[n] != nil, false }),
		compare("transformations", k.transforms,
			func(n string) (bool, bool) { return m.def.transforms[n] != nil, false }),
		compare("events", k.events, func(n string) (bool, bool) {
			return slices.ContainsFunc(m.def.events,
				func(e *Event) bool { return e.name == n || e.family() == n }), false
		}),
	}
}

// ManualIndex returns the page that lists the modules.
func ManualIndex(all []Declared) []byte {
	var b strings.Builder
	b.WriteString("# Modules\n\nWhat each module that a file may load has of what Kamailio 5.6's " +
		"has; names that are accepted\nwithout effect do not count. The pages are made by " +
		"`go generate ./shard/modules`.\n\n")
	columns := []string{"module", "parameters", "functions", "variables", "transformations",
		"events"}
	row(&b, columns...)
	b.WriteString("|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, d := range all {
		cells := []string{"[" + d.Name + "](" + d.Name + ".md)"}
		for _, h := range newModule(d, DefaultSettings(), nil).have() {
			cells = append(cells, h.String())
		}
		row(&b, cells...)
	}
	return []byte(b.String())
}

// row writes a row of a table.
func row(b *strings.Builder, cells ...string) {
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// tableHead writes the heading and the head of a table.
func tableHead(b *strings.Builder, title string, columns ...string) {
	fmt.Fprintf(b, "## %s\n\n", title)
	row(b, columns...)
	b.WriteString("|" + strings.Repeat("---|", len(columns)) + "\n")
}

func (m *Module) manualParams(b *strings.Builder) {
	if len(m.def.params) == 0 {
		return
	}
	tableHead(b, "Parameters", "parameter", "value", "default", "effect")
	for _, names := range named(m.def.params) {
		p := m.def.params[names[0]]
		effect := p.doc
		switch {
		case p.idle != "":
			effect = "none: " + p.idle
		case p.notYet:
			effect += " Not acted on yet."
		case p.live:
			effect += " `cfg.set_now_int` changes it."
		}
		row(b, "`"+strings.Join(names, "`, `")+"`", p.values(), p.standard(), effect)
	}
	b.WriteString("\n")
}

// Setting is a global of the core, for manuals.
type Setting struct{ Name, Values, Standard, Doc string }

// CoreGlobals returns the globals that have an effect, sorted. One with several names has the
// first.
func CoreGlobals() (all []Setting) {
	m := newModule(Core(), DefaultSettings(), nil)
	for _, names := range named(m.def.params) {
		if p := m.def.params[names[0]]; p.idle == "" && !p.notYet {
			all = append(all, Setting{names[0], p.values(), strings.Trim(p.standard(), "`"), p.doc})
		}
	}
	return all
}

// named groups the names that share a declaration. The groups are sorted by their first name.
func named[V comparable](all map[string]V) [][]string {
	names := map[V][]string{}
	for _, n := range sortedKeys(all) {
		names[all[n]] = append(names[all[n]], n)
	}
	return slices.SortedFunc(maps.Values(names), slices.Compare)
}

// values says which values a parameter takes.
func (d *paramDef) values() string {
	switch {
	case d.any:
		return "number or text"
	case d.kind == stringParam:
		return "text"
	case d.idle != "":
		return "number"
	case d.min == 0 && d.max == 1:
		return "0 or 1"
	}
	return fmt.Sprintf("%d to %d", d.min, d.max)
}

// standard returns the value that a parameter has if the file does not set it.
func (d *paramDef) standard() string {
	if d.now == nil {
		return ""
	}
	switch v := d.now().(type) {
	case nil:
		return ""
	case string:
		if v == "" {
			return "empty"
		}
		return "`" + v + "`"
	case bool:
		if v {
			return "1"
		}
		return "0"
	case time.Duration:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

func (m *Module) manualFuncs(b *strings.Builder) {
	if len(m.def.funcs) == 0 {
		return
	}
	tableHead(b, "Functions", "function", "in", "what it does")
	for _, names := range named(m.def.funcs) {
		d := m.def.funcs[names[0]]
		var calls []string
		for _, n := range names {
			calls = append(calls, "`"+n+"("+signature(d.args)+")`")
		}
		in := d.in
		where := "anywhere"
		if in != 0 && in != Anywhere {
			where = in.String()
		}
		what := d.doc
		if d.soonIn != 0 {
			what += " Not yet in " + d.soonIn.String() + "."
		}
		if d.waitless != 0 {
			what += " It cannot wait in " + d.waitless.String() + "."
		}
		if d.soon > 0 {
			what += fmt.Sprintf(" Not yet with %s.", count(d.soon, "argument"))
		}
		row(b, strings.Join(calls, ", "), where, what+argumentDocs(d.args))
	}
	b.WriteString("\n")
}

// signature returns a list of arguments as manuals write it: "uri[, q]".
func signature(args []AnyArg) string {
	s, open := "", 0
	for i, a := range args {
		info := a.arg()
		sep := ", "
		if i == 0 {
			sep = ""
		}
		if info.optional {
			s += "["
			open++
		}
		s += sep + strings.ReplaceAll(info.name, " ", "_")
	}
	return s + strings.Repeat("]", open)
}

// argumentDocs returns what each argument means.
func argumentDocs(args []AnyArg) string {
	s := ""
	for _, a := range args {
		info := a.arg()
		s += fmt.Sprintf("<br>*%s*: %s", strings.ReplaceAll(info.name, " ", "_"), info.doc)
	}
	return s
}

func (m *Module) manualVars(b *strings.Builder) {
	if len(m.def.vars) > 0 {
		tableHead(b, "Variables", "variable", "what it is")
		for _, n := range sortedKeys(m.def.vars) {
			v := m.def.vars[n].doc
			form := "$" + n
			if v.Inner != "" {
				form += "(" + v.Inner + ")"
			}
			what := v.Doc
			if v.Index != "" {
				what += "<br>*[index]*: " + v.Index
			}
			row(b, "`"+form+"`", what)
		}
		b.WriteString("\n")
	}
	if len(m.def.transforms) > 0 {
		tableHead(b, "Transformations", "transformation", "what it gives")
		for _, n := range sortedKeys(m.def.transforms) {
			t := m.def.transforms[n]
			args := signature(t.Args)
			if args != "" {
				args = "," + strings.ReplaceAll(args, ", ", ",")
			}
			row(b, "`{"+n+args+"}`", t.Doc+argumentDocs(t.Args))
		}
		b.WriteString("\n")
	}
}

// manualRest writes the events, commands and counters.
func (m *Module) manualRest(b *strings.Builder) {
	if len(m.def.events) > 0 {
		tableHead(b, "Events", "event route", "when it runs")
		for _, e := range m.def.events {
			row(b, "`event_route["+e.name+"]`", e.doc)
		}
		b.WriteString("\n")
	}
	if len(m.commands) > 0 {
		tableHead(b, "Commands", "command", "what it does")
		for _, c := range m.commands {
			row(b, "`"+c.Usage()+"`", c.Help)
		}
		b.WriteString("\n")
	}
	if len(m.counters) > 0 {
		tableHead(b, "Counters", "statistic", "what it counts")
		for _, k := range m.counters {
			row(b, "`"+k.String()+"`", k.Doc)
		}
		b.WriteString("\n")
	}
}
