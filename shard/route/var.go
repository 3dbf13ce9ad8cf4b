package route

import (
	"slices"

	"viaduct/shard/route/suggest"
)

// Place is a pseudo-variable: Text reads one that is text, Int one that is a number. A reader tells
// whether there is something; without it the value is null. A text is a view that lives until the
// statement ends.
type Place struct {
	Text func(c *Ctx) ([]byte, bool)
	Int  func(c *Ctx) (int64, bool)
}

// Var declares a pseudo-variable without parentheses.
func (m *Module) Var(name, doc string, p Place) {
	if doc == "" {
		panic("BUG: variable $" + name + " of module " + m.name + " has no doc")
	}
	if m.def.vars[name] != nil || pvs[name] != nil {
		panic("BUG: variable $" + name + " is declared twice")
	}
	if (p.Text == nil) == (p.Int == nil) {
		panic("BUG: variable $" + name + " needs either Text or Int")
	}
	m.def.vars[name] = &pvDef{code: pvCode{bytes: p.Text, num: p.Int}}
	m.def.varDocs[name] = doc
}

// variable is the variable of that name: the core's, or a module's. One whose module is not loaded
// works all the same; in Kamailio it is null.
func (cc *compiler) variable(pos Pos, name string) *pvDef {
	if d := pvs[name]; d != nil {
		return d
	}
	for m := range cc.loaded {
		if d := cc.defs.get(m); d != nil && d.vars[name] != nil {
			return d.vars[name]
		}
	}
	for _, m := range cc.defs.names() {
		if d := cc.defs.get(m).vars[name]; d != nil {
			cc.ld.warnf(pos,
				"$%s is null in Kamailio without loadmodule \"%s.so\" before this line", name, m)
			return d
		}
	}
	return nil
}

// noVariable reports a variable that there is not.
func (cc *compiler) noVariable(pos Pos, name string) {
	if knownPVs[name] {
		cc.ld.errorf(pos, "$%s is known to Kamailio, not implemented by Viaduct yet", name)
		return
	}
	names := sortedKeys(pvs)
	for _, m := range cc.defs.names() {
		names = append(names, sortedKeys(cc.defs.get(m).vars)...)
	}
	slices.Sort(names)
	cc.ld.errorf(pos, "unknown variable $%s%s", clip(name),
		suggest.DidYouMean("$"+name, dollar(names)))
}
