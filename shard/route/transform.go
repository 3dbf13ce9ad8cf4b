package route

import (
	"strings"

	"viaduct/shard/route/syntax"
)

// Transform declares a transformation, as in $(variable{name,argument,argument}). Its arguments are
// declared like those of functions. At a use, each is a text between commas that may hold
// variables. Build is called once for each use in the file.
//
// The text that a transformation is given is a view, and the text that it returns may be a view of
// it: a part of the input needs no copy. To make a new text, see Place. For input that it cannot
// work on, it returns null. Within a text such a null is empty, where the null of a variable is
// "<null>" (5.6.3).
type Transform struct {
	Name string
	Args []AnyArg // in order, the optional ones last
	Doc  string
	// Build returns the function that does the work. It returns nil after an error.
	Build func(b *Build) func(c *Ctx, v Value) Value

	ofNull bool
}

// OfNull makes the transformation be called for null too. Without it, null stays null.
func (t *Transform) OfNull() { t.ofNull = true }

// Transform declares a transformation by its full declaration.
func (m *Module) Transform(t Transform) *Transform {
	if t.Doc == "" {
		panic("BUG: transformation {" + t.Name + "} of module " + m.name + " has no doc")
	}
	if m.def.transforms[t.Name] != nil {
		panic("BUG: transformation {" + t.Name + "} is declared twice")
	}
	m.def.transforms[t.Name] = &t
	return &t
}

// Transform0 declares a transformation without arguments.
func Transform0(m *Module, name, doc string, f func(c *Ctx, v Value) Value) *Transform {
	return m.Transform(Transform{Name: name, Doc: doc,
		Build: func(*Build) func(*Ctx, Value) Value { return f }})
}

// Transform1 declares a transformation with one argument.
func Transform1[A any](m *Module, name string, a Arg[A], doc string,
	f func(c *Ctx, v Value, a A) Value) *Transform {
	build := func(b *Build) func(*Ctx, Value) Value {
		x, ok := a.At(b, 0)
		if !ok {
			return nil
		}
		if p, known := x.Known(); known {
			return func(c *Ctx, v Value) Value { return f(c, v, p) }
		}
		return func(c *Ctx, v Value) Value {
			p, r := x.Get(c)
			if r <= 0 {
				return Value{}
			}
			return f(c, v, p)
		}
	}
	return m.Transform(Transform{Name: name, Args: []AnyArg{a}, Doc: doc, Build: build})
}

// Transform2 declares a transformation with two arguments.
func Transform2[A, B any](m *Module, name string, a Arg[A], b Arg[B], doc string,
	f func(c *Ctx, v Value, a A, b B) Value) *Transform {
	build := func(bd *Build) func(*Ctx, Value) Value {
		x, ok1 := a.At(bd, 0)
		y, ok2 := b.At(bd, 1)
		if !ok1 || !ok2 {
			return nil
		}
		p, known1 := x.Known()
		q, known2 := y.Known()
		if known1 && known2 {
			return func(c *Ctx, v Value) Value { return f(c, v, p, q) }
		}
		return func(c *Ctx, v Value) Value {
			p, r := x.Get(c)
			if r <= 0 {
				return Value{}
			}
			q, r := y.Get(c)
			if r <= 0 {
				return Value{}
			}
			return f(c, v, p, q)
		}
	}
	return m.Transform(Transform{Name: name, Args: []AnyArg{a, b}, Doc: doc, Build: build})
}

// Verbatim is an argument of a transformation that keeps its white space, such as a separator. In
// any other argument, leading white space is skipped, and so is white space behind a variable or a
// number.
func Verbatim[T any](a Arg[T]) Arg[T] {
	a.info.verbatim = true
	return a
}

// Rest is the last argument of a transformation, and includes any commas. A regular expression is
// one.
func Rest[T any](a Arg[T]) Arg[T] {
	a.info.rest = true
	return a
}

// transformed compiles the transformations behind a variable: {…}{…}. It returns nil after an
// error, also one in the variable itself, which is then nil.
func (cc *compiler) transformed(pos Pos, pv *pvCode, chain string) *pvCode {
	val, bad := valFn(func(*Ctx) Value { return Value{} }), pv == nil
	if !bad {
		val = pv.value()
	}
	for chain != "" {
		n := -1
		if chain[0] == '{' {
			n = closing(chain)
		}
		if n < 0 {
			cc.ld.errorf(pos, "a transformation is written {name} or {name,argument}, not %s",
				quote(clip(chain)))
			return nil
		}
		t, f := cc.transform(pos, chain[1:n])
		chain = strings.TrimLeft(chain[n+1:], " \t")
		if f == nil {
			bad = true
			continue
		}
		in, ofNull := val, t.ofNull
		val = func(c *Ctx) Value {
			v := in(c)
			if v.IsNull() && !ofNull {
				return v
			}
			return f(c, v)
		}
	}
	if bad {
		return nil
	}
	cc.scratch, cc.faults = true, true
	return &pvCode{any: val, temp: true, blank: true}
}

// transform compiles what stands between the braces. Its function is nil after an error.
func (cc *compiler) transform(pos Pos, text string) (*Transform, func(*Ctx, Value) Value) {
	name, rest, some := strings.Cut(text, ",")
	name = strings.TrimSpace(name)
	defer cc.refused(useTransform, "{"+name+"}", "", pos, cc.unclaimed())
	t := cc.transformNamed(pos, name)
	if t == nil {
		cc.textOf(pos, rest)
		return nil, nil
	}
	x := &syntax.Call{Pos: pos, Name: name}
	if some {
		x.Args = t.arguments(pos, rest)
	}
	least := 0
	for _, a := range t.Args {
		if !a.arg().optional {
			least++
		}
	}
	if n := len(x.Args); n < least || n > len(t.Args) {
		want := count(least, "argument")
		if len(t.Args) > least {
			want = itoa(int64(least)) + " to " + count(len(t.Args), "argument")
		}
		cc.ld.errorf(pos, "{%s} takes %s, not %d", name, want, n)
		cc.textOf(pos, rest)
		return nil, nil
	}
	return t, t.Build(&Build{cc: cc, x: x, strict: true})
}

// arguments splits what stands behind the name into arguments.
func (t *Transform) arguments(pos Pos, s string) (args []syntax.Expr) {
	for more := true; more; {
		var info argInfo
		if i := len(args); i < len(t.Args) {
			info = t.Args[i].arg()
		}
		n := len(s)
		if !info.rest {
			n = comma(s)
		}
		text := s[:n]
		if more = n < len(s); more {
			s = s[n+1:]
		}
		if !info.verbatim {
			text = strings.TrimLeft(text, " \t\r\n")
			if short := strings.TrimRight(text, " \t\r\n"); strings.HasPrefix(text, "$") ||
				itoa(atoi([]byte(short))) == short {
				text = short
			}
		}
		args = append(args, &syntax.Str{Pos: pos, S: text})
	}
	return args
}

// comma returns where the first argument in s ends: at a comma outside of brackets, or at the end.
func comma(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case ',':
			if depth <= 0 {
				return i
			}
		}
	}
	return len(s)
}

// transformNamed returns the transformation of that name of a loaded module. If there is none, it
// reports why and returns nil.
func (cc *compiler) transformNamed(pos Pos, name string) *Transform {
	shown := "{" + name + "}"
	for m := range cc.loaded {
		if d := cc.defs.get(m); d != nil && d.transforms[name] != nil {
			cc.ld.survey.add(Use{Kind: useTransform, Name: shown, Module: m}, pos)
			return d.transforms[name]
		}
	}
	for _, m := range cc.defs.names() {
		if cc.defs.get(m).transforms[name] != nil {
			cc.ld.survey.add(Use{Kind: useTransform, Name: shown, Module: m}, pos)
			cc.ld.errorf(pos, "{%s} needs loadmodule \"%s.so\" before this line", name, m)
			return nil
		}
	}
	if cc.missing(useTransform, pos, name, shown) {
		return nil
	}
	cc.ld.errorf(pos, "unknown transformation {%s}%s", clip(name),
		cc.near(name, func() (names []string) {
			for _, m := range cc.defs.names() {
				names = append(names, sortedKeys(cc.defs.get(m).transforms)...)
			}
			for _, m := range sortedKeys(known()) {
				names = append(names, sortedKeys(known()[m].transforms)...)
			}
			return names
		}))
	return nil
}
