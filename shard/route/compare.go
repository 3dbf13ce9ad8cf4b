package route

import "viaduct/shard/route/syntax"

// comparison compiles ==, !=, eq, ne, ieq, ine, <, <=, >, >= and =~; nil for other operators. Frequent shapes get code of their own:
// a string variable against a literal or $null, and the core keywords.
func (cc *compiler) comparison(x *syntax.Binary) condFn {
	switch x.Op {
	case "==", "!=":
		if n, ok := x.L.(*syntax.Name); ok && coreValues[n.Name] != nil {
			return cc.coreComparison(n, x)
		}
		return cc.equality(x)
	case "=~", "!~":
		return cc.match(x)
	case "eq", "ne":
		return cc.typed(x, asStrings, x.Op == "ne")
	case "ieq", "ine":
		return cc.typed(x, asNumbers, x.Op == "ine")
	case "<":
		return cc.order(x, func(a, b int64) bool { return a < b })
	case ">":
		return cc.order(x, func(a, b int64) bool { return a > b })
	case "<=":
		return cc.order(x, func(a, b int64) bool { return a <= b })
	case ">=":
		return cc.order(x, func(a, b int64) bool { return a >= b })
	}
	return nil
}

// answer turns a truth into a condition's number, inverted for !=.
func answer(is, not bool) int {
	if is != not {
		return 1
	}
	return 0
}

func isNull(x syntax.Expr) bool {
	pv, ok := x.(*syntax.Var)
	return ok && (pv.Text == "null" || pv.Text == "(null)")
}

// equality compiles == and != of anything but a core keyword.
func (cc *compiler) equality(x *syntax.Binary) condFn {
	not := x.Op == "!="
	if p, ok := x.L.(*syntax.Var); ok {
		pv := cc.pv(p)
		if pv == nil {
			return func(*Ctx) int { return 0 }
		}
		if pv.bytes != nil {
			read := pv.bytes
			if isNull(x.R) {
				return func(c *Ctx) int {
					_, there := read(c)
					return answer(!there, not)
				}
			}
			if s, ok := x.R.(*syntax.Str); ok {
				want := s.S
				return func(c *Ctx) int {
					b, _ := read(c)
					return answer(string(b) == want, not)
				}
			}
		}
	}
	return cc.typed(x, byLeft, not)
}

// sameness is how two values are compared: a function value in its place would move both to the heap.
type sameness uint8

const (
	byLeft     sameness = iota // ==
	asStrings                  // eq
	asNumbers                  // ieq
	ignoreCase                 // == of a text keyword
)

func (how sameness) holds(a, b *Value) bool {
	switch how {
	case asStrings:
		return a.equalStr(b)
	case asNumbers:
		return a.int() == b.int()
	case ignoreCase:
		return a.equalFold(b)
	}
	return a.equal(b)
}

// typed compiles a comparison of two values.
func (cc *compiler) typed(x *syntax.Binary, how sameness, not bool) condFn {
	l, r := cc.operand(x.L), cc.operand(x.R)
	return func(c *Ctx) int {
		a := l(c)
		if c.stop != next {
			return -1
		}
		b := r(c)
		if c.stop != next {
			return -1
		}
		return answer(how.holds(&a, &b), not)
	}
}

func (cc *compiler) order(x *syntax.Binary, holds func(a, b int64) bool) condFn {
	cc.wantNumber(x.L, x.Op)
	cc.wantNumber(x.R, x.Op)
	l, r := cc.operand(x.L), cc.operand(x.R)
	return func(c *Ctx) int {
		a := l(c)
		if c.stop != next {
			return -1
		}
		n := a.int()
		b := r(c)
		if c.stop != next {
			return -1
		}
		return answer(holds(n, b.int()), false)
	}
}

// match compiles =~.
func (cc *compiler) match(x *syntax.Binary) condFn {
	re := cc.regex(x.R)
	var l valFn
	if n, ok := x.L.(*syntax.Name); ok && coreValues[n.Name] != nil && coreValues[n.Name].value == nil {
		cc.ld.errorf(x.Pos, "%s has no text to match", n.Name)
		return func(*Ctx) int { return 0 }
	}
	l = cc.operand(x.L)
	if re == nil {
		return func(*Ctx) int { return 0 }
	}
	not := x.Op == "!~"
	return func(c *Ctx) int {
		v := l(c)
		if c.stop != next {
			return -1
		}
		if v.Kind == intValue {
			var tmp [24]byte
			v.S = v.appendStr(tmp[:0])
		}
		return answer(re.Match(v.S), not)
	}
}
