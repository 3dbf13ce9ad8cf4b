package control

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"viaduct/shard/route/command"
)

// Var is a setting that operators read, and may change, while the process runs: cfg.get,
// cfg.set_now_int, cfg.set_now_string.
type Var struct {
	Group, Name string
	Aliases     []string // older spellings of Name: answered, not listed
	Help        string   // with the unit
	Min, Max    int64    // range of a number, both included
	Get         func() any
	Set         func(any) error // nil means read-only; takes what Get returns
	ReadOnly    string          // why there is no Set, "it is fixed at start" if it is left out
}

// Vars are the variables by group and name. They are registered at start-up, then read from any
// goroutine, which Get and Set must allow.
type Vars struct {
	groups map[string]map[string]*Var // names with aliases
	more   func() []Var

	mu      sync.Mutex
	delayed []delayed         // guarded by mu
	first   map[[2]string]any // values before the first set, by group and name; guarded by mu
}

// More adds variables that may change while the process runs: those of the current program, which
// now returns.
func (r *Vars) More(now func() []Var) { r.more = now }

// all returns the current variables, by group.
func (r *Vars) all() map[string]map[string]*Var {
	if r.more == nil {
		return r.groups
	}
	all := maps.Clone(r.groups)
	for _, v := range r.more() {
		g := maps.Clone(all[v.Group])
		if g == nil {
			g = map[string]*Var{}
		}
		if g[v.Name] == nil {
			g[v.Name] = &v
		}
		all[v.Group] = g
	}
	return all
}

// Register adds variables. It panics if there is one of that name already, or if Get returns
// neither int64 nor string.
func (r *Vars) Register(all ...Var) {
	if r.groups == nil {
		r.groups = map[string]map[string]*Var{}
	}
	for _, v := range all {
		switch v.Get().(type) {
		case int64, string:
		default:
			panic(fmt.Sprintf("BUG: variable %s.%s gives a %T, neither int64 nor string", v.Group,
				v.Name, v.Get()))
		}
		g := r.groups[v.Group]
		if g == nil {
			g = map[string]*Var{}
			r.groups[v.Group] = g
		}
		for _, name := range append([]string{v.Name}, v.Aliases...) {
			if g[name] != nil {
				panic(fmt.Sprintf("BUG: variable %s.%s is registered twice", v.Group, name))
			}
			g[name] = &v
		}
	}
}

func (r *Vars) group(name string) (map[string]*Var, error) {
	all := r.all()
	if g := all[name]; g != nil {
		return g, nil
	}
	return nil, Faultf(400, "there is no group %q of variables%s", name,
		didYouMean(name, slices.Sorted(maps.Keys(all)), "cfg.list lists them"))
}

func (r *Vars) find(group, name string) (*Var, error) {
	g, err := r.group(group)
	if err != nil {
		return nil, err
	}
	if v := g[name]; v != nil {
		return v, nil
	}
	return nil, Faultf(400, "there is no variable %s.%s%s", group, name,
		didYouMean(name, slices.Sorted(maps.Keys(g)), "cfg.list lists them"))
}

// list names a group's variables, or all.
func (r *Vars) list(group string) ([]string, error) {
	all := []string{}
	if group != "" {
		if _, err := r.group(group); err != nil {
			return nil, err
		}
	}
	for g, vars := range r.all() {
		for name, v := range vars {
			if name == v.Name && (group == "" || group == g) {
				all = append(all, g+": "+name)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

// check finds the variable that a command wants to set. value is an int64 or a string.
func (r *Vars) check(group, name string, value any) (*Var, error) {
	v, err := r.find(group, name)
	if err != nil {
		return nil, err
	}
	if v.Set == nil {
		why := v.ReadOnly
		if why == "" {
			why = "it is fixed at start"
		}
		return nil, Faultf(400, "%s.%s is read-only: %s", group, name, why)
	}
	n, isInt := value.(int64)
	switch _, wantInt := v.Get().(int64); {
	case wantInt && !isInt:
		return nil, Faultf(400, "%s.%s is a number: use cfg.set_now_int", group, name)
	case !wantInt && isInt:
		return nil, Faultf(400, "%s.%s is a text: use cfg.set_now_string", group, name)
	case wantInt && (n < v.Min || n > v.Max):
		return nil, Faultf(400, "%s.%s: %d is out of range, %d to %d", group, name, n, v.Min, v.Max)
	}
	return v, nil
}

// set checks and sets.
func (r *Vars) set(group, name string, value any) error {
	v, err := r.check(group, name, value)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.put(v, value)
}

// put sets v, and remembers what it was before it was ever set. mu is held.
func (r *Vars) put(v *Var, value any) error {
	was := v.Get()
	if err := v.Set(value); err != nil {
		return Faultf(400, "%s", err)
	}
	key := [2]string{v.Group, v.Name}
	if _, there := r.first[key]; !there {
		if r.first == nil {
			r.first = map[[2]string]any{}
		}
		r.first[key] = was
	}
	return nil
}

// read returns a word as the kind of value that a variable has.
func (r *Vars) read(group, name, word string) (any, error) {
	v, err := r.find(group, name)
	if err != nil {
		return nil, err
	}
	if _, isInt := v.Get().(int64); !isInt {
		return word, nil
	}
	n, err := command.ParseInt(word)
	if err != nil {
		return nil, Faultf(400, "%s.%s is a number, and %q is none", group, name, word)
	}
	return n, nil
}

// help returns one sentence about a variable.
func (v *Var) help() string {
	s := v.Help
	if _, ok := v.Get().(int64); ok {
		s += fmt.Sprintf(" A number, %d to %d.", v.Min, v.Max)
	} else {
		s += " A text."
	}
	if v.Set == nil {
		s += " Read-only."
	}
	return s
}

// RegisterVars adds the methods cfg.*.
func RegisterVars(r *RPC, vars *Vars) {
	group, name := Param{Name: "group"}, Param{Name: "name"}
	r.Register(
		&Method{Name: "cfg.list", Help: "Names the variables, of one group or all.",
			Params: []Param{{Name: "group", Optional: true}},
			Call:   func(a Args) (any, error) { return vars.list(a.Text(0)) }},
		&Method{Name: "cfg.get", Help: "Reads a variable, or all of a group.",
			Params: []Param{group, {Name: "name", Optional: true}},
			Call: func(a Args) (any, error) {
				if a.Len() == 2 {
					v, err := vars.find(a.Text(0), a.Text(1))
					if err != nil {
						return nil, err
					}
					return v.Get(), nil
				}
				g, err := vars.group(a.Text(0))
				if err != nil {
					return nil, err
				}
				all := map[string]any{}
				for _, v := range g {
					all[v.Name] = v.Get()
				}
				return all, nil
			}},
		&Method{Name: "cfg.help", Help: "Tells what a variable is for.",
			Params: []Param{group, name}, Call: func(a Args) (any, error) {
				v, err := vars.find(a.Text(0), a.Text(1))
				if err != nil {
					return nil, err
				}
				return v.help(), nil
			}},
		&Method{Name: "cfg.reset", Help: "Sets the variables of a group to what they were before a " +
			"command set them.",
			Params: []Param{group},
			Call:   func(a Args) (any, error) { return nil, vars.reset(a.Text(0)) }},
	)
	const now = " from now on."
	vars.setters(r, vars.set, now, "cfg.set", "cfg.set_now_int", "cfg.set_now_string")
	vars.setters(r, vars.set, now, "", "cfg.seti", "cfg.sets")
	registerDelayed(r, vars)
}

// setters adds the methods that give a variable a value by set, when says when: one that takes
// whichever kind the variable has ("" for none), one for numbers and one for texts.
func (r *Vars) setters(rpc *RPC, set func(group, name string, value any) error, when string,
	either, number, text string) {
	add := func(name, what string, kind ParamKind, value func(a Args) (any, error)) {
		rpc.Register(&Method{Name: name, Help: "Sets " + what + when,
			Params: []Param{{Name: "group"}, {Name: "name"}, {Name: "value", Kind: kind}},
			Call: func(a Args) (any, error) {
				v, err := value(a)
				if err != nil {
					return nil, err
				}
				return nil, set(a.Text(0), a.Text(1), v)
			}})
	}
	if either != "" {
		add(either, "a number or a text", Text,
			func(a Args) (any, error) { return r.read(a.Text(0), a.Text(1), a.Text(2)) })
	}
	add(number, "a number", Int, func(a Args) (any, error) { return a.Int(2, 0), nil })
	add(text, "a text", Text, func(a Args) (any, error) { return a.Text(2), nil })
}
