package route

import "strings"

// nullVars begins the names of $vn in the list of a program's variables.
const nullVars = "vn "

// VarNamed is the value of the $var with a name that is known only now. It is false if the file
// has no such variable.
func (c *Ctx) VarNamed(name []byte) (Value, bool) {
	i, ok := c.prog.varNames[string(name)]
	if !ok {
		return Value{}, false
	}
	return c.vars[i].v, true
}

// SetVarNamed sets the $var with that name. One that the file does not have has no reader, and so
// is left out.
func (c *Ctx) SetVarNamed(name []byte, v Value) SetResult {
	i, ok := c.prog.varNames[string(name)]
	if !ok {
		return SetDone
	}
	return tooLongUnless(c.setVar(i, v))
}

// VarsNamed calls f with each $var of the file until it returns false.
func (c *Ctx) VarsNamed(f func(name string, v Value) bool) {
	for _, name := range c.prog.varList {
		if !f(name, c.vars[c.prog.varNames[name]].v) {
			return
		}
	}
}

// keepVarNames keeps the names of the variables for the functions that are given one at run time.
func (p *Program) keepVarNames(vars map[string]int32) {
	p.nvars, p.varNames = len(vars), map[string]int32{}
	for name, i := range vars {
		if !strings.HasPrefix(name, nullVars) {
			p.varNames[name] = i
		}
	}
	p.varList = sortedKeys(p.varNames)
}
