package route

import (
	"regexp"

	"viaduct/shard/route/syntax"
)

// constant returns the value of a literal. It returns false if x is not a literal.
func constant(x syntax.Expr) (Value, bool) {
	switch x := x.(type) {
	case *syntax.Int:
		return intOf(x.N), true
	case *syntax.Str:
		return Value{Kind: strValue, S: []byte(x.S)}, true
	case *syntax.IP:
		return Value{Kind: strValue, S: []byte(x.S)}, true
	case *syntax.Name:
		if b := syntax.BoolWord(x.Name); b >= 0 {
			return intOf(int64(b)), true
		}
	}
	return Value{}, false
}

// literal returns the value of an expression made of literals only, as in case 2 + 3 and route("A"
// + "B").
func literal(x syntax.Expr) (Value, bool) {
	b, ok := x.(*syntax.Binary)
	if !ok {
		return constant(x)
	}
	l, lok := literal(b.L)
	r, rok := literal(b.R)
	if !lok || !rok {
		return Value{}, false
	}
	if b.Op == "+" && l.Kind == strValue {
		return Value{Kind: strValue, S: r.appendStr(l.appendStr(nil))}, true
	}
	if op := arithmetic[b.Op]; op != nil && r.Kind == intValue && l.Kind == intValue {
		return intOf(op(l.N, r.N)), true
	}
	return Value{}, false
}

// simplified removes what Kamailio's optimizer removes, because scripts can see it (5.6.3): x && 1
// and x || 0 are x as a number, not as a truth value, and route(X) + 0 and route(X) * 1 are the
// number that the route returned.
func simplified(x syntax.Expr) syntax.Expr {
	b, ok := x.(*syntax.Binary)
	if !ok {
		return x
	}
	inner := b.L
	switch {
	case (b.Op == "&&" || b.Op == "*" || b.Op == "/") && isInt(b.R, 1),
		(b.Op == "||" || b.Op == "+" || b.Op == "-") && isInt(b.R, 0):
	case (b.Op == "&&" || b.Op == "*") && isInt(b.L, 1),
		(b.Op == "||" || b.Op == "+") && isInt(b.L, 0):
		inner = b.R
	default:
		return x
	}
	switch inner.(type) {
	case *syntax.Call:
		return inner
	case *syntax.Var:
		if b.Op == "&&" || b.Op == "||" {
			return &syntax.Unary{Pos: inner.At(), Op: "(int)", X: inner}
		}
	}
	return x
}

// isInt tells whether x is the number n.
func isInt(x syntax.Expr, n int64) bool {
	v, ok := constant(x)
	return ok && v.Kind == intValue && v.N == n
}

// reading says which numbers are true. As a whole condition, a number is true if it is above 0; as
// an operand of &&, || or ! it is true if it is not 0. So if $x is -1, both if ($x) and if (!$x)
// are false (5.6.3).
type reading bool

const (
	positive reading = false
	nonzero  reading = true
)

func (how reading) holds(v *Value) bool {
	n := v.int()
	return n > 0 || n < 0 && how == nonzero
}

// cond compiles a condition into steps that lead to yes or to no, and returns their entry. A
// condition known at load has no steps.
func (cc *compiler) cond(x syntax.Expr, yes, no target) target {
	outer := cc.otherwise
	cc.otherwise = no
	entry := cc.branch(x, yes, no, positive)
	cc.otherwise = outer
	return entry
}

func (cc *compiler) branch(x syntax.Expr, yes, no target, how reading) target {
	x = simplified(x)
	if v, ok := constant(x); ok {
		if how.holds(&v) {
			return yes
		}
		return no
	}
	switch x := x.(type) {
	case *syntax.Call:
		if x.Name != "selval" {
			return cc.callTo(x, yes, no, leavesZero)
		}
	case *syntax.Unary:
		switch x.Op {
		case "!":
			return cc.branch(x.X, no, yes, nonzero)
		case "defined":
			return cc.test(yes, no, func() testFn { return cc.defined1(x) })
		}
	case *syntax.Binary:
		more := cc.label()
		right := func() target { return cc.branch(x.R, yes, no, nonzero) }
		isYes, isNo := kindsWhere(x.L)
		switch x.Op {
		case "&&":
			entry := cc.branch(x.L, more, no, nonzero)
			cc.define(more, cc.narrowed(isYes, right))
			return entry
		case "||":
			entry := cc.branch(x.L, yes, more, nonzero)
			cc.define(more, cc.narrowed(isNo, right))
			return entry
		}
		if compares[x.Op] {
			return cc.test(yes, no, func() testFn { return cc.comparison(x) })
		}
	case *syntax.Name:
		if n := coreValues[x.Name]; n == nil {
			cc.unknownName(x)
			return no
		}
	}
	return cc.test(yes, no, func() testFn {
		val := cc.value(x)
		return func(c *Ctx) Result {
			v := val(c)
			return answer(how.holds(&v), false)
		}
	})
}

// defined1 compiles "defined $x".
func (cc *compiler) defined1(x *syntax.Unary) testFn {
	val := cc.value(x.X)
	return func(c *Ctx) Result {
		v := val(c)
		return answer(v.Kind != nullValue, false)
	}
}

// fromTest turns a test into a value, 1 or 0.
func fromTest(f testFn) valFn {
	return func(c *Ctx) Value { return boolOf(f(c) > 0) }
}

// value compiles an expression for its value. It never returns nil.
func (cc *compiler) value(x syntax.Expr) valFn {
	x = simplified(x)
	if v, ok := constant(x); ok {
		return func(*Ctx) Value { return v }
	}
	none := func(*Ctx) Value { return Value{} }
	switch x := x.(type) {
	case *syntax.Var:
		pv := cc.pv(x)
		if pv == nil {
			return none
		}
		return pv.value()
	case *syntax.Select:
		if pv := cc.sel(x.Pos, x.Text, false); pv != nil {
			return pv.value()
		}
		return none
	case *syntax.Name:
		if d := coreValues[x.Name]; d != nil && d.value != nil {
			cc.mayStand(x, d)
			return d.value
		}
		cc.unknownName(x)
		return none
	case *syntax.Call:
		if x.Name == "selval" {
			return cc.selval(x)
		}
		return cc.callValue(x)
	case *syntax.Unary:
		return cc.unary(x)
	case *syntax.Binary:
		return cc.binary(x)
	}
	return none
}

// operand compiles an expression that is part of a larger one. There a call counts as 1 or 0, not
// as the number it returned. With a route that returns 5, route(X) == 1 is true and route(X) + 1 is
// 2, while $var(x) = route(X) sets 5 (measured on 5.6.3).
func (cc *compiler) operand(x syntax.Expr) valFn {
	if call, ok := x.(*syntax.Call); ok && call.Name != "selval" {
		return cc.truthValue(x)
	}
	return cc.value(x)
}

func (cc *compiler) unary(x *syntax.Unary) valFn {
	switch x.Op {
	case "!":
		return cc.truthValue(x)
	case "defined":
		return fromTest(cc.defined1(x))
	}
	val := cc.operand(x.X)
	switch x.Op {
	case "-":
		cc.wantNumber(x.X, "-")
		return func(c *Ctx) Value { v := val(c); return intOf(-v.int()) }
	case "~":
		cc.wantNumber(x.X, "~")
		return func(c *Ctx) Value { v := val(c); return intOf(^v.int()) }
	case "(int)":
		return func(c *Ctx) Value { v := val(c); return intOf(v.int()) }
	case "strlen":
		return func(c *Ctx) Value {
			v := val(c)
			if v.Kind == intValue {
				var tmp [24]byte
				return intOf(int64(len(v.appendStr(tmp[:0]))))
			}
			return intOf(int64(len(v.S)))
		}
	case "strempty":
		return func(c *Ctx) Value {
			v := val(c)
			return boolOf(v.Kind != intValue && len(v.S) == 0)
		}
	}
	// (str): an empty string in front makes the value a string.
	return cc.concat(func(*Ctx) Value { return Value{Kind: strValue} }, val, x.Pos)
}

// wantNumber refuses a string literal where a number is needed, as Kamailio does at load.
func (cc *compiler) wantNumber(x syntax.Expr, op string) {
	if s, ok := x.(*syntax.Str); ok {
		cc.ld.errorf(s.Pos, "%s needs a number, not the string %s", op, quote(clip(s.S)))
	}
}

// isNumber tells whether x can only be a number.
func isNumber(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.Int:
		return true
	case *syntax.Unary:
		return x.Op != "(str)"
	case *syntax.Binary:
		return x.Op != "+" || isNumber(x.L)
	}
	return false
}

func (cc *compiler) binary(x *syntax.Binary) valFn {
	switch {
	case x.Op == "&&" || x.Op == "||":
		return cc.truthValue(x)
	case compares[x.Op]:
		return fromTest(cc.comparison(x))
	}
	if x.Op != "+" || isNumber(x.L) {
		cc.wantNumber(x.L, x.Op)
		cc.wantNumber(x.R, x.Op)
	}
	l, r := cc.operands(x.L, x.R)
	if x.Op == "+" {
		if isNumber(x.L) {
			return arith(l, r, arithmetic["+"])
		}
		// A chain a+b+c+d copies its left part again at each step. That is cheap: scripts join four
		// things, not forty.
		return cc.plus(l, r, x.Pos)
	}
	if op := arithmetic[x.Op]; op != nil {
		return arith(l, r, op)
	}
	if n, ok := x.R.(*syntax.Int); ok && n.N == 0 {
		cc.ld.errorf(x.Pos, "division by zero")
	}
	cc.divides = true
	if x.Op == "/" {
		return divide(l, r, x.Pos, func(a, b int64) int64 { return a / b })
	}
	return divide(l, r, x.Pos, func(a, b int64) int64 { return a % b })
}

// arithmetic has the number operators whose result is always defined.
var arithmetic = map[string]func(a, b int64) int64{
	"+":  func(a, b int64) int64 { return a + b },
	"-":  func(a, b int64) int64 { return a - b },
	"*":  func(a, b int64) int64 { return a * b },
	"|":  func(a, b int64) int64 { return a | b },
	"&":  func(a, b int64) int64 { return a & b },
	"^":  func(a, b int64) int64 { return a ^ b },
	"<<": func(a, b int64) int64 { return a << (uint64(b) & 63) },
	">>": func(a, b int64) int64 { return a >> (uint64(b) & 63) },
}

func arith(l, r valFn, op func(a, b int64) int64) valFn {
	return func(c *Ctx) Value {
		a := l(c)
		b := r(c)
		return intOf(op(a.int(), b.int()))
	}
}

// divide has no value for a zero divisor and logs it.
func divide(l, r valFn, pos Pos, op func(a, b int64) int64) valFn {
	zero := []byte("division by zero at " + pos.String())
	return func(c *Ctx) Value {
		a := l(c)
		n := a.int()
		b := r(c)
		d := b.int()
		if d == 0 {
			c.Complain(zero)
			c.void = true
			return Value{}
		}
		if d == -1 {
			// The one quotient that overflows panics nowhere this way.
			return intOf(op(-n, 1))
		}
		return intOf(op(n, d))
	}
}

// plus adds numbers or joins strings. The left operand decides which, or the right one if the left
// is undefined.
func (cc *compiler) plus(l, r valFn, pos Pos) valFn {
	cc.scratch, cc.faults = true, true
	long := &Diagnostic{Pos: pos, Text: "string is too long"}
	return func(c *Ctx) Value {
		a := l(c)
		b := r(c)
		if a.Kind == intValue || a.Kind == nullValue && b.Kind == intValue {
			return intOf(a.int() + b.int())
		}
		v, ok := c.concat(&a, &b)
		if !ok {
			c.failed(long)
		}
		return v
	}
}

// concat joins two values as strings.
func (cc *compiler) concat(l, r valFn, pos Pos) valFn {
	cc.scratch, cc.faults = true, true
	long := &Diagnostic{Pos: pos, Text: "string is too long"}
	return func(c *Ctx) Value {
		a := l(c)
		b := r(c)
		v, ok := c.concat(&a, &b)
		if !ok {
			c.failed(long)
		}
		return v
	}
}

// regex compiles a pattern that is known at load. A pattern of =~ ignores case and one of case does
// not (5.6.3). It returns nil after an error.
func (cc *compiler) regex(x syntax.Expr, flags PatternFlag) *regexp.Regexp {
	v, _ := literal(x)
	re, err := CompilePattern(string(v.appendStr(nil)), flags)
	if err != nil {
		cc.ld.errorf(x.At(), "%v", err)
		return nil
	}
	return re
}
