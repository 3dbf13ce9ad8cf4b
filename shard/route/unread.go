package route

import (
	"slices"

	"viaduct/shard/route/syntax"
)

// What stands within something that is refused is read too, so that one run finds all mistakes, and
// so that a survey has all names.

// unrun checks the body of a route that is refused.
func (cc *compiler) unrun(it *syntax.Item) {
	cc.kind, cc.sub = anywhere, nil
	cc.routeBody(it.Body)
}

// argumentsOf checks the arguments of a call that is refused.
func (cc *compiler) argumentsOf(x *syntax.Call) {
	for _, a := range x.Args {
		switch a := a.(type) {
		case *syntax.Name: // such as TCP
		case *syntax.Str:
			cc.textOf(a.Pos, a.S)
		default:
			cc.value(a)
		}
	}
}

// textOf checks the variables in a text that is not compiled. The text may be anything, such as a
// pattern, so a dollar sign with no name behind it is left alone.
func (cc *compiler) textOf(pos Pos, s string) {
	for i := 0; i < len(s); i++ {
		if s[i] != '$' {
			continue
		}
		switch n := syntax.VarLen(s[i:]); {
		case i+1 < len(s) && s[i+1] == '$':
			i++
		case n > 1:
			w, ok := takeApart(s[i+1 : i+n])
			if ok && (w.name[0] < '0' || w.name[0] > '9') {
				cc.pvText(pos, s[i+1:i+n])
			}
			i += n - 1
		}
	}
}

// broken checks the names in a statement with a syntax error.
func (cc *compiler) broken(s *syntax.Broken) {
	if v := cc.ld.survey; v != nil {
		v.broken = true
		defer func() { v.broken = false }()
	}
	for _, x := range s.Names {
		switch x := x.(type) {
		case *syntax.Call:
			if x.Name == "route" {
				cc.routeConst(x)
			} else {
				cc.lookup(x)
			}
		case *syntax.Var:
			cc.pv(x)
		case *syntax.Str:
			cc.textOf(x.Pos, x.S)
		}
	}
}

// unclaimed returns how many errors belong to no name so far.
func (cc *compiler) unclaimed() int { return cc.ld.Tally() - cc.claimed }

// refused notes that a use is refused, if there have been more unclaimed errors than before. They
// then belong to the name. Defer it where the use is compiled.
func (cc *compiler) refused(kind useKind, name, module string, pos Pos, before int) {
	if cc.unclaimed() == before {
		return
	}
	cc.claimed = cc.ld.Tally() - before
	if s := cc.ld.survey; s != nil {
		s.refuse(keyOf(kind, name, module), pos)
	}
}

// refuse moves a use from those that run to those that are refused.
func (s *Survey) refuse(k nameOf, pos Pos) {
	u := s.uses[k]
	if u == nil || u.Fate != Runs {
		return
	}
	i := len(u.Places) - 1
	if i >= 0 && u.Places[i] != pos {
		i = slices.Index(u.Places, pos)
	}
	if i >= 0 {
		u.Places = slices.Delete(u.Places, i, i+1)
		u.refused = append(u.refused, pos)
	}
}
