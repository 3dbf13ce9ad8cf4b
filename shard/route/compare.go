package route

import (
	"net/netip"

	"viaduct/shard/route/syntax"
)

// comparison compiles ==, !=, eq, ne, ieq, ine, <, <=, >, >= and =~. It returns nil for other
// operators. Frequent shapes get code of their own: a string variable against a literal or $null,
// and the core keywords.
func (cc *compiler) comparison(x *syntax.Binary) testFn {
	switch x.Op {
	case "==", "!=":
		if n, ok := x.L.(*syntax.Name); ok && coreValues[n.Name] != nil {
			return cc.coreComparison(n, x)
		}
		return cc.equality(x)
	case "=~", "!~":
		return cc.match(x)
	case "eq", "ne":
		if isNull(x.R) {
			return cc.typed(x, defined, x.Op == "ne")
		}
		return cc.typed(x, asStrings, x.Op == "ne")
	case "ieq", "ine":
		if isNull(x.R) {
			return cc.typed(x, defined, x.Op == "ine")
		}
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

// answer returns is as the result of a test, inverted if not is set, as for !=.
func answer(is, not bool) Result { return truth(is != not) }

// never takes the place of a test that did not compile.
func never(*Ctx) Result { return -1 }

// compares has the comparison operators.
var compares = map[string]bool{"==": true, "!=": true, "eq": true, "ne": true, "ieq": true,
	"ine": true, "=~": true, "!~": true,
	"<": true, ">": true, "<=": true, ">=": true}

func isNull(x syntax.Expr) bool {
	pv, ok := x.(*syntax.Var)
	return ok && (pv.Text == "null" || pv.Text == "(null)")
}

// equality compiles == and != of anything but a core keyword.
func (cc *compiler) equality(x *syntax.Binary) testFn {
	not := x.Op == "!="
	if p, ok := x.L.(*syntax.Var); ok {
		pv := cc.pv(p)
		if pv == nil {
			return never
		}
		if pv.bytes != nil {
			read := pv.bytes
			if isNull(x.R) {
				return func(c *Ctx) Result {
					_, there := read(c)
					return answer(!there, not)
				}
			}
			if s, ok := x.R.(*syntax.Str); ok {
				want := s.S
				return func(c *Ctx) Result {
					b, _ := read(c)
					return answer(string(b) == want, not)
				}
			}
		}
	}
	switch s, ok := x.R.(*syntax.Str); {
	case isNull(x.R):
		return cc.typed(x, defined, not)
	case ok && s.S == "" && !not:
		return cc.typed(x, empty, not) // both 0 == "" and 0 != "" are false (5.6.3)
	}
	return cc.typed(x, byLeft, not)
}

// sameness says how two values are compared. A function value instead would move both values to the
// heap.
type sameness uint8

const (
	byLeft     sameness = iota // ==
	asStrings                  // eq
	asNumbers                  // ieq
	ignoreCase                 // == of a text keyword
	defined                    // == $null: the left one is not there
	empty                      // == "": the left one is empty, or not there
)

func (how sameness) holds(a, b *Value) bool {
	switch how {
	case asStrings:
		return a.equalStr(b)
	case asNumbers:
		return a.int() == b.int()
	case ignoreCase:
		return a.equalFold(b)
	case defined:
		return a.Kind == nullValue
	case empty:
		return len(a.S) == 0 && (a.Kind != intValue || a.blank)
	}
	return a.equal(b)
}

// typed compiles a comparison of two values.
func (cc *compiler) typed(x *syntax.Binary, how sameness, not bool) testFn {
	l, r := cc.operands(x.L, x.R)
	return func(c *Ctx) Result {
		a := l(c)
		b := r(c)
		return answer(how.holds(&a, &b), not)
	}
}

func (cc *compiler) order(x *syntax.Binary, holds func(a, b int64) bool) testFn {
	cc.wantNumber(x.L, x.Op)
	cc.wantNumber(x.R, x.Op)
	l, r := cc.operands(x.L, x.R)
	return func(c *Ctx) Result {
		a := l(c)
		n := a.int()
		b := r(c)
		return answer(holds(n, b.int()), false)
	}
}

// match compiles =~ and !~.
func (cc *compiler) match(x *syntax.Binary) testFn {
	if n, ok := x.L.(*syntax.Name); ok && coreValues[n.Name] != nil &&
		coreValues[n.Name].value == nil {
		if addr := coreValues[n.Name].addr; addr != nil {
			cc.mayStand(n, coreValues[n.Name])
			return cc.matchAddr(addr, x)
		}
		cc.ld.errorf(x.Pos, "%s has no text to match", n.Name)
		return never
	}
	not := x.Op == "!~"
	if _, fixed := literal(x.R); !fixed {
		return cc.matchComputed(x, not)
	}
	re := cc.regex(x.R, 0)
	l := cc.operand(x.L)
	if re == nil {
		return never
	}
	return func(c *Ctx) Result {
		v := l(c)
		if v.Kind == intValue {
			var tmp [24]byte
			v.S = v.appendStr(tmp[:0])
		}
		return answer(re.Match(v.S), not)
	}
}

// matchAddr compiles src_ip =~ "pattern".
func (cc *compiler) matchAddr(addr func(c *Ctx) netip.AddrPort, x *syntax.Binary) testFn {
	if _, fixed := literal(x.R); !fixed {
		cc.ld.errorf(x.R.At(), "the pattern that an address is matched with must be known at load")
		return never
	}
	re, not := cc.regex(x.R, 0), x.Op == "!~"
	if re == nil {
		return never
	}
	return func(c *Ctx) Result {
		var tmp [48]byte
		mark := len(c.buf)
		c.buf = append(c.buf, addr(c).Addr().Unmap().WithZone("").AppendTo(tmp[:0])...)
		is := re.Match(c.buf[mark:])
		c.buf = c.buf[:mark]
		return answer(is, not)
	}
}

// matchComputed compiles =~ with a pattern that is known only at run time. Case matters there
// (5.6.3). A text that is not a valid pattern matches nothing.
func (cc *compiler) matchComputed(x *syntax.Binary, not bool) testFn {
	l, r := cc.operands(x.L, x.R)
	cc.scratch = true // for the text of a number
	return func(c *Ctx) Result {
		a := l(c)
		b := r(c)
		if c.stop != notStopped {
			return 0
		}
		re := c.CachedPattern(c.text(&b), Cased)
		return answer(re != nil && re.Match(c.text(&a)), not)
	}
}
