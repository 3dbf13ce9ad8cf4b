package route

import (
	"strings"

	"viaduct/shard/route/syntax"
)

// funcDef is one function that a script can call. build gets only calls whose number of arguments
// fits. It returns nil after an error.
type funcDef struct {
	min, max int
	build    func(cc *compiler, x *syntax.Call) callFn
	// soon is the number of arguments from which on calls work in Kamailio and not here yet; 0
	// means that there are no such calls.
	soon int
	// in is where it may be called; 0 means anywhere. soonIn is where it may be called in Kamailio
	// and not here yet. Measured with 5.6.3.
	in, soonIn kinds
	// waitless is where it may be called in Kamailio and cannot wait here.
	waitless kinds
	through  kinds // where else a route[NAME] that calls it may run
	args     []AnyArg
	doc      string
	// callsRoute says that a call of it calls a route[NAME]; see Module.RouteIfThere.
	callsRoute bool
}

// call compiles a call of a function. no is where its step leads if it is false. It returns nil
// after an error.
func (cc *compiler) call(x *syntax.Call, no target) callFn {
	defer cc.refused(useFunc, x.Name, "", x.Pos, cc.unclaimed())
	d := cc.lookup(x)
	if d == nil || !cc.mayCall(x, d) || !cc.takes(x, d) {
		cc.argumentsOf(x)
		return nil
	}
	foldArguments(x)
	cc.guard(x, d, no)
	return d.build(cc, x)
}

// takes tells whether the function takes as many arguments. If not, it reports that.
func (cc *compiler) takes(x *syntax.Call, d *funcDef) bool {
	n := len(x.Args)
	switch {
	case d.soon > 0 && n >= d.soon:
		cc.ld.errorf(x.Pos, "%s with %s is known to Kamailio, not implemented by Viaduct yet",
			x.Name, count(n, "argument"))
		return false
	case n < d.min || n > d.max:
		want := count(d.min, "argument")
		if d.max > d.min {
			want = itoa(int64(d.min)) + " to " + count(d.max, "argument")
		}
		cc.ld.errorf(x.Pos, "%s takes %s, not %d", x.Name, want, n)
		return false
	}
	return true
}

// foldArguments makes one text or number of each argument that is made of literals only, before the
// function reads it, as Kamailio does: "a" + "$rU" is a text with a variable in it.
func foldArguments(x *syntax.Call) {
	for i, arg := range x.Args {
		e, ok := arg.(*syntax.Binary)
		if !ok {
			continue
		}
		v, ok := literal(e)
		first := e.L
		for inner, ok := first.(*syntax.Binary); ok; inner, ok = first.(*syntax.Binary) {
			first = inner.L
		}
		switch {
		case !ok:
		case v.Kind == intValue:
			x.Args[i] = &syntax.Int{Pos: first.At(), N: v.N}
		default:
			x.Args[i] = &syntax.Str{Pos: first.At(), S: string(v.S)}
		}
	}
}

// Count returns a number of things in words: "1 byte", "2 bytes".
func Count(n int, what string) string { return count(n, what) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return itoa(int64(n)) + " " + what + "s"
}

// lookup finds the function among those of the core and of the loaded modules. If there is none, it
// reports why and returns nil.
func (cc *compiler) lookup(x *syntax.Call) *funcDef {
	if x.Name == syntax.Assignment {
		return assignment()
	}
	if statelessForwards[x.Name] {
		cc.prog.usesForward = true
	}
	if d := cc.defs.get(core).funcs[x.Name]; d != nil {
		cc.ld.survey.add(Use{Kind: useFunc, Name: x.Name, Module: core}, x.Pos)
		return d
	}
	for m := range cc.loaded {
		if d := cc.defs.get(m); d != nil && d.funcs[x.Name] != nil {
			cc.ld.survey.add(Use{Kind: useFunc, Name: x.Name, Module: m}, x.Pos)
			return d.funcs[x.Name]
		}
	}
	for _, m := range cc.defs.names() {
		if cc.defs.get(m).funcs[x.Name] != nil {
			cc.ld.survey.add(Use{Kind: useFunc, Name: x.Name, Module: m}, x.Pos)
			cc.ld.errorf(x.Pos, "%s needs loadmodule \"%s.so\" before this line", x.Name, m)
			return nil
		}
	}
	if cc.missing(useFunc, x.Pos, x.Name, x.Name) {
		return nil
	}
	cc.ld.errorf(x.Pos, "unknown function %s%s", x.Name, cc.near(x.Name, func() []string {
		return append(cc.allFuncNames(), "route", "exit", "return", "drop")
	}))
	return nil
}

// allFuncNames returns the names of all functions of all modules, Viaduct's and Kamailio's.
func (cc *compiler) allFuncNames() []string {
	set := map[string]bool{}
	for _, m := range cc.defs.names() {
		for n := range cc.defs.get(m).funcs {
			set[n] = true
		}
	}
	for _, k := range known() {
		for n := range k.funcs {
			set[n] = true
		}
	}
	return sortedKeys(set)
}

// routeConst returns the target of route(NAME) with a name known at load. It returns nil for other
// calls.
func (cc *compiler) routeConst(x *syntax.Call) *routeCode {
	name, ok := routeArg(x)
	if !ok {
		return nil
	}
	cc.refs = append(cc.refs, routeRef{name: name, pos: x.Args[0].At()})
	return cc.routeNamed(name)
}

// routeNamed returns the code of a route. It may be compiled later.
func (cc *compiler) routeNamed(name string) *routeCode {
	rt := cc.byName[name]
	if rt == nil {
		rt = cc.newRoute(name)
		cc.byName[name] = rt
	}
	return rt
}

// intArg is a number argument: known at load, or computed. A number may stand in quotes, as in
// ds_select_dst("1", "4").
type intArg struct {
	n   int
	val valFn // nil if n is known
}

func (a *intArg) get(c *Ctx) int {
	if a.val == nil {
		return a.n
	}
	v := a.val(c)
	return int(v.int())
}

func (cc *compiler) intArg(x *syntax.Call, i int, what string, min, max int64) (intArg, bool) {
	e := x.Args[i]
	if v, ok := constant(e); ok {
		n := v.int()
		if s, isStr := e.(*syntax.Str); isStr {
			if strings.HasPrefix(s.S, "$") {
				f := cc.format(s.Pos, s.S)
				if f == nil {
					return intArg{}, false
				}
				if len(f.parts) == 2 && len(f.parts[0].text) == 0 && len(f.parts[1].text) == 0 {
					return intArg{val: f.parts[0].pv.value()}, true
				}
			}
			if itoa(n) != strings.TrimPrefix(s.S, "+") {
				cc.ld.errorf(s.Pos, "%s wants a number for %s, not %s", x.Name, what,
					quote(clip(s.S)))
				return intArg{}, false
			}
		}
		if n < min || n > max {
			cc.ld.errorf(e.At(), "%s: %s is %d; the range is %d..%d", x.Name, what, n, min, max)
			return intArg{}, false
		}
		return intArg{n: int(n)}, true
	}
	return intArg{val: cc.argument(x, i)}, true
}

// textArg compiles argument i as a text that may hold variables. It returns nil after an error.
func (cc *compiler) textArg(x *syntax.Call, i int) *format {
	switch e := x.Args[i].(type) {
	case *syntax.Str:
		return cc.format(e.Pos, e.S)
	case *syntax.Int:
		s := itoa(e.N)
		return &format{text: s, plain: true, parts: []formatPart{{text: []byte(s)}}}
	case *syntax.Var:
		if pv := cc.pv(e); pv != nil {
			return &format{parts: []formatPart{{pv: pv}, {}}}
		}
		return nil
	}
	// Any other expression: its value is printed.
	val := cc.argument(x, i)
	return &format{parts: []formatPart{{pv: &pvCode{any: val}}, {}}}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}
