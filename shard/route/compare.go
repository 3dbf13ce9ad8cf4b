package route

// comparison compiles ==, !=, eq, ne, ieq, ine, <, <=, >, >= and =~; nil for other operators. Frequent shapes get code of their own:
// a string variable against a literal or $null, and the core keywords.
func (cc *compiler) comparison(x *binaryExpr) condFn {
	switch x.op {
	case "==", "!=":
		if n, ok := x.l.(*nameExpr); ok && coreValues[n.name] != nil {
			return cc.coreComparison(n, x)
		}
		return cc.equality(x)
	case "=~", "!~":
		return cc.match(x)
	case "eq", "ne":
		return cc.typed(x, asStrings, x.op == "ne")
	case "ieq", "ine":
		return cc.typed(x, asNumbers, x.op == "ine")
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

func isNull(x expr) bool {
	pv, ok := x.(*pvExpr)
	return ok && (pv.text == "null" || pv.text == "(null)")
}

// equality compiles == and != of anything but a core keyword.
func (cc *compiler) equality(x *binaryExpr) condFn {
	not := x.op == "!="
	if p, ok := x.l.(*pvExpr); ok {
		pv := cc.pv(p)
		if pv == nil {
			return func(*Ctx) int { return 0 }
		}
		if pv.bytes != nil {
			read := pv.bytes
			if isNull(x.r) {
				return func(c *Ctx) int {
					_, there := read(c)
					return answer(!there, not)
				}
			}
			if s, ok := x.r.(*strLit); ok {
				want := s.s
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
func (cc *compiler) typed(x *binaryExpr, how sameness, not bool) condFn {
	l, r := cc.operand(x.l), cc.operand(x.r)
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

func (cc *compiler) order(x *binaryExpr, holds func(a, b int64) bool) condFn {
	cc.wantNumber(x.l, x.op)
	cc.wantNumber(x.r, x.op)
	l, r := cc.operand(x.l), cc.operand(x.r)
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
func (cc *compiler) match(x *binaryExpr) condFn {
	re := cc.regex(x.r)
	var l valFn
	if n, ok := x.l.(*nameExpr); ok && coreValues[n.name] != nil && coreValues[n.name].value == nil {
		cc.ld.errorf(x.pos, "%s has no text to match", n.name)
		return func(*Ctx) int { return 0 }
	}
	l = cc.operand(x.l)
	if re == nil {
		return func(*Ctx) int { return 0 }
	}
	not := x.op == "!~"
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
