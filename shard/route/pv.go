package route

import (
	"strconv"
	"strings"

	"viaduct/shard/route/syntax"
)

// pvCode is a compiled pseudo-variable. A text has bytes, a number has num, a text that is some
// number where one is wanted has both, and all others have any.
type pvCode struct {
	bytes  func(c *Ctx) ([]byte, bool) // the view is valid until the statement ends
	num    func(c *Ctx) (int64, bool)
	any    valFn // for values of either kind: $var, $null
	set    func(c *Ctx, v Value) setResult
	avp    func(c *Ctx) Key
	temp   bool // reading needs scratch room
	builds bool // set needs scratch room
	blank  bool // in a text null is empty, not <null>
}

// value returns code that reads the variable as an operand.
func (p *pvCode) value() valFn {
	switch {
	case p.bytes != nil && p.num != nil:
		read, number := p.bytes, p.num
		return func(c *Ctx) Value {
			b, ok := read(c)
			if !ok {
				return Value{}
			}
			n, _ := number(c)
			return CountingText(b, n)
		}
	case p.bytes != nil:
		read := p.bytes
		return func(c *Ctx) Value {
			b, ok := read(c)
			if !ok {
				return Value{}
			}
			return Value{Kind: strValue, S: b}
		}
	case p.num != nil:
		read := p.num
		return func(c *Ctx) Value {
			n, ok := read(c)
			if !ok {
				return Value{}
			}
			return intOf(n)
		}
	}
	return p.any
}

// pvDef is a class of variables, by its name. make compiles a variable from what stands in its
// parentheses and brackets.
type pvDef struct {
	code  pvCode
	make  func(cc *compiler, pos Pos, inner, index string) *pvCode
	inner bool // it needs parentheses
	index bool // it may have brackets
	doc   Var  // the declaration, for documents
}

// pv compiles a variable: $name, $name(inner), $(name) or $(name(inner)[index]). It returns nil
// after an error.
func (cc *compiler) pv(x *syntax.Var) *pvCode {
	if cc.bareAVP(x) {
		return cc.pvText(x.Pos, "avp("+x.Text+")")
	}
	return cc.pvText(x.Pos, x.Text)
}

// bareAVP tells whether x is an AVP written without avp(): a name that no variable has (5.6.3).
// Statements may have such names and texts may not. A name that resembles that of a variable is
// taken for a mistake.
func (cc *compiler) bareAVP(x *syntax.Var) bool {
	for i := range len(x.Text) {
		if !syntax.IsNameByte(x.Text[i]) {
			return false
		}
	}
	if there, known := cc.bareAVPs[x.Text]; known {
		return there
	}
	names, variable := cc.variableNames(x.Text)
	there := x.Text != "" && !variable && cc.loaded["pv"] &&
		DidYouMean(x.Text, names) == ""
	if cc.bareAVPs[x.Text] = there; there {
		cc.ld.warnf(x.Pos, "$%s is no variable, and so the AVP $avp(%s)", x.Text, x.Text)
	}
	return there
}

func (cc *compiler) pvText(pos Pos, text string) *pvCode {
	w, ok := takeApart(text)
	if !ok {
		cc.ld.errorf(pos, "bad variable $%s", clip(text))
		return nil
	}
	defer cc.refused(useVar, "$"+w.name, "", pos, cc.unclaimed())
	pv := cc.plainVar(pos, &w)
	if w.chain == "" {
		return pv
	}
	return cc.transformed(pos, pv, w.chain)
}

// written is a variable as the file writes it: name(inner)[index]{transformation}{transformation}.
type written struct {
	name, inner, index, chain string
	parens                    bool
}

// takeApart reads the text of a variable, without the dollar sign.
func takeApart(text string) (w written, ok bool) {
	rest, whole := text, strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")")
	if whole {
		rest = strings.TrimSpace(text[1 : len(text)-1])
	}
	n := syntax.VarNameLen(rest)
	if strings.HasPrefix(rest, "?") {
		n = 1
	}
	w.name, rest = rest[:n], rest[n:]
	if strings.HasPrefix(rest, "(") {
		n := closing(rest)
		if n < 0 {
			return w, false
		}
		w.inner, w.parens, rest = strings.TrimSpace(rest[1:n]), true, rest[n+1:]
	}
	if whole {
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, "[") {
			n := closing(rest)
			if n < 0 {
				return w, false
			}
			w.index, rest = rest[1:n], strings.TrimLeft(rest[n+1:], " \t")
		}
		if strings.HasPrefix(rest, "{") {
			w.chain, rest = rest, ""
		}
	}
	return w, rest == "" && w.name != ""
}

// closing returns where the bracket that s begins with is closed. The bracket may be of any kind.
// It returns -1 if it is not closed.
func closing(s string) int {
	depth, open := 0, s[0]
	end := map[byte]byte{'(': ')', '[': ']', '{': '}'}[open]
	for i := range len(s) {
		switch s[i] {
		case open:
			depth++
		case end:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// plainVar compiles a variable without its transformations.
func (cc *compiler) plainVar(pos Pos, w *written) *pvCode {
	d := cc.variable(pos, w.name)
	switch {
	case d == nil:
		cc.textOf(pos, w.inner)
		cc.textOf(pos, w.index)
	case d.inner && w.inner == "":
		cc.ld.errorf(pos, "$%s needs a name in parentheses: $%s(name)", w.name, w.name)
	case !d.inner && w.parens:
		cc.ld.errorf(pos, "$%s takes no parentheses", w.name)
	case w.index != "" && !d.index:
		cc.ld.errorf(pos, "$%s takes no index", w.name)
	case d.make != nil:
		return d.make(cc, pos, w.inner, w.index)
	default:
		if d.code.temp {
			cc.scratch = true
		}
		return &d.code
	}
	return nil
}

// ScriptVar is the Compile of $var(name), a variable of the program that is 0 at first. The name is
// never computed, as in Kamailio.
func (b *VarBuild) ScriptVar(inner, _ string) Place {
	i := b.varNamed(inner, inner)
	b.used(i, inner)
	return Place{NoRoom: true,
		Any: func(c *Ctx) Value { return c.vars[i].v },
		Set: func(c *Ctx, v Value) SetResult { return tooLongUnless(c.setVar(i, v)) },
	}
}

// used notes a use of variable i, unless a module gives it an initial value.
func (b *VarBuild) used(i int32, inner string) {
	for _, m := range b.cc.defs.loaded {
		if _, begins := m.begins[inner]; begins {
			return
		}
	}
	b.cc.usedVar(i, "$"+b.name+"("+clip(inner)+")", b.pos)
}

// VarBegins sets the initial value of $var(name), which is otherwise 0. Call it in the take of an
// Each.
func (m *Module) VarBegins(name string, v Value) {
	if m.begins == nil {
		m.begins = map[string]Value{}
	}
	m.begins[name] = v
}

// beginning is the initial value of a variable of a program.
type beginning struct {
	i int32
	v Value
}

// begun records the initial values of the variables that the file uses.
func (cc *compiler) begun() {
	for _, m := range cc.defs.loaded {
		for name, v := range m.begins {
			if i, there := cc.vars[name]; there {
				cc.prog.begins = append(cc.prog.begins, beginning{i, v})
			}
		}
	}
}

// NullVar is the Compile of $vn(name), which is null until it is set.
func (b *VarBuild) NullVar(inner, _ string) Place {
	i := b.varNamed(inner, nullVars+inner)
	b.used(i, inner)
	return Place{NoRoom: true,
		Any: func(c *Ctx) Value {
			if x := &c.vars[i]; x.dirty {
				return x.v
			}
			return Value{}
		},
		Set: func(c *Ctx, v Value) SetResult {
			done := c.setVar(i, v)
			if v.IsNull() {
				c.vars[i].v = Value{}
			}
			return tooLongUnless(done)
		},
	}
}

// Select is the Compile of $sel(text), the value of the select @text.
func (b *VarBuild) Select(inner, _ string) Place {
	pv := b.cc.sel(b.pos, strings.TrimPrefix(inner, "@"), true)
	if pv == nil {
		b.failed = true
		return Place{}
	}
	return *pv.place()
}

func tooLongUnless(done bool) setResult {
	if !done {
		return setTooLong
	}
	return setDone
}

// varNamed returns the number of a variable of the program. After an error the number is not used.
func (b *VarBuild) varNamed(inner, name string) int32 {
	if strings.HasPrefix(inner, "$") {
		b.Warnf("the name is %s as it stands here: names in $var, $vn and $vz are not computed",
			quote(clip(inner)))
	}
	cc := b.cc
	i, ok := cc.vars[name]
	if !ok {
		if len(cc.vars) >= maxVars {
			b.Errorf("more than %d different $var names", maxVars)
			return 0
		}
		i = int32(len(cc.vars))
		cc.vars[name] = i
	}
	return i
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
