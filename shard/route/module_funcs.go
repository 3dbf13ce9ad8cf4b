package route

import (
	"viaduct/shard/route/syntax"
)

// Function is a function that a script can call.
type Function = funcDef

// Soon declares where Kamailio lets the function be called and Viaduct does not yet.
func (d *funcDef) Soon(in Kinds) *funcDef { d.soonIn = in; return d }

// ThroughRoutes declares where else the function works if it stands in a route[NAME] that is called
// there. Kamailio does not check that at load.
func (d *funcDef) ThroughRoutes(in Kinds) *funcDef { d.through = in; return d }

// MoreSoon declares that calls with n arguments or more work in Kamailio and not here yet.
func (d *funcDef) MoreSoon(n int) *funcDef { d.soon = n; return d }

// Func is the full declaration of a function, for one that needs to know more at load than its
// arguments.
type Func struct {
	Name string
	In   Kinds    // where it may be called
	Args []AnyArg // in order, the optional ones last
	Doc  string
	// Build compiles one call. The number of arguments has been checked. It returns nil after an
	// error.
	Build func(b *Build) Call
}

// Func declares a function by its full declaration.
func (m *Module) Func(f Func) *Function {
	d := &funcDef{max: len(f.Args), in: f.In, args: f.Args, doc: f.Doc}
	if f.In == Anywhere {
		d.in = 0
	}
	for i, a := range f.Args {
		switch info := a.arg(); {
		case !info.optional && i > d.min:
			panic("BUG: function " + f.Name +
				": an argument that must be there stands behind one that need not")
		case !info.optional:
			d.min++
		}
	}
	d.build = func(cc *compiler, x *syntax.Call) callFn { return f.Build(&Build{cc: cc, x: x}) }
	m.function(f.Name, d)
	return d
}

func (m *Module) function(name string, d *funcDef) {
	if d.doc == "" {
		panic("BUG: function " + name + " of module " + m.name + " has no doc")
	}
	if m.def.funcs[name] != nil {
		panic("BUG: function " + name + " of module " + m.name + " is declared twice")
	}
	m.def.funcs[name] = d
}

// Alias gives a declared function further names.
func (m *Module) Alias(name string, more ...string) {
	for _, n := range more {
		m.function(n, m.def.funcs[name])
	}
}

// Func0 declares a function without arguments.
func Func0(m *Module, name string, in Kinds, doc string, f func(c *Ctx) Result) *Function {
	return m.Func(Func{Name: name, In: in, Doc: doc, Build: func(*Build) Call { return f }})
}

// Func1 declares a function with one argument.
func Func1[A any](m *Module, name string, in Kinds, a Arg[A], doc string,
	f func(c *Ctx, a A) Result) *Function {
	build := func(b *Build) Call {
		x, ok := a.At(b, 0)
		if !ok {
			return nil
		}
		if v, known := x.Known(); known {
			return func(c *Ctx) Result { return f(c, v) }
		}
		return func(c *Ctx) Result {
			v, r := x.Get(c)
			if r <= 0 {
				return r
			}
			return f(c, v)
		}
	}
	return m.Func(Func{Name: name, In: in, Args: []AnyArg{a}, Doc: doc, Build: build})
}

// Func2 declares a function with two arguments.
func Func2[A, B any](m *Module, name string, in Kinds, a Arg[A], b Arg[B], doc string,
	f func(c *Ctx, a A, b B) Result) *Function {
	build := func(bd *Build) Call {
		x, ok1 := a.At(bd, 0)
		y, ok2 := b.At(bd, 1)
		if !ok1 || !ok2 {
			return nil
		}
		v, known1 := x.Known()
		w, known2 := y.Known()
		if known1 && known2 {
			return func(c *Ctx) Result { return f(c, v, w) }
		}
		return func(c *Ctx) Result {
			v, r := x.Get(c)
			if r <= 0 {
				return r
			}
			w, r := y.Get(c)
			if r <= 0 {
				return r
			}
			return f(c, v, w)
		}
	}
	return m.Func(Func{Name: name, In: in, Args: []AnyArg{a, b}, Doc: doc, Build: build})
}

// Func3 declares a function with three arguments.
func Func3[A, B, C any](m *Module, name string, in Kinds, a Arg[A], b Arg[B], c Arg[C], doc string,
	f func(c *Ctx, a A, b B, c3 C) Result) *Function {
	build := func(bd *Build) Call {
		x, ok1 := a.At(bd, 0)
		y, ok2 := b.At(bd, 1)
		z, ok3 := c.At(bd, 2)
		if !ok1 || !ok2 || !ok3 {
			return nil
		}
		v, known1 := x.Known()
		w, known2 := y.Known()
		u, known3 := z.Known()
		if known1 && known2 && known3 {
			return func(c *Ctx) Result { return f(c, v, w, u) }
		}
		return func(c *Ctx) Result {
			v, r := x.Get(c)
			if r <= 0 {
				return r
			}
			w, r := y.Get(c)
			if r <= 0 {
				return r
			}
			u, r := z.Get(c)
			if r <= 0 {
				return r
			}
			return f(c, v, w, u)
		}
	}
	return m.Func(Func{Name: name, In: in, Args: []AnyArg{a, b, c}, Doc: doc, Build: build})
}

// Func4 declares a function with four arguments.
func Func4[A, B, C, D any](m *Module, name string, in Kinds, a Arg[A], b Arg[B], c Arg[C], d Arg[D],
	doc string,
	f func(c *Ctx, a A, b B, c3 C, d D) Result) *Function {
	build := func(bd *Build) Call {
		x, ok1 := a.At(bd, 0)
		y, ok2 := b.At(bd, 1)
		z, ok3 := c.At(bd, 2)
		q, ok4 := d.At(bd, 3)
		if !ok1 || !ok2 || !ok3 || !ok4 {
			return nil
		}
		return func(c *Ctx) Result {
			v, r := x.Get(c)
			if r <= 0 {
				return r
			}
			w, r := y.Get(c)
			if r <= 0 {
				return r
			}
			u, r := z.Get(c)
			if r <= 0 {
				return r
			}
			s, r := q.Get(c)
			if r <= 0 {
				return r
			}
			return f(c, v, w, u, s)
		}
	}
	return m.Func(Func{Name: name, In: in, Args: []AnyArg{a, b, c, d}, Doc: doc, Build: build})
}
