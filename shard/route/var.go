package route

import (
	"slices"
	"strconv"
	"strings"
)

// Place is a compiled variable: how it is read, with one of Text, Int and Any, and how it is
// written. Text reads a variable that is a text, Int one that is a number, and Any one that may be
// either. If Text or Int returns false, the value is null. Without Set the variable cannot be
// assigned to. With nothing but Set it is null.
//
// A text is a view of the message or of something that the program holds. It must not change until
// the statement ends. A text that another shard may change, or that is made of several pieces, must
// be written into the run's scratch room:
//
//	b := append(c.Room(), …)    // behind what is in use, until the next Room, Get or Expand
//	return c.Built(b)           // valid until the statement ends from now on
//
// The text that Set is given is a view too, and Set must copy what it keeps.
//
// A variable with both Text and Int is a text that is the number of Int where a number is wanted.
type Place struct {
	Text func(c *Ctx) ([]byte, bool)
	Int  func(c *Ctx) (int64, bool)
	Any  func(c *Ctx) Value
	Set  func(c *Ctx, v Value) SetResult
	// AVP returns the name of the values that $avp stands for. It is nil for all other variables.
	AVP func(c *Ctx) Key
	// NoRoom says that neither reading nor setting uses the scratch room, so that nothing need be
	// freed. SetRoom, together with NoRoom, says that setting does use it.
	NoRoom, SetRoom bool
}

// Value reads the variable.
func (p *Place) Value(c *Ctx) Value {
	switch {
	case p.Text != nil && p.Int != nil:
		b, ok := p.Text(c)
		if !ok {
			return Value{}
		}
		n, _ := p.Int(c)
		return CountingText(b, n)
	case p.Text != nil:
		return strOf(p.Text(c))
	case p.Int != nil:
		n, ok := p.Int(c)
		if !ok {
			return Value{}
		}
		return intOf(n)
	case p.Any != nil:
		return p.Any(c)
	}
	return Value{}
}

// SetResult says how an assignment went.
type SetResult uint8

const (
	// SetDone means that the variable has the value.
	SetDone SetResult = iota
	// SetRefused means that the variable refused the value: $rc is -1, and the script continues.
	SetRefused
	// SetTooLong means that the value is too long for the variable: the run ends as Faulted.
	SetTooLong
)

// setResult is the same, for use in this package.
type setResult = SetResult

const (
	setDone, setRefused, setTooLong = SetDone, SetRefused, SetTooLong
)

// Var declares a pseudo-variable: $name, $name(inner) and $(name(inner)[index]).
type Var struct {
	Name string
	// Inner describes what stands in the parentheses, as in "NAME=>KEY". It is "" if there are
	// none.
	Inner string
	// Index describes what stands in the brackets. It is "" if there are none.
	Index string
	Doc   string
	// Always says that the module need not be loaded. (Without loadmodule "pv.so" Kamailio reads no
	// file that names a variable, so this surprises nobody.)
	Always bool
	// Place is the variable if it has neither parentheses nor brackets. Otherwise Compile is called
	// for each use in the file. index is "" if none was written. If Compile reports an error, its
	// result is not used.
	Place   Place
	Compile func(b *VarBuild, inner, index string) Place
}

// Var declares a pseudo-variable.
func (m *Module) Var(v Var) {
	switch {
	case v.Doc == "":
		panic("BUG: variable $" + v.Name + " of module " + m.name + " has no doc")
	case m.def.vars[v.Name] != nil:
		panic("BUG: variable $" + v.Name + " is declared twice")
	case v.Compile == nil && v.Inner+v.Index != "":
		panic("BUG: variable $" + v.Name + " needs Compile for what stands in its parentheses")
	}
	d := &pvDef{inner: v.Inner != "", index: v.Index != "", doc: v}
	if v.Compile == nil {
		d.code = v.Place.code(v.Name)
	} else {
		d.make = func(cc *compiler, pos Pos, inner, index string) *pvCode {
			b := &VarBuild{cc: cc, pos: pos, name: v.Name}
			p := v.Compile(b, inner, index)
			if b.failed {
				return nil
			}
			code := p.code(v.Name)
			if code.temp {
				cc.scratch = true
			}
			return &code
		}
	}
	m.def.vars[v.Name] = d
}

// code returns the variable in the form that the compiler uses.
func (p *Place) code(name string) pvCode {
	readers := 0
	for _, there := range []bool{p.Text != nil, p.Int != nil, p.Any != nil} {
		if there {
			readers++
		}
	}
	if p.Any != nil && readers > 1 || readers == 0 && p.Set == nil {
		panic("BUG: variable $" + name + " needs Text, Int or both, or else Any")
	}
	code := pvCode{bytes: p.Text, num: p.Int, any: p.Any, set: p.Set, avp: p.AVP, temp: !p.NoRoom,
		builds: (!p.NoRoom || p.SetRoom) && p.Set != nil}
	if readers == 0 {
		code.any = func(*Ctx) Value { return Value{} }
	}
	return code
}

// place returns a compiled variable in the form that functions use.
func (p *pvCode) place() *Place {
	return &Place{Text: p.bytes, Int: p.num, Any: p.any, Set: p.set, AVP: p.avp,
		NoRoom: !p.temp, SetRoom: p.builds}
}

// VarBuild is what a Compile has at hand for one use of a variable in the file.
type VarBuild struct {
	cc     *compiler
	pos    Pos
	name   string
	failed bool // an error was reported
}

// Errorf reports an error at the variable.
func (b *VarBuild) Errorf(format string, args ...any) {
	b.failed = true
	b.cc.ld.errorf(b.pos, format, args...)
}

// Pos returns where the variable stands. Route returns the route that it stands in: the name in its
// brackets, or the word that begins it.
func (b *VarBuild) Pos() Pos      { return b.pos }
func (b *VarBuild) Route() string { return b.cc.inRoute }

// Warnf is Errorf for a warning.
func (b *VarBuild) Warnf(format string, args ...any) { b.cc.ld.warnf(b.pos, format, args...) }

// Text compiles a text that may hold variables, such as a computed name. It returns nil after an
// error.
func (b *VarBuild) Text(s string) *Template {
	t := b.cc.template(b.pos, s)
	b.failed = b.failed || t == nil
	return t
}

// Variable compiles a text that must be a variable and nothing else, such as a computed name. It
// returns nil after an error.
func (b *VarBuild) Variable(s string) func(c *Ctx) Value {
	if v := b.only(s, "$"+b.name); v != nil {
		return v.value()
	}
	return nil
}

// Place is Variable for who writes to the variable too, or wants it as an AVP.
func (b *VarBuild) Place(s string) *Place {
	if v := b.only(s, b.name); v != nil {
		return v.place()
	}
	return nil
}

// only compiles a variable for what errors call what.
func (b *VarBuild) only(s, what string) *pvCode {
	f := b.cc.format(b.pos, s)
	switch {
	case f == nil:
		b.failed = true
		return nil
	case f.only() == nil:
		b.Errorf("%s: %s is no variable", what, quote(clip(s)))
		return nil
	}
	b.cc.scratch = true
	return f.only()
}

// VariableLen returns how long the variable at the beginning of s is: $name, $name(inner) or
// $(…). It returns 0 if s begins with none.
func VariableLen(s string) int {
	if s == "" || s[0] != '$' {
		return 0
	}
	n := 1
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || s[n] == '_' ||
		n > 1 && s[n] >= '0' && s[n] <= '9') {
		n++
	}
	if n < len(s) && s[n] == '(' {
		open := 0
		for i := n; i < len(s); i++ {
			switch s[i] {
			case '(':
				open++
			case ')':
				if open--; open == 0 {
					return i + 1
				}
			}
		}
		return 0
	}
	if n == 1 {
		return 0
	}
	return n
}

// Template is a text of the file that may hold variables.
type Template struct {
	f    *format
	text []byte
	long Diagnostic
}

func (cc *compiler) template(pos Pos, s string) *Template {
	f := cc.format(pos, s)
	if f == nil {
		return nil
	}
	if !f.plain {
		cc.scratch, cc.faults = true, true
	}
	return &Template{f: f, text: []byte(f.text),
		long: Diagnostic{Pos: pos, Text: "string is too long"}}
}

// Known returns the text and true if it holds no variable.
func (t *Template) Known() (string, bool) { return t.f.text, t.f.plain }

// Expand returns the text with its variables filled in, a view that is valid until the statement
// ends. If the scratch room is too small, it returns nil, and the run will end as Faulted.
func (t *Template) Expand(c *Ctx) []byte {
	if t.f.plain {
		return t.text
	}
	b, r := c.expand(t.f)
	if r <= 0 {
		c.failed(&t.long)
		return nil
	}
	return b
}

// Index is what stands in the brackets of a variable.
type Index struct {
	n   int
	all bool
	val valFn
}

// Index compiles what stands in brackets: a number, where negative ones count from the last, a
// variable, or *, which means all values. Without brackets the index is 0. It returns false after
// an error.
func (b *VarBuild) Index(s string) (Index, bool) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return Index{}, true
	case s == "*":
		return Index{all: true}, true
	case s[0] == '$':
		f := b.cc.format(b.pos, s)
		if f == nil {
			b.failed = true
			return Index{}, false
		}
		if pv := f.only(); pv != nil {
			return Index{val: pv.value()}, true
		}
	default:
		if n, err := strconv.Atoi(s); err == nil {
			if n < 0 && b.name == "avp" {
				b.Warnf("[%d] counts from the oldest value, as its manual has it; Kamailio 5.6 "+
					"finds another value or none", n)
			}
			return Index{n: n}, true
		}
	}
	b.Errorf("index of $%s must be a number, a variable or *, not %q", b.name, clip(s))
	return Index{}, false
}

// Known returns the index and true if it is known at load.
func (x *Index) Known() (n int, all, known bool) { return x.n, x.all, x.val == nil }

// At returns the index, or that all values are meant.
func (x *Index) At(c *Ctx) (n int, all bool) {
	if x.val == nil {
		return x.n, x.all
	}
	v := x.val(c)
	return int(v.int()), false
}

// variable returns the variable of that name, of the core or of a module. A plain variable works
// even if its module is not loaded, where in Kamailio it is null. It returns nil after an error.
func (cc *compiler) variable(pos Pos, name string) *pvDef {
	if d := cc.defs.get(core).vars[name]; d != nil {
		cc.ld.survey.add(Use{Kind: useVar, Name: "$" + name, Module: core}, pos)
		return d
	}
	for m := range cc.loaded {
		if d := cc.defs.get(m); d != nil && d.vars[name] != nil {
			cc.ld.survey.add(Use{Kind: useVar, Name: "$" + name, Module: m}, pos)
			return d.vars[name]
		}
	}
	for _, m := range cc.defs.names() {
		d := cc.defs.get(m).vars[name]
		switch {
		case d == nil:
			continue
		}
		cc.ld.survey.add(Use{Kind: useVar, Name: "$" + name, Module: m}, pos)
		switch {
		case d.doc.Always:
		case d.make != nil:
			cc.ld.errorf(pos, "$%s needs loadmodule \"%s.so\" before this line", name, m)
			return nil
		default:
			cc.ld.warnf(pos,
				"$%s is null in Kamailio without loadmodule \"%s.so\" before this line", name, m)
		}
		return d
	}
	cc.noVariable(pos, name)
	return nil
}

// noVariable reports a variable that does not exist.
func (cc *compiler) noVariable(pos Pos, name string) {
	if cc.missing(useVar, pos, name, "$"+name) {
		return
	}
	near := cc.near(name, func() (names []string) {
		for _, m := range cc.defs.names() {
			names = append(names, sortedKeys(cc.defs.get(m).vars)...)
		}
		slices.Sort(names)
		return names
	})
	cc.ld.errorf(pos, "unknown variable $%s%s", clip(name),
		strings.Replace(near, "mean ", "mean $", 1))
}

// variableNames returns the names of all of Viaduct's variables, and whether name is one of them or
// of Kamailio's.
func (cc *compiler) variableNames(name string) (names []string, there bool) {
	there = other(useVar, "", name) != nil
	for _, k := range known() {
		there = there || k.vars[name]
	}
	for _, m := range cc.defs.names() {
		vars := cc.defs.get(m).vars
		there = there || vars[name] != nil
		names = append(names, sortedKeys(vars)...)
	}
	slices.Sort(names)
	return names, there
}
